//! What a lab shall be like.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::names::LabId;
use crate::progress::Progress;

pub use crate::state::BindSources;

/// Size of a node's data pool unless told otherwise, in bytes.
const DISK_BYTES: u64 = 3 << 30;
/// btrfs makes no filesystem smaller than about this, in bytes.
const DISK_BYTES_MIN: u64 = 128 << 20;
/// Three nodes take about ten seconds on two idle cores; a busy machine takes its time.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// What a lab shall be like.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Its name.
    pub id: LabId,
    /// How many nodes.
    pub nodes: usize,
    /// Size of each node's data pool. The image file is sparse.
    pub disk_bytes: u64,
    /// What of ours is bound into the nodes.
    pub binds: BindSources,
    /// How long the nodes may take to boot.
    pub boot_limit: Duration,
    /// Whether the lab outlives this process even if it ends without a word.
    pub stays: bool,
    /// Where progress is told.
    pub progress: Progress,
}

impl LabOptions {
    /// A lab that belongs to this process, with what was built beside its program.
    pub fn new(id: LabId, nodes: usize) -> Self {
        Self {
            id,
            nodes,
            disk_bytes: DISK_BYTES,
            binds: default_binds(),
            boot_limit: BOOT_LIMIT,
            stays: false,
            progress: Progress::start(),
        }
    }

    /// Sets the size of the data pools.
    ///
    /// # Errors
    /// When btrfs could not be made that small.
    pub fn set_disk_bytes(&mut self, bytes: u64) -> Result<()> {
        if bytes < DISK_BYTES_MIN {
            return Err(Error::Input(format!(
                "a disk of {bytes} bytes is too small for btrfs: use 128M or more"
            )));
        }
        self.disk_bytes = bytes;
        Ok(())
    }
}

/// The directory of this program, and the source tree around it or around the working directory.
fn default_binds() -> BindSources {
    let program = std::env::current_exe().ok();
    let bin =
        program
            .as_deref()
            .and_then(Path::parent)
            .map(|directory| match directory.file_name() {
                // Tests are built into target/debug/deps.
                Some(name) if name == "deps" => directory.parent().unwrap_or(directory).to_owned(),
                Some(_) | None => directory.to_owned(),
            });
    let starts = [program, std::env::current_dir().ok()];
    let repository = starts
        .iter()
        .flatten()
        .find_map(|start| find_repository(start));
    let site = repository
        .as_ref()
        .map(|repository| repository.join("target/site"));
    BindSources {
        bin,
        site,
        repository,
    }
}

fn find_repository(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|directory| directory.join("lab/Cargo.toml").is_file())
        .map(Path::to_owned)
}

/// A size such as `3G`, `512M`, or a plain number of bytes.
///
/// # Errors
/// When it is none.
pub fn parse_size(text: &str) -> Result<u64> {
    let wrong = || {
        Error::Input(format!(
            "{text:?} is no size: write it as 3G, 512M, or a number of bytes"
        ))
    };
    let shift = match text.chars().next_back() {
        Some('K' | 'k') => 10,
        Some('M' | 'm') => 20,
        Some('G' | 'g') => 30,
        Some('T' | 't') => 40,
        Some(_) | None => 0,
    };
    let number = if shift == 0 {
        text
    } else {
        &text[..text.len() - 1]
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        for (text, bytes) in [
            ("3G", 3 << 30),
            ("512m", 512 << 20),
            ("4096", 4096),
            ("1T", 1 << 40),
        ] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for wrong in ["", "G", "3X", "-1G", "1.5G", "99999999999T", "3é"] {
            assert!(parse_size(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_pool_must_be_large_enough_for_btrfs() {
        let mut options = LabOptions::new("demo".parse().unwrap(), 1);
        assert!(options.set_disk_bytes(1 << 20).is_err());
        assert!(options.set_disk_bytes(1 << 30).is_ok());
    }
}
