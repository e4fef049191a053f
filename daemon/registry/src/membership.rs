//! Keeps openraft's membership in step with the nodes of the settings.
//!
//! The plan is pure and takes one step at a time: a new node first learns; once it has caught up
//! and answers it may vote, if [`crate::voters`] wants it; a removed node loses its vote, then its
//! place. Only the leader acts; whoever leads next goes on where it stopped.

use crate::core::Core;
use crate::network::call::{Answer, Call};
use crate::raft_types::{RaftMetrics, node_id, raft_id};
use crate::rescue;
use crate::status::has_quorum;
use crate::voters::{Candidate, Presence, wanted_voters};
use futures::future::join_all;
use hwc_api::desired::{Desired, Node, NodeService};
use hwc_api::ids::NodeId;
use hwc_api::names::ZoneName;
use hwc_runtime::clock::Moment;
use openraft::{ChangeMembers, EmptyNode};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often the membership is looked at when nothing happens.
pub(crate) const RECONCILE_INTERVAL: Duration = Duration::from_secs(1);
/// How far behind the log's end a learner may be to become a voter.
const CAUGHT_UP_ENTRIES: u64 = 16;
/// Learners that are asked each time whether they could vote: twice the greatest number of voters,
/// so that most of them may be away, and few enough in a cluster of a thousand nodes.
const ASKED_LEARNERS_MAX: usize = 14;

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
    /// The voters as they should be; none to leave them as they are.
    pub wanted: Option<BTreeSet<u64>>,
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
    if let Some(wanted) = view
        .wanted
        .as_ref()
        .filter(|wanted| **wanted != view.voters)
    {
        return Some(Step::SetVoters(wanted.clone()));
    }
    let gone: BTreeSet<u64> = view
        .members
        .iter()
        .copied()
        .filter(|member| !view.active.contains(member) && !view.voters.contains(member))
        .collect();
    (!gone.is_empty()).then_some(Step::Remove(gone))
}

/// Since when voters have not answered, as the leader counts it.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    since: BTreeMap<u64, Moment>,
}

impl Absences {
    /// Notes who of `asked` answers, and forgets the others.
    fn note(&mut self, now: Moment, asked: &BTreeSet<u64>, here: &BTreeSet<u64>) {
        self.since.retain(|node, _| asked.contains(node));
        for node in asked {
            if here.contains(node) {
                self.since.remove(node);
            } else {
                self.since.entry(*node).or_insert(now);
            }
        }
    }

    fn contains(&self, node: u64) -> bool {
        self.since.contains_key(&node)
    }

    fn presence(&self, now: Moment, node: u64, patience: Duration) -> Presence {
        match self.since.get(&node) {
            None => Presence::Here,
            Some(since) if now.since(*since) < patience => Presence::Away,
            Some(_) => Presence::Gone,
        }
    }
}

/// Looks at the membership once, and takes a step if one is due.
pub(crate) async fn reconcile(core: &Core) {
    if !has_quorum(&core.metrics(), core.timing) {
        // Whoever does not lead knows nothing of absences.
        core.absences().since.clear();
        return;
    }
    rescue::finish(core).await;
    let _steering = core.steering.lock().await;
    let metrics = core.metrics();
    let view = view(core, &metrics, None).await;
    if view.active.is_empty() {
        return;
    }
    let Some(step) = next_step(&view) else { return };
    if let Err(error) = take(core, step).await {
        tracing::warn!(error, "the membership's change was not taken");
    }
}

/// Takes a node's vote away before it is removed, while it can still agree: once it is removed,
/// nobody listens to it, and where every voter is needed nothing could be decided any more. The
/// caller holds [`Core::steering`] until it is removed, so that it gets no vote in between.
///
/// # Errors
/// When the others could not decide without it, in words for people.
pub(crate) async fn retire(core: &Core, leaving: NodeId) -> Result<(), String> {
    let leaving = raft_id(leaving);
    let view = view(core, &core.metrics(), Some(leaving)).await;
    if !view.voters.contains(&leaving) && !view.is_joint {
        return Ok(());
    }
    let Some(wanted) = view.wanted else {
        return Err("too few of the other nodes that keep them are in reach".to_owned());
    };
    take(core, Step::SetVoters(wanted)).await
}

async fn take(core: &Core, step: Step) -> Result<(), String> {
    tracing::info!(?step, "change the registry's membership");
    let raft = core.raft();
    let taken = async {
        match step {
            Step::AddLearner(node) => raft.add_learner(node, EmptyNode::new(), false).await,
            Step::SetVoters(voters) => raft.change_membership(voters, true).await,
            Step::Remove(nodes) => {
                raft.change_membership(ChangeMembers::RemoveNodes(nodes), true)
                    .await
            }
        }
    };
    match tokio::time::timeout(core.timing.step(), taken).await {
        Ok(taken) => taken.map(drop).map_err(|error| error.to_string()),
        Err(_elapsed) => Err("it finds no majority".to_owned()),
    }
}

