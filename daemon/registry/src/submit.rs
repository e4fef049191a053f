//! A change's way into the log: here if this node leads, else over to the leader, again and again
//! for a few seconds if leadership moves meanwhile.
//!
//! Every attempt bears the same random request id, and applying knows the ids of the last
//! thousands of requests: however often a change arrives, it is done once. Where no attempt was
//! answered, the outcome is told as unknown, never assumed.

use crate::core::Core;
use crate::membership;
use crate::network::call::{Answer, Call, Proposal};
use crate::proposed::Proposed;
use crate::raft_types::{RaftMetrics, Reply, Request, RequestId, node_id, raft_id};
use crate::rules;
use crate::status::{Standing, has_quorum};
use hwc_api::change::{Change, ChangeResult};
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::random;
use openraft::error::RaftError;
use std::sync::atomic::{AtomicBool, Ordering};

/// Changes handed on to the leader at once: enough to fill its batches, few enough for the
/// connections that are kept.
pub(crate) const FORWARDS_MAX: usize = 6;
/// The longest change: far more than any form of the panel, far less than a message holds.
const CHANGE_BYTES_MAX: usize = 1 << 20;

/// Makes a change, wherever the leader is.
pub(crate) async fn change(core: &Core, change: Change) -> ChangeResult {
    check_size(&change)?;
    let request = Request::new(RequestId(random::secret_bytes()), change);
    submit(core, &request).await
}

fn check_size(change: &Change) -> Result<(), Problem> {
    let bytes = serde_json::to_vec(change).map_or(usize::MAX, |text| text.len());
    if bytes <= CHANGE_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::TooLarge,
        format!("The change is larger than {CHANGE_BYTES_MAX} bytes. Make it in smaller parts."),
    )
    .detail(CHANGE_BYTES_MAX.to_string()))
}

/// Makes the request done once, or says why not.
pub(crate) async fn submit(core: &Core, request: &Request) -> ChangeResult {
    let standing = core.standing();
    if standing != Standing::Member {
        let advice = standing.advice();
        return Err(Problem::new(ProblemCode::SettingsReadOnly, advice));
    }
    if !belongs_to_a_cluster(&core.metrics()) {
        return Err(Problem::new(
            ProblemCode::NotMember,
            "This node belongs to no cluster yet. Begin with: hwc cluster init, or hwc node join",
        ));
    }
    let may_be_done = AtomicBool::new(false);
    let attempts = attempt_until_answered(core, request, &may_be_done);
    match tokio::time::timeout(core.timing.change, attempts).await {
        Ok((log_index, result)) => {
            arrive(core, log_index).await;
            result
        }
        Err(_elapsed) => Err(read_only(core, may_be_done.into_inner()).await),
    }
}

/// Whether this node has ever heard of a cluster.
pub(crate) fn belongs_to_a_cluster(metrics: &RaftMetrics) -> bool {
    let membership = metrics.membership_config.membership();
    membership.voter_ids().next().is_some()
}

async fn attempt_until_answered(
    core: &Core,
    request: &Request,
    may_be_done: &AtomicBool,
) -> (u64, ChangeResult) {
    loop {
        let leader = core.metrics().current_leader;
        let was_maybe_done = may_be_done.load(Ordering::Relaxed);
        let proposal = match leader {
            Some(leader) => {
                may_be_done.store(true, Ordering::Relaxed);
                tokio::select! {
                    proposal = attempt(core, leader, request) => proposal,
                    () = leader_is_another(core, leader) => Proposal::Unknown,
                }
            }
            None => Proposal::NotTaken,
        };
        match proposal {
            Proposal::Answered { log_index, result } => return (log_index, result),
            Proposal::NotTaken => may_be_done.store(was_maybe_done, Ordering::Relaxed),
            Proposal::Unknown => {}
        }
        let _heard_or_paused = tokio::time::timeout(
            core.timing.retry,
            leader_is_another(core, leader.unwrap_or(0)),
        )
        .await;
    }
}

async fn attempt(core: &Core, leader: u64, request: &Request) -> Proposal {
    if leader == raft_id(core.me) {
        return propose(core, request.clone()).await;
    }
    match node_id(leader) {
        Some(leader) => forward(core, leader, request).await,
        None => Proposal::NotTaken,
    }
}

/// Returns when this node knows another leader than `known`. Cancel-safe.
async fn leader_is_another(core: &Core, known: u64) {
    let mut metrics = core.raft().metrics();
    let is_another = metrics
        .wait_for(|metrics| metrics.current_leader.is_some_and(|leader| leader != known))
        .await
        .is_ok();
    if !is_another {
        // openraft has ended; the keeper starts it again. The caller's deadline ends this.
        std::future::pending::<()>().await;
    }
}

