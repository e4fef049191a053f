//! What nodes ask each other: openraft's calls, and changes that are handed on to the leader.

use super::claim::Claim;
use crate::raft_types::{Request, SnapshotMeta, TypeConfig, Vote};
use crate::rescue::Position;
use hwc_api::change::ChangeResult;
use hwc_api::ids::NodeId;
use hwc_api::problem::Problem;
use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    /// The leader's log entries, or its heartbeat.
    Append {
        rpc: AppendEntriesRequest<TypeConfig>,
        /// Whether the leader has lately heard of a majority: what its followers tell of the
        /// registry's health.
        has_quorum: bool,
        /// What the leader believes of this node.
        #[serde(default)]
        claim: Claim,
    },
    /// A candidate asks for a vote.
    Vote(VoteRequest<u64>),
    /// A chunk of a snapshot; its bytes are the message's body.
    InstallSnapshot {
        vote: Vote,
        meta: SnapshotMeta,
        offset: u64,
        done: bool,
    },
    /// A change, for the leader to propose.
    Change(Request),
    /// How far the log is that was acknowledged: for the leader.
    Newest,
    /// Whether anybody is there.
    Ping,
    /// How far a node's log goes; from then on it does not listen to `deny` for a while.
    Position { deny: BTreeSet<NodeId> },
    /// Become the only voter, in a term above this one: most voters are among the lost nodes.
    Rescue { lost: BTreeSet<NodeId>, term: u64 },
}

/// An answer, of the same kind as its question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Append(Result<AppendEntriesResponse<u64>, RaftError<u64>>),
    Vote(Result<VoteResponse<u64>, RaftError<u64>>),
    InstallSnapshot(Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>),
    Change(Proposal),
    /// Nothing where the node does not lead a majority.
    Newest(Option<u64>),
    /// The node is there and takes part.
    Pong,
    /// The node is there, but takes no part: its store does not work.
    Idle,
    Position(Position),
    Rescued(Result<(), Problem>),
}

/// What became of a change that was given to a node as the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Proposal {
    /// It was applied, or refused, at this index of the log.
    Answered {
        log_index: u64,
        result: ChangeResult,
    },
    /// The node is not the leader, or has no majority: nothing was done.
    NotTaken,
    /// It may be done or not. To be asked again with the same request id.
    Unknown,
}
