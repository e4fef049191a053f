//! The number of a daemon's start: each is greater than all earlier ones of the same node.
//!
//! Others tell two lives of one node apart by it: datagrams and facts of an earlier life are void.
//! It is kept on disk and grows by at least one; it is also at least the wall clock, so that a node
//! whose disk was restored from a backup still comes back with a greater number. A clock that was
//! set back can't make it shrink.

use super::IdentityError;
use super::node::make_folder;
use hwc_api::ids::BootId;
use hwc_api::time::WallTime;
use hwc_runtime::files::{FileMode, write_atomically};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

const FILE_NAME: &str = "start.json";

/// One start of one node's daemon. Ordered: the later one is greater.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Start {
    /// Greater than at every earlier start of this node. At most 2^48 - 1 (the year 10,000).
    pub number: u64,
    /// Drawn at random at each start.
    pub boot: BootId,
}

impl Start {
    /// Counts a new start and writes it down before anything is said to anybody.
    ///
    /// # Errors
    /// When the file can't be read, understood or written: a node that does not know its starts
    /// must not speak.
    pub fn begin(folder: &Path, now: WallTime) -> Result<Self, IdentityError> {
        let path = folder.join(FILE_NAME);
        let last = match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice::<Self>(&text)
                    .map_err(|source| IdentityError::Damaged {
                        path: path.clone(),
                        source,
                    })?
                    .number
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(source) => return Err(IdentityError::Read { path, source }),
        };
        let start = Self {
            number: next_number(last, now),
            boot: BootId(hwc_runtime::random::number_u32()),
        };
        let written = make_folder(folder).and_then(|()| {
            let text = serde_json::to_vec(&start)?;
            write_atomically(&path, &text, FileMode::SECRET)
        });
        written.map_err(|source| IdentityError::Write { path, source })?;
        Ok(start)
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.boot)
    }
}

fn next_number(last: u64, now: WallTime) -> u64 {
    let clock = u64::try_from(now.0).unwrap_or(0);
    last.saturating_add(1).max(clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_grow_even_when_the_clock_goes_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let begin = |now| Start::begin(folder.path(), WallTime(now)).expect("counted");
        let first = begin(1_000);
        let second = begin(400);
        let third = begin(5_000);
        assert_eq!(
            (first.number, second.number, third.number),
            (1_000, 1_001, 5_000)
        );
        assert!(first < second && second < third);
    }

    #[test]
    fn a_damaged_count_stops_the_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(FILE_NAME), b"7").expect("written");
        assert!(Start::begin(folder.path(), WallTime(1)).is_err());
    }
}
