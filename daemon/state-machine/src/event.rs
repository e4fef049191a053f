//! What a brain is told. Events are facts: nothing in them is an instruction except
//! [`DatasetEvent::MoveTo`] and the registry.

use crate::row::{PersistToken, PersistedRow, StreamId, TransferId};
use hwc_api::desired::{Dataset, Desired};
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, Lineage, SnapshotId, Speaker};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The first event of every start, and only that.
    Booted {
        /// Drawn at random at this start, on disk before this event.
        boot: BootId,
        /// Every dataset of which a filesystem, a divergent copy or a row was found on disk.
        inventory: Vec<InventoryItem>,
    },
    /// The registry's datasets as this node knows them now: full state, in any order of calls.
    Registry(RegistryView),
    /// The failure detector calls this node alive.
    PeerAlive {
        /// The node.
        node: NodeId,
    },
    /// The failure detector has *declared* this node unreachable (merely suspecting is not
    /// enough), or the node was removed from the cluster.
    PeerSuspect {
        /// The node.
        node: NodeId,
    },
    /// Every record of this peer's board was delivered, now or earlier: what it doesn't show, it
    /// doesn't hold; what was delivered and has not changed since counts (again).
    RecordsHeard {
        /// The peer.
        node: NodeId,
        /// The start of the peer whose board that was.
        boot: BootId,
    },
    /// Time has passed: due at [`StateMachine::next_deadline`](crate::StateMachine::next_deadline).
    Tick,
    /// This node stood still (its event loop was not run) for so long that others may have taken
    /// over. Given before anything else is done after waking up.
    Gap {
        /// How long, in milliseconds.
        length_ms: u64,
    },
    /// Something about one dataset.
    Dataset {
        /// Which.
        dataset: DatasetId,
        /// What.
        event: DatasetEvent,
    },
}

/// What was found on disk about one dataset at a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryItem {
    /// The dataset.
    pub dataset: DatasetId,
    /// The row last persisted; none where there was none.
    pub row: Option<PersistedRow>,
    /// The history of the filesystem on disk; none where there is no filesystem. Data that was not
    /// in a snapshot has been given one before, under a fresh label: the counter of the epoch it
    /// was opened under, this node, *this* boot, sequence 1.
    pub lineage: Option<Lineage>,
    /// The histories of the divergent copies on disk.
    pub divergent: Vec<Lineage>,
    /// When the newest snapshot was taken.
    pub head_taken_at: WallTime,
}

/// What the registry says, as far as ownership is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RegistryView {
    /// The registry index at which this node joined.
    pub my_join_index: u64,
    /// All datasets, deleted ones too while their trash is kept.
    pub datasets: BTreeMap<DatasetId, DatasetPolicy>,
}

impl RegistryView {
    /// The part of the desired state that concerns ownership, as node `me` needs it.
    #[must_use]
    pub fn of(desired: &Desired, me: NodeId) -> Self {
        let policy = |dataset: &Dataset| DatasetPolicy {
            replicas: dataset.replicas.clone(),
            created_index: dataset.created_index,
            is_deleted: dataset.is_deleted,
        };
        let my_join_index = desired
            .nodes
            .get(&me)
            .map_or(u64::MAX, |node| node.join_index);
        Self {
            my_join_index,
            datasets: desired
                .datasets
                .iter()
                .map(|(id, dataset)| (*id, policy(dataset)))
                .collect(),
        }
    }
}

/// What the registry says about one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetPolicy {
    /// The nodes that should hold a copy, the preferred live node first.
    pub replicas: Vec<NodeId>,
    /// The registry index of its creation.
    pub created_index: u64,
    /// Nobody serves it any more.
    pub is_deleted: bool,
}

/// A snapshot that this node has just taken of its live data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenSnapshot {
    /// Its name: the epoch being served, the next sequence number.
    pub snapshot: SnapshotId,
    /// Bytes changed since the snapshot before, without caches, logs and temporary files.
    pub changed_bytes: u64,
    /// When. For people; decides nothing.
    pub taken_at: WallTime,
}

