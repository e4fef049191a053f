//! What happens to a copy on a made-up disk: writes, snapshots, pruning, filing, winding back.

use super::World;
use super::happening::ForNode;
use super::node::GateState;
use crate::disk::{Copy, Divergent};
use crate::truth::{Change, Gone, Point};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_state_machine::{DatasetEvent, TakenSnapshot};

impl World {
    /// Puts a copy in place of the one that is there (or removes it), and keeps the truth about who
    /// holds what. What is on no disk after it was given away by a node, not by fate: a violation.
    pub(super) fn put_copy(&mut self, id: NodeId, dataset: DatasetId, copy: Option<Copy>) {
        let is_dirty = |copy: &Copy| !copy.dirty.is_empty();
        if self.copy(id, dataset).is_some_and(is_dirty) {
            self.violate("S5", || {
                format!("{id} overwrites what was just written to dataset {dataset}")
            });
        }
        let gone = self.replace_copy(id, dataset, copy);
        self.check_gone(id, dataset, &gone);
    }

    /// The same without judging.
    pub(super) fn replace_copy(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        copy: Option<Copy>,
    ) -> Gone {
        let after = copy.as_ref().map(|copy| copy.tip);
        let on_disk = self.on_disk(id, dataset);
        let before = std::mem::replace(&mut on_disk.copy, copy).map(|copy| copy.tip);
        let history = self.truth.history(dataset);
        match (before, after) {
            (Some(before), Some(after)) => history.shift(before, after),
            (Some(before), None) => history.release(before),
            (None, Some(after)) => {
                history.hold(after);
                Gone::default()
            }
            (None, None) => Gone::default(),
        }
    }

    /// A write is carried out under this epoch.
    pub(super) fn write(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch, bytes: u64) {
        self.check_write(id, dataset, epoch);
        self.truth.writes += 1;
        let write = self.truth.writes;
        if let Some(copy) = self.copy_mut(id, dataset) {
            copy.dirty.add(write, bytes);
        }
        let gate = self
            .running(id)
            .and_then(|running| running.gates.get_mut(&dataset));
        let Some(gate) = gate.filter(|gate| !gate.is_snapshot_due) else {
            return;
        };
        gate.is_snapshot_due = true;
        let delay = self.disk_span(id, self.temper.debounce);
        self.tell_later(id, delay, ForNode::Snapshot(dataset));
    }

    pub(super) fn snapshot_is_due(&mut self, id: NodeId, dataset: DatasetId) {
        let gate = self
            .running(id)
            .and_then(|running| running.gates.get_mut(&dataset));
        let Some(gate) = gate else {
            return;
        };
        gate.is_snapshot_due = false;
        if gate.state == GateState::Open {
            let epoch = gate.epoch;
            self.snapshot_and_report(id, dataset, epoch, false);
        }
    }

