//! Spreading load: a busy node hands a site over, itself, on the facts that all share.
//!
//! Against ping-pong: a node must be busy for long (`patience_s`), it hands over one site and then
//! measures anew, as long; the target stays well below busy with it (`gap_percent`), and what moved
//! stays (`cool_down_s`). Against a stampede: what is on its way to a target counts there, and of
//! two nodes that plan at the same time one sees the other's plan before its own begins. A quiet
//! cluster makes no moves; one that is busy everywhere makes none either.

use super::asking::Wish;
use super::census::{Census, Subject, beside, common_holders};
use super::load::{Points, Share};
use super::plan::Plan;
use super::{Output, Planner, UnitKey, View};
use crate::bugs::Bug;
use crate::facts::ClusterFacts;
use hwc_api::balancing::Balancing;
use hwc_api::explanation::{Candidate, Decision, Obstacle, Outcome};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::MoveReason;
use std::collections::BTreeSet;

/// Less relief than this is no reason to move anything, percent points.
const LEAST_GAIN_PERCENT: u32 = 3;
/// A move that is planned stays planned until the load is so far below busy, percent points:
/// otherwise one around the limit is planned and called off by turns.
const STILL_BUSY_PERCENT: u32 = 5;
/// Only so many of the heaviest sites that may go are considered: lighter ones would not help.
const MOST_CONSIDERED: usize = 50;
/// Copying so much to a node that has no copy costs as much as not having to copy at all.
const BYTES_PER_COST: u64 = 1 << 30;

/// A possible hand-over, and what it is worth.
struct HandOver {
    key: UnitKey,
    to: NodeId,
    worth: u64,
    candidates: Vec<Candidate>,
}

impl Planner {
    /// Since when this node is busy, with everything that leaves it taken off.
    pub(super) fn note_busy(&mut self, facts: &ClusterFacts, view: View<'_>) {
        let is_busy = facts.nodes.get(&view.me).is_some_and(|node| {
            Points::of(node).percent() >= u32::from(facts.balancing.busy_percent)
        });
        // What leaves, or left lately, is measured here for a while yet: wait, and look anew.
        let is_busy = is_busy && !self.traffic.is_handing_over(view.me);
        self.busy_since = is_busy.then(|| self.busy_since.unwrap_or(view.now));
    }

    pub(super) fn balance(&mut self, facts: &ClusterFacts, view: View<'_>, output: &mut Output) {
        let rules = &facts.balancing;
        let Some(since) = self.busy_since else {
            return;
        };
        let due = since.plus(u64::from(rules.patience_s) * 1_000);
        if !rules.is_on || self.leaving.contains(&view.me) {
            return;
        }
        if view.now < due {
            self.wake(view, due);
            return;
        }
        if !self.has_free_turn(rules) {
            return;
        }
        match self.best_option(facts, view) {
            Ok(best) => {
                let reason = MoveReason::Balance;
                let wish = Wish {
                    key: best.key,
                    to: best.to,
                    reason,
                    notice_ms: Self::notice_ms(reason, facts, view),
                    candidates: best.candidates,
                };
                self.plan(wish, facts, view, output);
            }
            Err(stays) => {
                if let Some((dataset, obstacle)) = stays {
                    self.note_stay(dataset, obstacle, view, output);
                }
            }
        }
        // Whatever was found: look again after as long.
        self.busy_since = Some(view.now);
    }

