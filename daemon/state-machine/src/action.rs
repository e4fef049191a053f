//! What a brain wants done. Commands carry all that the executor needs; it chooses nothing.

use crate::event::PeerMessage;
use crate::moves::MoveStatus;
use crate::row::{PersistToken, PersistedRow, StreamId, TransferId};
use hwc_api::explanation::Decision;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, Lineage, RouteRecord, SnapshotId};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};

/// One thing to do about one dataset. Commands for the same dataset are carried out in the order
/// given; different datasets don't wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// About which dataset.
    pub dataset: DatasetId,
    /// What to do.
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Write the row with fsync, then report `Persisted`. What depends on it is only ordered then.
    /// Rows of several datasets may share one transaction; a newer row replaces an older one that
    /// still waits (then report the newer token). Must not fail: a node that cannot write its rows
    /// reports nothing and is thereby mute.
    Persist {
        /// The whole row.
        row: PersistedRow,
        /// Comes back in the report.
        token: PersistToken,
    },
    /// Show this record to the other holders, in place of the one before.
    Publish {
        /// The whole record.
        record: HolderRecord,
    },
    /// Tell every node how to route; none: nothing to route here any more.
    Route {
        /// The whole record.
        record: Option<RouteRecord>,
    },
    /// Mount the dataset for serving, let services run, open the gate under this epoch; report
    /// `Opened` or `OpenFailed`. Snapshots are taken from here on and reported.
    Open {
        /// The epoch under which requests are let through and snapshots labelled.
        epoch: Epoch,
        /// The snapshot whose content the live data must be; none: make an empty filesystem (if
        /// there is none yet) and take its first snapshot at once.
        from: Option<SnapshotId>,
    },
    /// Before anything else: close the gate, end running requests, stop the services, snapshot
    /// what they wrote under the same epoch, durably; report `Fenced`. Ends an `Open` that is under
    /// way (no `Opened` may follow) and every outgoing stream of this epoch. Must not fail: a
    /// node that cannot fence one dataset must stop itself.
    Fence {
        /// The epoch whose writing ends.
        epoch: Epoch,
    },
    /// For a move: close the gate so that requests wait, end running ones within the limit,
    /// quiesce the services, snapshot durably; report `GateClosed`.
    CloseGate {
        /// The epoch being served.
        epoch: Epoch,
    },
    /// The move was called off: let the waiting requests through again under the same epoch;
    /// report `Opened` or `OpenFailed`.
    ReopenGate {
        /// The epoch being served.
        epoch: Epoch,
    },
    /// Send this dataset to a holder; report `ReplicaAcknowledged` or `ReplicateFailed`, always.
    Replicate {
        /// Comes back in the report.
        transfer: TransferId,
        /// The receiver.
        to: NodeId,
        /// This node's epoch.
        epoch: Epoch,
        /// Send what changed since this snapshot; none: the whole content.
        parent: Option<SnapshotId>,
        /// Up to this history's head.
        lineage: Lineage,
        /// When that head was taken, for the stream's header.
        head_taken_at: WallTime,
    },
    /// Let an offered stream come in, into a hidden place; report `StreamReceived` or
    /// `StreamFailed`, always.
    AcceptStream {
        /// Which stream.
        stream: StreamId,
    },
    /// Refuse an offered stream and tell its sender.
    RefuseStream {
        /// Which stream.
        stream: StreamId,
        /// Why.
        reason: RefusalReason,
    },
    /// Put a received stream in its place, atomically and durably (a whole content replaces the
    /// copy that is there); report `StreamCommitted` or `OperationFailed`; acknowledge it to the
    /// sender after that.
    CommitStream {
        /// Which stream.
        stream: StreamId,
    },
    /// Throw an accepted or received stream away and tell its sender; report nothing.
    DiscardStream {
        /// Which stream.
        stream: StreamId,
    },
    /// Keep the copy as it is as a divergent one, durably; report `Filed` or `OperationFailed`.
    FileDivergent {
        /// The copy's history; also the id of the divergent copy.
        lineage: Lineage,
    },
    /// Wind the copy back to the newest retained snapshot at or before this one, or remove it
    /// where none is retained; report `RolledBack` or `OperationFailed`.
    RollBack {
        /// The newest snapshot that the winning history has too; none: remove the copy.
        to: Option<SnapshotId>,
    },
    /// Remove the copy (divergent copies stay); report `CopyDropped` or `OperationFailed`.
    DropCopy,
    /// Send a divergent copy to a holder that shows none of it. Given again from time to time
    /// until the receiver shows it; nothing is reported.
    PushDivergent {
        /// The receiver.
        to: NodeId,
        /// Its history.
        lineage: Lineage,
    },
    /// Give a message to another node's brain, over the present connection or not at all.
    Send {
        /// The receiver.
        to: NodeId,
        /// What to say.
        message: PeerMessage,
    },
    /// These snapshots must be kept whatever the retention policy says; all of them, in place of
    /// the list before. Until the first list of a start, none may be pruned.
    Retain {
        /// Oldest epoch first.
        snapshots: Vec<SnapshotId>,
    },
    /// Tell the owner that a divergent copy was kept: once per copy and node; the executor
    /// suppresses what another node has told already.
    TellOwner {
        /// The kept copy.
        divergent: Lineage,
        /// The history that won.
        winner: Lineage,
    },
    /// Propose to the registry that these nodes hold the dataset, if `expected` still do; any node
    /// may propose. Nothing is reported: what comes of it is seen in the registry. Given again
    /// after a while where nothing came of it. The decision behind it was given just before.
    SetReplicas {
        /// The nodes as this node knows them from the registry.
        expected: Vec<NodeId>,
        /// The nodes that are to hold it, the preferred live node first.
        replicas: Vec<NodeId>,
    },
    /// Log at INFO: something was decided about the dataset, and on what grounds.
    Decided {
        /// The whole of it.
        decision: Decision,
    },
    /// A planned move from here is in another phase, or has ended: show it, count from here on what
    /// visitors notice of it, write its receipt at the end.
    MoveChanged {
        /// The whole of it.
        status: MoveStatus,
    },
    /// Log at ERROR: something that cannot be was reported, and was refused.
    Alarm {
        /// What it was.
        alarm: Alarm,
    },
}

/// Why a stream is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalReason {
    /// Its epoch is lower than the highest seen here.
    OldEpoch,
    /// It doesn't build exactly upon the copy that is here.
    OtherParent,
    /// This node serves, claims, or has a branch of its own that is undecided.
    NotFollowing,
    /// The dataset is deleted here.
    Deleted,
    /// This node is not to hold a copy, as far as it knows.
    NotAMember,
    /// Another stream or operation is under way.
    Busy,
}

/// Something that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alarm {
    /// A snapshot was reported that doesn't follow the head under the epoch being served.
    SnapshotOutOfOrder {
        /// The reported snapshot.
        snapshot: SnapshotId,
    },
    /// A snapshot was reported for an epoch that is not being served here.
    SnapshotOutsideEpoch {
        /// The reported snapshot.
        snapshot: SnapshotId,
    },
    /// A dataset was opened that had nothing to serve: refused.
    NothingToServe,
}
