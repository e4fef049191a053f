//! What can go wrong, in terms of what the conductor can do about it.

use crate::backend::BackendError;
use crate::replication::{Refusal, RefusalReason};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::{Epoch, SnapshotId};
use hwc_runtime::dial::DialError;
use std::time::Duration;

/// Why something about a dataset on this node could not be done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum HcfsError {
    /// The filesystem.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The record of a snapshot.
    #[error("{doing} a snapshot's record")]
    Record {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Only a live dataset can do that.
    #[error("dataset {0} is not live here")]
    NotLive(DatasetId),
    /// A live dataset can't do that.
    #[error("dataset {dataset} is live here under epoch {epoch}")]
    Live {
        /// Which.
        dataset: DatasetId,
        /// Under which epoch.
        epoch: Epoch,
    },
    /// Live data is on disk that could not be put into a snapshot at the start.
    #[error("dataset {0} has unsaved live data from an earlier start; free space and restart hwcd")]
    LeftOver(DatasetId),
    /// The copy is another than the caller thinks.
    #[error("the newest snapshot of dataset {dataset} is {}, not {}", shown(*found), shown(*expected))]
    OtherHead {
        /// Which dataset.
        dataset: DatasetId,
        /// What the caller thinks.
        expected: Option<SnapshotId>,
        /// What is here.
        found: Option<SnapshotId>,
    },
    /// The epoch is not higher than those that the history has.
    #[error("epoch {epoch} doesn't follow the history of dataset {dataset}")]
    EpochOutOfOrder {
        /// Which dataset.
        dataset: DatasetId,
        /// The refused epoch.
        epoch: Epoch,
    },
    /// A snapshot would have been discarded that is kept nowhere else.
    #[error("snapshot {snapshot} of dataset {dataset} is in no divergent copy: not discarded")]
    NotFiled {
        /// Which dataset.
        dataset: DatasetId,
        /// Which snapshot.
        snapshot: SnapshotId,
    },
    /// Programs kept writing while the live data was being ended.
    #[error("dataset {0} is still being written to: stop its services first")]
    StillWritten(DatasetId),
}

fn shown(snapshot: Option<SnapshotId>) -> String {
    snapshot.map_or_else(|| "none".to_owned(), |snapshot| snapshot.to_string())
}

/// What to do about a transfer that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFailure {
    /// Again later, the same.
    Interrupted,
    /// Again when the receiver shows another record.
    Refused,
    /// Again, with an older parent or the whole content.
    ParentMissing,
}

/// Why a transfer came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The receiver did not want it.
    #[error("the receiver refused: {}", refusal.reason)]
    Refused {
        /// Why, and what it holds.
        refusal: Refusal,
    },
    /// The parent is not retained here.
    #[error("snapshot {0}, to build upon, is not here any more")]
    ParentMissing(SnapshotId),
    /// The snapshot to send is not here.
    #[error("snapshot {0} is not here")]
    SnapshotMissing(SnapshotId),
    /// A history without a snapshot can't be sent.
    #[error("there is no snapshot to send")]
    Nothing,
    /// The receiver could not be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke, or the receiver spoke another language.
    #[error("talk to the receiver")]
    Connection(#[source] std::io::Error),
    /// No byte went through for too long.
    #[error("no progress within {} s", .0.as_secs())]
    NoProgress(Duration),
    /// The snapshot could not be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The dataset is not to be sent any more: it was fenced, or the daemon stops.
    #[error("the transfer was called off")]
    CalledOff,
}

impl SendError {
    /// What to do about it.
    #[must_use]
    pub fn failure(&self) -> SendFailure {
        match self {
            Self::Refused { refusal } => match refusal.reason {
                RefusalReason::ParentMissing => SendFailure::ParentMissing,
                RefusalReason::OldEpoch
                | RefusalReason::OtherParent
                | RefusalReason::NotFollowing
                | RefusalReason::Deleted
                | RefusalReason::NotAMember
                | RefusalReason::NotTheWriter
                | RefusalReason::Nonsense => SendFailure::Refused,
                RefusalReason::Busy
                | RefusalReason::NoSpace
                | RefusalReason::Damaged
                | RefusalReason::Failed => SendFailure::Interrupted,
            },
            Self::ParentMissing(_) => SendFailure::ParentMissing,
            Self::SnapshotMissing(_)
            | Self::Nothing
            | Self::Dial(_)
            | Self::Connection(_)
            | Self::NoProgress(_)
            | Self::Backend(_)
            | Self::CalledOff => SendFailure::Interrupted,
        }
    }
}