    /// The hand-over that helps most for what it costs; otherwise what keeps the heaviest site.
    fn best_option(
        &self,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Result<HandOver, Option<(DatasetId, Obstacle)>> {
        let census = Census::take(view);
        let mut units: Vec<_> = view
            .units_here()
            .into_iter()
            .filter(|(key, _)| !self.plans.contains_key(key))
            .map(|(key, datasets)| {
                let share = self.share_of_all(&datasets, facts, view.me);
                (key, datasets, share)
            })
            .collect();
        units.sort_by_key(|(key, _, share)| {
            let relief = self.relief(share, facts, view.me);
            (std::cmp::Reverse(relief), *key)
        });
        let mut considered = 0;
        let mut best: Option<HandOver> = None;
        let mut heaviest = None;
        for (key, datasets, share) in &units {
            let subject = Subject {
                key: *key,
                datasets,
                here: view.me,
            };
            let obstacle = match self.obstacle(subject, &facts.balancing, view) {
                Some(obstacle) => Some(obstacle),
                None if considered == MOST_CONSIDERED => break,
                None => {
                    considered += 1;
                    match self.option(subject, share, &census, facts, view) {
                        Ok(option) => {
                            if best.as_ref().is_none_or(|best| option.worth > best.worth) {
                                best = Some(option);
                            }
                            None
                        }
                        Err(obstacle) => Some(obstacle),
                    }
                }
            };
            if heaviest.is_none() {
                heaviest = self.speaker_of(datasets, view).zip(obstacle);
            }
        }
        best.ok_or(heaviest)
    }

    /// What keeps a unit here, whoever would take it.
    pub(super) fn obstacle(
        &self,
        subject: Subject<'_>,
        rules: &Balancing,
        view: View<'_>,
    ) -> Option<Obstacle> {
        let mut policies = subject
            .datasets
            .iter()
            .filter_map(|dataset| view.policy(*dataset));
        if policies.any(|policy| policy.pin.is_some()) {
            return Some(Obstacle::Pinned);
        }
        self.rest(subject, rules, view)
    }

    /// What keeps a unit here for a while: somebody's wish, or that it came lately.
    pub(super) fn rest(
        &self,
        subject: Subject<'_>,
        rules: &Balancing,
        view: View<'_>,
    ) -> Option<Obstacle> {
        let moment = self.moment(view.now);
        let mut policies = subject
            .datasets
            .iter()
            .filter_map(|dataset| view.policy(*dataset));
        if policies.any(|policy| policy.hold_until.is_some_and(|until| until > moment.wall)) {
            return Some(Obstacle::Held);
        }
        let cool_down_ms = cool_down_ms(rules);
        let is_cooling = subject.datasets.iter().any(|dataset| {
            self.traffic
                .last_move(*dataset, moment)
                .is_some_and(|(age_ms, _)| age_ms < cool_down_ms)
        });
        if is_cooling && !view.bugs.has(Bug::CoolDownIgnored) {
            return Some(Obstacle::CoolDown);
        }
        None
    }

    /// Where a unit would best go, and what that is worth.
    fn option(
        &self,
        subject: Subject<'_>,
        share: &Share,
        census: &Census,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Result<HandOver, Obstacle> {
        let most = most_load(&facts.balancing);
        // A database apart from its site goes to it, or stays.
        let beside = beside(subject.datasets, view);
        let candidates = self.candidates(subject, Some(most), census, facts, view);
        let (moment, cool_down_ms) = (self.moment(view.now), cool_down_ms(&facts.balancing));
        let relieved: BTreeSet<_> = subject
            .datasets
            .iter()
            .filter_map(|dataset| self.traffic.relieved(*dataset, moment, cool_down_ms))
            .collect();
        let fit = candidates
            .iter()
            .filter(|candidate| candidate.score.is_some())
            .filter(|candidate| beside.is_none_or(|home| home == candidate.node))
            .filter(|candidate| self.is_steady(candidate.node, view))
            .filter(|candidate| !self.is_shunned(subject.key, candidate.node, view.now))
            .filter(|candidate| !relieved.contains(&candidate.node))
            .filter(|candidate| {
                let node = facts.nodes.get(&candidate.node);
                node.is_some_and(|node| share.fits_memory(node))
            });
        let holders = common_holders(subject.datasets, view);
        let needed_bytes = self.bytes_of_all(subject.datasets);
        let mut obstacle = Obstacle::NoTarget;
        let mut best: Option<(u64, NodeId)> = None;
        for candidate in fit {
            let gain = self.gain(share, candidate.load_percent, facts, view.me);
            if gain < LEAST_GAIN_PERCENT {
                obstacle = Obstacle::NoGain;
                continue;
            }
            let copied_bytes = if holders.contains(&candidate.node) {
                0
            } else {
                needed_bytes
            };
            let cost = 100 + copied_bytes / (BYTES_PER_COST / 100);
            let worth = u64::from(gain) * 1_000_000 / cost;
            if best.is_none_or(|(most, _)| worth > most) {
                best = Some((worth, candidate.node));
            }
        }
        let (worth, to) = best.ok_or(obstacle)?;
        Ok(HandOver {
            key: subject.key,
            to,
            worth,
            candidates,
        })
    }

    /// What would keep a unit here if this node looked for one to hand over now.
    pub(super) fn balance_obstacle(
        &self,
        subject: Subject<'_>,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Option<Obstacle> {
        let share = self.share_of_all(subject.datasets, facts, view.me);
        let census = Census::take(view);
        self.option(subject, &share, &census, facts, view).err()
    }

    /// By how much the busier of both nodes would be less busy, percent points.
    fn gain(&self, share: &Share, target_percent: u32, facts: &ClusterFacts, me: NodeId) -> u32 {
        let Some(node) = facts.nodes.get(&me) else {
            return 0;
        };
        let before = Points::of(node);
        let after = before.without(share, node).percent().max(target_percent);
        before.percent().saturating_sub(after)
    }

    fn relief(&self, share: &Share, facts: &ClusterFacts, me: NodeId) -> u32 {
        self.gain(share, 0, facts, me)
    }

    /// Whether a planned hand-over is still right: this node is busy yet, and the target is fit to
    /// take it, with all that others bring there before.
    pub(super) fn still_helps(&self, plan: &Plan, facts: &ClusterFacts, view: View<'_>) -> bool {
        let (Some(here), Some(target)) = (facts.nodes.get(&view.me), facts.nodes.get(&plan.to))
        else {
            return false;
        };
        let datasets: Vec<_> = plan.parts.keys().copied().collect();
        let key = datasets
            .first()
            .map_or(UnitKey::Dataset(DatasetId(0)), |first| view.unit(*first));
        let share = self.share_of_all(&datasets, facts, view.me);
        let target_percent = self
            .expected(plan.to, key, facts, view)
            .with(&share, target)
            .percent();
        let is_busy = Points::of(here).percent() + STILL_BUSY_PERCENT
            >= u32::from(facts.balancing.busy_percent);
        is_busy
            && target.is_well
            && target_percent <= most_load(&facts.balancing)
            && self.gain(&share, target_percent, facts, view.me) >= LEAST_GAIN_PERCENT
    }

    /// Whether a node has been up and well for long enough to be trusted with sites unasked.
    pub(super) fn is_steady(&self, node: NodeId, view: View<'_>) -> bool {
        self.standing
            .steady_since(node)
            .is_some_and(|since| since.plus(view.timers.steady_ms) <= view.now)
    }

    /// Notes why something that should move stays.
    pub(super) fn note_stay(
        &mut self,
        dataset: DatasetId,
        obstacle: Obstacle,
        view: View<'_>,
        output: &mut Output,
    ) {
        let decision = Decision {
            at: self.moment(view.now).wall,
            by: view.me,
            dataset,
            outcome: Outcome::Stay { obstacle },
            candidates: Vec::new(),
        };
        self.decided(decision, output);
    }
}

/// For how long what moved stays.
fn cool_down_ms(rules: &Balancing) -> u64 {
    u64::from(rules.cool_down_s) * 1_000
}

/// The most that a node may bear with what is handed to it.
fn most_load(rules: &Balancing) -> u32 {
    u32::from(rules.busy_percent).saturating_sub(u32::from(rules.gap_percent))
}
