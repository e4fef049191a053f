//! The invariants: what must hold after every step, compared with what really happened.

use super::executor::counter;
use super::{DatasetId, Epoch, HolderRecord, NodeId, StreamOffer, World};
use hwc_api::ownership::{HolderState, Lineage};
use std::cmp::Ordering;

impl World {
    /// No two nodes that know each other's newest records are both live; without any fault never
    /// more than one gate is open.
    pub(super) fn check_step(&mut self, id: NodeId) {
        let datasets: Vec<_> = self.policies.keys().copied().collect();
        for dataset in datasets {
            let open: Vec<_> = self.open_nodes(dataset).collect();
            if open.len() > 1 {
                self.ghost.tally.two_open += 1;
                if !self.ghost.is_faulty {
                    self.violate(format!("{open:?} are open for {dataset} without any fault"));
                }
            }
            for (_, other) in open {
                if other != id && self.know_each_other_live(dataset, id, other) {
                    self.violate(format!("{id} and {other} serve {dataset} and know it"));
                }
            }
        }
    }

    fn know_each_other_live(&self, dataset: DatasetId, one: NodeId, other: NodeId) -> bool {
        let knows = |id: NodeId, peer: NodeId| {
            let (Some(brain), Some(node)) = (self.brain(id), self.nodes.get(&peer)) else {
                return false;
            };
            let shown = node
                .running
                .as_ref()
                .and_then(|running| running.board.get(&dataset));
            let is_serving = brain.serving(dataset).is_some();
            is_serving
                && shown
                    .is_some_and(|(_, record)| brain.known_record(dataset, peer) == Some(record))
        };
        knows(one, other) && knows(other, one)
    }

    /// `seen` is shown only once it is on disk, and never goes back while the disk is the same.
    pub(super) fn check_record(&mut self, id: NodeId, dataset: DatasetId, record: &HolderRecord) {
        let on_disk = self.row_seen(id, dataset);
        if record.seen > on_disk {
            self.violate(format!(
                "{id} shows {} but its disk says {}",
                counter(record.seen),
                counter(on_disk)
            ));
        }
        let shown = self.ghost.shown_seen.entry((id, dataset)).or_default();
        if record.seen < *shown {
            let was = *shown;
            self.violate(format!("{id} has forgotten that it saw {}", counter(was)));
        } else {
            *shown = record.seen;
        }
    }

    /// Nobody writes under an epoch below the highest it has seen, nor under one that it served
    /// before it stood still.
    pub(super) fn check_write(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        if epoch.node != id {
            self.violate(format!("{id} writes under {}, not its own", counter(epoch)));
        }
        let seen = self.row_seen(id, dataset);
        if epoch < seen {
            self.violate(format!(
                "{id} writes under {} though it has seen {}",
                counter(epoch),
                counter(seen)
            ));
        }
        if self.ghost.frozen_epochs.contains(&(dataset, epoch)) {
            self.violate(format!(
                "{id} writes under {}, which it served before it stood still",
                counter(epoch)
            ));
        }
    }

    /// Among the contenders heard in the round, the one with most changed data wins.
    pub(super) fn check_winner(&mut self, id: NodeId, dataset: DatasetId, record: &HolderRecord) {
        let Some(before) = self.shown(id, dataset) else {
            return;
        };
        if record.state != HolderState::Live || before.state != HolderState::Claiming {
            return;
        }
        for speaker in record.heard.iter().filter(|speaker| speaker.node != id) {
            let Some(theirs) = self.shown(speaker.node, dataset) else {
                continue;
            };
            let is_contender =
                theirs.boot == speaker.boot && theirs.seen == record.epoch && theirs.is_contending;
            let is_better = !before.is_contending
                || theirs.lineage.compare_change(&record.lineage) == Ordering::Greater;
            if is_contender && is_better {
                let node = speaker.node;
                self.violate(format!("{id} wins over {node}, whose branch is better"));
            }
        }
    }

