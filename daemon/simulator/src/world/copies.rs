//! What happens to a copy on a made-up disk: writes, snapshots, pruning, filing, winding back.

use super::{Content, DatasetEvent, DatasetId, Epoch, Lineage, NodeId, SnapshotId, World};
use crate::disk::Copy;
use hwc_api::time::WallTime;
use hwc_state_machine::TakenSnapshot;
use std::collections::BTreeSet;

impl World {
    pub(super) fn finish_filing(&mut self, id: NodeId, dataset: DatasetId, lineage: Lineage) {
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

    pub(super) fn finish_roll_back(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        to: Option<SnapshotId>,
    ) {
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
}
