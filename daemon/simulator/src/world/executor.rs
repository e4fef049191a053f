//! The made-up executor: carries out commands on the disk, each after a while, and reports.

use super::node::{Gate, Incoming};
use super::{
    Content, DatasetEvent, DatasetId, Epoch, ForNode, Lineage, NodeId, Parcel, PersistedRow,
    ReplicateFailure, SnapshotId, StreamId, StreamOffer, TRANSFER_TIMEOUT_MS, Work, World,
};
use crate::disk::{Copy, DatasetOnDisk};
use hwc_api::time::WallTime;
use hwc_state_machine::{Command, PeerMessage, PersistToken, TakenSnapshot, TransferId};
use std::collections::BTreeSet;

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
        self.to_node(id, delay, ForNode::Work(dataset, Work::WriteRow { row }));
        let delay = delay + self.draw((0, 5));
        self.to_node(id, delay, ForNode::Work(dataset, Work::ReportRow { token }));
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

    fn start_stream(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        transfer: TransferId,
        to: NodeId,
        offer: StreamOffer,
    ) {
        if self.gate_epoch(id, dataset) != Some(offer.epoch) {
            self.violate(format!("{id} sends dataset {dataset} without serving it"));
        }
        let Some(head) = offer.lineage.head() else {
            self.violate(format!("{id} sends a copy without a snapshot"));
            return;
        };
        let on_disk = self.on_disk(id, dataset);
        let has_parent = offer.parent.is_none_or(|parent| {
            on_disk
                .copy
                .as_ref()
                .is_some_and(|copy| copy.retained.contains(&parent))
        });
        if let Some(running) = self.running(id) {
            running.outgoing.insert(transfer, to);
        }
        if !has_parent {
            self.note(format!("{id} lacks the parent for a stream to {to}"));
            let failure = ReplicateFailure::ParentMissing;
            self.work(
                id,
                dataset,
                (1, 5),
                Work::FailTransfer { transfer, failure },
            );
            return;
        }
        let whole = self
            .ghost
            .contents
            .get(&(dataset, head))
            .cloned()
            .unwrap_or_default();
        let before = offer
            .parent
            .and_then(|parent| self.ghost.contents.get(&(dataset, parent)))
            .cloned()
            .unwrap_or_default();
        let payload: Content = whole.difference(&before).copied().collect();
        let failure = ReplicateFailure::Interrupted;
        let timeout = Work::FailTransfer { transfer, failure };
        self.to_node(id, TRANSFER_TIMEOUT_MS, ForNode::Work(dataset, timeout));
        self.send(
            id,
            to,
            Parcel::StreamHeader {
                dataset,
                transfer,
                offer,
                payload,
            },
        );
    }

    pub(super) fn fail_transfer(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        transfer: TransferId,
        failure: ReplicateFailure,
    ) {
        let Some(running) = self.running(id) else {
            return;
        };
        if running.outgoing.remove(&transfer).is_none() {
            return;
        }
        let event = DatasetEvent::ReplicateFailed { transfer, failure };
        self.tell_dataset(id, dataset, event);
    }

    fn finish_receiving(&mut self, id: NodeId, stream: StreamId) {
        let Some(running) = self.running(id) else {
            return;
        };
        let Some(incoming) = running.incoming.get(&stream).cloned() else {
            return;
        };
        let is_broken = self.session(incoming.from, id) != incoming.session
            || !self.is_linked(incoming.from, id)
            || self.happens(self.temper.failure);
        if is_broken {
            self.take_incoming(id, stream);
            let transfer = incoming.transfer;
            let dataset = incoming.dataset;
            self.send(
                id,
                incoming.from,
                Parcel::StreamBroken { dataset, transfer },
            );
            self.tell_dataset(id, dataset, DatasetEvent::StreamFailed { stream });
        } else {
            self.tell_dataset(
                id,
                incoming.dataset,
                DatasetEvent::StreamReceived { stream },
            );
        }
    }

    fn finish_commit(&mut self, id: NodeId, stream: StreamId) {
        let Some(incoming) = self.take_incoming(id, stream) else {
            return;
        };
        let Incoming {
            dataset,
            from,
            transfer,
            offer,
            payload,
            ..
        } = incoming;
        self.check_commit(id, dataset, &offer);
        let on_disk = self.on_disk(id, dataset);
        let mut copy = on_disk
            .copy
            .take()
            .filter(|_| offer.parent.is_some())
            .unwrap_or_default();
        copy.content.extend(payload);
        copy.lineage = offer.lineage.clone();
        copy.retained.extend(offer.lineage.head());
        let content = copy.content.clone();
        on_disk.copy = Some(copy);
        self.ghost.tally.streams += 1;
        if let Err(what) = self.ghost.check_copy(dataset, &offer.lineage, &content) {
            self.violate(format!("{id} after a stream: {what}"));
        }
        self.tell_dataset(id, dataset, DatasetEvent::StreamCommitted { stream });
        self.send(id, from, Parcel::StreamAcknowledged { dataset, transfer });
    }

    fn finish_filing(&mut self, id: NodeId, dataset: DatasetId, lineage: Lineage) {
        let on_disk = self.on_disk(id, dataset);
        let Some(copy) = on_disk.copy.clone() else {
            self.violate(format!("{id} files a copy that it doesn't have"));
            return;
        };
        if !copy.lineage.same_branch(&lineage) || !copy.dirty.is_empty() {
            self.violate(format!("{id} files another copy than it has"));
        }
        self.on_disk(id, dataset)
            .divergent
            .push((lineage.clone(), copy.content));
        self.ghost.tally.filed += 1;
        let branch = lineage.head().map_or(0, |head| head.epoch.counter);
        self.note(format!(
            "{id} keeps its branch {branch} of dataset {dataset} as a divergent copy"
        ));
        self.tell_dataset(id, dataset, DatasetEvent::Filed { lineage });
    }

    fn finish_roll_back(&mut self, id: NodeId, dataset: DatasetId, to: Option<SnapshotId>) {
        let truth = self.ghost.contents.clone();
        let on_disk = self.on_disk(id, dataset);
        let Some(copy) = on_disk.copy.take() else {
            self.violate(format!("{id} winds back a copy that it doesn't have"));
            return;
        };
        let target = to.map(|to| copy.lineage.up_to(Some(to)));
        let newest = copy
            .retained
            .iter()
            .copied()
            .filter(|snapshot| target.as_ref().is_some_and(|line| line.contains(*snapshot)))
            .map(|snapshot| copy.lineage.up_to(Some(snapshot)))
            .max_by_key(Lineage::total_sequence);
        let wound_back = newest.map(|lineage| Copy {
            content: lineage
                .head()
                .and_then(|head| truth.get(&(dataset, head)).cloned())
                .unwrap_or_default(),
            dirty: Content::new(),
            opened_under: copy.opened_under,
            retained: copy
                .retained
                .iter()
                .copied()
                .filter(|snapshot| lineage.contains(*snapshot))
                .collect(),
            lineage,
        });
        let lineage = wound_back.as_ref().map(|copy| copy.lineage.clone());
        self.on_disk(id, dataset).copy = wound_back;
        self.note(match &lineage {
            Some(_) => format!("{id} winds its copy of dataset {dataset} back"),
            None => format!("{id} removes its copy of dataset {dataset} to take the whole"),
        });
        self.tell_dataset(id, dataset, DatasetEvent::RolledBack { lineage });
    }

    fn push_divergent(&mut self, id: NodeId, dataset: DatasetId, to: NodeId, lineage: Lineage) {
        let kept = self
            .on_disk(id, dataset)
            .divergent
            .iter()
            .find(|(kept, _)| lineage.same_branch(kept))
            .cloned();
        match kept {
            Some((lineage, content)) => {
                self.send(
                    id,
                    to,
                    Parcel::Divergent {
                        dataset,
                        lineage,
                        content,
                    },
                );
            }
            None => self.violate(format!("{id} pushes a divergent copy that it doesn't have")),
        }
    }

    pub(super) fn clients_write(&mut self, id: NodeId) {
        if self.temper.write_every_ms == 0 {
            return;
        }
        let datasets: Vec<_> = self.policies.keys().copied().collect();
        for dataset in datasets {
            self.write(id, dataset);
        }
    }

    /// A client writes at this node; acknowledged if its gate is open.
    pub fn write(&mut self, id: NodeId, dataset: DatasetId) -> bool {
        let Some(node) = self.nodes.get(&id).filter(|node| node.is_awake()) else {
            return false;
        };
        let gate = node
            .running
            .as_ref()
            .and_then(|running| running.gates.get(&dataset));
        let Some(gate) = gate.copied().filter(|gate| gate.is_open) else {
            return false;
        };
        self.check_write(id, dataset, gate.epoch);
        self.ghost.writes += 1;
        let write = self.ghost.writes;
        self.ghost.acknowledged.insert((dataset, write));
        let copy = self.on_disk(id, dataset).copy.get_or_insert_default();
        copy.content.insert(write);
        copy.dirty.insert(write);
        true
    }

    pub(super) fn take_snapshots(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get(&id).filter(|node| node.is_awake()) else {
            return;
        };
        let open: Vec<_> = node
            .running
            .iter()
            .flat_map(|running| &running.gates)
            .filter(|(_, gate)| gate.is_open)
            .map(|(dataset, gate)| (*dataset, gate.epoch))
            .collect();
        for (dataset, epoch) in open {
            self.snapshot_and_report(id, dataset, epoch, false);
        }
    }

    fn snapshot_and_report(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
        even_if_clean: bool,
    ) {
        let taken = if even_if_clean {
            self.take_any_snapshot(id, dataset, epoch)
        } else {
            self.take_snapshot(id, dataset, epoch)
        };
        if let Some(taken) = taken {
            self.tell_dataset(id, dataset, DatasetEvent::SnapshotTaken(taken));
        }
    }

    /// Snapshots what was written since the last one; none if nothing was.
    fn take_snapshot(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
    ) -> Option<TakenSnapshot> {
        let copy = self.on_disk(id, dataset).copy.as_ref()?;
        if copy.dirty.is_empty() {
            return None;
        }
        self.take_any_snapshot(id, dataset, epoch)
    }

    pub(super) fn take_any_snapshot(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
    ) -> Option<TakenSnapshot> {
        let taken_at = WallTime(i64::try_from(self.now).unwrap_or(i64::MAX));
        let copy = self.on_disk(id, dataset).copy.as_mut()?;
        let before = copy.lineage.clone();
        let sequence = match before.head() {
            Some(head) if head.epoch == epoch => head.sequence + 1,
            Some(_) | None => 1,
        };
        let snapshot = SnapshotId { epoch, sequence };
        let changed_bytes = copy.dirty.len() as u64;
        copy.dirty.clear();
        copy.retained.insert(snapshot);
        let content = copy.content.clone();
        match before.with(snapshot, changed_bytes) {
            Some(lineage) => copy.lineage = lineage,
            None => self.violate(format!("{id} takes {snapshot}, no successor of its head")),
        }
        if let Err(what) = self.ghost.snapshot(dataset, snapshot, &before, content) {
            self.violate(format!("{id} takes a snapshot: {what}"));
        }
        Some(TakenSnapshot {
            snapshot,
            changed_bytes,
            taken_at,
        })
    }

    pub(super) fn prune(&mut self, id: NodeId) {
        let keep_one_in_four = self.happens(0.25);
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.is_awake()) else {
            return;
        };
        let Some(running) = &node.running else {
            return;
        };
        if keep_one_in_four {
            return;
        }
        for (dataset, on_disk) in &mut node.disk.datasets {
            let (Some(copy), Some(retain)) = (&mut on_disk.copy, running.retain.get(dataset))
            else {
                continue;
            };
            let head = copy.lineage.head();
            let keep = |snapshot: &SnapshotId| retain.contains(snapshot) || Some(*snapshot) == head;
            copy.retained = copy
                .retained
                .iter()
                .copied()
                .filter(keep)
                .collect::<BTreeSet<_>>();
        }
    }

    fn take_incoming(&mut self, id: NodeId, stream: StreamId) -> Option<Incoming> {
        self.running(id)?.incoming.remove(&stream)
    }

    fn operation(&mut self, id: NodeId, dataset: DatasetId, work: Work) {
        let fails = self.happens(self.temper.failure);
        let work = if fails { Work::FailOperation } else { work };
        self.work(id, dataset, (1, 120), work);
    }

    fn work(&mut self, id: NodeId, dataset: DatasetId, range: (u64, u64), work: Work) {
        let delay = self.draw(range);
        self.to_node(id, delay, ForNode::Work(dataset, work));
    }

    fn set_gate(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch, is_open: bool) {
        if let Some(running) = self.running(id) {
            running.gates.insert(dataset, Gate { epoch, is_open });
        }
    }

    fn gate_epoch(&self, id: NodeId, dataset: DatasetId) -> Option<Epoch> {
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
