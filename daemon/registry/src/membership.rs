//! Who votes: keeps openraft's membership in step with the nodes of the settings.
//!
//! The plan is pure and takes one step at a time: a new node first learns; once it has caught up
//! and answers, and is among the lowest ids, it votes; a removed node loses its vote, then its
//! place. Only the leader acts; whoever leads next goes on where it stopped.

use crate::core::Core;
use crate::network::call::{Answer, Call};
use crate::raft_types::{RaftMetrics, node_id, raft_id};
use hwc_api::desired::Desired;
use openraft::{ChangeMembers, EmptyNode};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most voters: a majority of seven survives three deaths, and a write waits for four disks.
pub(crate) const VOTERS_MAX: usize = 7;
/// How often the membership is looked at when nothing happens.
pub(crate) const RECONCILE_INTERVAL: Duration = Duration::from_secs(1);
/// How far behind the log's end a learner may be to become a voter.
const CAUGHT_UP_ENTRIES: u64 = 16;
/// How long a learner may take to say that it is there.
const PING_DEADLINE: Duration = Duration::from_secs(1);
/// How long a step may take. Cut, it leaves a joint membership at worst, which the next run ends.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// openraft's membership beside what it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Nodes of the settings that are not removed.
    pub active: BTreeSet<u64>,
    /// The newest set of voters.
    pub voters: BTreeSet<u64>,
    /// Whether a change of voters was begun and not ended.
    pub is_joint: bool,
    /// All members, voters or not.
    pub members: BTreeSet<u64>,
    /// Learners that could vote at once: caught up, and answering.
    pub ready: BTreeSet<u64>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Let a node learn.
    AddLearner(u64),
    /// Let exactly these vote.
    SetVoters(BTreeSet<u64>),
    /// Let go of these.
    Remove(BTreeSet<u64>),
}

/// The next step from what is to what should be; none when all is well.
pub(crate) fn next_step(view: &View) -> Option<Step> {
    if view.is_joint {
        return Some(Step::SetVoters(view.voters.clone()));
    }
    if let Some(new) = view.active.difference(&view.members).next() {
        return Some(Step::AddLearner(*new));
    }
    let voters = wanted_voters(view);
    if voters != view.voters && !voters.is_empty() {
        return Some(Step::SetVoters(voters));
    }
    let gone: BTreeSet<u64> = view
        .members
        .iter()
        .copied()
        .filter(|member| !view.active.contains(member) && !view.voters.contains(member))
        .collect();
    (!gone.is_empty()).then_some(Step::Remove(gone))
}

/// The lowest ids that vote or could; a voter that would only make room for one that is not ready
/// keeps its vote.
fn wanted_voters(view: &View) -> BTreeSet<u64> {
    let can_vote = |node: &&u64| view.voters.contains(*node) || view.ready.contains(*node);
    let able = view.active.iter().filter(can_vote);
    able.take(VOTERS_MAX).copied().collect()
}

/// Looks at the membership once, and takes steps until all is well or one fails.
pub(crate) async fn reconcile(core: &Core) {
    let metrics = core.metrics();
    if metrics.current_leader != Some(raft_id(core.me)) {
        return;
    }
    let view = view(core, &metrics).await;
    if view.active.is_empty() {
        return;
    }
    let Some(step) = next_step(&view) else { return };
    tracing::info!(?step, "change the registry's membership");
    let taken = tokio::time::timeout(STEP_DEADLINE, take(core, step)).await;
    match taken {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error, "the membership's change was not taken"),
        Err(_elapsed) => tracing::warn!("the membership's change finds no majority"),
    }
}

async fn take(core: &Core, step: Step) -> Result<(), String> {
    let raft = core.raft();
    let taken = match step {
        Step::AddLearner(node) => raft.add_learner(node, EmptyNode::new(), false).await,
        Step::SetVoters(voters) => raft.change_membership(voters, true).await,
        Step::Remove(nodes) => {
            raft.change_membership(ChangeMembers::RemoveNodes(nodes), true)
                .await
        }
    };
    taken.map(|_response| ()).map_err(|error| error.to_string())
}

