//! What can happen to a node, as the conductor hears it.

use hwc_api::desired::Desired;
use hwc_api::explanation::DatasetExplanation;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::MoveReason;
use hwc_group::board::BoardEvent;
use hwc_group::membership::MembershipEvent;
use hwc_state_machine::{DatasetEvent, RefusalReason, Refused, StreamId, StreamOffer};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// Something about one dataset, as the brain takes it.
    Dataset(DatasetId, DatasetEvent),
    /// The registry changed.
    Desired(Arc<Desired>),
    /// Another node's board changed.
    Board(BoardEvent),
    /// A node came or went.
    Membership(MembershipEvent),
    /// A peer offers a stream; the brain's word goes into `decision`.
    Offer {
        /// This node's name for the stream.
        stream: StreamId,
        /// The dataset.
        dataset: DatasetId,
        /// Its header.
        offer: StreamOffer,
        /// Accepted, or why not.
        decision: oneshot::Sender<Result<(), RefusalReason>>,
    },
    /// An accepted stream is complete in its hidden place; the brain's word goes into `decision`.
    Received {
        /// Which stream.
        stream: StreamId,
        /// Whether it is put in its place.
        decision: oneshot::Sender<Result<(), RefusalReason>>,
    },
    /// This node shows something of its own that the picture should show too.
    Own(OwnFact),
    /// The node is to stop: quiesce everything; `done` is told when the copies have it all.
    Stop {
        /// Told when nothing would be lost.
        done: oneshot::Sender<()>,
    },
    /// What this node and the datasets that are live here take.
    Loads(Box<crate::load::Loads>),
    /// Somebody wants a dataset that is live here to move.
    AskMove {
        /// Which.
        dataset: DatasetId,
        /// Where.
        to: NodeId,
        /// Why.
        reason: MoveReason,
        /// Whether it begins, or why not.
        answer: oneshot::Sender<Result<(), Refused>>,
    },
    /// Somebody wants to know why datasets are where they are.
    Explain {
        /// Which.
        datasets: Vec<DatasetId>,
        /// What the brain knows; datasets that it never heard of are left out.
        answer: oneshot::Sender<Vec<DatasetExplanation>>,
    },
    /// A dataset's services have stopped and its last change is in a snapshot.
    Quiesced(DatasetId),
    /// The registry can or can't have changes acknowledged.
    RegistryStatus {
        /// Whether it can.
        is_writable: bool,
        /// Its leader, where known.
        leader: Option<NodeId>,
    },
}

/// A fact of this node that goes to its board.
#[derive(Debug)]
pub enum OwnFact {
    /// This node's report of itself.
    Node(Box<hwc_api::observed::NodeObserved>),
    /// How fresh the copies of a dataset are that this node serves.
    Dataset(Box<hwc_api::observed::DatasetObserved>),
    /// How far a job here is; none when it is over and its end is in the registry.
    Job(hwc_api::ids::JobId, Option<hwc_api::job::JobProgress>),
    /// A session ended here.
    RevokedSession(hwc_api::ids::SessionId, hwc_api::time::WallTime),
}

/// Where inputs go. Unbounded: whoever sends one either waits for its effect, or sends state that
/// replaces itself at a bounded rate.
pub type Inputs = mpsc::UnboundedSender<Input>;
