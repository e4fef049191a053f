//! T10 to T13: the planned move. The target is brought up to date while requests are served; then
//! the gate is closed, the rest is sent, and the fenced node hands its authority over.
//!
//! Which dataset moves, where and when is the planner's business; here is how.

use super::view::is_serving;
use super::{Context, Move, MoveEnd, MoveGate, Ownership, Role};
use crate::action::Command;
use crate::bugs::Bug;
use crate::event::PeerMessage;
use crate::moves::CallOff;
use crate::time::Millis;
use hwc_api::ids::NodeId;
use hwc_api::moves::MovePhase;
use hwc_api::ownership::{Epoch, HolderRecord, Lineage, Speaker};

/// The gate is closed once the target lacks no more than this: about a tenth of a second on a
/// gigabit link.
const CLOSE_AT_LAG_BYTES: u64 = 8 * 1024 * 1024;

impl Ownership {
    /// T10. Ignored unless this node serves with an open gate and nothing is moving yet.
    pub(crate) fn begin_move(&mut self, to: NodeId, context: &Context<'_>) {
        let Role::Serving(service) = &mut self.role else {
            return;
        };
        if service.is_open && service.moving.is_none() && to != context.me.node {
            self.move_end = None;
            service.moving = Some(Move {
                to,
                since: context.now,
                gate: MoveGate::Open,
                is_ready: false,
                may_close: false,
            });
        }
    }

    /// The rest of what moves together is ready: the gate may close once this target is.
    pub(crate) fn permit_closing(&mut self) {
        if let Role::Serving(service) = &mut self.role
            && let Some(moving) = &mut service.moving
        {
            moving.may_close = true;
        }
    }

    /// T10 to T12: close the gate when the target is close, promote it when it has all, call the
    /// move off when it takes too long or the target is gone.
    pub(super) fn continue_move(&mut self, context: &mut Context<'_>) -> bool {
        let Some((moving, epoch)) = self.present_move() else {
            return false;
        };
        let (limit_ms, phase) = match moving.gate {
            MoveGate::Open => (context.timers.precopy_ms, MovePhase::Copying),
            MoveGate::Closing => (context.timers.drain_ms, MovePhase::Closing),
            MoveGate::Closed => (context.timers.drain_ms, MovePhase::Finishing),
            MoveGate::CalledOff => return false,
        };
        let until = moving.since.plus(limit_ms);
        let is_in_reach = self.reach(context).contains(&moving.to);
        let record = self
            .known(moving.to, context.peers)
            .filter(|_| is_in_reach)
            .cloned();
        let Some(record) = record else {
            self.call_off_move(CallOff::TargetLost, context);
            return true;
        };
        if context.now >= until {
            self.call_off_move(CallOff::TooLong(phase), context);
            return true;
        }
        self.wake(context, until);
        let follows = self.follows(&record, epoch);
        match moving.gate {
            MoveGate::Open => {
                let is_ready = follows && self.is_close(&record.lineage);
                self.note_ready(is_ready);
                if is_ready && moving.may_close {
                    self.set_gate(MoveGate::Closing, context);
                    context.order(Command::CloseGate { epoch });
                }
                is_ready && moving.may_close
            }
            MoveGate::Closed if follows && self.has_all(&record, context) => {
                let to = Speaker {
                    node: moving.to,
                    boot: record.boot,
                };
                self.promote(to, epoch, context);
                true
            }
            MoveGate::Closing | MoveGate::Closed | MoveGate::CalledOff => false,
        }
    }

    fn has_all(&self, record: &HolderRecord, context: &Context<'_>) -> bool {
        record.lineage.same_branch(self.head()) || context.bugs.has(Bug::PromotedEarly)
    }

    fn present_move(&self) -> Option<(Move, Epoch)> {
        let Role::Serving(service) = &self.role else {
            return None;
        };
        Some((service.moving.clone()?, service.epoch))
    }

    fn note_ready(&mut self, is_ready: bool) {
        if let Role::Serving(service) = &mut self.role
            && let Some(moving) = &mut service.moving
        {
            moving.is_ready = is_ready;
        }
    }

    /// T11. From here on this node never reopens under this epoch.
    fn promote(&mut self, to: Speaker, epoch: Epoch, context: &mut Context<'_>) {
        let lineage = self.head().clone();
        context.order(Command::Send {
            to: to.node,
            message: PeerMessage::Promote { to, epoch, lineage },
        });
        if context.bugs.has(Bug::ResumedAfterPromotion) {
            self.call_off_move(CallOff::TargetLost, context);
            return;
        }
        self.move_end = Some(MoveEnd::Promoted { epoch });
        self.fence(false, context);
        self.let_go_first(to.node, context);
    }

    /// T12: nothing was promised, so the same epoch goes on.
    pub(crate) fn call_off_move(&mut self, cause: CallOff, context: &mut Context<'_>) {
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
            MoveGate::CalledOff => return,
        }
        self.move_end = Some(MoveEnd::CalledOff(cause));
    }

    pub(super) fn gate_is_closed(&mut self, context: &mut Context<'_>) {
        let Role::Serving(service) = &mut self.role else {
            return;
        };
        let epoch = service.epoch;
        let Some(moving) = &mut service.moving else {
            return;
        };
        match moving.gate {
            MoveGate::Closing => {
                moving.gate = MoveGate::Closed;
                moving.since = context.now;
            }
            MoveGate::CalledOff => {
                service.moving = None;
                context.order(Command::ReopenGate { epoch });
            }
            MoveGate::Open | MoveGate::Closed => {}
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
            .is_some_and(|copy| copy.same_branch(lineage) || context.bugs.has(Bug::PromotedEarly));
        let may_serve = self.role == Role::Replica
            && !self.is_contending
            && !self.is_deleted()
            && self.operation.is_none()
            && self.learned <= self.seen();
        if to == context.me && may_serve && self.seen() == epoch && holds_all {
            self.start_claim(true, context);
        }
    }

    /// A peer that was handing over has stopped, and its target is not heard to serve yet: the
    /// promotion may take longer than this news.
    pub(super) fn heed_hand_over(
        &mut self,
        from: NodeId,
        record: &HolderRecord,
        context: &Context<'_>,
    ) {
        let before = self.known(from, context.peers);
        let to = before
            .filter(|before| is_serving(before) && before.boot == record.boot)
            .filter(|_| !is_serving(record) && !record.is_contending)
            .and_then(|before| before.moving_to);
        if let Some(to) = to.filter(|to| *to != context.me.node) {
            self.let_go_first(to, context);
        }
    }

    /// The target of a planned move goes first: this node claims only if the promotion came to
    /// nothing (the target died, the message was lost).
    fn let_go_first(&mut self, target: NodeId, context: &Context<'_>) {
        let until = context.now.plus(context.timers.ask_ms);
        self.handed_to = Some((target, until));
    }

    /// How long the target of a planned move is let go first, as long as it is alive.
    pub(super) fn target_first_until(&self, context: &Context<'_>) -> Millis {
        self.handed_to
            .filter(|(target, _)| context.peers.alive_since(*target).is_some())
            .map_or(Millis::default(), |(_, until)| until)
    }

    pub(super) fn follows(&self, record: &HolderRecord, epoch: Epoch) -> bool {
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
