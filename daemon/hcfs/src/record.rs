//! The record beside each snapshot, which makes it complete: identity and whole history.
//!
//! It is written (fsync) after the snapshot is in its place and its content is on disk, and
//! removed before the snapshot is deleted. So after a crash at any step: a snapshot with a record
//! is whole, one without is an unfinished or half-deleted one and is removed, a record without a
//! snapshot is a leftover. The history of a dataset is what its snapshots say, never a file of
//! its own that could disagree with them.

use crate::layout::{Layout, Volume};
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_api::time::WallTime;
use hwc_runtime::files::{FileMode, write_atomically};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::Path;

/// The filesystem's own identity of a snapshot: the same for every faithful copy of it, different
/// for any other. The second proof, beside the name, that two nodes mean the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 16]>::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(&text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// What is kept beside a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotRecord {
    /// The identity of its content.
    pub guid: Guid,
    /// The history up to and including it.
    pub lineage: Lineage,
    /// Its place in the order in which snapshots of the main history came to this disk, from 1.
    /// The highest is the head: names alone can't say it (a label given after a restart may sort
    /// below the one before, and a whole content may replace what was there).
    pub arrival: u64,
    /// When it was taken. For people.
    pub taken_at: WallTime,
    /// When the first change that only it (and what follows) contains was noticed.
    pub changed_since: WallTime,
}

impl SnapshotRecord {
    /// The snapshot's name.
    pub(crate) fn snapshot(&self) -> Option<SnapshotId> {
        self.lineage.head()
    }
}

/// What is kept beside live data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LiveRecord {
    /// Under which it was opened.
    pub epoch: Epoch,
}

/// Writes the record of a snapshot durably.
pub(crate) fn write(layout: &Layout, volume: Volume, record: &SnapshotRecord) -> io::Result<()> {
    write_json(&layout.record(volume), record)
}

/// Writes the record of live data durably.
pub(crate) fn write_live(layout: &Layout, volume: Volume, record: &LiveRecord) -> io::Result<()> {
    write_json(&layout.record(volume), record)
}

/// Reads the record of a snapshot; none where there is none, or where it is not whole or not this
/// snapshot's (then the snapshot is not complete).
pub(crate) fn read(
    layout: &Layout,
    volume: Volume,
    snapshot: SnapshotId,
) -> io::Result<Option<SnapshotRecord>> {
    let record: Option<SnapshotRecord> = read_json(&layout.record(volume))?;
    Ok(record.filter(|record| record.snapshot() == Some(snapshot)))
}

/// Reads the record of live data.
pub(crate) fn read_live(layout: &Layout, volume: Volume) -> io::Result<Option<LiveRecord>> {
    read_json(&layout.record(volume))
}

/// Removes a record; that it is absent is fine.
pub(crate) fn remove(layout: &Layout, volume: Volume) -> io::Result<()> {
    match std::fs::remove_file(layout.record(volume)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let text = serde_json::to_vec(value).map_err(io::Error::other)?;
    write_atomically(path, &text, FileMode::SECRET)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