/// The membership as it is and as it should be, without a node that is about to leave.
async fn view(core: &Core, metrics: &RaftMetrics, leaving: Option<u64>) -> View {
    let desired = core.published.desired.borrow().clone();
    let membership = metrics.membership_config.membership();
    let voters = membership.get_joint_config().last().cloned();
    let voters = voters.unwrap_or_default();
    let given_up = rescue::given_up(core);
    let active: BTreeSet<u64> = desired
        .active_nodes()
        .map(|node| raft_id(node.id))
        .filter(|node| !given_up.contains(node))
        .collect();
    let candidates = candidates(core, &desired, &voters, metrics).await;
    let staying: Vec<_> = candidates
        .into_iter()
        .filter(|candidate| Some(candidate.node) != leaving)
        .collect();
    View {
        active,
        wanted: wanted_voters(&staying),
        voters,
        is_joint: membership.get_joint_config().len() > 1,
        members: membership.nodes().map(|(node, _)| *node).collect(),
    }
}

/// The nodes that vote or could, and may.
async fn candidates(
    core: &Core,
    desired: &Desired,
    voters: &BTreeSet<u64>,
    metrics: &RaftMetrics,
) -> Vec<Candidate> {
    let caught_up = caught_up(metrics);
    let may_vote = desired
        .active_nodes()
        .filter(|node| !node.switched_off.contains(&NodeService::Voting));
    let (mut able, mut learners): (Vec<&Node>, Vec<&Node>) =
        may_vote.partition(|node| voters.contains(&raft_id(node.id)));
    learners.retain(|node| caught_up.contains(&raft_id(node.id)));
    able.extend(shortlist(learners, &core.absences()));
    let asked: BTreeSet<u64> = able.iter().map(|node| raft_id(node.id)).collect();
    let here = who_answers(core, &asked).await;
    let now = core.clock.now();
    let mut absences = core.absences();
    absences.note(now, &asked, &here);
    let candidates = able.into_iter().map(|node| {
        let id = raft_id(node.id);
        Candidate {
            node: id,
            zone: node.zone.clone(),
            is_witness: !node.is_hosting(),
            is_voter: voters.contains(&id),
            is_leader: id == raft_id(core.me),
            presence: absences.presence(now, id, core.timing.replace_voter_after),
        }
    });
    candidates
        .filter(|candidate| candidate.is_voter || candidate.presence == Presence::Here)
        .collect()
}

/// The learners to ask whether they could vote: witnesses first, then some of each zone; those that
/// did not answer the last time come last, and so not every time.
fn shortlist<'a>(mut learners: Vec<&'a Node>, absences: &Absences) -> Vec<&'a Node> {
    let mut in_zone: BTreeMap<&ZoneName, usize> = BTreeMap::new();
    let rank: BTreeMap<NodeId, usize> = learners
        .iter()
        .map(|node| {
            let count = in_zone.entry(&node.zone).or_default();
            *count += 1;
            (node.id, *count)
        })
        .collect();
    learners.sort_by_key(|node| {
        let is_away = absences.contains(raft_id(node.id));
        (
            is_away,
            node.is_hosting(),
            rank.get(&node.id).copied(),
            node.id,
        )
    });
    learners.truncate(ASKED_LEARNERS_MAX);
    learners
}

/// The members whose log is nearly whole, as the leader knows.
fn caught_up(metrics: &RaftMetrics) -> BTreeSet<u64> {
    let last = metrics.last_log_index.unwrap_or(0);
    let matched = metrics.replication.iter().flatten();
    matched
        .filter(|(_, log_id)| log_id.is_some_and(|id| id.index + CAUGHT_UP_ENTRIES >= last))
        .map(|(node, _)| *node)
        .collect()
}

