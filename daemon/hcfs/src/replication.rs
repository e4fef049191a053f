//! Snapshots from node to node: one stream per transfer, over what `runtime::dial` opens.
//!
//! ```text
//! sender    Offer                      Chunk … Chunk End
//! receiver         Working* Go|Refused                   Working* Stored|Refused
//! ```
//!
//! The receiver asks the conductor (which asks the brain) twice: whether it wants the stream, and,
//! when the snapshot is whole in a hidden place, whether it still wants it. `Stored` is said only
//! when the snapshot is in its place and on disk. Everything that breaks on the way leaves the
//! receiver as it was; a transfer that is repeated after a lost `Stored` is acknowledged at once.

pub(crate) mod frame;
pub(crate) mod receive;
pub(crate) mod send;

use crate::record::Guid;
use futures::future::BoxFuture;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What a stream becomes at the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// The newest snapshot of its copy.
    Replica,
    /// A divergent copy that it keeps too.
    Divergent,
}

/// The header of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOffer {
    /// Who sends it; the receiver has compared it with whom TLS proved.
    pub from: NodeId,
    /// Of which dataset.
    pub dataset: DatasetId,
    /// What it is to become.
    pub purpose: Purpose,
    /// The sender's name for this transfer, random; for logs.
    pub transfer: u64,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The snapshot that it builds upon; none if it is the whole content.
    pub parent: Option<SnapshotId>,
    /// The identity of the snapshot's content.
    pub guid: Guid,
    /// The history up to and including the snapshot.
    pub lineage: Lineage,
    /// When the snapshot was taken. For people.
    pub taken_at: WallTime,
    /// When the first change that is new in it was noticed. For people.
    pub changed_since: WallTime,
}

impl StreamOffer {
    /// The snapshot that is offered.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotId> {
        self.lineage.head()
    }
}

/// This node's name for one incoming stream; not used again before the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a stream is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalReason {
    /// Its epoch is lower than the highest seen there.
    OldEpoch,
    /// It doesn't build exactly upon the copy that is there.
    OtherParent,
    /// The receiver serves, claims, or has an undecided branch of its own.
    NotFollowing,
    /// The dataset is deleted there.
    Deleted,
    /// The receiver is not to hold a copy, as far as it knows.
    NotAMember,
    /// Too much is under way there.
    Busy,
    /// The snapshot it builds upon is not retained there.
    ParentMissing,
    /// The epoch is not the sender's, or the sender is not who it says.
    NotTheWriter,
    /// The header contradicts itself.
    Nonsense,
    /// The receiver's disk is too full.
    NoSpace,
    /// What came is not what was sent.
    Damaged,
    /// The receiver could not store it.
    Failed,
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OldEpoch => "it has seen a higher epoch",
            Self::OtherParent => "its copy is another one",
            Self::NotFollowing => "it follows nobody at the moment",
            Self::Deleted => "the dataset is deleted",
            Self::NotAMember => "it is not to hold a copy",
            Self::Busy => "it is busy",
            Self::ParentMissing => "it lacks the snapshot to build upon",
            Self::NotTheWriter => "the sender is not the writer of that epoch",
            Self::Nonsense => "the header contradicts itself",
            Self::NoSpace => "its disk is too full",
            Self::Damaged => "the stream was damaged on the way",
            Self::Failed => "it could not store the snapshot",
        })
    }
}

/// The answer of a receiver that doesn't want a stream, or could not take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// The history of the copy it has; none for no copy.
    pub has: Option<Lineage>,
}

/// How far an incoming stream had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedStage {
    /// Before it was whole.
    Transfer,
    /// It was whole, and could not be put in its place.
    Commit,
}

/// What the conductor is asked about streams from other nodes, and told about them.
///
/// For each stream: `offered`; if that is granted, `received` or `failed`; if `received` is
/// granted, `committed` or `failed`. What is refused is not reported again.
pub trait StreamGate: Send + Sync + 'static {
    /// May this stream come in, into a hidden place?
    fn offered<'a>(
        &'a self,
        stream: StreamId,
        offer: &'a StreamOffer,
    ) -> BoxFuture<'a, Result<(), RefusalReason>>;

    /// It is complete in its hidden place, and verified: may it be put in place? Whoever grants
    /// this waits for `committed` or `failed` before it shows the head of the copy to others.
    fn received<'a>(
        &'a self,
        stream: StreamId,
        offer: &'a StreamOffer,
    ) -> BoxFuture<'a, Result<(), RefusalReason>>;

    /// It is in its place and on disk. The sender is told after this returns.
    fn committed(&self, stream: StreamId, offer: &StreamOffer);

    /// It won't come to its end; nothing of it is left.
    fn failed(&self, stream: StreamId, offer: &StreamOffer, stage: FailedStage);
}

/// What to send to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    /// Of which dataset.
    pub dataset: DatasetId,
    /// To which node.
    pub to: NodeId,
    /// What it is to become there.
    pub purpose: Purpose,
    /// This node's epoch.
    pub epoch: Epoch,
    /// Send what changed since this snapshot; none: the whole content.
    pub parent: Option<SnapshotId>,
    /// Up to this history's head.
    pub lineage: Lineage,
}

/// A transfer that came to its end: the receiver has the snapshot on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// The receiver had it already (its earlier answer was lost).
    pub was_there: bool,
    /// Bytes of the stream before compression.
    pub stream_bytes: u64,
    /// Bytes that went over the network.
    pub network_bytes: u64,
}

/// Timeouts and limits of transfers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferTimes {
    /// The other side is given up when nothing comes from it, or nothing goes to it, for this long.
    pub idle: Duration,
    /// Who is waited for says so this often.
    pub working_interval: Duration,
    /// The own disk is given up when it gives or takes nothing for this long.
    pub disk_stall: Duration,
}

impl Default for TransferTimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(15),
            working_interval: Duration::from_secs(4),
            disk_stall: Duration::from_secs(60),
        }
    }
}

/// What a receiver says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Send it.
    Go,
    /// It is in its place and on disk.
    Stored(SnapshotId),
    /// No.
    Refused(Refusal),
}

/// What ends a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// Bytes before compression.
    pub stream_bytes: u64,
    /// BLAKE3 of all of them.
    pub digest: [u8; 32],
}
