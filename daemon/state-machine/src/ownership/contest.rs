//! T4 to T7 and T17: what makes a node stop, and how two branches that were both served meet.

use super::view::is_serving;
use super::{Context, Ownership, Role};
use crate::bugs::Bug;
use hwc_api::ownership::Epoch;

impl Ownership {
    /// T17: nobody serves a deleted dataset, and nobody claims it again.
    pub(super) fn obey_deletion(&mut self, context: &mut Context<'_>) -> bool {
        let is_ordered = self.policy.as_ref().is_some_and(|policy| policy.is_deleted)
            || self.is_deleted_elsewhere;
        if !is_ordered || self.is_deleted() {
            return false;
        }
        self.row.wanted.is_deleted = true;
        self.is_contending = false;
        self.against = Epoch::NONE;
        match &mut self.role {
            Role::Serving(_) => self.fence(false, context),
            Role::Claiming(_) => self.role = Role::Replica,
            Role::Fencing(fencing) => fencing.will_contend = false,
            Role::Replica => {}
        }
        true
    }

    /// T4 (F1): whoever learns of an epoch above its own stops at once. Showing the higher epoch,
    /// once persisted, is the acknowledgement.
    pub(super) fn heed_higher_epoch(&mut self, context: &mut Context<'_>) -> bool {
        if self.learned <= self.seen() || !self.is_holder(context.me.node) {
            return false;
        }
        // What is changing the copy is finished first; the acknowledgement names a final head.
        if self.is_copy_changing() {
            return false;
        }
        match &self.role {
            Role::Serving(_) if context.bugs.has(Bug::AcknowledgedWithoutFence) => {}
            Role::Serving(_) => {
                self.fence(true, context);
                return true;
            }
            Role::Fencing(_) => return false,
            Role::Claiming(_) => self.role = Role::Replica,
            Role::Replica => {}
        }
        self.claimable_since = None;
        self.see(self.learned);
        true
    }

    /// T7 (F2): someone who was not asked contests this node's epoch: stop too, then compare.
    pub(super) fn heed_contest(&mut self, context: &mut Context<'_>) -> bool {
        let Role::Serving(service) = &self.role else {
            return false;
        };
        let is_contested = self.known_views().any(|(_, view)| {
            view.record.is_contending
                && (view.record.against == service.epoch
                    || context.bugs.has(Bug::ContestNamesNoEpoch))
                && !view.record.lineage.within(self.head())
        });
        if is_contested {
            self.fence(true, context);
        }
        is_contested
    }

    /// T5, T6: a contender meets a winner. If it is part of the winner's history or was heard in
    /// its round, it has lost; otherwise it contests.
    pub(super) fn judge_winner(&mut self, context: &mut Context<'_>) -> bool {
        if self.role != Role::Replica || !self.is_contending || self.operation.is_some() {
            return false;
        }
        let seen = self.seen();
        let winner = self
            .known_views()
            .find(|(_, view)| is_serving(&view.record) && view.record.epoch == seen);
        let Some((_, view)) = winner else {
            return false;
        };
        let was_heard = view.record.heard.iter().any(|heard| {
            heard.node == context.me.node
                && (heard.boot == context.me.boot || context.bugs.has(Bug::HeardWithoutBoot))
        });
        let has_lost = self.head().within(view.lineage())
            || was_heard && !context.bugs.has(Bug::HeardContests)
            || context.bugs.has(Bug::NoContest);
        if has_lost {
            self.is_contending = false;
            self.against = Epoch::NONE;
            return true;
        }
        let is_new = self.against != seen;
        self.against = seen;
        is_new
    }
}