/// Something about one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DatasetEvent {
    /// A peer shows this record. Records of one peer come in the order of their versions.
    Record {
        /// The peer.
        from: NodeId,
        /// What it shows.
        record: HolderRecord,
    },
    /// A message from another brain, unchanged, over a connection that was not re-established
    /// since the message was sent.
    Message {
        /// The sender.
        from: NodeId,
        /// What it says.
        message: PeerMessage,
    },
    /// The row of this token is on disk.
    Persisted {
        /// Of [`Command::Persist`](crate::Command::Persist).
        token: PersistToken,
    },
    /// The dataset is mounted, its services can run, its gate is open under this epoch.
    Opened {
        /// Of [`Command::Open`](crate::Command::Open).
        epoch: Epoch,
    },
    /// The dataset could not be opened.
    OpenFailed {
        /// Of [`Command::Open`](crate::Command::Open).
        epoch: Epoch,
    },
    /// Gate closed, services stopped, what they wrote is in a durable snapshot.
    Fenced {
        /// Of [`Command::Fence`](crate::Command::Fence).
        epoch: Epoch,
        /// The snapshot taken for it; none if nothing had changed.
        final_snapshot: Option<TakenSnapshot>,
    },
    /// Gate closed for a move; what was written is in a durable snapshot.
    GateClosed {
        /// Of [`Command::CloseGate`](crate::Command::CloseGate).
        epoch: Epoch,
        /// The snapshot taken for it; none if nothing had changed.
        final_snapshot: Option<TakenSnapshot>,
    },
    /// A snapshot of the live data was taken.
    SnapshotTaken(TakenSnapshot),
    /// A peer wants to send a stream of this dataset; answered in the same step by
    /// [`Command::RefuseStream`](crate::Command::RefuseStream), or, then or once the higher epoch
    /// is persisted, by [`Command::AcceptStream`](crate::Command::AcceptStream).
    StreamOffered {
        /// The receiving executor's name for the stream.
        stream: StreamId,
        /// What the stream's header says.
        offer: StreamOffer,
    },
    /// An accepted stream is complete in a hidden place, verified and durable.
    StreamReceived {
        /// Which stream.
        stream: StreamId,
    },
    /// A stream that was offered or accepted won't come to its end; the copy is what it was.
    StreamFailed {
        /// Which stream.
        stream: StreamId,
    },
    /// A received stream is in its place, atomically and durably.
    StreamCommitted {
        /// Which stream.
        stream: StreamId,
    },
    /// The receiver of a transfer has the sent snapshot in its place.
    ReplicaAcknowledged {
        /// Of [`Command::Replicate`](crate::Command::Replicate).
        transfer: TransferId,
    },
    /// A transfer came to nothing.
    ReplicateFailed {
        /// Of [`Command::Replicate`](crate::Command::Replicate).
        transfer: TransferId,
        /// What to do about it.
        failure: ReplicateFailure,
    },
    /// The copy with this history is kept as a divergent one, durably.
    Filed {
        /// Of [`Command::FileDivergent`](crate::Command::FileDivergent).
        lineage: Lineage,
    },
    /// The copy was wound back.
    RolledBack {
        /// The history it has now: that of the newest retained snapshot at or before the one asked
        /// for; none if no such snapshot was retained and the copy was removed.
        lineage: Option<Lineage>,
    },
    /// The copy is gone.
    CopyDropped,
    /// A local operation (filing, rolling back, dropping, committing a stream) failed and changed
    /// nothing; it is ordered again after a while.
    OperationFailed,
    /// Another node's divergent copy is stored here, durably.
    DivergentReceived {
        /// Its history.
        lineage: Lineage,
    },
    /// The registry ordered a divergent copy to be forgotten, and it is gone from this disk.
    DivergentForgotten {
        /// Its history.
        lineage: Lineage,
    },
    /// An administrator or the balancer wants this node, which is live, to move the dataset.
    MoveTo {
        /// Where.
        node: NodeId,
    },
}

/// The header of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOffer {
    /// Who sends it.
    pub from: NodeId,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// The snapshot it builds upon; none if it is the whole content.
    pub parent: Option<SnapshotId>,
    /// The history of the copy once the stream is in.
    pub lineage: Lineage,
    /// When its head was taken, by the sender's clock. For people; decides nothing.
    pub head_taken_at: WallTime,
}

/// Why a transfer came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicateFailure {
    /// The connection broke, a disk was full, the receiver was busy: again later.
    Interrupted,
    /// The receiver refused, because its copy or epoch is another than was thought: again once its
    /// record or a delay says so.
    Refused,
    /// The parent snapshot is not retained here or there: the whole content must be sent.
    ParentMissing,
}

/// What brains tell each other besides records. Each message checks itself: loss, repetition and
/// reordering are harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// The fenced live node hands its authority to the receiver, which was seen to hold the head.
    Promote {
        /// To whom: this start of this node and no other.
        to: Speaker,
        /// The sender's epoch.
        epoch: Epoch,
        /// The history that the receiver must hold exactly.
        lineage: Lineage,
    },
    /// The receiver, no longer in the set, may drop its copy.
    Grant {
        /// The live sender's epoch; the grant dies with it.
        epoch: Epoch,
        /// The live sender's history.
        lineage: Lineage,
    },
}
