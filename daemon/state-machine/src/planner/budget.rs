//! When a planned move may begin: after its veto window, within the budgets of this node, of the
//! target and of the cluster.
//!
//! At most so many sites are being moved, or were within the last minute, in the whole cluster: so
//! in no minute more go than allowed, however long each takes. Nobody hands out turns: each plan
//! is shown for a while before it begins, and all nodes know by the same rule who goes first.
//! Asked moves wait for nothing; they count all the same.

use super::plan::Plan;
use super::{Planner, View};
use crate::bugs::Bug;
use hwc_api::balancing::Balancing;
use hwc_api::moves::MoveReason;
use std::collections::BTreeSet;

impl Planner {
    /// Whether `plan` may begin now.
    pub(super) fn may_begin(&self, plan: &Plan, rules: &Balancing, view: View<'_>) -> bool {
        if view.now < plan.due && !view.bugs.has(Bug::VetoWindowSkipped) {
            return false;
        }
        if let MoveReason::Asked(_) = plan.reason {
            return true;
        }
        view.bugs.has(Bug::MoveBudgetIgnored) || self.has_budget(plan, rules, view)
    }

    fn has_budget(&self, plan: &Plan, rules: &Balancing, view: View<'_>) -> bool {
        let at_once = usize::from(rules.moves_at_once);
        let leaving = self.plans.iter().filter(|(_, other)| other.is_begun);
        if leaving.count() >= at_once {
            return false;
        }
        let moment = self.moment(view.now);
        let mut ahead = self.traffic.ahead_of(view.me, moment);
        // Those that wait for a target that takes no more for now take nobody else's turn.
        ahead.retain(|(_, to)| self.traffic.incoming(*to).len() < at_once);
        let ahead_there = ahead.iter().filter(|(_, to)| *to == plan.to);
        let mut arriving: BTreeSet<_> = ahead_there.map(|(unit, _)| *unit).collect();
        arriving.extend(self.traffic.incoming(plan.to));
        if arriving.len() >= at_once {
            return false;
        }
        let mut counted = self.traffic.lately(moment);
        counted.extend(ahead.into_iter().map(|(unit, _)| unit));
        counted.len() < usize::from(rules.moves_per_minute)
    }

    /// Whether another unit could be planned to leave this node just now.
    pub(super) fn has_free_turn(&self, rules: &Balancing) -> bool {
        let unasked = self
            .plans
            .values()
            .filter(|plan| !matches!(plan.reason, MoveReason::Asked(_)));
        unasked.count() < usize::from(rules.moves_at_once)
    }
}
