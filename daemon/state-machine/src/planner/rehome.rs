//! New homes for copies, by the leader of the registry: after a node is lost, drained or hosts
//! nothing any more, where there are too few copies or too many, where all are in one zone.
//!
//! Slowly and steadily: a node that restarts changes nothing; a node takes in, and a live node
//! sends, only a few whole copies at a time; what was proposed is not chosen anew while it stands.

use super::census::{Census, Subject};
use super::load::Share;
use super::sets::{Membership, Present, next_set};
use super::{Output, Planner, UnitKey, View};
use crate::action::Command;
use crate::bugs::Bug;
use crate::facts::{ClusterFacts, NodeFacts};
use crate::placement::NodeCandidate;
use crate::time::Millis;
use hwc_api::explanation::{Decision, Outcome};
use hwc_api::ids::{DatasetId, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Whole copies that a node takes in, or sends out, at a time: enough to keep a disk busy.
const COPIES_AT_ONCE: u32 = 2;
/// All sets are looked at this often even if nothing is known to have changed.
const LOOK_AGAIN_MS: u64 = 60_000;

/// Sets that are judged at a time, those that waited longest first: a thousand nodes times a
/// hundred thousand sets is too much for one step.
const MOST_JUDGED: usize = 128;
/// And the next ones so much later.
const JUDGE_AGAIN_MS: u64 = 250;

/// A set that is not as it should be, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unsettled {
    /// The set as it is.
    replicas: Vec<NodeId>,
    /// Since when it is so, as far as this node knows.
    since: Millis,
    judged_at: Option<Millis>,
    proposed: Option<Proposal>,
}

/// What was proposed, and is not seen in the registry yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Proposal {
    at: Millis,
    added: Vec<NodeId>,
}

/// What the leader keeps of sets between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Rehoming {
    unsettled: BTreeMap<DatasetId, Unsettled>,
    /// The nodes that are down for longer than a restart takes.
    lost: BTreeSet<NodeId>,
    /// When all sets are looked at again; none: now.
    look_at: Option<Millis>,
}

impl Rehoming {
    pub(super) fn look_at_all(&mut self) {
        self.look_at = None;
    }
}

/// Whether other sets may be right by these facts than by those before.
pub(super) fn differs(before: &ClusterFacts, facts: &ClusterFacts) -> bool {
    let is_alike = |one: &NodeFacts, other: &NodeFacts| {
        one.zone == other.zone
            && one.is_hosting == other.is_hosting
            && one.is_draining == other.is_draining
            && one.may_lack_copies == other.may_lack_copies
            && one.is_up == other.is_up
    };
    (before.leader, before.is_writable) != (facts.leader, facts.is_writable)
        || before.nodes.len() != facts.nodes.len()
        || facts.nodes.iter().any(|(id, node)| {
            let before = before.nodes.get(id);
            before.is_none_or(|before| !is_alike(before, node))
        })
}

impl Planner {
    pub(super) fn rehome(&mut self, facts: &ClusterFacts, view: View<'_>, output: &mut Output) {
        if facts.leader != Some(view.me) || !facts.is_writable {
            self.rehoming = Rehoming::default();
            return;
        }
        self.note_losses(facts, view);
        self.find_unsettled(facts, view);
        self.settle_sets(facts, view, output);
    }

    /// A node that is down for long enough counts as lost from now on.
    fn note_losses(&mut self, facts: &ClusterFacts, view: View<'_>) {
        let mut lost = BTreeSet::new();
        for node in facts.nodes.keys() {
            let Some(since) = self.standing.down_since(*node) else {
                continue;
            };
            let lost_at = since.plus(view.timers.rehome_after_ms);
            if lost_at <= view.now {
                lost.insert(*node);
            } else {
                self.wake(view, lost_at);
            }
        }
        if lost != self.rehoming.lost {
            self.rehoming.lost = lost;
            self.rehoming.look_at_all();
        }
    }

    /// Looks at all sets, if that is due, for those that need attention.
    fn find_unsettled(&mut self, facts: &ClusterFacts, view: View<'_>) {
        if self.rehoming.look_at.is_some_and(|at| at > view.now) {
            return;
        }
        let mut unsettled = BTreeMap::new();
        for dataset in view.datasets.keys() {
            if self.is_settled(*dataset, facts, view) {
                continue;
            }
            let Some(policy) = view.policy(*dataset) else {
                continue;
            };
            let before = self.rehoming.unsettled.remove(dataset);
            let entry = before
                .filter(|before| before.replicas == policy.replicas)
                .unwrap_or_else(|| Unsettled {
                    replicas: policy.replicas.clone(),
                    since: view.now,
                    judged_at: None,
                    proposed: None,
                });
            unsettled.insert(*dataset, entry);
        }
        self.rehoming.unsettled = unsettled;
        let again_at = view.now.plus(LOOK_AGAIN_MS);
        self.rehoming.look_at = Some(again_at);
    }

