//! The live node's side of replication: what to send to whom. Each holder gets what it lacks, one
//! stream at a time, from the head it shows.

use super::view::View;
use super::{Context, Ownership, Role, Sending, Sent, Transfer};
use crate::action::Command;
use crate::bugs::Bug;
use crate::event::ReplicateFailure;
use crate::row::TransferId;
use crate::time::Millis;
use hwc_api::ids::NodeId;
use hwc_api::ownership::SnapshotId;

/// So many attempts are remembered that may have succeeded without an acknowledgement. Each keeps a
/// snapshot from being pruned; after more, the whole content may have to be sent.
const OFFERED_MAX: usize = 4;

impl Ownership {
    pub(super) fn replicate(&mut self, context: &mut Context<'_>) {
        for (to, parent) in self.lacking(context) {
            let Role::Serving(service) = &mut self.role else {
                return;
            };
            let epoch = service.epoch;
            let transfer = service.transfers.or_insert_with(to, Transfer::default);
            if transfer.under_way.is_some() {
                continue;
            }
            let not_before = transfer.not_before;
            if not_before > context.now {
                self.wake(context, not_before);
                continue;
            }
            let Some(lineage) = self.copy.clone() else {
                return;
            };
            let id = context.counters.transfer_id();
            let parent = parent.filter(|_| !transfer.send_whole);
            let is_kept = !context.bugs.has(Bug::SendingNotKept);
            if let Some(head) = lineage.head().filter(|_| is_kept) {
                transfer.offer(head);
            }
            let has_bytes = match (parent, self.views.get(&to).and_then(View::copy)) {
                (Some(_), Some(copy)) => copy.weight_bytes(),
                (None, _) | (_, None) => 0,
            };
            transfer.under_way = Some(Sending {
                id,
                lineage: lineage.clone(),
                bytes: lineage.weight_bytes().saturating_sub(has_bytes),
            });
            context.order(Command::Replicate {
                transfer: id,
                to,
                epoch,
                parent,
                lineage,
                head_taken_at: self.head_taken_at,
            });
        }
    }

    /// Who lacks something, and from which snapshot on: the members in reach, and an outsider with
    /// a copy until it may drop it.
    fn lacking(&self, context: &Context<'_>) -> Vec<(NodeId, Option<SnapshotId>)> {
        let (Role::Serving(service), Some(head)) = (&self.role, &self.copy) else {
            return Vec::new();
        };
        if head.is_genesis() {
            return Vec::new();
        }
        let mut lacking = Vec::new();
        for node in self.reach(context) {
            let Some(record) = self.known(node, context.peers) else {
                continue;
            };
            let is_wanted =
                self.is_member(node) || (record.has_copy && !service.granted.contains_key(&node));
            if !is_wanted || record.is_deleted || record.seen > service.epoch {
                continue;
            }
            match self.views.get(&node).and_then(View::copy) {
                None => lacking.push((node, None)),
                Some(copy) if copy.within(head) && !copy.same_branch(head) => {
                    lacking.push((node, copy.head()));
                }
                Some(_) => {}
            }
        }
        lacking
    }

    pub(super) fn replica_acknowledged(&mut self, id: TransferId, context: &Context<'_>) {
        let Some((node, transfer)) = self.transfer(id) else {
            return;
        };
        let Some(Sending { lineage, bytes, .. }) = transfer.under_way.take() else {
            return;
        };
        *transfer = Transfer::default();
        let sent = self.sent.or_insert_with(node, Sent::default);
        sent.rounds = sent.rounds.saturating_add(1);
        sent.bytes = sent.bytes.saturating_add(bytes);
        if self.may_have_dropped(node) {
            self.await_record(node, lineage.head(), context);
            return;
        }
        if let Some(view) = self.views.get_mut(&node) {
            view.acknowledged = Some(Box::new((view.record.boot, lineage)));
        }
    }

    /// Of a holder that may have dropped its copy only its record says what it has. Until that comes
    /// nothing more is sent, and what was acknowledged is kept: the record will ask for what follows.
    fn await_record(
        &mut self,
        node: NodeId,
        acknowledged: Option<SnapshotId>,
        context: &Context<'_>,
    ) {
        let Role::Serving(service) = &mut self.role else {
            return;
        };
        if let Some(transfer) = service.transfers.get_mut(&node) {
            transfer.offered.extend(acknowledged);
            transfer.not_before = context.now.plus(context.timers.resend_first_ms);
        }
    }

    pub(super) fn replicate_failed(
        &mut self,
        id: TransferId,
        failure: ReplicateFailure,
        context: &Context<'_>,
    ) {
        let Some((_, transfer)) = self.transfer(id) else {
            return;
        };
        transfer.under_way = None;
        let doublings = transfer.failures.min(16);
        transfer.failures = transfer.failures.saturating_add(1);
        let delay = context
            .timers
            .resend_first_ms
            .saturating_mul(1 << doublings)
            .min(context.timers.resend_longest_ms);
        transfer.not_before = context.now.plus(delay);
        match failure {
            ReplicateFailure::Interrupted | ReplicateFailure::Refused => {}
            ReplicateFailure::ParentMissing if transfer.send_whole => {}
            ReplicateFailure::ParentMissing => {
                transfer.send_whole = true;
                transfer.not_before = Millis::default();
            }
        }
    }

    fn transfer(&mut self, id: TransferId) -> Option<(NodeId, &mut Transfer)> {
        let Role::Serving(service) = &mut self.role else {
            return None;
        };
        let (node, transfer) = service.transfers.iter_mut().find(|(_, transfer)| {
            transfer
                .under_way
                .as_ref()
                .is_some_and(|sending| sending.id == id)
        })?;
        Some((*node, transfer))
    }
}

impl Transfer {
    fn offer(&mut self, head: SnapshotId) {
        if self.offered.contains(&head) {
            return;
        }
        // The first ones stay: while the receiver has one of them, it refuses all that follow.
        self.offered.truncate(OFFERED_MAX - 1);
        self.offered.push(head);
    }
}
