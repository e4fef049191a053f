//! Returning to where an administrator pinned a site, once that node can serve it again.

use super::asking::Wish;
use super::census::{Census, Subject};
use super::{Output, Planner, View};
use crate::facts::ClusterFacts;
use hwc_api::ids::NodeId;
use hwc_api::moves::MoveReason;

/// A return that has to wait is looked at so often.
const LOOK_AGAIN_MS: u64 = 5_000;

impl Planner {
    pub(super) fn return_to_pins(
        &mut self,
        facts: &ClusterFacts,
        view: View<'_>,
        output: &mut Output,
    ) {
        if self.leaving.contains(&view.me) || !self.has_free_turn(&facts.balancing) {
            return;
        }
        let pinned_elsewhere = view.datasets.values().any(|ownership| {
            ownership.is_open()
                && ownership
                    .policy()
                    .and_then(|policy| policy.pin)
                    .is_some_and(|pin| pin != view.me)
        });
        if !pinned_elsewhere {
            return;
        }
        let census = Census::take(view);
        for (key, datasets) in view.units_here() {
            if !self.has_free_turn(&facts.balancing) {
                return;
            }
            let subject = Subject {
                key,
                datasets: &datasets,
                here: view.me,
            };
            let Some(to) = self.pin_of(subject, view) else {
                continue;
            };
            let candidates = self.candidates(subject, None, &census, facts, view);
            let is_fit = candidates
                .iter()
                .any(|candidate| candidate.node == to && candidate.score.is_some());
            if is_fit && self.may_return(subject, to, facts, view) {
                let reason = MoveReason::Pin;
                let wish = Wish {
                    key,
                    to,
                    reason,
                    notice_ms: Self::notice_ms(reason, facts, view),
                    candidates,
                };
                self.plan(wish, facts, view, output);
            } else {
                self.wake(view, view.now.plus(LOOK_AGAIN_MS));
            }
        }
    }

    /// The other node that a unit is pinned to, if it is.
    fn pin_of(&self, subject: Subject<'_>, view: View<'_>) -> Option<NodeId> {
        let mut policies = subject
            .datasets
            .iter()
            .filter_map(|dataset| view.policy(*dataset));
        policies
            .find_map(|policy| policy.pin)
            .filter(|pin| *pin != view.me)
    }

    /// Not on to a node that comes and goes, not again at once, and not right after this brain
    /// itself moved it (a person's own move is no reason to wait).
    fn may_return(
        &self,
        subject: Subject<'_>,
        to: NodeId,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> bool {
        let cool_down_ms = u64::from(facts.balancing.cool_down_s) * 1_000;
        let moment = self.moment(view.now);
        let is_cooling =
            subject
                .datasets
                .iter()
                .any(|dataset| match self.traffic.last_move(*dataset, moment) {
                    None | Some((_, Some(MoveReason::Asked(_)))) => false,
                    Some((age_ms, _)) => age_ms < cool_down_ms,
                });
        !is_cooling
            && !self.plans.contains_key(&subject.key)
            && self.is_steady(to, view)
            && !self.is_shunned(subject.key, to, view.now)
    }
}