async fn forward(core: &Core, leader: NodeId, request: &Request) -> Proposal {
    let Ok(_permit) = core.forwarding.acquire().await else {
        return Proposal::NotTaken;
    };
    let call = Call::Change(request.clone());
    match core.peers.call(leader, &call, Vec::new()).await {
        Ok(Answer::Change(proposal)) => proposal,
        Ok(_) => {
            tracing::warn!(node.id = %leader, "the leader answers something else");
            Proposal::Unknown
        }
        Err(error) => {
            tracing::debug!(node.id = %leader, %error, "the leader does not answer");
            if error.was_sent() {
                Proposal::Unknown
            } else {
                Proposal::NotTaken
            }
        }
    }
}

/// Proposes a request on this node, if it leads a majority.
pub(crate) async fn propose(core: &Core, request: Request) -> Proposal {
    if !has_quorum(&core.metrics(), core.timing) {
        return Proposal::NotTaken;
    }
    let _steering = match &request.change {
        Proposed::Understood(Change::RemoveNode { .. }) => Some(core.steering.lock().await),
        Proposed::Understood(_) | Proposed::Foreign(_) => None,
    };
    if let Err(problem) = prepare(core, &request.change).await {
        return Proposal::Answered {
            log_index: 0,
            result: Err(problem),
        };
    }
    let raft = core.raft();
    let written = raft.client_write(request);
    match tokio::time::timeout(core.timing.change, written).await {
        Ok(Ok(response)) => match response.data {
            Reply(Some(result)) => Proposal::Answered {
                log_index: response.log_id.index,
                result,
            },
            Reply(None) => Proposal::Unknown,
        },
        Ok(Err(RaftError::APIError(error))) => {
            tracing::debug!(%error, "openraft did not take a change");
            Proposal::Unknown
        }
        Ok(Err(RaftError::Fatal(error))) => {
            tracing::warn!(%error, "openraft stopped while it took a change");
            Proposal::Unknown
        }
        Err(_elapsed) => Proposal::Unknown,
    }
}

/// Refuses what this version would not understand, and lets a node that is about to be removed
/// agree to it: see [`membership::retire`].
async fn prepare(core: &Core, change: &Proposed) -> Result<(), Problem> {
    let change = match change {
        Proposed::Understood(change) => change,
        Proposed::Foreign(_) => {
            let message = "The node that orders the changes runs an older hwcd. Upgrade it first.";
            return Err(Problem::new(ProblemCode::SettingsReadOnly, message));
        }
    };
    let Change::RemoveNode { node } = *change else {
        return Ok(());
    };
    let desired = core.published.desired.borrow().clone();
    rules::check_removal(&desired, node)?;
    membership::retire(core, node).await.map_err(|reason| {
        Problem::new(
            ProblemCode::SettingsReadOnly,
            format!(
                "Without node {node} the settings could not be changed any more: {reason}. Bring \
                 the missing nodes back (hwc status names them) and try again."
            ),
        )
        .field("node")
    })
}

/// Waits until this node has applied the log up to an index, so that what was acknowledged is read
/// here. A node that lags longer acknowledges all the same: the change is done.
async fn arrive(core: &Core, log_index: u64) {
    let mut applied = core.published.applied.subscribe();
    let arrived = applied.wait_for(|applied| *applied >= log_index);
    if tokio::time::timeout(core.timing.arrive(), arrived)
        .await
        .is_err()
    {
        tracing::warn!(
            log_index,
            "this node's settings lag behind a change made here"
        );
    }
}

/// Why nobody takes a change: names the voters that do not answer.
async fn read_only(core: &Core, may_be_done: bool) -> Problem {
    let outcome = if may_be_done {
        "Whether the change was made is not known: look before you repeat it."
    } else {
        "Nothing was changed."
    };
    let voters = core.metrics().membership_config.voter_ids().count();
    let silent = membership::silent_voters(core).await;
    let desired = core.published.desired.borrow().clone();
    let names: Vec<String> = silent
        .iter()
        .map(|node| {
            let known = desired.nodes.get(node);
            known.map_or_else(|| node.to_string(), |node| node.name.to_string())
        })
        .collect();
    let names = names.join(", ");
    let reason = if names.is_empty() {
        format!("the {voters} nodes that keep them find no majority")
    } else {
        format!("of the {voters} nodes that keep them, these do not answer: {names}")
    };
    Problem::new(
        ProblemCode::SettingsReadOnly,
        format!(
            "The settings can't be changed now: {reason}. Sites go on. {outcome} Bring the missing \
             nodes back, or declare them lost if they are gone for good (hwc cluster \
             declare-lost)."
        ),
    )
    .detail(names)
}
