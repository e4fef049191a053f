//! `hwc record`: this node's journal as one file, to be replayed anywhere.

use super::{Failure, Session};
use crate::recorder;
use anyhow::Context;
use clap::Args;
use hwc_runtime::files::{FileMode, write_atomically};
use serde::Serialize;
use std::path::PathBuf;

/// Where to.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file to write; `hwc replay` reads it.
    file: PathBuf,
    /// Where the daemon keeps its state.
    #[arg(long, default_value = "/var/lib/hwc")]
    state: PathBuf,
}

#[derive(Serialize)]
struct Recorded {
    file: PathBuf,
    bytes: usize,
}

pub fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let journal = recorder::read_all(&arguments.state.join("journal"))?;
    let path = std::path::absolute(&arguments.file).context("find the file's folder")?;
    write_atomically(&path, &journal, FileMode::SECRET)
        .with_context(|| format!("write {}", path.display()))?;
    let recorded = Recorded {
        file: arguments.file,
        bytes: journal.len(),
    };
    session.print(&recorded, |recorded| {
        let (file, bytes) = (recorded.file.display(), recorded.bytes);
        format!("{bytes} bytes are in {file}. Read it with: hwc replay {file}")
    })
}
