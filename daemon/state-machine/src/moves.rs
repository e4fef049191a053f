//! Planned moves as the executor sees them: how far each is, how it ended, why one is refused.

use hwc_api::explanation::Unfit;
use hwc_api::ids::NodeId;
use hwc_api::moves::{MovePhase, MoveReason};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};

/// A planned move of one dataset, told by the brain of the node that it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveStatus {
    /// Where it goes.
    pub to: NodeId,
    /// Why.
    pub reason: MoveReason,
    /// How far it is, or how it ended.
    pub stage: MoveStage,
    /// When it was decided.
    pub started_at: WallTime,
    /// Not begun before this moment, so that it can be vetoed; none where nobody waits for that.
    pub due_at: Option<WallTime>,
    /// Transfers that the target has confirmed since.
    pub rounds: u32,
    /// Changed bytes in them.
    pub sent_bytes: u64,
    /// Changed bytes that the target lacks.
    pub behind_bytes: u64,
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MoveStage {
    /// It is planned or happens.
    UnderWay(MovePhase),
    /// The dataset is live on the target.
    Moved,
    /// The dataset stays, or went live elsewhere.
    CalledOff(CallOff),
}

/// Why a move was called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallOff {
    /// Somebody called it off, asked that the dataset stays, or pinned it to another node.
    Vetoed,
    /// What it was for is gone: the node is not drained any more, or not busy any more.
    Needless,
    /// The target is not fit any more.
    TargetUnfit(Unfit),
    /// The target does not answer.
    TargetLost,
    /// It took longer than it may in this phase.
    TooLong(MovePhase),
    /// The target could not be made a holder, because the registry can't be changed.
    NoCopy,
    /// Another dataset of its site stays, so this one does too.
    UnitStays,
    /// The dataset stopped being live here: a higher epoch, a contest, its deletion.
    NotLive,
    /// This node stood still.
    StoodStill,
    /// It was handed over, and the target did not take it.
    NotTaken,
}

/// Why a dataset can't be moved to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refused {
    /// No such dataset, or a deleted one.
    #[error("there is no such dataset")]
    UnknownDataset,
    /// It is not open on this node; only the node that serves it can move it.
    #[error("it is not live here")]
    NotLiveHere {
        /// The node that serves it, if any is known.
        live: Option<NodeId>,
    },
    /// No such node in the cluster.
    #[error("there is no such node")]
    UnknownNode,
    /// The node is not fit to take it.
    #[error("the node is not fit to take it: {0:?}")]
    TargetUnfit(Unfit),
    /// It is pinned to another node, to which it would be moved back.
    #[error("it is pinned to node {to}")]
    Pinned {
        /// The node.
        to: NodeId,
    },
    /// It is live on that node already.
    #[error("it is live on that node already")]
    AlreadyThere,
    /// It is being moved, or a move of it is planned.
    #[error("a move of it to node {to} is under way")]
    UnderWay {
        /// Where it goes.
        to: NodeId,
    },
    /// The node holds no copy, and the registry can't be changed to give it one.
    #[error("the node holds no copy, and the settings can't be changed just now")]
    NotWritable,
    /// This node does not know the cluster well enough: it has just started or stood still.
    #[error("this node does not know yet how the others are")]
    TooEarly,
}
