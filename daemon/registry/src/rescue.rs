//! Going on without nodes that are gone for good, when most voters are among them.
//!
//! Nobody can prove that a node is gone; an administrator says so. First all other nodes in reach
//! promise not to listen to the lost ones for a while, and say how far their logs go ([`mod@plan`]).
//! The one with the newest log makes itself the only voter, offline, in its store; it leads at once,
//! takes the lost nodes out of the settings, and lets the others learn and vote as ever. A lost
//! node that comes back is refused everywhere.
//!
//! A crash anywhere in between leaves either the old state, where it can be asked for again, or a
//! node that knows from its own store which nodes it must still take out, and does.

mod plan;

pub(crate) use plan::Position;

use crate::core::Core;
use crate::membership::answers;
use crate::network::call::{Answer, Call};
use crate::raft_types::{node_id, raft_id};
use crate::store::rescue::{log_outline, lost_write};
use crate::submit;
use futures::future::join_all;
use hwc_api::change::Change;
use hwc_api::desired::Desired;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::clock::Moment;
use plan::{Plan, plan};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;

/// What declaring nodes lost means, or meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The nodes that are given up.
    pub lost: BTreeSet<NodeId>,
    /// The voters that remain.
    pub voters: BTreeSet<NodeId>,
    /// The node whose settings go on.
    pub newest: NodeId,
    /// Index of the newest change that the remaining nodes know.
    pub index: u64,
    /// Whether the settings stay read-only without this.
    pub is_majority_lost: bool,
    /// Datasets of which only lost nodes hold a copy.
    pub datasets: BTreeSet<DatasetId>,
}

/// Nodes that this one does not listen to, whatever its settings say yet.
#[derive(Debug, Default)]
pub(crate) struct Denied {
    until: BTreeMap<NodeId, Moment>,
    /// Declared lost in this node's store.
    for_good: BTreeSet<NodeId>,
}

impl Denied {
    pub fn new(for_good: BTreeSet<NodeId>) -> Self {
        Self {
            for_good,
            ..Self::default()
        }
    }

    pub fn contains(&self, node: NodeId, now: Moment) -> bool {
        self.for_good.contains(&node) || self.until.get(&node).is_some_and(|until| now < *until)
    }
}

/// An order to the keeper of openraft: make this node the only voter.
pub(crate) struct Order {
    pub lost: BTreeSet<NodeId>,
    /// The highest term that anybody knows.
    pub term: u64,
    pub done: oneshot::Sender<Result<(), String>>,
}

/// What it would mean to declare these nodes lost.
pub(crate) async fn preview(core: &Core, lost: &BTreeSet<NodeId>) -> Result<Loss, Problem> {
    let (loss, _plan) = look(core, lost, false).await?;
    Ok(loss)
}

/// Declares these nodes lost.
pub(crate) async fn declare(core: &Core, lost: &BTreeSet<NodeId>) -> Result<Loss, Problem> {
    let (loss, plan) = look(core, lost, true).await?;
    tracing::warn!(?lost, ?plan, "go on without lost nodes");
    if plan.is_majority_lost {
        if plan.newest == core.me {
            carry_out(core, lost.clone(), plan.term).await?;
        } else {
            hand_over(core, &plan, lost).await?;
        }
    }
    let change = Change::DeclareLost {
        nodes: lost.clone(),
    };
    submit::change(core, change).await?;
    Ok(loss)
}

/// Checks that the nodes can be given up, and plans it; `deny` has the others promise not to listen
/// to them.
async fn look(core: &Core, lost: &BTreeSet<NodeId>, deny: bool) -> Result<(Loss, Plan), Problem> {
    let desired = core.published.desired.borrow().clone();
    check_nodes(&desired, lost)?;
    check_gone(core, &desired, lost).await?;
    let staying = desired.active_nodes().map(|node| node.id);
    let staying = staying.filter(|node| !lost.contains(node));
    let denied = if deny { lost.clone() } else { BTreeSet::new() };
    let positions = positions(core, staying.collect(), denied).await;
    let plan = plan(&positions, lost).ok_or_else(|| {
        let message = "This node's own settings can't be read just now; its log says why.";
        Problem::new(ProblemCode::SettingsReadOnly, message)
    })?;
    if plan.is_stuck {
        check_nobody_is_silent(&desired, &plan)?;
    }
    let loss = Loss {
        lost: lost.clone(),
        voters: plan.voters.iter().copied().filter_map(node_id).collect(),
        newest: plan.newest,
        index: plan.index,
        is_majority_lost: plan.is_majority_lost,
        datasets: only_on(&desired, lost),
    };
    Ok((loss, plan))
}

