//! `hwc record`: a node's journal as one file, to be replayed anywhere.

use super::nodes::find_node;
use super::{Failure, Session};
use crate::recorder;
use anyhow::{Context, anyhow};
use clap::Args;
use hwc_api::names::NodeName;
use hwc_api::v1::journal_path;
use hwc_runtime::files::{FileMode, write_atomically};
use serde::Serialize;
use std::path::PathBuf;

/// Whose, and where to.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file to write; `hwc replay` reads it.
    #[arg(required_unless_present = "output")]
    file: Option<PathBuf>,
    /// The file to write, named as other programs want it.
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    output: Option<PathBuf>,
    /// The node whose journal it is, asked through the daemon. Otherwise this node's journal is read
    /// from its disk, whether or not its daemon runs.
    #[arg(long)]
    node: Option<NodeName>,
    /// Where the daemon keeps its state.
    #[arg(long, default_value = "/var/lib/hwc", conflicts_with = "node")]
    state: PathBuf,
}

#[derive(Serialize)]
struct Recorded {
    file: PathBuf,
    bytes: usize,
}

pub async fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let file = arguments.file.or(arguments.output);
    let file = file.ok_or_else(|| anyhow!("say which file to write"))?;
    let path = std::path::absolute(&file).context("find the file's folder")?;
    let journal = match arguments.node {
        None => recorder::read_all(&arguments.state.join("journal"))?,
        Some(name) => {
            let node = find_node(session, &name).await?.node.id;
            let journal = session.client.download(&journal_path(node)).await?;
            journal.to_vec()
        }
    };
    write_atomically(&path, &journal, FileMode::SECRET)
        .with_context(|| format!("write {}", path.display()))?;
    let bytes = journal.len();
    session.print(&Recorded { file, bytes }, |recorded| {
        let (file, bytes) = (recorded.file.display(), recorded.bytes);
        format!("{bytes} bytes are in {file}. Read it with: hwc replay {file}")
    })
}
