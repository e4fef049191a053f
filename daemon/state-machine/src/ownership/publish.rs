//! What leaves the brain after its judgements: the row to disk, and only then the record to the
//! other holders; the route to everybody; the list of snapshots to keep.

use super::{Context, MoveGate, Ownership, Role};
use crate::action::Command;
use crate::bugs::Bug;
use crate::peers::Peers;
use crate::row::{PersistToken, PersistedRow};
use crate::status::{DatasetStatus, Phase, ViewStatus};
use hwc_api::ids::NodeId;
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, RouteRecord, Speaker};
use std::collections::BTreeMap;

impl Ownership {
    /// Orders the row to be written if it has changed. Anchors that only moved on can wait.
    pub(super) fn persist(&mut self, context: &mut Context<'_>) {
        if self.row.wanted == self.row.ordered {
            self.row.anchors_moved_at = None;
            return;
        }
        if same_promises(&self.row.wanted, &self.row.ordered) {
            let moved_at = *self.row.anchors_moved_at.get_or_insert(context.now);
            let due = moved_at.plus(context.timers.save_anchors_ms);
            if due > context.now {
                self.wake(context, due);
                return;
            }
        }
        let token = context.counters.persist_token();
        self.row.anchors_moved_at = None;
        self.row.ordered = self.row.wanted.clone();
        self.row.pending = Some(token);
        context.order(Command::Persist {
            row: self.row.wanted.clone(),
            token,
        });
        if context.bugs.has(Bug::SeenNotPersisted) {
            self.row.pending = None;
            context.commands.pop();
        }
    }

    pub(super) fn persisted(&mut self, token: PersistToken) {
        self.row.pending.take_if(|pending| *pending <= token);
    }

    /// Whether all that may be promised to others is on disk.
    pub(super) fn is_durable(&self) -> bool {
        self.row.pending.is_none() && same_promises(&self.row.wanted, &self.row.ordered)
    }

    /// Shows the record, the route and the list of kept snapshots, each where it has changed.
    pub(super) fn show(&mut self, context: &mut Context<'_>) {
        let route = self.route();
        if route != self.routed {
            self.routed = route;
            context.order(Command::Route { record: route });
        }
        if self.may_be_shown(context.me.node) {
            let record = self.record(context.me);
            if self.shown.as_deref() != Some(&record) {
                self.shown = Some(Box::new(record.clone()));
                context.order(Command::Publish { record });
            }
        }
        let retain = self.to_retain();
        let is_first = self.retained.is_none() && self.copy.is_some();
        if is_first || self.retained.as_ref().is_some_and(|last| *last != retain) {
            self.retained = Some(retain.clone());
            context.order(Command::Retain { snapshots: retain });
        }
    }

    /// A record is a promise: its epoch must be on disk, its head must not be about to change.
    fn may_be_shown(&self, me: NodeId) -> bool {
        let is_head_final = !matches!(self.role, Role::Fencing(_)) && !self.is_copy_changing();
        let has_say = self.is_holder(me) || self.shown.is_some();
        has_say && is_head_final && self.is_durable()
    }

    fn record(&self, me: Speaker) -> HolderRecord {
        let (epoch, heard, moving_to) = match &self.role {
            Role::Claiming(claim) => (claim.epoch, Vec::new(), None),
            Role::Serving(service) => (
                service.epoch,
                service.heard.clone(),
                service.moving.as_ref().map(|moving| moving.to),
            ),
            Role::Replica | Role::Fencing(_) => (Epoch::NONE, Vec::new(), None),
        };
        HolderRecord {
            boot: me.boot,
            state: self.holder_state(),
            is_contending: self.is_contending,
            has_copy: self.has_copy(),
            is_deleted: self.is_deleted(),
            epoch,
            seen: self.seen(),
            lineage: self.head().clone(),
            heard,
            against: self.against,
            divergent: self.divergent.clone(),
            moving_to,
            head_taken_at: self.head_taken_at,
        }
    }

    pub(crate) fn holder_state(&self) -> HolderState {
        match &self.role {
            Role::Replica | Role::Fencing(_) => HolderState::Replica,
            Role::Claiming(_) => HolderState::Claiming,
            Role::Serving(service) => match &service.moving {
                None => HolderState::Live,
                Some(moving) => match moving.gate {
                    MoveGate::Open => HolderState::Live,
                    MoveGate::Closing | MoveGate::Closed | MoveGate::CalledOff => {
                        HolderState::Draining
                    }
                },
            },
        }
    }

    /// A claim is routed only once it may be shown.
    fn route(&self) -> Option<RouteRecord> {
        let (epoch, is_open) = match &self.role {
            Role::Replica | Role::Fencing(_) => return None,
            Role::Claiming(claim) if claim.asked_at.is_none() => return None,
            Role::Claiming(claim) => (claim.epoch, false),
            Role::Serving(service) => (service.epoch, service.is_open),
        };
        Some(RouteRecord {
            state: self.holder_state(),
            epoch,
            is_open,
        })
    }

    pub(crate) fn status(&self, me: Speaker, peers: &Peers) -> DatasetStatus {
        let (phase, epoch, is_open) = match &self.role {
            Role::Replica => (Phase::Replica, Epoch::NONE, false),
            Role::Claiming(claim) => (Phase::Claiming, claim.epoch, false),
            Role::Fencing(fencing) => (Phase::Fencing, fencing.epoch, false),
            Role::Serving(service) => match self.holder_state() {
                HolderState::Draining => (Phase::Draining, service.epoch, service.is_open),
                HolderState::Live | HolderState::Replica | HolderState::Claiming => {
                    (Phase::Live, service.epoch, service.is_open)
                }
            },
        };
        DatasetStatus {
            phase,
            is_open,
            is_contending: self.is_contending,
            is_deleted: self.is_deleted(),
            epoch,
            seen: self.seen(),
            lineage: self.copy.clone(),
            head_taken_at: self.head_taken_at,
            divergent: self.divergent.clone(),
            members: self.members().to_vec(),
            live: self.live_node(me.node),
            moving_to: self.record(me).moving_to,
            views: self.view_statuses(peers),
        }
    }

    /// This node, or the one that serves under the highest epoch among those known.
    pub(crate) fn live_node(&self, me: NodeId) -> Option<NodeId> {
        if matches!(self.role, Role::Serving(_)) {
            return Some(me);
        }
        self.known_views()
            .filter(|(_, view)| super::view::is_serving(&view.record))
            .max_by_key(|(_, view)| view.record.epoch)
            .map(|(node, _)| node)
    }

    fn view_statuses(&self, peers: &Peers) -> BTreeMap<NodeId, ViewStatus> {
        let status = |(node, view): (&NodeId, &super::view::View)| {
            let status = ViewStatus {
                record: view.record.clone(),
                is_known: view.is_known,
                is_alive: peers.alive_since(*node).is_some(),
            };
            (*node, status)
        };
        self.views.iter().map(status).collect()
    }
}

/// Whether two rows differ at most in anchors.
fn same_promises(one: &PersistedRow, other: &PersistedRow) -> bool {
    one.seen == other.seen
        && one.is_deleted == other.is_deleted
        && one.is_dropped == other.is_dropped
}
