//! The made-up executor: carries out commands on the disk, each after a while, and reports.

use super::node::Gate;
use super::{
    DatasetEvent, DatasetId, Epoch, ForNode, NodeId, Parcel, PersistedRow, SnapshotId, StreamOffer,
    Work, World,
};
use crate::disk::DatasetOnDisk;
use hwc_state_machine::{Command, PeerMessage, PersistToken};

impl World {
    pub(super) fn carry_out(&mut self, id: NodeId, dataset: DatasetId, command: Command) {
        match command {
            Command::Persist { row, token } => self.start_row(id, dataset, row, token),
            Command::Publish { record } => self.publish(id, dataset, record),
            Command::Route { record } => {
                if let Some(route) = record.filter(|route| route.is_open) {
                    self.note(format!(
                        "{id} routes dataset {dataset} here under {}",
                        counter(route.epoch)
                    ));
                }
            }
            Command::Open { epoch, from } => self.start_open(id, dataset, epoch, from),
            Command::Fence { epoch } => self.start_fence(id, dataset, epoch),
            Command::CloseGate { epoch } => {
                self.set_gate(id, dataset, epoch, false);
                self.work(id, dataset, (5, 200), Work::FinishClosing { epoch });
            }
            Command::ReopenGate { epoch } => {
                self.note(format!("{id} reopens the gate of dataset {dataset}"));
                self.work(id, dataset, (1, 20), Work::FinishOpen { epoch, from: None });
            }
            Command::Replicate {
                transfer,
                to,
                epoch,
                parent,
                lineage,
                head_taken_at,
            } => {
                let offer = StreamOffer {
                    from: id,
                    epoch,
                    parent,
                    lineage,
                    head_taken_at,
                };
                self.start_stream(id, dataset, transfer, to, offer);
            }
            Command::AcceptStream { stream } => {
                self.work(id, dataset, (2, 150), Work::FinishReceiving { stream });
            }
            Command::RefuseStream { stream, reason: _ } => {
                if let Some(incoming) = self.take_incoming(id, stream) {
                    let transfer = incoming.transfer;
                    self.send(
                        id,
                        incoming.from,
                        Parcel::StreamRefused { dataset, transfer },
                    );
                }
            }
            Command::DiscardStream { stream } => {
                if let Some(incoming) = self.take_incoming(id, stream) {
                    let transfer = incoming.transfer;
                    self.send(
                        id,
                        incoming.from,
                        Parcel::StreamBroken { dataset, transfer },
                    );
                }
            }
            Command::CommitStream { stream } => {
                self.operation(id, dataset, Work::FinishCommit { stream });
            }
            Command::FileDivergent { lineage } => {
                self.operation(id, dataset, Work::File { lineage });
            }
            Command::RollBack { to } => self.operation(id, dataset, Work::RollBack { to }),
            Command::DropCopy => self.operation(id, dataset, Work::DropCopy),
            Command::PushDivergent { to, lineage } => self.push_divergent(id, dataset, to, lineage),
            Command::Send { to, message } => {
                match message {
                    PeerMessage::Promote { .. } => {
                        self.note(format!("{id} promotes {to} for dataset {dataset}"));
                        self.ghost.tally.promotions += 1;
                    }
                    PeerMessage::Grant { .. } => {
                        self.ghost.granted.insert((dataset, to));
                    }
                }
                self.send(id, to, Parcel::Message { dataset, message });
            }
            Command::Retain { snapshots } => {
                if let Some(running) = self.running(id) {
                    running
                        .retain
                        .insert(dataset, snapshots.into_iter().collect());
                }
            }
            // The registry is another's, and nobody reads explanations here.
            Command::SetReplicas { .. } | Command::Decided { .. } | Command::MoveChanged { .. } => {
            }
            Command::TellOwner { .. } => {
                self.note(format!(
                    "{id} tells the owner of dataset {dataset} of a divergent copy"
                ));
            }
            Command::Alarm { alarm } => {
                self.violate(format!("{id} raises {alarm:?} for dataset {dataset}"));
            }
        }
    }

    pub(super) fn finish(&mut self, id: NodeId, dataset: DatasetId, work: Work) {
        let may_destroy = matches!(
            work,
            Work::FinishCommit { .. } | Work::RollBack { .. } | Work::DropCopy
        );
        match work {
            Work::WriteRow { row } => self.on_disk(id, dataset).row = Some(row),
            Work::ReportRow { token } => {
                self.tell_dataset(id, dataset, DatasetEvent::Persisted { token });
            }
            Work::FinishOpen { epoch, from } => self.finish_open(id, dataset, epoch, from),
            Work::FailOpen { epoch } => {
                if self.gate_epoch(id, dataset) == Some(epoch) {
                    self.tell_dataset(id, dataset, DatasetEvent::OpenFailed { epoch });
                }
            }
            Work::FinishFence { epoch } => {
                let final_snapshot = self.take_snapshot(id, dataset, epoch);
                self.note(format!("{id} has stopped serving dataset {dataset}"));
                let event = DatasetEvent::Fenced {
                    epoch,
                    final_snapshot,
                };
                self.tell_dataset(id, dataset, event);
            }
            Work::FinishClosing { epoch } => {
                if self.gate_epoch(id, dataset) == Some(epoch) {
                    let final_snapshot = self.take_snapshot(id, dataset, epoch);
                    let event = DatasetEvent::GateClosed {
                        epoch,
                        final_snapshot,
                    };
                    self.tell_dataset(id, dataset, event);
                }
            }
            Work::FinishReceiving { stream } => self.finish_receiving(id, stream),
            Work::FinishCommit { stream } => self.finish_commit(id, stream),
            Work::File { lineage } => self.finish_filing(id, dataset, lineage),
            Work::RollBack { to } => self.finish_roll_back(id, dataset, to),
            Work::DropCopy => {
                self.check_drop(id, dataset);
                self.on_disk(id, dataset).copy = None;
                self.ghost.tally.dropped += 1;
                self.note(format!("{id} has dropped its copy of dataset {dataset}"));
                self.tell_dataset(id, dataset, DatasetEvent::CopyDropped);
            }
            Work::FailOperation => {
                self.tell_dataset(id, dataset, DatasetEvent::OperationFailed);
            }
            Work::FailTransfer { transfer, failure } => {
                self.fail_transfer(id, dataset, transfer, failure);
            }
        }
        if may_destroy {
            self.check_writes(dataset);
        }
    }