    /// Whether a set is as it should be: enough good members, no others, each with its copy, not
    /// all in one zone.
    fn is_settled(&self, dataset: DatasetId, facts: &ClusterFacts, view: View<'_>) -> bool {
        let Some(ownership) = view.datasets.get(&dataset) else {
            return true;
        };
        let Some(policy) = ownership.policy() else {
            return true;
        };
        if ownership.is_gone() {
            return true;
        }
        let holders = ownership.copy_holders(view.me, view.peers);
        let members = policy.replicas.iter();
        let all_good = members.clone().all(|node| {
            holders.contains(node) && self.membership(*node, facts) == Membership::Good
        });
        let zones: BTreeSet<_> = members
            .filter_map(|node| facts.nodes.get(node))
            .map(|node| &node.zone)
            .collect();
        all_good
            && policy.replicas.len() == usize::from(policy.copies.max(1))
            && (zones.len() != 1 || policy.replicas.len() < 2 || has_one_zone(facts))
    }

    fn membership(&self, node: NodeId, facts: &ClusterFacts) -> Membership {
        let Some(known) = facts.nodes.get(&node) else {
            return Membership::Removed;
        };
        if self.rehoming.lost.contains(&node) {
            Membership::Lost
        } else if !known.is_hosting {
            Membership::NotHosting
        } else if known.is_draining {
            Membership::Drained
        } else {
            Membership::Good
        }
    }

    /// Proposes what is due, within the budget of copies, those with the fewest copies first.
    fn settle_sets(&mut self, facts: &ClusterFacts, view: View<'_>, output: &mut Output) {
        if self.rehoming.unsettled.is_empty() {
            return;
        }
        let mut nodes = self.nodes_for_copies(facts, view);
        let mut copying = self.copying(facts, view);
        let mut order: Vec<_> = self
            .rehoming
            .unsettled
            .iter()
            .map(|(dataset, unsettled)| {
                let copies = self.holders_of(*dataset, view).len();
                (unsettled.judged_at, copies, *dataset)
            })
            .collect();
        order.sort_unstable();
        if order.len() > MOST_JUDGED {
            self.wake(view, view.now.plus(JUDGE_AGAIN_MS));
        }
        for (_, _, dataset) in order.into_iter().take(MOST_JUDGED) {
            self.settle_set(dataset, &mut nodes, &mut copying, facts, view, output);
        }
    }

