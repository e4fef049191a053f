//! Invariants about data: who may write, what a copy holds, that nothing is lost.

use crate::truth::Gone;
use crate::world::{World, counter};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage};
use hwc_state_machine::StreamOffer;

/// A copy is dropped only while so many others hold all of it.
const COPIES_LEFT_MIN: usize = 2;
/// The heads of so many attempts to send are kept until one is acknowledged.
const UNANSWERED_KEPT: u32 = 4;

impl World {
    /// S1, S3: nobody writes under an epoch below the highest it has seen, nor under one that is
    /// not its own, nor under one that it served before it stood still.
    pub(in crate::world) fn check_write(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        let seen = self.row_seen(id, dataset);
        if epoch.node != id {
            self.violate("S1", || {
                format!("{id} writes under {}, not its own", counter(epoch))
            });
        }
        if epoch < seen {
            self.violate("S1", || {
                format!(
                    "{id} writes under {} though it has seen {}",
                    counter(epoch),
                    counter(seen)
                )
            });
        }
        if self.truth.frozen_epochs.contains(&(dataset, epoch)) {
            self.violate("S3", || {
                format!(
                    "{id} writes under {}, which it served before it stood still",
                    counter(epoch)
                )
            });
        }
    }

    /// S1: a replica takes nothing from a past epoch.
    pub(in crate::world) fn check_commit(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        offer: &StreamOffer,
    ) {
        if offer.epoch < self.row_seen(id, dataset) {
            self.violate("S1", || {
                format!(
                    "{id} takes a stream of {}, an old epoch",
                    counter(offer.epoch)
                )
            });
        }
        let serves = self.gate_epoch(id, dataset).is_some();
        if serves {
            self.violate("S1", || {
                format!("{id} takes a stream of dataset {dataset}, which it serves")
            });
        }
    }

    /// S4: a copy's history is a path that was really written, and its content is what was written.
    pub(in crate::world) fn check_content(&mut self, id: NodeId, dataset: DatasetId) {
        let Some(copy) = self.copy(id, dataset) else {
            return;
        };
        let (tip, content, lineage) = (copy.tip, copy.content, copy.lineage.clone());
        let history = self.truth.history(dataset);
        let is_path = history.tip_of(&lineage) == Some(tip);
        let is_content = history.content(tip) == content;
        if !is_path || !is_content {
            let head = lineage.branch_name();
            self.violate("S4", || {
                format!(
                    "{id} holds dataset {dataset} at {head}, with other content than was written"
                )
            });
        }
    }

    /// S5, S12: what was written is on some disk after whatever a node did by itself.
    pub(in crate::world) fn check_gone(&mut self, id: NodeId, dataset: DatasetId, gone: &Gone) {
        if gone.count() > 0 {
            let count = gone.count();
            self.violate("S5", || {
                format!("{count} snapshots of dataset {dataset} are on no disk after what {id} did")
            });
        }
    }

    /// S12: a copy is dropped only while two others hold all of it (or all others, if there are
    /// fewer), as far as can be known: a disk that was lost a moment ago may have been counted on.
    pub(in crate::world) fn check_drop(&mut self, id: NodeId, dataset: DatasetId) {
        let Some(copy) = self.copy(id, dataset) else {
            return;
        };
        let tip = copy.tip;
        let others = self
            .nodes
            .iter()
            .filter(|(node, other)| **node != id && !other.is_removed);
        let all_others = others.clone().count();
        let tips = others
            .filter_map(|(_, node)| Some(node.disk.datasets.get(&dataset)?.copy.as_ref()?.tip));
        let tips: Vec<_> = tips.collect();
        let (now, news_take) = (self.now(), self.tempo.fencing_bound());
        let lost = self.truth.disks_lost.values();
        let just_lost = lost.filter(|at| now.since(**at) <= news_take).count();
        let history = self.truth.history(dataset);
        let left = just_lost
            + tips
                .iter()
                .filter(|other| history.is_within(tip, **other))
                .count();
        if left < COPIES_LEFT_MIN.min(all_others) {
            self.violate("S12", || {
                format!("{id} drops its copy of dataset {dataset}, {left} are left")
            });
        }
    }

    /// Whoever hands its authority over serves nobody any more, and names all that it has; and the
    /// target holds it. (A disk that was replaced may hold anything.)
    pub(in crate::world) fn check_promotion(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        to: NodeId,
        lineage: &Lineage,
    ) {
        let is_open = self.truth.open_nodes(dataset).any(|(node, _)| node == id);
        let tip = self.truth.history(dataset).tip_of(lineage);
        let has_more = self
            .copy(id, dataset)
            .is_none_or(|copy| !copy.dirty.is_empty() || Some(copy.tip) != tip);
        if is_open || has_more {
            self.violate("promotion", || {
                format!(
                    "{id} hands dataset {dataset} over before its gate is closed and all is named"
                )
            });
        }
        let is_replaced = self.truth.disks_lost.contains_key(&to);
        let arrived = self.copy(to, dataset).map(|copy| copy.tip);
        if arrived != tip && !is_replaced {
            self.violate("promotion", || {
                format!("{id} hands dataset {dataset} over to {to}, which does not hold all of it")
            });
        }
    }

    /// S21: whoever brought a snapshot to another holder in this term keeps it until that holder has
    /// a newer one: the next increment builds upon it. (A disk that was replaced may hold anything; after many
    /// attempts without an answer, the receiver may have any of them.)
    pub(in crate::world) fn check_parent(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        to: NodeId,
        offer: &StreamOffer,
    ) {
        let missing = offer.parent.filter(|parent| parent.epoch == offer.epoch);
        let is_replaced = self.truth.disks_lost.contains_key(&to);
        let unanswered = self.running_ref(id);
        let unanswered = unanswered.and_then(|running| running.unanswered.get(&(to, dataset)));
        let is_in_the_dark = unanswered.is_some_and(|attempts| *attempts > UNANSWERED_KEPT);
        if let Some(parent) = missing.filter(|_| !is_replaced && !is_in_the_dark) {
            self.violate("S21", || {
                format!("{id} has removed {parent} of dataset {dataset}, upon which another builds")
            });
        }
    }
}