async fn view(core: &Core, metrics: &RaftMetrics) -> View {
    let active = active_ids(&core.published.desired.borrow());
    let membership = metrics.membership_config.membership();
    let voters = membership.get_joint_config().last().cloned();
    let voters = voters.unwrap_or_default();
    let mut ready = BTreeSet::new();
    for candidate in candidates(&active, &voters, metrics) {
        if answers(core, candidate).await {
            ready.insert(candidate);
        }
    }
    View {
        active,
        voters,
        is_joint: membership.get_joint_config().len() > 1,
        members: membership.nodes().map(|(node, _)| *node).collect(),
        ready,
    }
}

fn active_ids(desired: &Desired) -> BTreeSet<u64> {
    desired
        .active_nodes()
        .map(|node| raft_id(node.id))
        .collect()
}

/// Learners whose log is nearly whole and who would vote if they answered.
fn candidates(active: &BTreeSet<u64>, voters: &BTreeSet<u64>, metrics: &RaftMetrics) -> Vec<u64> {
    let last = metrics.last_log_index.unwrap_or(0);
    let matched: BTreeMap<u64, u64> = metrics
        .replication
        .iter()
        .flatten()
        .filter_map(|(node, log_id)| Some((*node, (*log_id)?.index)))
        .collect();
    active
        .iter()
        .copied()
        .filter(|node| !voters.contains(node))
        .filter(|node| {
            matched
                .get(node)
                .is_some_and(|index| index + CAUGHT_UP_ENTRIES >= last)
        })
        .take(VOTERS_MAX)
        .collect()
}

async fn answers(core: &Core, node: u64) -> bool {
    let Some(node) = node_id(node) else {
        return false;
    };
    let call = core.peers.call(node, &Call::Ping, Vec::new());
    matches!(
        tokio::time::timeout(PING_DEADLINE, call).await,
        Ok(Ok(Answer::Pong))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
        ids.into_iter().collect()
    }

    fn check(active: &[u64], voters: &[u64], learners: &[u64], ready: &[u64], step: Option<Step>) {
        let view = View {
            active: set(active.iter().copied()),
            voters: set(voters.iter().copied()),
            is_joint: false,
            members: set(voters.iter().chain(learners).copied()),
            ready: set(ready.iter().copied()),
        };
        assert_eq!(next_step(&view), step, "{view:?}");
    }

    #[test]
    fn a_new_node_learns_then_votes() {
        check(&[1], &[1], &[], &[], None);
        check(&[1, 2], &[1], &[], &[], Some(Step::AddLearner(2)));
        check(&[1, 2], &[1], &[2], &[], None);
        check(
            &[1, 2],
            &[1],
            &[2],
            &[2],
            Some(Step::SetVoters(set([1, 2]))),
        );
        check(&[1, 2], &[1, 2], &[], &[], None);
    }

    #[test]
    fn a_removed_node_loses_its_vote_then_its_place() {
        check(
            &[1, 3],
            &[1, 2, 3],
            &[],
            &[],
            Some(Step::SetVoters(set([1, 3]))),
        );
        check(&[1, 3], &[1, 3], &[2], &[], Some(Step::Remove(set([2]))));
        check(&[1, 3], &[1, 3], &[], &[], None);
    }

    #[test]
    fn seven_vote_and_a_learner_takes_the_place_of_a_removed_one() {
        let voters = [1, 2, 3, 4, 5, 6, 7];
        let eight = [1, 2, 3, 4, 5, 6, 7, 8];
        check(&eight, &voters, &[8], &[8], None);
        let without_three = [1, 2, 4, 5, 6, 7, 8];
        let expected = Some(Step::SetVoters(set(without_three)));
        check(&without_three, &voters, &[8], &[8], expected);
    }

    #[test]
    fn a_voter_does_not_make_room_for_a_node_that_is_not_ready() {
        check(&[1, 2], &[2], &[1], &[], None);
    }

    #[test]
    fn the_last_voter_is_not_taken_away() {
        check(&[2], &[1], &[2], &[], None);
    }

    #[test]
    fn a_begun_change_is_ended_first() {
        let view = View {
            active: set([1, 2, 3]),
            voters: set([1, 2]),
            is_joint: true,
            members: set([1, 2]),
            ready: set([]),
        };
        assert_eq!(next_step(&view), Some(Step::SetVoters(set([1, 2]))));
    }
}