    fn settle_set(
        &mut self,
        dataset: DatasetId,
        nodes: &mut [NodeCandidate],
        copying: &mut BTreeMap<NodeId, u32>,
        facts: &ClusterFacts,
        view: View<'_>,
        output: &mut Output,
    ) {
        let Some(unsettled) = self.rehoming.unsettled.get_mut(&dataset) else {
            return;
        };
        unsettled.judged_at = Some(view.now);
        let since = unsettled.since;
        let proposed_at = unsettled.proposed.as_ref().map(|proposal| proposal.at);
        let (Some(ownership), Some(policy)) = (view.datasets.get(&dataset), view.policy(dataset))
        else {
            return;
        };
        let again_at = proposed_at.map(|at| at.plus(view.timers.propose_again_ms));
        if let Some(at) = again_at.filter(|at| *at > view.now) {
            self.wake(view, at);
            return;
        }
        let trim_at = since.plus(view.timers.trim_after_ms);
        self.wake(view, trim_at);
        let members: Vec<_> = policy
            .replicas
            .iter()
            .map(|node| (*node, self.membership(*node, facts)))
            .collect();
        let mut holders = self.holders_of(dataset, view);
        if view.bugs.has(Bug::SetTrimmedUnconfirmed) {
            holders.extend(&policy.replicas);
        }
        let is_drained_for_all = members.iter().all(|(node, standing)| {
            *standing != Membership::Drained
                || facts
                    .nodes
                    .get(node)
                    .is_some_and(|node| node.may_lack_copies)
        });
        let present = Present {
            members: &members,
            copies: usize::from(policy.copies.max(1)),
            live: ownership.live_node(view.me),
            holders: &holders,
            may_trim: trim_at <= view.now && !self.is_target(dataset, &policy.replicas, facts),
            may_lack_copies: is_drained_for_all,
        };
        let wanted = next_set(&present, nodes, |node| self.is_steady(node, view));
        let Some(wanted) = wanted else {
            return;
        };
        let takers = wanted.added.iter().copied().chain(present.live);
        let is_within_budget = wanted.added.is_empty()
            || takers.clone().all(|node| {
                copying
                    .get(&node)
                    .is_none_or(|count| *count < COPIES_AT_ONCE)
            });
        if !is_within_budget {
            return;
        }
        for taker in takers.filter(|_| !wanted.added.is_empty()) {
            *copying.entry(taker).or_default() += 1;
        }
        for node in nodes
            .iter_mut()
            .filter(|node| wanted.added.contains(&node.id))
        {
            node.datasets += 1;
        }
        let decision = Decision {
            at: self.moment(view.now).wall,
            by: view.me,
            dataset,
            outcome: Outcome::Rehome {
                before: policy.replicas.clone(),
                after: wanted.replicas.clone(),
                reason: wanted.reason,
            },
            candidates: wanted.candidates,
        };
        self.decided(decision, output);
        output.act(
            dataset,
            Command::SetReplicas {
                expected: policy.replicas.clone(),
                replicas: wanted.replicas,
            },
        );
        if let Some(unsettled) = self.rehoming.unsettled.get_mut(&dataset) {
            unsettled.proposed = Some(Proposal {
                at: view.now,
                added: wanted.added,
            });
        }
        self.wake(view, view.now.plus(view.timers.propose_again_ms));
    }

    /// Whether a member was added for a move that is planned or under way.
    fn is_target(&self, dataset: DatasetId, replicas: &[NodeId], facts: &ClusterFacts) -> bool {
        let shown = facts.moves.iter();
        let shown = shown
            .filter(|shown| shown.dataset == dataset)
            .map(|shown| shown.to);
        let own = self.plans.values();
        let own = own
            .filter(|plan| plan.parts.contains_key(&dataset))
            .map(|plan| plan.to);
        shown.chain(own).any(|to| replicas.contains(&to))
    }

    /// Whole copies that each node takes in or sends just now.
    fn copying(&self, facts: &ClusterFacts, view: View<'_>) -> BTreeMap<NodeId, u32> {
        let mut copying: BTreeMap<NodeId, u32> = BTreeMap::new();
        for (dataset, unsettled) in &self.rehoming.unsettled {
            let Some(ownership) = view.datasets.get(dataset) else {
                continue;
            };
            let holders = ownership.copy_holders(view.me, view.peers);
            let is_taking = |node: &&NodeId| {
                let is_up = facts.nodes.get(*node).is_some_and(|facts| facts.is_up);
                is_up && !holders.contains(*node)
            };
            let stands =
                |proposal: &&Proposal| proposal.at.plus(view.timers.propose_again_ms) > view.now;
            let proposed = unsettled.proposed.as_ref().filter(stands);
            let proposed = proposed.into_iter().flat_map(|proposal| &proposal.added);
            for taker in unsettled.replicas.iter().chain(proposed).filter(is_taking) {
                *copying.entry(*taker).or_default() += 1;
                if let Some(live) = ownership.live_node(view.me) {
                    *copying.entry(live).or_default() += 1;
                }
            }
        }
        copying
    }

    fn holders_of(&self, dataset: DatasetId, view: View<'_>) -> BTreeSet<NodeId> {
        view.datasets
            .get(&dataset)
            .map(|ownership| ownership.copy_holders(view.me, view.peers))
            .unwrap_or_default()
    }

    fn nodes_for_copies(&self, facts: &ClusterFacts, view: View<'_>) -> Vec<NodeCandidate> {
        let subject = Subject {
            key: UnitKey::Dataset(DatasetId(0)),
            datasets: &[],
            here: NodeId(0),
        };
        self.nodes(&Share::default(), subject, &Census::take(view), facts, view)
    }
}

fn has_one_zone(facts: &ClusterFacts) -> bool {
    let zones = facts
        .nodes
        .values()
        .filter(|node| node.is_hosting && !node.is_draining && node.is_up)
        .map(|node| &node.zone);
    zones.collect::<BTreeSet<_>>().len() < 2
}