    /// The row reaches the disk, and a little later the brain hears of it: a crash may come
    /// between.
    fn start_row(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        row: PersistedRow,
        token: PersistToken,
    ) {
        let earliest = self.now + self.draw((1, 15));
        let Some(running) = self.running(id) else {
            return;
        };
        let written_at = earliest.max(running.rows_until);
        running.rows_until = written_at;
        let delay = written_at - self.now;
        self.tell_later(id, delay, ForNode::Work(dataset, Work::WriteRow { row }));
        let delay = delay + self.draw((0, 5));
        self.tell_later(id, delay, ForNode::Work(dataset, Work::ReportRow { token }));
    }

    fn start_open(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
        from: Option<SnapshotId>,
    ) {
        self.note(format!(
            "{id} is live for dataset {dataset} under {}",
            counter(epoch)
        ));
        self.set_gate(id, dataset, epoch, false);
        let fails = self.happens(self.temper.failure);
        let work = if fails {
            Work::FailOpen { epoch }
        } else {
            Work::FinishOpen { epoch, from }
        };
        self.work(id, dataset, (20, 400), work);
    }

    fn finish_open(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
        from: Option<SnapshotId>,
    ) {
        if self.gate_epoch(id, dataset) != Some(epoch) {
            return;
        }
        let on_disk = self.on_disk(id, dataset);
        let is_new = on_disk.copy.is_none();
        let copy = on_disk.copy.get_or_insert_default();
        copy.opened_under = epoch;
        let head = copy.lineage.head();
        if from.is_some() && head != from {
            self.violate(format!("{id} opens {from:?} but its copy is at {head:?}"));
        }
        if is_new && (from.is_some() || self.is_content_elsewhere(dataset)) {
            self.violate(format!("{id} begins dataset {dataset} empty beside a copy"));
        }
        self.ghost.tally.opened += 1;
        self.set_gate(id, dataset, epoch, true);
        self.check_open(id, dataset, epoch);
        self.tell_dataset(id, dataset, DatasetEvent::Opened { epoch });
        if is_new {
            self.snapshot_and_report(id, dataset, epoch, true);
        }
    }

    fn is_content_elsewhere(&self, dataset: DatasetId) -> bool {
        let has_content = |on_disk: &DatasetOnDisk| {
            on_disk
                .copy
                .as_ref()
                .is_some_and(|copy| !copy.content.is_empty())
        };
        self.nodes
            .values()
            .filter_map(|node| node.disk.datasets.get(&dataset))
            .any(has_content)
    }

    fn start_fence(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        self.note(format!("{id} stops serving dataset {dataset}"));
        if let Some(running) = self.running(id) {
            running.gates.remove(&dataset);
        }
        let longest = self.temper.fence_ms;
        self.work(id, dataset, (5, longest), Work::FinishFence { epoch });
    }

    pub(super) fn operation(&mut self, id: NodeId, dataset: DatasetId, work: Work) {
        let fails = self.happens(self.temper.failure);
        let work = if fails { Work::FailOperation } else { work };
        self.work(id, dataset, (1, 120), work);
    }

    pub(super) fn work(&mut self, id: NodeId, dataset: DatasetId, range: (u64, u64), work: Work) {
        let delay = self.draw(range);
        self.tell_later(id, delay, ForNode::Work(dataset, work));
    }

    pub(super) fn set_gate(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch, is_open: bool) {
        if let Some(running) = self.running(id) {
            running.gates.insert(dataset, Gate { epoch, is_open });
        }
    }

    pub(super) fn gate_epoch(&self, id: NodeId, dataset: DatasetId) -> Option<Epoch> {
        let running = self.nodes.get(&id)?.running.as_ref()?;
        running.gates.get(&dataset).map(|gate| gate.epoch)
    }

    pub(super) fn on_disk(&mut self, id: NodeId, dataset: DatasetId) -> &mut DatasetOnDisk {
        let node = self.nodes.entry(id).or_insert_with(|| super::Node::new(0));
        node.disk.datasets.entry(dataset).or_default()
    }
}

/// An epoch as the log shows it: without the boot, which differs from run to run.
pub(super) fn counter(epoch: Epoch) -> String {
    format!("{}-{}", epoch.counter, epoch.node)
}
