//! T8: a replica follows a winner when nothing is undecided in its reach. A head that is not in
//! the winner's history is first kept as a divergent copy, durably, and only then wound back.

use super::view::is_serving;
use super::{Context, Operation, Ownership, Role};
use crate::action::Command;
use crate::bugs::Bug;
use hwc_api::ids::NodeId;
use hwc_api::ownership::{HolderState, Lineage};

impl Ownership {
    pub(super) fn follow_winner(&mut self, context: &mut Context<'_>) -> bool {
        let Some(head) = self.copy.clone() else {
            return false;
        };
        if self.operation.is_some() || !self.is_durable() || !self.has_copy() {
            return false;
        }
        let Some(winner) = self.winner(context).map(|(_, lineage)| lineage.clone()) else {
            return false;
        };
        if head.within(&winner) {
            return false;
        }
        if self.operation_not_before > context.now {
            self.wake(context, self.operation_not_before);
            return false;
        }
        if self.keeps(&head) || context.bugs.has(Bug::LoserNotFiled) {
            self.operation = Some(Operation::RollingBack);
            context.order(Command::RollBack {
                to: head.newest_common(&winner),
            });
        } else {
            context.order(Command::FileDivergent {
                lineage: head.clone(),
            });
            self.operation = Some(Operation::Filing { head, winner });
        }
        true
    }

    /// The one live node in reach under the highest epoch seen, with its history, if nobody in
    /// reach is unknown, undecided, or live beside it.
    pub(super) fn winner(&self, context: &Context<'_>) -> Option<(NodeId, &Lineage)> {
        if self.role != Role::Replica || self.is_contending {
            return None;
        }
        let mut winner = None;
        for node in self.reach(context) {
            let record = self.known(node, context.peers)?;
            let is_winner = record.state == HolderState::Live && record.epoch == self.seen();
            if is_winner && winner.is_none() {
                winner = Some(node);
            } else if record.is_contending || is_serving(record) {
                return None;
            }
        }
        let winner = winner?;
        Some((winner, self.views.get(&winner)?.lineage()))
    }

    pub(super) fn filed(&mut self, lineage: Lineage, context: &mut Context<'_>) {
        self.keep_divergent(lineage.clone());
        match self.operation.take() {
            Some(Operation::Filing { head, winner }) if head.same_branch(&lineage) => {
                context.order(Command::TellOwner {
                    divergent: lineage,
                    winner,
                });
            }
            other => self.operation = other,
        }
    }

    pub(super) fn rolled_back(&mut self, lineage: Option<Lineage>) {
        if self.operation == Some(Operation::RollingBack) {
            self.operation = None;
            self.copy = lineage;
        }
    }

    pub(super) fn operation_failed(&mut self, context: &Context<'_>) {
        if self.operation == Some(Operation::Committing) {
            self.incoming = None;
        }
        self.operation = None;
        self.operation_not_before = context.now.plus(context.timers.retry_operation_ms);
    }
}
