//! T9: taking in streams from the live node. A stream is judged three times: when it is offered,
//! when a higher epoch of it is persisted, and when it is complete; the copy changes only after
//! the last one.

use super::{Context, Incoming, Operation, Ownership, Role, Stage};
use crate::action::{Command, RefusalReason};
use crate::bugs::Bug;
use crate::event::StreamOffer;
use crate::row::StreamId;

impl Ownership {
    pub(super) fn stream_offered(
        &mut self,
        stream: StreamId,
        offer: StreamOffer,
        context: &mut Context<'_>,
    ) {
        self.learned = self.learned.max(offer.epoch);
        if let Some(reason) = self.refusal(&offer, context) {
            context.order(Command::RefuseStream { stream, reason });
            return;
        }
        match &self.incoming {
            Some(other) if other.stage == Stage::Committing || other.offer.epoch >= offer.epoch => {
                let reason = RefusalReason::Busy;
                context.order(Command::RefuseStream { stream, reason });
                return;
            }
            Some(older) => {
                let stream = older.stream;
                context.order(Command::DiscardStream { stream });
            }
            None => {}
        }
        self.incoming = Some(Box::new(Incoming {
            stream,
            offer,
            stage: Stage::Offered,
        }));
    }

    /// Moves the incoming stream on, judging it anew.
    pub(super) fn continue_stream(&mut self, context: &mut Context<'_>) -> bool {
        let Some(incoming) = &self.incoming else {
            return false;
        };
        let stream = incoming.stream;
        let is_received = match incoming.stage {
            Stage::Offered => false,
            Stage::Received => true,
            Stage::Receiving | Stage::Committing => return false,
        };
        if let Some(reason) = self.refusal(&incoming.offer, context) {
            context.order(if is_received {
                Command::DiscardStream { stream }
            } else {
                Command::RefuseStream { stream, reason }
            });
            self.incoming = None;
            return true;
        }
        if is_received && self.row.wanted.is_dropped {
            self.row.wanted.is_dropped = false;
        }
        if !self.is_durable() {
            return false;
        }
        if is_received {
            self.operation = Some(Operation::Committing);
            self.set_stage(Stage::Committing);
            context.order(Command::CommitStream { stream });
        } else {
            self.set_stage(Stage::Receiving);
            context.order(Command::AcceptStream { stream });
        }
        true
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(incoming) = &mut self.incoming {
            incoming.stage = stage;
        }
    }

    pub(super) fn stream_received(&mut self, stream: StreamId, context: &mut Context<'_>) {
        match &mut self.incoming {
            Some(incoming) if incoming.stream == stream => incoming.stage = Stage::Received,
            // It was given up meanwhile (a standstill, a newer stream).
            Some(_) | None => context.order(Command::DiscardStream { stream }),
        }
    }

    pub(super) fn stream_failed(&mut self, stream: StreamId) {
        let failed = self.incoming.take_if(|incoming| incoming.stream == stream);
        if failed.is_some_and(|incoming| incoming.stage == Stage::Committing) {
            self.operation = None;
        }
    }

    pub(super) fn stream_committed(&mut self, stream: StreamId) {
        let is_it = |incoming: &mut Box<Incoming>| {
            incoming.stream == stream && incoming.stage == Stage::Committing
        };
        let Some(incoming) = self.incoming.take_if(is_it) else {
            return;
        };
        self.operation = None;
        let offer = incoming.offer;
        self.hear_header(offer.from, offer.epoch, offer.lineage.clone());
        self.copy = Some(offer.lineage);
        self.head_taken_at = offer.head_taken_at;
    }

    fn refusal(&self, offer: &StreamOffer, context: &Context<'_>) -> Option<RefusalReason> {
        if self.is_deleted() {
            return Some(RefusalReason::Deleted);
        }
        if !self.is_holder(context.me.node) {
            return Some(RefusalReason::NotAMember);
        }
        if self.role != Role::Replica || self.is_contending {
            return Some(RefusalReason::NotFollowing);
        }
        if offer.epoch < self.seen() && !context.bugs.has(Bug::EpochNotCompared) {
            return Some(RefusalReason::OldEpoch);
        }
        if self.operation.is_some() {
            return Some(RefusalReason::Busy);
        }
        if !self.builds_upon_copy(offer) && !context.bugs.has(Bug::ParentNotChecked) {
            return Some(RefusalReason::OtherParent);
        }
        None
    }

    /// An increment must start exactly at this head. The whole content may replace a copy only if
    /// it contains all of that copy's history.
    fn builds_upon_copy(&self, offer: &StreamOffer) -> bool {
        match (&self.copy, offer.parent) {
            (None, parent) => parent.is_none(),
            (Some(copy), None) => copy.within(&offer.lineage),
            (Some(copy), parent) => copy.head() == parent && copy.within(&offer.lineage),
        }
    }
}
