//! Stopping to serve, and the snapshots of one's own writing. The copy's history grows here only,
//! and in `receive` by streams.

use super::{Context, Fencing, MoveEnd, Ownership, Role};
use crate::action::{Alarm, Command};
use crate::event::TakenSnapshot;
use crate::moves::CallOff;
use hwc_api::ownership::{Epoch, Lineage};

impl Ownership {
    /// Stops serving. Until the executor reports that it is done, the node shows nothing new: what
    /// it will show is the acknowledgement that its head is final.
    pub(super) fn fence(&mut self, will_contend: bool, context: &mut Context<'_>) {
        let Role::Serving(service) = &self.role else {
            return;
        };
        let epoch = service.epoch;
        if service.moving.is_some() && self.move_end.is_none() {
            self.move_end = Some(MoveEnd::CalledOff(CallOff::NotLive));
        }
        self.role = Role::Fencing(Fencing {
            epoch,
            will_contend: will_contend && !self.is_deleted(),
        });
        context.order(Command::Fence { epoch });
    }

    pub(super) fn fenced(
        &mut self,
        epoch: Epoch,
        final_snapshot: Option<TakenSnapshot>,
        context: &mut Context<'_>,
    ) {
        let Role::Fencing(fencing) = &self.role else {
            return;
        };
        if fencing.epoch != epoch {
            return;
        }
        let will_contend = fencing.will_contend;
        if let Some(taken) = final_snapshot {
            self.snapshot_taken(taken, context);
        }
        self.role = Role::Replica;
        // A node without a copy (its very first opening failed) has no branch to compare.
        self.is_contending = will_contend && self.copy.is_some();
        self.against = Epoch::NONE;
    }

    pub(super) fn opened(&mut self, epoch: Epoch) {
        let Role::Serving(service) = &mut self.role else {
            return;
        };
        if service.epoch != epoch {
            return;
        }
        service.is_open = true;
        if self.copy.is_none() {
            self.copy = Some(Lineage::genesis());
            self.row.wanted.is_dropped = false;
        }
    }

    /// Nothing could be served: another node may have more luck.
    pub(super) fn open_failed(&mut self, epoch: Epoch, context: &mut Context<'_>) {
        let Role::Serving(service) = &self.role else {
            return;
        };
        if service.epoch == epoch {
            self.fence(false, context);
            self.back_off(context);
        }
    }

    pub(super) fn gate_closed(
        &mut self,
        epoch: Epoch,
        final_snapshot: Option<TakenSnapshot>,
        context: &mut Context<'_>,
    ) {
        if let Some(taken) = final_snapshot {
            self.snapshot_taken(taken, context);
        }
        if self.serving() == Some(epoch) {
            self.gate_is_closed(context);
        }
    }

    pub(super) fn snapshot_taken(&mut self, taken: TakenSnapshot, context: &mut Context<'_>) {
        let TakenSnapshot {
            snapshot,
            changed_bytes,
            taken_at,
        } = taken;
        let epoch = match &self.role {
            Role::Serving(service) => service.epoch,
            Role::Fencing(fencing) => fencing.epoch,
            Role::Replica | Role::Claiming(_) => Epoch::NONE,
        };
        if snapshot.epoch != epoch {
            context.order(Command::Alarm {
                alarm: Alarm::SnapshotOutsideEpoch { snapshot },
            });
            return;
        }
        let Some(longer) = self.head().with(snapshot, changed_bytes) else {
            context.order(Command::Alarm {
                alarm: Alarm::SnapshotOutOfOrder { snapshot },
            });
            return;
        };
        self.copy = Some(longer);
        self.head_taken_at = taken_at;
    }
}