fn check_nodes(desired: &Desired, lost: &BTreeSet<NodeId>) -> Result<(), Problem> {
    if lost.is_empty() {
        let message = "Name the nodes that are lost.";
        return Err(Problem::new(ProblemCode::Invalid, message).field("nodes"));
    }
    if let Some(unknown) = lost.iter().find(|node| !desired.nodes.contains_key(node)) {
        let message = format!("There is no node {unknown} in the cluster.");
        return Err(Problem::new(ProblemCode::UnknownNode, message)
            .field("nodes")
            .detail(unknown.to_string()));
    }
    if desired.active_nodes().all(|node| lost.contains(&node.id)) {
        let message = "These are all nodes of the cluster; one must remain.";
        return Err(Problem::new(ProblemCode::LastNode, message).field("nodes"));
    }
    Ok(())
}

/// A node that says anything at all is not lost.
async fn check_gone(
    core: &Core,
    desired: &Desired,
    lost: &BTreeSet<NodeId>,
) -> Result<(), Problem> {
    let asked = lost.iter().map(|node| async move {
        let is_there = *node == core.me || answers(core, *node).await.is_some();
        is_there.then_some(*node)
    });
    let Some(alive) = join_all(asked).await.into_iter().flatten().next() else {
        return Ok(());
    };
    let name = name_of(desired, alive);
    Err(Problem::new(
        ProblemCode::NodeAlive,
        format!("Node {name} answers. Only nodes that are gone can be declared lost."),
    )
    .field("nodes")
    .detail(name))
}

/// A voter that stays and says nothing may know of changes that nobody else has.
fn check_nobody_is_silent(desired: &Desired, plan: &Plan) -> Result<(), Problem> {
    let Some(silent) = plan.silent.iter().copied().find_map(node_id) else {
        return Ok(());
    };
    let name = name_of(desired, silent);
    Err(Problem::new(
        ProblemCode::NodeDown,
        format!(
            "Node {name} keeps the settings too and does not answer. Bring it back, or declare it \
             lost as well."
        ),
    )
    .field("nodes")
    .detail(name))
}

fn name_of(desired: &Desired, node: NodeId) -> String {
    let known = desired.nodes.get(&node);
    known.map_or_else(|| node.to_string(), |node| node.name.to_string())
}

fn only_on(desired: &Desired, lost: &BTreeSet<NodeId>) -> BTreeSet<DatasetId> {
    let datasets = desired.datasets.values().filter(|dataset| {
        !dataset.is_deleted && dataset.replicas.iter().all(|node| lost.contains(node))
    });
    datasets.map(|dataset| dataset.id).collect()
}

