//! Why something is where it is: decisions of the brain in a form that people can read.

use crate::ids::{DatasetId, NodeId, SiteId};
use crate::moves::MoveReason;
use crate::ownership::{Epoch, HolderState};
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// One decision, with what it rested on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at: WallTime,
    /// The node whose brain decided.
    pub by: NodeId,
    /// About which dataset.
    pub dataset: DatasetId,
    /// What was decided.
    pub outcome: Outcome,
    /// The nodes that were considered, best first.
    pub candidates: Vec<Candidate>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It goes live here.
    Claim {
        /// Under this epoch.
        epoch: Epoch,
    },
    /// It moves.
    Move {
        /// Where.
        to: NodeId,
        /// Why.
        reason: MoveReason,
        /// What its node bears, in percent of its processors. The API gives customers 0 for both.
        load_percent: u32,
        /// What the target would bear with it, in percent of its processors.
        target_load_percent: u32,
    },
    /// It should move, and stays.
    Stay {
        /// What stands in the way.
        obstacle: Obstacle,
    },
    /// Its copies go to other nodes.
    Rehome {
        /// The nodes that held it.
        before: Vec<NodeId>,
        /// The nodes that are to hold it.
        after: Vec<NodeId>,
        /// Why.
        reason: RehomeReason,
    },
}

/// What keeps a dataset where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// An administrator pinned it to its node.
    Pinned,
    /// Somebody asked that it stay for a while.
    Held,
    /// It moved not long ago.
    CoolDown,
    /// As many moves as allowed are under way, or were made in the last minute.
    Budget,
    /// No node is fit to take it.
    NoTarget,
    /// Moving it would not make the busier of both nodes less busy.
    NoGain,
    /// Spreading load is switched off.
    SwitchedOff,
    /// Its node is not busy.
    NotBusy,
}

/// Why copies go elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RehomeReason {
    /// A node that holds one is gone for longer than a restart takes.
    NodeLost,
    /// A node that holds one is being drained.
    Drain,
    /// A node that holds one hosts nothing any more.
    NotHosting,
    /// It has fewer copies than it should.
    TooFew,
    /// It has more copies than it should.
    TooMany,
    /// Its copies share one zone although another has room.
    OneZone,
}

/// A node that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    pub node: NodeId,
    /// The lower, the better; none where it is not fit at all.
    pub score: Option<u64>,
    /// Why it is not fit.
    pub unfit: Option<Unfit>,
    /// Whether it holds a complete copy already.
    pub has_copy: bool,
    /// What it bears, in percent of its processors.
    pub load_percent: u32,
    /// Free bytes of its pool.
    pub free_bytes: u64,
}

/// Why a node is not fit to take a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfit {
    /// It does not answer.
    Down,
    /// Services that hosting takes do not run on it as they should.
    Unwell,
    /// It is being drained.
    Draining,
    /// It hosts nothing.
    NotHosting,
    /// Its pool has no room for it.
    Full,
    /// It is the node that the dataset would leave.
    Here,
    /// It would be too busy with it.
    Busy,
    /// Another copy is in its zone already.
    SameZone,
}

/// Everything that the live node's brain knows about why a site is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Which site.
    pub site: SiteId,
    /// Its datasets, the files first.
    pub datasets: Vec<DatasetExplanation>,
}

/// One dataset as its live node's brain sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetExplanation {
    /// Which.
    pub dataset: DatasetId,
    /// The node that explains.
    pub by: NodeId,
    /// What that node does for it.
    pub state: HolderState,
    /// The highest epoch that it has seen.
    pub epoch: Epoch,
    /// Where it would go if it had to move now, best first. The API names candidates, here and in
    /// decisions, to administrators only.
    pub candidates: Vec<Candidate>,
    /// Why it would not move by itself; none if it would.
    pub obstacle: Option<Obstacle>,
    /// The newest decisions about it, newest first.
    pub decisions: Vec<Decision>,
}