    /// A branch that was served gives in only to a winner that has it, or whose round heard it.
    pub(super) fn check_giving_in(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        record: &HolderRecord,
    ) {
        let gives_in = self
            .shown(id, dataset)
            .is_some_and(|before| before.is_contending && !record.is_contending)
            && record.state == HolderState::Replica;
        let has_stood_still = self.running(id).is_none_or(|running| running.had_gap);
        if !gives_in || has_stood_still || record.is_deleted {
            return;
        }
        let me = self.brain(id).map(hwc_state_machine::StateMachine::me);
        let is_right = self.node_ids().filter(|node| *node != id).any(|node| {
            let has_heard = self
                .brain(id)
                .and_then(|brain| brain.known_record(dataset, node))
                .is_some_and(|winner| me.is_some_and(|me| winner.heard.contains(&me)));
            let has_branch = self
                .disk(node)
                .and_then(|disk| disk.datasets.get(&dataset)?.copy.as_ref())
                .is_some_and(|copy| record.lineage.within(&copy.lineage));
            has_heard || has_branch
        });
        if !is_right {
            self.violate(format!(
                "{id} gives in to a winner that never heard of its branch"
            ));
        }
    }

    /// Whoever was heard in a round doesn't serve under a lower epoch.
    pub(super) fn check_open(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        let Some(mine) = self.shown(id, dataset) else {
            return;
        };
        let open: Vec<_> = self.open_nodes(dataset).collect();
        for (other_epoch, other) in open {
            let Some(speaker) = self.brain(other).map(hwc_state_machine::StateMachine::me) else {
                continue;
            };
            if other != id && other_epoch < epoch && mine.heard.contains(&speaker) {
                self.violate(format!(
                    "{other} was heard by {id} and still serves {dataset}"
                ));
            }
        }
    }

    /// A replica takes nothing from a past epoch.
    pub(super) fn check_commit(&mut self, id: NodeId, dataset: DatasetId, offer: &StreamOffer) {
        if offer.epoch < self.row_seen(id, dataset) {
            self.violate(format!(
                "{id} takes a stream of {}, an old epoch",
                counter(offer.epoch)
            ));
        }
    }

    /// A copy is dropped only while two others hold all of it (or all others, if there are fewer).
    pub(super) fn check_drop(&mut self, id: NodeId, dataset: DatasetId) {
        let head = self
            .on_disk(id, dataset)
            .copy
            .as_ref()
            .map(|copy| copy.lineage.clone())
            .unwrap_or_default();
        let holds = |lineage: &Lineage| head.within(lineage);
        let others = self
            .nodes
            .iter()
            .filter(|(node, _)| **node != id)
            .filter_map(|(_, node)| node.disk.datasets.get(&dataset)?.copy.as_ref())
            .filter(|copy| holds(&copy.lineage))
            .count();
        if others < 2.min(self.nodes.len() - 1) {
            self.violate(format!(
                "{id} drops its copy of {dataset}, {others} are left"
            ));
        }
    }

    /// Every acknowledged write is on some disk.
    pub(super) fn check_writes(&mut self, dataset: DatasetId) {
        let lost = self.ghost.acknowledged.iter().find(|(of, write)| {
            *of == dataset
                && !self
                    .nodes
                    .values()
                    .any(|node| node.disk.has_write(dataset, *write))
        });
        if let Some((_, write)) = lost {
            self.violate(format!("write {write} to dataset {dataset} is on no disk"));
        }
    }

    fn row_seen(&self, id: NodeId, dataset: DatasetId) -> Epoch {
        self.disk(id)
            .and_then(|disk| disk.datasets.get(&dataset)?.row.as_ref())
            .map(|row| row.seen)
            .unwrap_or_default()
    }

    pub(super) fn shown(&self, id: NodeId, dataset: DatasetId) -> Option<HolderRecord> {
        let running = self.nodes.get(&id)?.running.as_ref()?;
        running
            .board
            .get(&dataset)
            .map(|(_, record)| record.clone())
    }
}
