//! Everything that can happen in a run, and everything that travels between nodes.

use crate::time::Moment;
use crate::truth::{Content, Point};
use bytes::Bytes;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_group::board::{BoardInput, LinkId};
use hwc_state_machine::{
    PeerMessage, PersistToken, ReplicateFailure, StreamId, StreamOffer, TransferId,
};
use std::rc::Rc;

/// Something that will happen.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// To a node, unless it has been restarted since; while it stands still, later.
    ToNode {
        node: NodeId,
        start: u32,
        what: ForNode,
    },
    /// A frame, or the end of a stream of the boards, arrives at this end of it.
    Frame { link: LinkId, frame: Option<Bytes> },
    /// What is held back before a cut line is tried again.
    HeldFrames(LinkId),
    /// The registry looks who leads; nodes fetch what they lack of it.
    Settings,
    /// An order arrives at the registry.
    Order(Rc<Ordered>),
    /// A client asks something of a dataset.
    Client(DatasetId),
    /// A client has waited long enough.
    GiveUp { request: u64 },
    /// It is looked whether what takes time has come about.
    Watch,
}

/// An order on its way to the registry.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) from: NodeId,
    pub(super) order: crate::registry::Order,
    /// Whether a person asked, and is told.
    pub(super) is_asked: bool,
}

/// Something that will happen to one start of a node.
#[derive(Debug, Clone)]
pub(super) enum ForNode {
    /// A deadline of the brain.
    Tick,
    /// A deadline of the group.
    GroupTick,
    /// A datagram of another node's membership arrives, if the line is not cut.
    Datagram { from: NodeId, content: Bytes },
    /// Something happens to a stream of the board.
    Board(BoardInput),
    /// It turns out whether a stream to this node can be had.
    Dialled(NodeId),
    /// This peer is not wrongly called unreachable any longer.
    MistakeEnds(NodeId),
    /// Something arrives from another node, if the connection is still the one it was sent over.
    Parcel {
        from: NodeId,
        connection: u64,
        parcel: Parcel,
    },
    /// The executor has done something for a dataset.
    Work(DatasetId, Work),
    /// Rows reach the disk.
    RowsWritten,
    /// The executor reports that rows are on disk.
    RowsReported(Vec<(DatasetId, PersistToken)>),
    /// What was written is given a snapshot.
    Snapshot(DatasetId),
    /// Snapshots that need not be kept are removed.
    Prune,
    /// The registry's newest state arrives.
    Settings,
    /// The brain is told of the cluster, if there is news; every so often in any case.
    Facts,
}

/// What travels over a connection.
#[derive(Debug, Clone)]
pub(super) enum Parcel {
    Message {
        dataset: DatasetId,
        message: PeerMessage,
    },
    Stream(Rc<Stream>),
    StreamEnded {
        dataset: DatasetId,
        transfer: TransferId,
        /// None: it is in its place.
        failure: Option<ReplicateFailure>,
    },
    Divergent(Rc<DivergentStream>),
    /// A request is passed on by the front door that has it.
    Ask {
        request: u64,
        epoch: Epoch,
    },
    /// The answer to a request that was passed on.
    Answer {
        request: u64,
        answer: Answer,
    },
}

/// How a request fared at the node that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was carried out.
    Done,
    /// This node does not serve the dataset under that epoch, or its gate is closed.
    NotHere,
    /// It had begun when the dataset was stopped.
    CutOff,
}

/// A stream from the live node.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) dataset: DatasetId,
    pub(super) transfer: TransferId,
    pub(super) offer: StreamOffer,
    /// What it adds to the content.
    pub(super) content: Content,
    /// The snapshot whose content the receiver then has.
    pub(super) tip: Point,
    pub(super) bytes: u64,
}

/// A divergent copy on its way.
#[derive(Debug, Clone)]
pub(super) struct DivergentStream {
    pub(super) dataset: DatasetId,
    pub(super) lineage: Lineage,
    pub(super) tip: Point,
    pub(super) content: Content,
    pub(super) bytes: u64,
}

/// What an executor does after a while: an effect on the disk, a report, or both.
#[derive(Debug, Clone)]
pub(super) enum Work {
    FinishOpen {
        epoch: Epoch,
        from: Option<SnapshotId>,
    },
    FinishReopen {
        epoch: Epoch,
    },
    FailOpen {
        epoch: Epoch,
    },
    FinishFence {
        epoch: Epoch,
    },
    FinishClosing {
        epoch: Epoch,
        cut_off_at: Moment,
    },
    FinishReceiving {
        stream: StreamId,
    },
    FinishCommit {
        stream: StreamId,
    },
    FailCommit {
        stream: StreamId,
    },
    File {
        lineage: Lineage,
    },
    RollBack {
        to: Option<SnapshotId>,
    },
    DropCopy,
    KeepDivergent {
        stream: Rc<DivergentStream>,
        from: NodeId,
        connection: u64,
    },
    FailOperation,
    FailTransfer {
        transfer: TransferId,
        failure: ReplicateFailure,
    },
    /// It is looked whether a stream still goes out.
    LookAfterTransfer {
        transfer: TransferId,
    },
    /// A request has been carried out.
    Served {
        request: u64,
        epoch: Epoch,
        door: NodeId,
    },
}
