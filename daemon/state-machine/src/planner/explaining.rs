//! Why a dataset is where it is: what would happen to it now, and what was decided before.

use super::census::{Census, Subject};
use super::decisions::MOST_CANDIDATES;
use super::load::Points;
use super::{Output, Planner, View};
use crate::facts::ClusterFacts;
use crate::ownership::Ownership;
use crate::placement;
use hwc_api::explanation::{Candidate, DatasetExplanation, Decision, Obstacle, Outcome, Unfit};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::Epoch;

impl Planner {
    pub(crate) fn explain(&self, dataset: DatasetId, view: View<'_>) -> Option<DatasetExplanation> {
        let ownership = view.datasets.get(&dataset)?;
        let facts = self.facts.as_ref();
        let candidates = facts.map(|facts| self.places(dataset, ownership, facts, view));
        let mut candidates = candidates.unwrap_or_default();
        let obstacle = facts
            .filter(|_| ownership.is_open())
            .and_then(|facts| self.present_obstacle(dataset, &candidates, facts, view));
        candidates.truncate(MOST_CANDIDATES);
        Some(DatasetExplanation {
            dataset,
            by: view.me,
            state: ownership.holder_state(),
            epoch: ownership.highest_seen(),
            candidates,
            obstacle,
            decisions: self.decisions.of(dataset),
        })
    }

    /// Where it would go if it had to move now.
    fn places(
        &self,
        dataset: DatasetId,
        ownership: &Ownership,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Vec<Candidate> {
        let key = view.unit(dataset);
        let mut datasets = self.parts_here(key, view);
        if !datasets.contains(&dataset) {
            datasets = vec![dataset];
        }
        let subject = Subject {
            key,
            datasets: &datasets,
            here: ownership.live_node(view.me).unwrap_or(view.me),
        };
        self.candidates(subject, None, &Census::take(view), facts, view)
    }

    /// Why it would not move by itself.
    fn present_obstacle(
        &self,
        dataset: DatasetId,
        candidates: &[Candidate],
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Option<Obstacle> {
        if self.plans.contains_key(&view.unit(dataset)) {
            return None;
        }
        let rules = &facts.balancing;
        let datasets = self.parts_here(view.unit(dataset), view);
        let subject = Subject {
            key: view.unit(dataset),
            datasets: &datasets,
            here: view.me,
        };
        if self.leaving.contains(&view.me) {
            let has_target = placement::best(candidates).is_some();
            return if !has_target {
                Some(Obstacle::NoTarget)
            } else if self.has_free_turn(rules) {
                None
            } else {
                Some(Obstacle::Budget)
            };
        }
        if let Some(obstacle) = self.reunion_obstacle(dataset, facts, view) {
            return obstacle;
        }
        let busy_percent = u32::from(rules.busy_percent);
        let load_percent = facts
            .nodes
            .get(&view.me)
            .map_or(0, |node| Points::of(node).percent());
        if let Some(obstacle) = self.obstacle(subject, rules, view) {
            Some(obstacle)
        } else if !rules.is_on {
            Some(Obstacle::SwitchedOff)
        } else if load_percent < busy_percent {
            Some(Obstacle::NotBusy)
        } else if !self.has_free_turn(rules) {
            Some(Obstacle::Budget)
        } else {
            self.balance_obstacle(subject, facts, view)
        }
    }

    /// Notes that this node goes live, and among whom.
    pub(crate) fn note_claim(
        &mut self,
        dataset: DatasetId,
        epoch: Epoch,
        view: View<'_>,
        output: &mut Output,
    ) {
        self.traffic.note_arrival(dataset, view);
        let candidates = view
            .datasets
            .get(&dataset)
            .map(|ownership| self.claimants(ownership, view))
            .unwrap_or_default();
        let decision = Decision {
            at: self.moment(view.now).wall,
            by: view.me,
            dataset,
            outcome: Outcome::Claim { epoch },
            candidates,
        };
        self.decided(decision, output);
    }

    /// The members of the set and all others with a copy, as they stood when this node went live.
    fn claimants(&self, ownership: &Ownership, view: View<'_>) -> Vec<Candidate> {
        let holders = ownership.copy_holders(view.me, view.peers);
        let members = ownership
            .policy()
            .map_or(&[][..], |policy| policy.replicas.as_slice());
        let mut nodes: Vec<_> = members.to_vec();
        nodes.extend(holders.iter().filter(|node| !members.contains(node)));
        nodes.sort_by_key(|node| *node != view.me);
        let facts = self.facts.as_ref();
        nodes
            .into_iter()
            .enumerate()
            .map(|(place, node)| {
                let known = facts.and_then(|facts| facts.nodes.get(&node));
                let is_in_reach = node == view.me || view.peers.alive_since(node).is_some();
                Candidate {
                    node,
                    score: is_in_reach.then(|| u64::try_from(place).unwrap_or(u64::MAX)),
                    unfit: (!is_in_reach).then_some(Unfit::Down),
                    has_copy: holders.contains(&node),
                    load_percent: known.map_or(0, |node| Points::of(node).percent()),
                    free_bytes: known.map_or(0, |node| node.pool_free_bytes),
                }
            })
            .collect()
    }
}
