//! T15 and T16: dropping a copy that the registry no longer wants. Only the live node allows it,
//! one after the other, and only while another member of the set shows the whole history.

use super::{Context, Operation, Ownership, Role};
use crate::action::Command;
use crate::bugs::Bug;
use crate::event::PeerMessage;
use crate::time::Millis;
use hwc_api::ids::NodeId;
use hwc_api::ownership::{Epoch, Lineage};

impl Ownership {
    /// T15: tells outsiders that they may drop their copies. What was allowed once in this epoch
    /// is never counted on again.
    pub(super) fn grant_drops(&mut self, context: &mut Context<'_>) {
        for to in self.droppable(context) {
            let (Role::Serving(service), Some(lineage)) = (&mut self.role, &self.copy) else {
                return;
            };
            let (epoch, lineage) = (service.epoch, lineage.clone());
            let again_at = context.now.plus(context.timers.offer_again_ms);
            match service.granted.get(&to) {
                Some(at) if *at > context.now => {
                    let at = *at;
                    self.wake(context, at);
                    continue;
                }
                Some(_) | None => service.granted.insert(to, again_at),
            };
            // From here on only its record says what it has.
            if let Some(view) = self.views.get_mut(&to) {
                view.acknowledged = None;
            }
            self.wake(context, again_at);
            context.order(Command::Send {
                to,
                message: PeerMessage::Grant { epoch, lineage },
            });
        }
    }

    /// Whether `node` was told in this epoch that it may drop its copy.
    pub(super) fn may_have_dropped(&self, node: NodeId) -> bool {
        match &self.role {
            Role::Serving(service) => service.granted.contains_key(&node),
            Role::Replica | Role::Claiming(_) | Role::Fencing(_) => false,
        }
    }

    fn droppable(&self, context: &Context<'_>) -> Vec<NodeId> {
        let (Role::Serving(service), Some(head)) = (&self.role, &self.copy) else {
            return Vec::new();
        };
        let me = context.me.node;
        // A live node outside the set moves first: it doesn't count itself as a lasting copy.
        if !self.is_member(me) {
            return Vec::new();
        }
        let confirmed = self.members().iter().any(|member| {
            *member != me
                && !service.granted.contains_key(member)
                && self.known(*member, context.peers).is_some_and(|record| {
                    record.has_copy
                        && record.seen == service.epoch
                        && record.lineage.same_branch(head)
                })
        });
        if !confirmed && !context.bugs.has(Bug::DroppedUnconfirmed) {
            return Vec::new();
        }
        let may_drop = |node: &NodeId| {
            self.known(*node, context.peers).is_some_and(|record| {
                record.has_copy
                    && !record.is_contending
                    && record.seen == service.epoch
                    && record.lineage.within(head)
            })
        };
        self.other_holders(me)
            .into_iter()
            .filter(|node| !self.is_member(*node))
            .filter(may_drop)
            .collect()
    }

    pub(super) fn granted(&mut self, epoch: Epoch, lineage: Lineage) {
        self.grant = Some(Box::new((epoch, lineage)));
    }

    /// T16: "no copy" is on disk and can be shown before the first byte is deleted.
    pub(super) fn drop_granted(&mut self, context: &mut Context<'_>) -> bool {
        if self.operation.is_some() || self.role != Role::Replica {
            return false;
        }
        if let Some((epoch, lineage)) = self.grant.take().map(|grant| *grant) {
            let may_drop = self.has_copy()
                && !self.is_contending
                && !self.is_member(context.me.node)
                && (self.seen() == epoch || context.bugs.has(Bug::StaleGrantObeyed))
                && self.head().within(&lineage);
            self.row.wanted.is_dropped |= may_drop;
        }
        let has_left_over = self.row.wanted.is_dropped && self.copy.is_some();
        if !has_left_over || !self.is_durable() {
            return false;
        }
        if self.operation_not_before > context.now {
            self.wake(context, self.operation_not_before);
            return false;
        }
        self.operation = Some(Operation::Dropping);
        context.order(Command::DropCopy);
        true
    }

    pub(super) fn copy_dropped(&mut self) {
        if self.operation == Some(Operation::Dropping) {
            self.operation = None;
            self.operation_not_before = Millis::default();
            self.copy = None;
        }
    }
}
