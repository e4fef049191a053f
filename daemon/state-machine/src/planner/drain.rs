//! Emptying this node: everything that is live here goes to the fittest other node, a few sites at
//! a time. A node that hosts nothing any more empties itself the same way.
//!
//! The copies that stay behind are the registry leader's business (`rehome`).

use super::asking::Wish;
use super::census::{Census, Subject};
use super::{Output, Planner, View};
use crate::facts::ClusterFacts;
use crate::placement;
use hwc_api::explanation::Obstacle;
use hwc_api::moves::MoveReason;

impl Planner {
    pub(super) fn empty_node(&mut self, facts: &ClusterFacts, view: View<'_>, output: &mut Output) {
        if !self.leaving.contains(&view.me) || !self.has_free_turn(&facts.balancing) {
            return;
        }
        let census = Census::take(view);
        for (key, datasets) in view.units_here() {
            if !self.has_free_turn(&facts.balancing) {
                return;
            }
            if self.plans.contains_key(&key) {
                continue;
            }
            let subject = Subject {
                key,
                datasets: &datasets,
                here: view.me,
            };
            let mut candidates = self.candidates(subject, None, &census, facts, view);
            // Where it failed lately, it goes last, not never.
            candidates.sort_by_key(|candidate| {
                let is_shunned = self.is_shunned(key, candidate.node, view.now);
                (candidate.score.is_none(), is_shunned)
            });
            let Some(to) = placement::best(&candidates) else {
                if let Some(dataset) = self.speaker_of(&datasets, view) {
                    self.note_stay(dataset, Obstacle::NoTarget, view, output);
                }
                continue;
            };
            if self.is_shunned(key, to, view.now) {
                self.wake(view, view.now.plus(view.timers.retry_move_ms));
                continue;
            }
            let reason = MoveReason::Drain;
            let wish = Wish {
                key,
                to,
                reason,
                notice_ms: Self::notice_ms(reason, facts, view),
                candidates,
            };
            self.plan(wish, facts, view, output);
        }
    }
}
