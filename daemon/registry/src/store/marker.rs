//! A note, kept apart from the store, that the store exists.
//!
//! A voter that has lost its store (a wiped or replaced disk) would vote as if it had never
//! acknowledged anything, and changes that a majority had could be lost. The note tells such a node
//! from one that joins: a newcomer has neither store nor note.

use hwc_api::ids::NodeId;
use hwc_runtime::files::{FileMode, write_atomically};
use hwc_runtime::random;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// A random number that names one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct StoreId(u64);

impl StoreId {
    pub fn draw() -> Self {
        Self(random::number_u64())
    }
}

/// What the note says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub node: NodeId,
    pub store: StoreId,
}

/// What the note means for a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the store that the note names.
    Same,
    /// There is no note of this node: write one.
    Unnoted,
    /// The note names a store of this node that is not this one.
    Lost,
}

/// Judges a store, none where it is new, by the note.
pub(super) fn judge(marker: Option<Marker>, me: NodeId, store: Option<StoreId>) -> Verdict {
    match marker.filter(|marker| marker.node == me) {
        None => Verdict::Unnoted,
        Some(marker) if Some(marker.store) == store => Verdict::Same,
        Some(_) => Verdict::Lost,
    }
}

/// Reads the note; none where there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<Marker>> {
    match std::fs::read(path) {
        Ok(json) => serde_json::from_slice(&json)
            .map(Some)
            .map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the note; on disk when it returns.
pub(super) fn write(path: &Path, marker: Marker) -> io::Result<()> {
    let json = serde_json::to_vec(&marker).map_err(io::Error::other)?;
    write_atomically(path, &json, FileMode::SECRET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_this_node_names_its_store_or_the_store_is_lost() {
        let me = NodeId(1);
        let noted = |node, store| {
            Some(Marker {
                node: NodeId(node),
                store: StoreId(store),
            })
        };
        for (marker, store, verdict) in [
            (None, None, Verdict::Unnoted),
            (None, Some(7), Verdict::Unnoted),
            (noted(2, 7), None, Verdict::Unnoted),
            (noted(2, 7), Some(7), Verdict::Unnoted),
            (noted(1, 7), Some(7), Verdict::Same),
            (noted(1, 7), Some(8), Verdict::Lost),
            (noted(1, 7), None, Verdict::Lost),
        ] {
            let judged = judge(marker, me, store.map(StoreId));
            assert_eq!(judged, verdict, "{marker:?}, {store:?}");
        }
    }
}
