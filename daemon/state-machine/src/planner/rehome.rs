//! New homes for copies, by the leader of the registry: after a node is lost, drained or hosts
//! nothing any more, where there are too few copies or too many, where all are in one zone.
//!
//! Slowly and steadily: a node that restarts changes nothing; a node takes in, and a live node
//! sends, only a few whole copies at a time; what was proposed is not chosen anew while it stands.

use super::census::{Census, Subject};
use super::load::Share;
use super::sets::{Membership, Present, next_set};
use super::unsettled::{Proposal, Rehoming};
use super::{Output, Planner, UnitKey, View};
use crate::action::Command;
use crate::bugs::Bug;
use crate::facts::ClusterFacts;
use crate::placement::NodeCandidate;
use hwc_api::explanation::{Decision, Outcome};
use hwc_api::ids::{DatasetId, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// Whole copies that a node takes in, or sends out, at a time: enough to keep a disk busy.
const COPIES_AT_ONCE: u32 = 2;
/// Sets for which all nodes are judged at a time, those that waited longest first: a thousand
/// nodes times a hundred thousand sets is too much for one step.
const MOST_JUDGED: usize = 32;
/// And the next ones so much later.
const JUDGE_AGAIN_MS: u64 = 250;

/// What a node is busy with.
#[derive(Debug, Clone, Copy, Default)]
struct Copying {
    /// Whole copies that it takes in or sends.
    count: u32,
    /// Bytes in those that it takes in.
    bytes: u64,
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

    /// Proposes what is due, within the budget of copies, those with the fewest copies first.
    fn settle_sets(&mut self, facts: &ClusterFacts, view: View<'_>, output: &mut Output) {
        if self.rehoming.unsettled.is_empty() {
            return;
        }
        let census = self.rehoming.census(view);
        let mut nodes = self.nodes_for_copies(&census, facts, view);
        let mut copying = self.copying(facts, view);
        for node in &mut nodes {
            let taking = copying.get(&node.id).map_or(0, |copying| copying.bytes);
            node.free_bytes = node.free_bytes.saturating_sub(taking);
        }
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
        let mut judged = 0;
        for (_, _, dataset) in order {
            if judged == MOST_JUDGED {
                self.wake(view, view.now.plus(JUDGE_AGAIN_MS));
                break;
            }
            let was_judged =
                self.settle_set(dataset, &mut nodes, &mut copying, facts, view, output);
            judged += usize::from(was_judged);
        }
    }

    /// Proposes the next step of one set, if there is one. Returns whether all nodes were judged for
    /// it, which takes time.
    fn settle_set(
        &mut self,
        dataset: DatasetId,
        nodes: &mut [NodeCandidate],
        copying: &mut BTreeMap<NodeId, Copying>,
        facts: &ClusterFacts,
        view: View<'_>,
        output: &mut Output,
    ) -> bool {
        let Some(unsettled) = self.rehoming.unsettled.get(&dataset) else {
            return false;
        };
        let since = unsettled.since;
        let proposed_at = unsettled.proposed.as_ref().map(|proposal| proposal.at);
        let (Some(ownership), Some(policy)) = (view.datasets.get(&dataset), view.policy(dataset))
        else {
            return false;
        };
        let again_at = proposed_at.map(|at| at.plus(view.timers.propose_again_ms));
        if let Some(at) = again_at.filter(|at| *at > view.now) {
            self.wake(view, at);
            return false;
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
        let needed_bytes = self.bytes_of(dataset);
        let present = Present {
            members: &members,
            copies: usize::from(policy.copies.max(1)),
            live: ownership.live_node(view.me),
            holders: &holders,
            needed_bytes,
            may_trim: trim_at <= view.now && !self.is_target(dataset, &policy.replicas, facts),
            may_lack_copies: is_drained_for_all,
        };
        let has_budget = |node: &NodeId| {
            copying
                .get(node)
                .is_none_or(|copying| copying.count < COPIES_AT_ONCE)
        };
        if present.wants_more() && !present.live.iter().all(has_budget) {
            return false;
        }
        let is_judged = present.wants_more();
        if let Some(unsettled) = self.rehoming.unsettled.get_mut(&dataset) {
            unsettled.judged_at = is_judged.then_some(view.now);
        }
        let wanted = next_set(&present, nodes, |node| self.is_steady(node, view));
        let Some(wanted) = wanted else {
            return is_judged;
        };
        let takers = wanted.added.iter().copied().chain(present.live);
        if !wanted.added.is_empty() && !takers.clone().all(|node| has_budget(&node)) {
            return is_judged;
        }
        for taker in takers.filter(|_| !wanted.added.is_empty()) {
            copying.entry(taker).or_default().count += 1;
        }
        for node in nodes
            .iter_mut()
            .filter(|node| wanted.added.contains(&node.id))
        {
            node.datasets += 1;
            node.free_bytes = node.free_bytes.saturating_sub(needed_bytes);
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
        is_judged
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
    fn copying(&self, facts: &ClusterFacts, view: View<'_>) -> BTreeMap<NodeId, Copying> {
        let mut copying: BTreeMap<NodeId, Copying> = BTreeMap::new();
        for (dataset, unsettled) in &self.rehoming.unsettled {
            let Some(ownership) = view.datasets.get(dataset) else {
                continue;
            };
            // While nobody serves it, nothing of it is on its way, maybe never again.
            let Some(live) = ownership.live_node(view.me) else {
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
                let taking = copying.entry(*taker).or_default();
                taking.count += 1;
                taking.bytes = taking.bytes.saturating_add(self.bytes_of(*dataset));
                copying.entry(live).or_default().count += 1;
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

    fn nodes_for_copies(
        &self,
        census: &Census,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Vec<NodeCandidate> {
        let subject = Subject {
            key: UnitKey::Dataset(DatasetId(0)),
            datasets: &[],
            here: NodeId(0),
        };
        self.nodes(&Share::default(), subject, census, facts, view)
    }
}
