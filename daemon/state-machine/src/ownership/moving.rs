//! T10 to T13: the planned move. The target is brought up to date while requests are served; then
//! the gate is closed, the rest is sent, and the fenced node hands its authority over.

use super::{Context, Move, MoveGate, Ownership, Role};
use crate::action::Command;
use crate::event::PeerMessage;
use hwc_api::ids::NodeId;
use hwc_api::ownership::{Epoch, HolderRecord, Lineage, Speaker};

/// The gate is closed once the target lacks no more than this: about a tenth of a second on a
/// gigabit link.
const CLOSE_AT_LAG_BYTES: u64 = 8 * 1024 * 1024;

impl Ownership {
    /// T10. Ignored unless this node serves with an open gate and nothing is moving yet.
    pub(super) fn move_to(&mut self, node: NodeId, context: &Context<'_>) {
        let Role::Serving(service) = &mut self.role else {
            return;
        };
        if service.is_open && service.moving.is_none() && node != context.me.node {
            service.moving = Some(Move {
                to: node,
                since: context.now,
                gate: MoveGate::Open,
            });
        }
    }

    /// T10 to T12: close the gate when the target is close, promote it when it has all, call the
    /// move off when it takes too long or the target is gone.
    pub(super) fn continue_move(&mut self, context: &mut Context<'_>) -> bool {
        let Role::Serving(service) = &self.role else {
            return false;
        };
        let Some(moving) = service.moving.clone() else {
            return false;
        };
        let epoch = service.epoch;
        let limit_ms = match moving.gate {
            MoveGate::Open => context.timers.precopy_ms,
            MoveGate::Closing | MoveGate::Closed => context.timers.drain_ms,
            MoveGate::CalledOff => return false,
        };
        let until = moving.since.plus(limit_ms);
        let target = self
            .reach(context)
            .contains(&moving.to)
            .then(|| self.known(moving.to, context.peers))
            .flatten();
        let Some(record) = target.filter(|_| context.now < until) else {
            self.call_off_move(context);
            return true;
        };
        let has_all = self.follows(record, epoch) && record.lineage.same_branch(self.head());
        match moving.gate {
            MoveGate::Open if self.follows(record, epoch) && self.is_close(&record.lineage) => {
                self.set_gate(MoveGate::Closing, context);
                context.order(Command::CloseGate { epoch });
                true
            }
            MoveGate::Closed if has_all => {
                let to = Speaker {
                    node: moving.to,
                    boot: record.boot,
                };
                self.promote(to, epoch, context);
                true
            }
            MoveGate::Open | MoveGate::Closing | MoveGate::Closed | MoveGate::CalledOff => {
                self.wake(context, until);
                false
            }
        }
    }

    /// T11. From here on this node never reopens under this epoch.
    fn promote(&mut self, to: Speaker, epoch: Epoch, context: &mut Context<'_>) {
        let lineage = self.head().clone();
        context.order(Command::Send {
            to: to.node,
            message: PeerMessage::Promote { to, epoch, lineage },
        });
        self.fence(false, context);
        // The target goes first; this node claims only if the promotion came to nothing.
        let target_first = context.now.plus(context.timers.ask_ms);
        self.backoff.until = self.backoff.until.max(target_first);
    }

    /// T12: nothing was promised, so the same epoch goes on.
    pub(super) fn call_off_move(&mut self, context: &mut Context<'_>) {
        let Role::Serving(service) = &mut self.role else {
            return;
        };
        let Some(moving) = &mut service.moving else {
            return;
        };
        match moving.gate {
            MoveGate::Open => service.moving = None,
            MoveGate::Closing => moving.gate = MoveGate::CalledOff,
            MoveGate::Closed => {
                service.moving = None;
                let epoch = service.epoch;
                context.order(Command::ReopenGate { epoch });
            }
            MoveGate::CalledOff => {}
        }
    }

    /// T13: the live node hands its authority to this one.
    pub(super) fn promoted(
        &mut self,
        to: Speaker,
        epoch: Epoch,
        lineage: &Lineage,
        context: &Context<'_>,
    ) {
        let holds_all = self
            .copy
            .as_ref()
            .is_some_and(|copy| copy.same_branch(lineage));
        let may_serve = self.role == Role::Replica
            && !self.is_contending
            && !self.is_deleted()
            && self.operation.is_none()
            && self.learned <= self.seen();
        if to == context.me && may_serve && self.seen() == epoch && holds_all {
            self.start_claim(true, context);
        }
    }

    fn follows(&self, record: &HolderRecord, epoch: Epoch) -> bool {
        record.seen == epoch
            && record.has_copy
            && !record.is_contending
            && !record.is_deleted
            && record.lineage.within(self.head())
    }

    fn is_close(&self, lineage: &Lineage) -> bool {
        let lag_bytes = self
            .head()
            .weight_bytes()
            .saturating_sub(lineage.weight_bytes());
        lag_bytes <= CLOSE_AT_LAG_BYTES
    }

    fn set_gate(&mut self, gate: MoveGate, context: &Context<'_>) {
        if let Role::Serving(service) = &mut self.role
            && let Some(moving) = &mut service.moving
        {
            moving.gate = gate;
            moving.since = context.now;
            service.is_open = false;
        }
    }
}
