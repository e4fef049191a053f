//! The invariants: what must hold after every step, compared with what really happened.
//!
//! Each check looks at the one thing that just changed, so that a step costs the same however many
//! datasets there are. Rules have the numbers of `docs/protocol.md`'s list ("S1" and so on); those
//! that take time to come about are in `watch`.

mod data;
mod moves;

use super::{World, counter};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, HolderState};
use hwc_state_machine::StateMachine;
use std::cmp::Ordering;

impl World {
    /// Everything that must hold of a record before anybody is shown it.
    pub(super) fn check_record(&mut self, id: NodeId, dataset: DatasetId, record: &HolderRecord) {
        self.check_seen(id, dataset, record);
        self.check_winner(id, dataset, record);
        self.check_giving_in(id, dataset, record);
    }

    /// S2: `seen` is shown only once it is on disk, and never goes back while the disk is the same.
    fn check_seen(&mut self, id: NodeId, dataset: DatasetId, record: &HolderRecord) {
        let on_disk = self.row_seen(id, dataset);
        if record.seen > on_disk {
            let (seen, on_disk) = (counter(record.seen), counter(on_disk));
            self.violate("S2", || {
                format!("{id} shows {seen} of dataset {dataset} but its disk says {on_disk}")
            });
        }
        let shown = self.truth.shown_seen.entry((id, dataset)).or_default();
        let was = *shown;
        *shown = was.max(record.seen);
        if record.seen < was {
            self.violate("S2", || {
                format!(
                    "{id} has forgotten that it saw {} of dataset {dataset}",
                    counter(was)
                )
            });
        }
    }

    /// S6: among the contenders heard in the round, the one with most changed data wins.
    fn check_winner(&mut self, id: NodeId, dataset: DatasetId, record: &HolderRecord) {
        let Some(before) = self.shown(id, dataset) else {
            return;
        };
        if record.state != HolderState::Live || before.state != HolderState::Claiming {
            return;
        }
        let was_contending = before.is_contending;
        let is_better = |theirs: &HolderRecord| {
            !was_contending || theirs.lineage.compare_change(&record.lineage) == Ordering::Greater
        };
        let heard = record.heard.iter().filter(|speaker| speaker.node != id);
        let loser = heard
            .filter_map(|speaker| Some((speaker, self.shown(speaker.node, dataset)?)))
            .find(|(speaker, theirs)| {
                theirs.boot == speaker.boot
                    && theirs.seen == record.epoch
                    && theirs.is_contending
                    && is_better(theirs)
            })
            .map(|(speaker, _)| speaker.node);
        if let Some(loser) = loser {
            self.violate("S6", || {
                format!("{id} wins dataset {dataset} over {loser}, whose branch is better")
            });
        }
    }

    /// A branch that was served gives in only to a winner that has it, or whose round heard it.
    fn check_giving_in(&mut self, id: NodeId, dataset: DatasetId, record: &HolderRecord) {
        let gives_in = self
            .shown(id, dataset)
            .is_some_and(|before| before.is_contending && !record.is_contending)
            && record.state == HolderState::Replica;
        let has_stood_still = self.running_ref(id).is_none_or(|running| running.had_gap);
        if !gives_in || has_stood_still || record.is_deleted {
            return;
        }
        let Some(brain) = self.brain(id) else {
            return;
        };
        let me = brain.me();
        let is_right = self.nodes.keys().filter(|node| **node != id).any(|node| {
            let has_heard = brain
                .known_record(dataset, *node)
                .is_some_and(|winner| winner.heard.contains(&me));
            let has_branch = self
                .copy(*node, dataset)
                .is_some_and(|copy| record.lineage.within(&copy.lineage));
            has_heard || has_branch
        });
        if !is_right {
            self.violate("S5", || {
                format!(
                    "{id} gives dataset {dataset} up to a winner that never heard of its branch"
                )
            });
        }
    }

    /// S1: an epoch is served by the node that it names; without any fault never two at once; and
    /// whoever was heard in a round doesn't serve under a lower epoch.
    pub(super) fn check_open(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        let others: Vec<_> = self
            .truth
            .open_nodes(dataset)
            .filter(|(other, _)| *other != id)
            .collect();
        if others.is_empty() {
            return;
        }
        self.truth.tally.two_open += 1;
        if !self.truth.is_faulty {
            self.violate("S1", || {
                format!("{id} opens dataset {dataset} beside {others:?} without any fault")
            });
        }
        let heard = self.shown(id, dataset).map(|mine| mine.heard.clone());
        for (other, other_epoch) in others {
            let speaker = self.brain(other).map(StateMachine::me);
            let was_heard = heard.as_ref().zip(speaker);
            let was_heard = was_heard.is_some_and(|(heard, other)| heard.contains(&other));
            if other_epoch < epoch && was_heard {
                self.violate("S1", || {
                    format!("{other} was heard by {id} and still serves dataset {dataset}")
                });
            }
        }
    }

    /// S1: an epoch is claimed by the node that it names, and is above all that node has seen.
    pub(super) fn check_begun(&mut self, id: NodeId, dataset: DatasetId, epoch: Epoch) {
        let seen = self.row_seen(id, dataset);
        if epoch.node != id || epoch < seen {
            self.violate("S1", || {
                format!(
                    "{id} goes live for dataset {dataset} under {}",
                    counter(epoch)
                )
            });
        }
    }

    /// S1: no two nodes that know each other's newest records both serve.
    pub(super) fn check_knowing_each_other(&mut self, id: NodeId, dataset: DatasetId) {
        let open = self.truth.open.get(&dataset);
        if open.is_none_or(|open| open.len() < 2) {
            return;
        }
        let others: Vec<_> = self
            .truth
            .open_nodes(dataset)
            .map(|(node, _)| node)
            .collect();
        let knows = |one: NodeId, other: NodeId| {
            let Some(brain) = self.brain(one) else {
                return false;
            };
            let shown = self.shown(other, dataset);
            brain.serving(dataset).is_some()
                && shown.is_some()
                && brain.known_record(dataset, other) == shown
        };
        let both = others
            .into_iter()
            .filter(|other| *other != id)
            .find(|other| knows(id, *other) && knows(*other, id));
        if let Some(other) = both {
            self.violate("S1", || {
                format!("{id} and {other} serve dataset {dataset} and know it")
            });
        }
    }

    pub(super) fn row_seen(&self, id: NodeId, dataset: DatasetId) -> Epoch {
        self.disk(id)
            .and_then(|disk| disk.datasets.get(&dataset)?.row.as_ref())
            .map(|row| row.seen)
            .unwrap_or_default()
    }
}
