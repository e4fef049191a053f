//! Opening, closing and fencing datasets.

use super::happening::{ForNode, Work};
use super::node::{Gate, GateState};
use super::{World, counter};
use crate::disk::Copy;
use crate::time::{Moment, ms};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, SnapshotId};
use hwc_state_machine::DatasetEvent;
use std::time::Duration;

/// Requests that still run when a gate closes for a move may take this long; then they are cut off.
const DRAIN_LIMIT: Duration = ms(3_000);
/// It is looked this often whether they have ended.
const DRAIN_LOOK: Duration = ms(10);

impl World {
    pub(super) fn start_open(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
        from: Option<SnapshotId>,
    ) {
        self.truth.epochs_begun += 1;
        self.note(|| {
            format!(
                "{id} is live for dataset {dataset} under {}",
                counter(epoch)
            )
        });
        self.check_begun(id, dataset, epoch);
        self.set_gate(id, dataset, epoch, GateState::Opening);
        let work = if self.dice.happens(self.temper.failure) {
            Work::FailOpen { epoch }
        } else {
            Work::FinishOpen { epoch, from }
        };
        self.work(id, dataset, (ms(20), ms(400)), work);
    }

    pub(super) fn finish_open(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
        from: Option<SnapshotId>,
    ) {
        if self.gate_epoch(id, dataset) != Some(epoch) {
            return;
        }
        let head = self.copy(id, dataset).and_then(|copy| copy.lineage.head());
        let is_new = self.copy(id, dataset).is_none();
        if from.is_some() && head != from {
            self.violate("S4", || {
                format!("{id} opens {from:?} of dataset {dataset} but its copy is at {head:?}")
            });
        }
        if is_new && (from.is_some() || self.is_content_elsewhere(dataset)) {
            self.violate("S12", || {
                format!("{id} begins dataset {dataset} empty beside a copy")
            });
        }
        if is_new {
            self.put_copy(id, dataset, Some(Copy::empty(epoch)));
        }
        if let Some(copy) = self.copy_mut(id, dataset) {
            copy.opened_under = epoch;
        }
        self.truth.tally.opened += 1;
        self.set_gate(id, dataset, epoch, GateState::Open);
        self.check_open(id, dataset, epoch);
        self.tell_dataset(id, dataset, DatasetEvent::Opened { epoch });
        if is_new {
            self.snapshot_and_report(id, dataset, epoch, true);
        }
    }

    pub(super) fn fail_open(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        if self.gate_epoch(id, dataset) == Some(epoch) {
            self.note(|| format!("{id} can't open dataset {dataset}"));
            self.tell_dataset(id, dataset, DatasetEvent::OpenFailed { epoch });
        }
    }

    fn is_content_elsewhere(&self, dataset: DatasetId) -> bool {
        self.nodes
            .values()
            .filter(|node| !node.is_removed)
            .filter_map(|node| node.disk.datasets.get(&dataset)?.copy.as_ref())
            .any(|copy| !copy.lineage.is_genesis())
    }

    pub(super) fn start_fence(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        self.note(|| format!("{id} stops serving dataset {dataset}"));
        self.remove_gate(id, dataset);
        if let Some(running) = self.running(id) {
            running.fencing.insert(dataset);
        }
        self.end_outgoing(id, dataset, epoch);
        let longest = self.temper.fence;
        self.work(id, dataset, (ms(5), longest), Work::FinishFence { epoch });
    }

    pub(super) fn finish_fence(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        let final_snapshot = self.take_snapshot(id, dataset, epoch);
        if let Some(running) = self.running(id) {
            running.fencing.remove(&dataset);
        }
        self.note(|| format!("{id} has stopped serving dataset {dataset}"));
        let event = DatasetEvent::Fenced {
            epoch,
            final_snapshot,
        };
        self.tell_dataset(id, dataset, event);
    }

    /// New requests wait from here on; those that run end by themselves, up to a limit.
    pub(super) fn start_closing(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        self.close_gate(id, dataset);
        let delay = self.dice.span((ms(5), ms(60)));
        let work = Work::FinishClosing {
            epoch,
            cut_off_at: self.now() + DRAIN_LIMIT,
        };
        self.tell_later(id, delay, ForNode::Work(dataset, work));
    }

    pub(super) fn finish_closing(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
        cut_off_at: Moment,
    ) {
        let now = self.now();
        let Some(gate) = self
            .running(id)
            .and_then(|running| running.gates.get_mut(&dataset))
            .filter(|gate| gate.epoch == epoch)
        else {
            return;
        };
        if gate.running > 0 && now < cut_off_at {
            let work = Work::FinishClosing { epoch, cut_off_at };
            self.tell_later(id, DRAIN_LOOK, ForNode::Work(dataset, work));
            return;
        }
        gate.running = 0;
        gate.state = GateState::Quiet;
        let final_snapshot = self.take_snapshot(id, dataset, epoch);
        let event = DatasetEvent::GateClosed {
            epoch,
            final_snapshot,
        };
        self.tell_dataset(id, dataset, event);
    }

    pub(super) fn start_reopening(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        self.note(|| format!("{id} reopens the gate of dataset {dataset}"));
        self.work(id, dataset, (ms(1), ms(20)), Work::FinishReopen { epoch });
    }

    pub(super) fn finish_reopening(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        if self.gate_epoch(id, dataset) == Some(epoch) {
            self.set_gate(id, dataset, epoch, GateState::Open);
            self.check_open(id, dataset, epoch);
            self.tell_dataset(id, dataset, DatasetEvent::Opened { epoch });
        }
    }

    fn set_gate(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch, state: GateState) {
        let Some(running) = self.running(id) else {
            return;
        };
        let gate = Gate {
            epoch,
            state,
            running: 0,
            is_snapshot_due: false,
        };
        running.gates.insert(dataset, gate);
        let is_open = state == GateState::Open;
        self.note_gate(id, dataset, is_open.then_some(epoch));
    }

    fn close_gate(&mut self, id: NodeId, dataset: DatasetId) {
        let gate = self
            .running(id)
            .and_then(|running| running.gates.get_mut(&dataset));
        if let Some(gate) = gate {
            gate.state = GateState::Closing;
        }
        self.note_gate(id, dataset, None);
    }

    pub(super) fn remove_gate(&mut self, id: NodeId, dataset: DatasetId) {
        if let Some(running) = self.running(id) {
            running.gates.remove(&dataset);
        }
        self.note_gate(id, dataset, None);
    }

    /// A node that dies, or stands still for too long, lets nobody through any more.
    pub(super) fn remove_all_gates(&mut self, id: NodeId) {
        for open in self.truth.open.values_mut() {
            open.remove(&id);
        }
        if let Some(running) = self.running(id) {
            running.gates.clear();
        }
    }

    /// Keeps the truth about open gates.
    fn note_gate(&mut self, id: NodeId, dataset: DatasetId, epoch: Option<Epoch>) {
        let open = self.truth.open.entry(dataset).or_default();
        match epoch {
            Some(epoch) => {
                open.insert(id, epoch);
            }
            None => {
                open.remove(&id);
            }
        }
    }

    pub(super) fn gate_epoch(&self, id: NodeId, dataset: DatasetId) -> Option<Epoch> {
        self.running_ref(id)?.gate_epoch(dataset)
    }
}