/// Who of these nodes answers a call of the registry; this node does.
pub(crate) async fn who_answers(core: &Core, nodes: &BTreeSet<u64>) -> BTreeSet<u64> {
    let asked = nodes.iter().map(|node| async move {
        let is_here = match node_id(*node) {
            Some(node) if node == core.me => core.is_running(),
            Some(node) => matches!(answers(core, node).await, Some(Answer::Pong)),
            None => false,
        };
        is_here.then_some(*node)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The voters that do not answer.
pub(crate) async fn silent_voters(core: &Core) -> BTreeSet<NodeId> {
    let metrics = core.metrics();
    let voters: BTreeSet<u64> = metrics.membership_config.membership().voter_ids().collect();
    let here = who_answers(core, &voters).await;
    voters
        .difference(&here)
        .copied()
        .filter_map(node_id)
        .collect()
}

/// What another node says when it is asked whether it is there; none where it says nothing.
pub(crate) async fn answers(core: &Core, node: NodeId) -> Option<Answer> {
    let call = core.peers.call(node, &Call::Ping, Vec::new());
    let answer = tokio::time::timeout(core.timing.answer, call).await;
    answer.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{address, node_name};

    fn set(ids: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
        ids.into_iter().collect()
    }

    fn check(active: &[u64], voters: &[u64], learners: &[u64], wanted: &[u64], step: Option<Step>) {
        let view = View {
            active: set(active.iter().copied()),
            voters: set(voters.iter().copied()),
            is_joint: false,
            members: set(voters.iter().chain(learners).copied()),
            wanted: (!wanted.is_empty()).then(|| set(wanted.iter().copied())),
        };
        assert_eq!(next_step(&view), step, "{view:?}");
    }

    #[test]
    fn a_new_node_learns_then_votes() {
        check(&[1], &[1], &[], &[1], None);
        check(&[1, 2], &[1], &[], &[1], Some(Step::AddLearner(2)));
        check(&[1, 2], &[1], &[2], &[1], None);
        let voting = Some(Step::SetVoters(set([1, 2])));
        check(&[1, 2], &[1], &[2], &[1, 2], voting);
        check(&[1, 2], &[1, 2], &[], &[1, 2], None);
    }

    #[test]
    fn a_removed_node_loses_its_vote_then_its_place() {
        let without = Some(Step::SetVoters(set([1, 3])));
        check(&[1, 3], &[1, 2, 3], &[], &[1, 3], without);
        let removed = Some(Step::Remove(set([2])));
        check(&[1, 3], &[1, 3], &[2], &[1, 3], removed);
        check(&[1, 3], &[1, 3], &[], &[1, 3], None);
    }

    #[test]
    fn voters_stay_where_there_are_no_better_ones() {
        check(&[2], &[1], &[2], &[], None);
    }

    #[test]
    fn a_begun_change_is_ended_first() {
        let view = View {
            active: set([1, 2, 3]),
            voters: set([1, 2]),
            is_joint: true,
            members: set([1, 2]),
            wanted: Some(set([1, 2, 3])),
        };
        assert_eq!(next_step(&view), Some(Step::SetVoters(set([1, 2]))));
    }

    #[test]
    fn witnesses_and_some_of_each_zone_are_asked_first_and_the_silent_last() {
        let nodes: Vec<Node> = (1..=40)
            .map(|id| {
                let zone = if id <= 30 { "a" } else { "b" };
                let is_witness = id == 20;
                Node {
                    id: NodeId(id),
                    name: node_name(&format!("node-{id}")),
                    address: address("10.0.0.1"),
                    join_index: 1,
                    is_removed: false,
                    zone: ZoneName::parse(zone).expect("zone"),
                    switched_off: is_witness
                        .then_some(NodeService::Hosting)
                        .into_iter()
                        .collect(),
                    drain: None,
                }
            })
            .collect();
        let mut absences = Absences::default();
        absences.note(Moment(1), &set([1, 2]), &set([]));
        let asked = shortlist(nodes.iter().collect(), &absences);
        let asked: Vec<_> = asked.into_iter().map(|node| node.id.0).collect();
        assert_eq!(asked, [20, 31, 32, 3, 33, 4, 34, 5, 35, 6, 36, 7, 37, 8]);
    }

    #[test]
    fn a_node_is_gone_once_it_has_been_away_for_long() {
        let mut absences = Absences::default();
        let patience = Duration::from_secs(60);
        let asked = set([1, 2]);
        let presence = |absences: &Absences, at| {
            [1, 2].map(|node| absences.presence(Moment(at), node, patience))
        };
        absences.note(Moment(1_000), &asked, &set([1]));
        assert_eq!(presence(&absences, 1_000), [Presence::Here, Presence::Away]);
        absences.note(Moment(60_999), &asked, &set([1]));
        assert_eq!(
            presence(&absences, 60_999),
            [Presence::Here, Presence::Away]
        );
        assert_eq!(
            presence(&absences, 61_000),
            [Presence::Here, Presence::Gone]
        );
        absences.note(Moment(61_000), &asked, &asked);
        assert_eq!(
            presence(&absences, 61_000),
            [Presence::Here, Presence::Here]
        );
        absences.note(Moment(62_000), &asked, &set([]));
        absences.note(Moment(63_000), &set([1]), &set([]));
        assert_eq!(
            presence(&absences, 63_000),
            [Presence::Away, Presence::Here]
        );
    }
}
