//! What nodes ask each other: openraft's calls, and changes that are handed on to the leader.

use crate::raft_types::{Request, SnapshotMeta, TypeConfig, Vote};
use hwc_api::change::ChangeResult;
use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    /// The leader's log entries, or its heartbeat.
    Append {
        rpc: AppendEntriesRequest<TypeConfig>,
        /// Whether the leader has lately heard of a majority: what its followers tell of the
        /// registry's health.
        has_quorum: bool,
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
    /// Whether anybody is there.
    Ping,
}

/// An answer, of the same kind as its question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Append(Result<AppendEntriesResponse<u64>, RaftError<u64>>),
    Vote(Result<VoteResponse<u64>, RaftError<u64>>),
    InstallSnapshot(Result<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>>),
    Change(Proposal),
    Pong,
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
