//! What this node shows on its board, under which keys, and how it is read on the others'.
//!
//! Values are postcard (records, many and small) or JSON (reports, with tagged enums that postcard
//! can't read). A value that can't be read is passed over with a warning: it disables what it
//! speaks of, nothing else.

use hwc_api::ids::{DatasetId, JobId, SessionId};
use hwc_api::job::JobProgress;
use hwc_api::moves::MoveProgress;
use hwc_api::observed::{DatasetObserved, NodeObserved};
use hwc_api::ownership::{HolderRecord, RouteRecord};
use hwc_api::time::WallTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One thing that a node shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Its report of itself.
    Node,
    /// Its [`HolderRecord`] of a dataset.
    Holder(DatasetId),
    /// Its [`RouteRecord`] of a dataset.
    Route(DatasetId),
    /// How fresh the copies of a dataset are that it serves.
    Dataset(DatasetId),
    /// How far a job is that it runs.
    Job(JobId),
    /// How far the move of a dataset is that leaves it.
    Move(DatasetId),
    /// A session that ended; the value is when it would have expired.
    Session(SessionId),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::Holder(dataset) => write!(f, "holder/{dataset}"),
            Self::Route(dataset) => write!(f, "route/{dataset}"),
            Self::Dataset(dataset) => write!(f, "dataset/{dataset}"),
            Self::Job(job) => write!(f, "job/{job}"),
            Self::Move(dataset) => write!(f, "move/{dataset}"),
            Self::Session(session) => write!(f, "session/{}", hex::encode(session.0)),
        }
    }
}

impl Key {
    /// Reads a key; none where it is not one of ours (a newer version's, say).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "node" {
            return Some(Self::Node);
        }
        let (kind, id) = text.split_once('/')?;
        match kind {
            "holder" => id.parse().ok().map(Self::Holder),
            "route" => id.parse().ok().map(Self::Route),
            "dataset" => id.parse().ok().map(Self::Dataset),
            "job" => id.parse().ok().map(Self::Job),
            "move" => id.parse().ok().map(Self::Move),
            "session" => {
                let bytes = hex::decode(id).ok()?.try_into().ok()?;
                Some(Self::Session(SessionId(bytes)))
            }
            _ => None,
        }
    }
}

/// A value that a node shows, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Its report of itself.
    Node(Box<NodeObserved>),
    /// Its record of a dataset.
    Holder(DatasetId, Box<HolderRecord>),
    /// How it says to route.
    Route(DatasetId, RouteRecord),
    /// How fresh the copies are.
    Dataset(Box<DatasetObserved>),
    /// How far a job is.
    Job(JobProgress),
    /// How far a move is.
    Move(Box<MoveProgress>),
    /// A session that ended.
    Session(SessionId, WallTime),
}

/// Why a value is passed over.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A record.
    #[error("read a record")]
    Record(#[from] postcard::Error),
    /// A report.
    #[error("read a report")]
    Report(#[from] serde_json::Error),
}

impl Shown {
    /// Reads a value under its key.
    ///
    /// # Errors
    /// When it is not what the key says.
    pub fn read(key: Key, value: &[u8]) -> Result<Self, Unreadable> {
        Ok(match key {
            Key::Node => Self::Node(from_json(value)?),
            Key::Holder(dataset) => Self::Holder(dataset, Box::new(postcard::from_bytes(value)?)),
            Key::Route(dataset) => Self::Route(dataset, postcard::from_bytes(value)?),
            Key::Dataset(_) => Self::Dataset(from_json(value)?),
            Key::Job(_) => Self::Job(from_json(value)?),
            Key::Move(_) => Self::Move(from_json(value)?),
            Key::Session(session) => Self::Session(session, postcard::from_bytes(value)?),
        })
    }
}

fn from_json<T: DeserializeOwned>(value: &[u8]) -> Result<T, Unreadable> {
    Ok(serde_json::from_slice(value)?)
}

/// A record as it goes to the board.
///
/// # Errors
/// Never for our own records; the format's signature allows it.
pub fn record<T: Serialize>(value: &T) -> Result<Vec<u8>, Unreadable> {
    Ok(postcard::to_stdvec(value)?)
}

/// A report as it goes to the board.
///
/// # Errors
/// Never for our own reports; the format's signature allows it.
pub fn report<T: Serialize>(value: &T) -> Result<Vec<u8>, Unreadable> {
    Ok(serde_json::to_vec(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ownership::{Epoch, HolderState};

    #[test]
    fn keys_survive_text_and_foreign_ones_are_passed_over() {
        for key in [
            Key::Node,
            Key::Holder(DatasetId(7)),
            Key::Route(DatasetId(7)),
            Key::Dataset(DatasetId(7)),
            Key::Job(JobId(3)),
            Key::Move(DatasetId(7)),
            Key::Session(SessionId([5; 16])),
        ] {
            assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
        for foreign in [
            "",
            "holder",
            "holder/",
            "holder/x",
            "holder/-1",
            "session/00",
            "new/1",
            "holder/1/2",
        ] {
            assert_eq!(Key::parse(foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn a_broken_value_is_an_error() {
        let route = RouteRecord {
            state: HolderState::Live,
            epoch: Epoch::NONE,
            is_open: true,
        };
        let bytes = record(&route).expect("written");
        let read = Shown::read(Key::Route(DatasetId(1)), &bytes).expect("read");
        assert_eq!(read, Shown::Route(DatasetId(1), route));
        assert!(Shown::read(Key::Route(DatasetId(1)), b"").is_err());
        assert!(Shown::read(Key::Node, b"{}").is_err());
    }
}
