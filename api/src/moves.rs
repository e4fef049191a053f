//! Moves: planned changes of live node, how far they are, and the receipt of each.

use crate::ids::{AccountId, DatasetId, MoveId, NodeId};
use crate::problem::Problem;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// Why a dataset moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveReason {
    /// Somebody asked for it.
    Asked(AccountId),
    /// Its node is being drained.
    Drain,
    /// Its node is busier than another.
    Balance,
    /// It returns to the node that it is pinned to.
    Pin,
    /// The rest of its site is live on another node.
    Reunite,
}

/// What a move is doing just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MovePhase {
    /// Decided; it waits for its turn, or for its veto window to pass.
    Planned,
    /// The target gets what it lacks while requests are served.
    Copying,
    /// The gate is closed: running requests finish, new ones wait.
    Closing,
    /// The last increment is on its way.
    Finishing,
    /// The target holds everything and takes over.
    Promoting,
}

/// A move under way, told by the node that the dataset leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveProgress {
    /// What moves.
    pub dataset: DatasetId,
    /// The node that it leaves.
    pub from: NodeId,
    /// Where it goes.
    pub to: NodeId,
    /// Why.
    pub reason: MoveReason,
    /// What happens just now.
    pub phase: MovePhase,
    /// When it was decided.
    pub started_at: WallTime,
    /// Not begun before this moment: until then it can be vetoed.
    pub due_at: Option<WallTime>,
    /// Increments that the target has got since.
    pub rounds: u32,
    /// Bytes that the target has got since.
    pub sent_bytes: u64,
    /// Bytes that the target lacks.
    pub behind_bytes: u64,
    /// Since when the gate is closed.
    pub gate_closed_at: Option<WallTime>,
}

/// What visitors noticed of a move in one protocol, counted on all nodes in reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pause {
    /// How long the gate was closed, milliseconds.
    pub closed_ms: u32,
    /// Requests, or connections, that waited.
    pub held: u32,
    /// The longest wait of one of them, milliseconds.
    pub longest_wait_ms: u32,
    /// Those that were refused, cut off or failed because of the move.
    pub failed: u32,
}

/// The account of one move, kept after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveReceipt {
    /// Given by the registry.
    pub id: MoveId,
    /// What happened.
    #[serde(flatten)]
    pub report: MoveReport,
}

/// What the node that a dataset left reports at the end of the move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveReport {
    /// What moved.
    pub dataset: DatasetId,
    /// The node that it left.
    pub from: NodeId,
    /// Where it went, or was to go.
    pub to: NodeId,
    /// Why.
    pub reason: MoveReason,
    /// When it was decided.
    pub started_at: WallTime,
    /// When it was over.
    pub ended_at: WallTime,
    /// Why it was called off; none when the dataset is live on the target.
    pub problem: Option<Problem>,
    /// Increments sent.
    pub rounds: u32,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// What visitors over HTTP noticed.
    pub http: Pause,
    /// What clients of the database noticed.
    pub mysql: Pause,
}
