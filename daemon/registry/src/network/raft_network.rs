//! openraft's view of the network: one client per node, all of them sharing [`Peers`].

use super::call::{Answer, Call};
use super::claim::Claim;
use super::frame::TEXT_BYTES_MAX;
use super::peers::{CallError, Peers};
use crate::raft_types::{RaftMetrics, TypeConfig, Vote, node_id};
use crate::status::has_quorum;
use crate::timing::Timing;
use arc_swap::ArcSwapOption;
use openraft::EmptyNode;
use openraft::error::{
    InstallSnapshotError, PayloadTooLarge, RPCError, RaftError, RemoteError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::Serialize;
use std::io;
use std::sync::Arc;
use tokio::sync::watch;

type Failure<E> = RPCError<u64, EmptyNode, RaftError<u64, E>>;

/// Makes openraft's clients.
#[derive(Clone)]
pub(crate) struct NetworkFactory {
    pub peers: Arc<Peers>,
    /// The reports of the openraft that runs now.
    pub reports: Arc<ArcSwapOption<watch::Receiver<RaftMetrics>>>,
    timing: Timing,
}

impl NetworkFactory {
    /// The clients of a node whose openraft does not run yet.
    pub fn new(peers: Arc<Peers>, timing: Timing) -> Self {
        Self {
            peers,
            reports: Arc::default(),
            timing,
        }
    }

    /// Whether this node has lately heard of a majority, and what it knows of a follower, as the
    /// leader of this vote.
    fn leading(&self, vote: &Vote, follower: u64) -> (bool, Claim) {
        let reports = self.reports.load();
        let Some(reports) = reports.as_ref() else {
            return (false, Claim::default());
        };
        let metrics = reports.borrow();
        let has_quorum = has_quorum(&metrics, self.timing);
        (has_quorum, Claim::of(&metrics, vote, follower))
    }
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = Network;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> Network {
        Network {
            target,
            shared: self.clone(),
        }
    }
}

/// openraft's client of one node.
pub(crate) struct Network {
    target: u64,
    shared: NetworkFactory,
}

impl Network {
    async fn call<E: std::error::Error>(
        &self,
        call: &Call,
        body: Vec<u8>,
    ) -> Result<Answer, Failure<E>> {
        let Some(node) = node_id(self.target) else {
            return Err(unreachable(&CallError::NoSuchNode(self.target)));
        };
        self.shared
            .peers
            .call(node, call, body)
            .await
            .map_err(|error| unreachable(&error))
    }

    #[expect(clippy::result_large_err, reason = "openraft's own error type")]
    fn answered<T, E: std::error::Error>(
        &self,
        answer: Result<T, RaftError<u64, E>>,
    ) -> Result<T, Failure<E>> {
        answer.map_err(|error| RPCError::RemoteError(RemoteError::new(self.target, error)))
    }
}

impl RaftNetwork<TypeConfig> for Network {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failure<openraft::error::Infallible>> {
        if let Some(fewer) = entries_that_fit(&rpc.entries) {
            return Err(PayloadTooLarge::new_entries_hint(fewer).into());
        }
        let (has_quorum, claim) = self.shared.leading(&rpc.vote, self.target);
        let call = Call::Append {
            rpc,
            has_quorum,
            claim,
        };
        let Answer::Append(answer) = self.call(&call, Vec::new()).await? else {
            return Err(unreachable(&CallError::OtherKind));
        };
        self.answered(answer)
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, Failure<InstallSnapshotError>> {
        let call = Call::InstallSnapshot {
            vote: rpc.vote,
            meta: rpc.meta,
            offset: rpc.offset,
            done: rpc.done,
        };
        let Answer::InstallSnapshot(answer) = self.call(&call, rpc.data).await? else {
            return Err(unreachable(&CallError::OtherKind));
        };
        self.answered(answer)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        _option: RPCOption,
    ) -> Result<VoteResponse<u64>, Failure<openraft::error::Infallible>> {
        let Answer::Vote(answer) = self.call(&Call::Vote(rpc), Vec::new()).await? else {
            return Err(unreachable(&CallError::OtherKind));
        };
        self.answered(answer)
    }

    /// Before a node that could not be reached is called again.
    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(self.shared.timing.heartbeat))
    }
}

/// How many of the entries can be sent at once, where all of them are too many. A single entry
/// always fits: changes are measured before they are proposed.
fn entries_that_fit<E: Serialize>(entries: &[E]) -> Option<u64> {
    let mut bytes = Bytes(0);
    for (fitting, entry) in (0_u64..).zip(entries) {
        let is_counted = serde_json::to_writer(&mut bytes, entry).is_ok();
        if !is_counted || bytes.0 > TEXT_BYTES_MAX / 2 {
            return (entries.len() > 1).then(|| fitting.max(1));
        }
    }
    None
}

/// Counts what is written.
struct Bytes(usize);

impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unreachable<E: std::error::Error>(error: &CallError) -> Failure<E> {
    RPCError::Unreachable(Unreachable::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_split_before_it_is_too_long_for_a_message() {
        let entry = "x".repeat(TEXT_BYTES_MAX / 8);
        assert_eq!(entries_that_fit(&[&entry; 3]), None);
        assert_eq!(entries_that_fit(&[&entry; 8]), Some(3));
        assert_eq!(entries_that_fit::<&str>(&[]), None);
    }
}
