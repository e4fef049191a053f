//! T18 and T19: divergent copies, and that each is on two nodes before long.

use super::{Context, Ownership};
use crate::action::Command;
use crate::bugs::Bug;
use hwc_api::ids::NodeId;
use hwc_api::ownership::{HolderRecord, Lineage};

impl Ownership {
    /// Whether a divergent copy here contains all of `lineage`.
    pub(super) fn keeps(&self, lineage: &Lineage) -> bool {
        self.divergent.iter().any(|kept| lineage.within(kept))
    }

    /// A divergent copy is stored here. A longer copy of the same branch stands for the shorter.
    pub(super) fn keep_divergent(&mut self, lineage: Lineage) {
        if self.keeps(&lineage) {
            return;
        }
        self.divergent.retain(|kept| !kept.within(&lineage));
        self.divergent.push(lineage);
        self.divergent.sort_unstable();
    }

    /// T18: another node's divergent copy came in.
    pub(super) fn divergent_received(&mut self, lineage: Lineage) {
        if !lineage.within(self.head()) {
            self.keep_divergent(lineage);
        }
    }

    pub(super) fn divergent_forgotten(&mut self, lineage: &Lineage) {
        self.divergent.retain(|kept| !kept.same_branch(lineage));
    }

    /// T19: a copy that no other holder in reach shows is offered to the first of them, again and
    /// again until it shows it.
    pub(super) fn push_divergent(&mut self, context: &mut Context<'_>) {
        if context.bugs.has(Bug::DivergentNotPushed) {
            return;
        }
        let reach = self.reach(context);
        let mut members: Vec<_> = reach
            .iter()
            .filter_map(|node| Some((*node, self.known(*node, context.peers)?)))
            .collect();
        members.sort_by_key(|(node, _)| self.members().iter().position(|member| member == node));
        // Members first: `None` (no member) sorts before `Some`.
        members.sort_by_key(|(node, _)| !self.is_member(*node));
        let shows = |record: &HolderRecord, lineage: &Lineage| {
            record.divergent.iter().any(|kept| lineage.within(kept))
                || (record.has_copy && lineage.within(&record.lineage))
        };
        let alone: Vec<_> = self
            .divergent
            .iter()
            .filter(|lineage| !members.iter().any(|(_, record)| shows(record, lineage)))
            .cloned()
            .collect();
        let to = members.first().map(|(node, _)| *node);
        if let Some(to) = to {
            for lineage in alone {
                self.offer_divergent(to, lineage, context);
            }
        }
    }

    fn offer_divergent(&mut self, to: NodeId, lineage: Lineage, context: &mut Context<'_>) {
        let Some(branch) = lineage.head() else {
            return;
        };
        let again_at = context.now.plus(context.timers.offer_again_ms);
        match self.pushed.get(&branch).copied() {
            Some(at) if at > context.now => self.wake(context, at),
            Some(_) | None => {
                self.pushed.insert(branch, again_at);
                self.wake(context, again_at);
                context.order(Command::PushDivergent { to, lineage });
            }
        }
    }
}