    pub(super) fn snapshot_and_report(
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
    pub(super) fn take_snapshot(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        epoch: Epoch,
    ) -> Option<TakenSnapshot> {
        let is_clean = self.copy(id, dataset)?.dirty.is_empty();
        if is_clean {
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
        let now = self.now();
        let taken_at = self.nodes.get(&id)?.clock.wall(now);
        let copy = self.copy_mut(id, dataset)?;
        let sequence = match copy.lineage.head() {
            Some(head) if head.epoch == epoch => head.sequence + 1,
            Some(_) | None => 1,
        };
        let snapshot = SnapshotId { epoch, sequence };
        let change = std::mem::replace(&mut copy.dirty, Change::NONE);
        copy.retained.insert(snapshot);
        copy.content = copy.content.and(change.content);
        let (tip, lineage) = (copy.tip, copy.lineage.with(snapshot, change.bytes));
        match (
            lineage,
            self.truth.history(dataset).take(tip, snapshot, change),
        ) {
            (Some(lineage), Ok(tip)) => {
                if let Some(copy) = self.copy_mut(id, dataset) {
                    copy.lineage = lineage;
                    copy.tip = tip;
                }
            }
            (None, _) => self.violate("S4", || {
                format!("{id} takes {snapshot} of dataset {dataset}, no successor of its head")
            }),
            (_, Err(what)) => self.violate("S4", || {
                format!("{id} takes a snapshot of dataset {dataset}: {what}")
            }),
        }
        Some(TakenSnapshot {
            snapshot,
            changed_bytes: change.bytes,
            taken_at,
        })
    }

    pub(super) fn finish_filing(&mut self, id: NodeId, dataset: DatasetId, lineage: Lineage) {
        let Some(copy) = self.copy(id, dataset).cloned() else {
            self.violate("S5", || {
                format!("{id} files a copy of dataset {dataset} that it doesn't have")
            });
            return;
        };
        if !copy.lineage.same_branch(&lineage) || !copy.dirty.is_empty() {
            self.violate("S5", || {
                format!("{id} files another copy of dataset {dataset} than it has")
            });
        }
        let divergent = Divergent {
            lineage: lineage.clone(),
            tip: copy.tip,
            content: copy.content,
        };
        self.add_divergent(id, dataset, divergent);
        self.truth.tally.filed += 1;
        let head = lineage.head();
        self.truth.filed.extend(head.map(|head| (dataset, head)));
        let branch = head.map_or(0, |head| head.epoch.counter);
        self.note(|| {
            format!("{id} keeps its branch {branch} of dataset {dataset} as a divergent copy")
        });
        self.tell_dataset(id, dataset, DatasetEvent::Filed { lineage });
    }

    /// A divergent copy is durably on a node's disk.
    pub(super) fn add_divergent(&mut self, id: NodeId, dataset: DatasetId, divergent: Divergent) {
        let kept = &mut self.on_disk(id, dataset).divergent;
        if kept.iter().any(|kept| kept.tip == divergent.tip) {
            return;
        }
        let tip = divergent.tip;
        kept.push(divergent);
        self.truth.history(dataset).hold(tip);
    }

    pub(super) fn finish_roll_back(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        to: Option<SnapshotId>,
    ) {
        let Some(copy) = self.copy(id, dataset).cloned() else {
            self.violate("S5", || {
                format!("{id} winds back a copy of dataset {dataset} that it doesn't have")
            });
            return;
        };
        let target = to.map(|to| copy.lineage.up_to(Some(to)));
        let retained = copy.retained.iter().copied();
        let newest = retained
            .filter(|snapshot| target.as_ref().is_some_and(|line| line.contains(*snapshot)))
            .map(|snapshot| copy.lineage.up_to(Some(snapshot)))
            .max_by_key(Lineage::total_sequence);
        let wound_back = newest.map(|lineage| self.copy_at(dataset, &copy, lineage));
        let lineage = wound_back.as_ref().map(|copy| copy.lineage.clone());
        self.put_copy(id, dataset, wound_back);
        self.note(|| match &lineage {
            Some(_) => format!("{id} winds its copy of dataset {dataset} back"),
            None => format!("{id} removes its copy of dataset {dataset} to take the whole"),
        });
        self.tell_dataset(id, dataset, DatasetEvent::RolledBack { lineage });
    }

    /// The same copy as it was at an earlier snapshot.
    fn copy_at(&mut self, dataset: DatasetId, copy: &Copy, lineage: Lineage) -> Copy {
        let history = self.truth.history(dataset);
        let tip = lineage.head().and_then(|head| history.find(head));
        let tip = tip.unwrap_or(Point::ROOT);
        let kept = copy.retained.iter().copied();
        Copy {
            tip,
            content: history.content(tip),
            dirty: Change::NONE,
            opened_under: copy.opened_under,
            retained: kept
                .filter(|snapshot| lineage.contains(*snapshot))
                .collect(),
            lineage,
        }
    }

    pub(super) fn finish_drop(&mut self, id: NodeId, dataset: DatasetId) {
        self.check_drop(id, dataset);
        self.put_copy(id, dataset, None);
        self.truth.tally.dropped += 1;
        self.note(|| format!("{id} has dropped its copy of dataset {dataset}"));
        self.tell_dataset(id, dataset, DatasetEvent::CopyDropped);
    }

    /// Removes snapshots that the brain does not want kept. Three times out of four, so that the
    /// number left differs.
    pub(super) fn prune(&mut self, id: NodeId) {
        let delay = self.disk_span(id, self.temper.prune);
        self.tell_later(id, delay, ForNode::Prune);
        if self.dice.happens(0.25) {
            return;
        }
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let Some(running) = &node.running else {
            return;
        };
        for (dataset, on_disk) in &mut node.disk.datasets {
            let (Some(copy), Some(retain)) = (&mut on_disk.copy, running.retain.get(dataset))
            else {
                continue;
            };
            let head = copy.lineage.head();
            copy.retained
                .retain(|snapshot| retain.contains(snapshot) || Some(*snapshot) == head);
        }
    }
}