async fn positions(
    core: &Core,
    nodes: BTreeSet<NodeId>,
    deny: BTreeSet<NodeId>,
) -> BTreeMap<NodeId, Position> {
    let call = &Call::Position { deny: deny.clone() };
    let deny = &deny;
    let asked = nodes.into_iter().map(|node| async move {
        if node == core.me {
            let own = position(core, deny).await.ok()?;
            return Some((node, own));
        }
        let asked = core.peers.call(node, call, Vec::new());
        match tokio::time::timeout(core.timing.arrive(), asked).await {
            Ok(Ok(Answer::Position(position))) => Some((node, position)),
            Ok(Ok(_) | Err(_)) | Err(_) => None,
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// How far this node's log goes. From here on it does not listen to `deny` for a while.
///
/// # Errors
/// When its store does not work, or it may not take part.
pub(crate) async fn position(core: &Core, deny: &BTreeSet<NodeId>) -> Result<Position, String> {
    let until = core.clock.now().plus(core.timing.denial());
    let promised = deny.iter().map(|node| (*node, until));
    core.denied().until.extend(promised);
    let raft = core.raft();
    let state = raft.with_raft_state(|state| {
        let membership = state.membership_state.effective();
        let voters = membership.membership().get_joint_config().clone();
        (state.committed, voters)
    });
    let (committed, voters) = state.await.map_err(|error| error.to_string())?;
    let outline = log_outline(&core.database);
    let outline = outline.await.map_err(|error| error.to_string())?;
    Ok(Position {
        last: outline.last,
        leaders: outline.leaders,
        committed,
        term: outline.term,
        voters,
        index: core.published.desired.borrow().index,
    })
}

async fn hand_over(core: &Core, plan: &Plan, lost: &BTreeSet<NodeId>) -> Result<(), Problem> {
    let call = Call::Rescue {
        lost: lost.clone(),
        term: plan.term,
    };
    match core.peers.call(plan.newest, &call, Vec::new()).await {
        Ok(Answer::Rescued(result)) => result,
        Ok(_) => Err(interrupted(plan.newest, "it answered something else")),
        Err(error) => Err(interrupted(plan.newest, &error.to_string())),
    }
}

fn interrupted(node: NodeId, reason: &str) -> Problem {
    Problem::new(
        ProblemCode::NodeDown,
        format!(
            "Node {node}, whose settings are the newest, did not say that it goes on alone \
             ({reason}). Try again."
        ),
    )
    .detail(node.to_string())
}

/// Makes this node the only voter.
///
/// # Errors
/// When a lost node answers this one, most voters are not lost as it sees it, or its store fails.
pub(crate) async fn carry_out(
    core: &Core,
    lost: BTreeSet<NodeId>,
    term: u64,
) -> Result<(), Problem> {
    let failed = |reason: String| {
        tracing::error!(reason, "this node can't go on alone");
        Problem::new(
            ProblemCode::SettingsReadOnly,
            format!("Node {} can't go on alone; see its log.", core.me),
        )
    };
    let desired = core.published.desired.borrow().clone();
    check_gone(core, &desired, &lost).await?;
    let own = position(core, &lost).await.map_err(failed)?;
    let own = BTreeMap::from([(core.me, own)]);
    if plan(&own, &lost).is_none_or(|plan| !plan.is_majority_lost) {
        let message = "Most voters are not among these nodes: the others can decide without help.";
        return Err(Problem::new(ProblemCode::Conflict, message).field("nodes"));
    }
    let (done, answer) = oneshot::channel();
    let order = Order {
        lost: lost.clone(),
        term,
        done,
    };
    let sent = core.orders.send(order).await;
    sent.map_err(|_closed| failed("openraft is not kept any more".to_owned()))?;
    let answer = answer
        .await
        .unwrap_or_else(|_dropped| Err("openraft ended".to_owned()));
    answer.map_err(failed)?;
    core.denied().for_good.extend(lost);
    Ok(())
}

/// Takes nodes that were declared lost in this node's store out of the settings, where a crash came
/// in between. Called while this node leads a majority.
pub(crate) async fn finish(core: &Core) {
    let lost = core.denied().for_good.clone();
    if lost.is_empty() {
        return;
    }
    let desired = core.published.desired.borrow().clone();
    let is_active = |node: &NodeId| desired.active_nodes().any(|active| active.id == *node);
    if lost.iter().any(is_active) {
        let change = Change::DeclareLost { nodes: lost };
        if let Err(problem) = submit::change(core, change).await {
            tracing::warn!(%problem, "lost nodes are not taken out yet");
        }
        return;
    }
    match lost_write(&core.database, &BTreeSet::new()).await {
        Ok(()) => core.denied().for_good.clear(),
        Err(error) => tracing::warn!(%error, "the note of lost nodes stays"),
    }
}

/// The members that were declared lost in this node's store.
pub(crate) fn given_up(core: &Core) -> BTreeSet<u64> {
    core.denied()
        .for_good
        .iter()
        .copied()
        .map(raft_id)
        .collect()
}
