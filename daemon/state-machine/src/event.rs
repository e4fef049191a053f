//! What a brain is told. Events are facts: nothing in them is an instruction except
//! [`DatasetEvent::MoveTo`], [`DatasetEvent::CallOffMove`] and the registry.

use crate::facts::{ClusterFacts, DatasetFacts};
use crate::row::{PersistToken, PersistedRow, StreamId, TransferId};
use crate::size::SizeStep;
use hwc_api::desired::{Dataset, DatasetContent, Desired, Site};
use hwc_api::ids::{BootId, DatasetId, MoveId, NodeId, SiteId};
use hwc_api::moves::{MoveReason, MoveReceipt};
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
    /// The cluster as this node sees it: whole, once at the start and whenever it changed, at most
    /// about once a second. Nothing beyond the ownership protocol is decided before the first of a
    /// start, or after a [`Event::Gap`] before the next.
    Cluster(ClusterFacts),
    /// What the datasets take that are live here: whole, every few seconds.
    Loads(BTreeMap<DatasetId, DatasetFacts>),
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
    /// How large datasets are, as the nodes show it that serve them: those that are in another step
    /// than told before. The leader of the registry is to be told of all, others need not be.
    Sizes(BTreeMap<DatasetId, SizeStep>),
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

/// What the registry says, as far as the brain is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RegistryView {
    /// The registry index at which this node joined.
    pub my_join_index: u64,
    /// All datasets, deleted ones too while their trash is kept.
    pub datasets: BTreeMap<DatasetId, DatasetPolicy>,
    /// The newest moves that ended with the dataset on its target.
    pub moves: BTreeMap<MoveId, PastMove>,
}

impl RegistryView {
    /// The part of the desired state that concerns the brain, as node `me` needs it.
    #[must_use]
    pub fn of(desired: &Desired, me: NodeId) -> Self {
        let my_join_index = desired
            .nodes
            .get(&me)
            .map_or(u64::MAX, |node| node.join_index);
        let datasets = desired.datasets.iter();
        let moves = desired.moves.iter();
        Self {
            my_join_index,
            datasets: datasets
                .map(|(id, dataset)| (*id, DatasetPolicy::of(desired, dataset)))
                .collect(),
            moves: moves
                .filter(|(_, receipt)| receipt.report.problem.is_none())
                .map(|(id, receipt)| (*id, PastMove::of(receipt)))
                .collect(),
        }
    }
}

/// What the registry says about one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetPolicy {
    /// The nodes that should hold a copy, the preferred live node first.
    pub replicas: Vec<NodeId>,
    /// Copies that it should have, the live one included.
    pub copies: u8,
    /// The registry index of its creation.
    pub created_index: u64,
    /// Nobody serves it any more.
    pub is_deleted: bool,
    /// The site that it belongs to; what belongs to one site moves together.
    pub unit: Option<Unit>,
    /// The node that it stays on while that node can serve it.
    pub pin: Option<NodeId>,
    /// Until then it is not moved to spread load.
    pub hold_until: Option<WallTime>,
}

impl DatasetPolicy {
    fn of(desired: &Desired, dataset: &Dataset) -> Self {
        let site = site_of(desired, dataset);
        Self {
            replicas: dataset.replicas.clone(),
            copies: dataset.copies,
            created_index: dataset.created_index,
            is_deleted: dataset.is_deleted,
            unit: site.map(|site| Unit {
                site: site.id,
                files: site.dataset,
            }),
            pin: site.and_then(|site| site.pin),
            hold_until: site.and_then(|site| site.hold_until),
        }
    }
}

/// The site that a dataset holds the files or a database of.
fn site_of<'a>(desired: &'a Desired, dataset: &Dataset) -> Option<&'a Site> {
    let site = match dataset.content {
        DatasetContent::Site(site) => site,
        DatasetContent::Database(database) => desired.databases.get(&database)?.site?,
    };
    desired.sites.get(&site)
}

/// A site: its files and its databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Which.
    pub site: SiteId,
    /// The dataset of its files; the others are its databases.
    pub files: DatasetId,
}

/// A move that ended with the dataset on its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastMove {
    /// What moved.
    pub dataset: DatasetId,
    /// The node that it left.
    pub from: NodeId,
    /// Where it went.
    pub to: NodeId,
    /// Why.
    pub reason: MoveReason,
    /// When it was over, by the clock of the node that it left.
    pub ended_at: WallTime,
}

impl PastMove {
    fn of(receipt: &MoveReceipt) -> Self {
        let report = &receipt.report;
        Self {
            dataset: report.dataset,
            from: report.from,
            to: report.to,
            reason: report.reason,
            ended_at: report.ended_at,
        }
    }
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
    /// This node, on which the dataset is live, is to move it, with all of its site that is live
    /// here. Without effect where [`StateMachine::can_move`](crate::StateMachine::can_move) refuses
    /// it; what comes of it is told by [`Command::MoveChanged`](crate::Command::MoveChanged).
    MoveTo {
        /// Where.
        node: NodeId,
        /// Why.
        reason: MoveReason,
    },
    /// The move of the dataset, and of its site, is called off, planned or under way. Without
    /// effect once it was handed over, or where nothing moves.
    CallOffMove,
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
