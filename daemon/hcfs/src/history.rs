//! What is known of the main history of one dataset on this disk. Pure; derived from the records
//! at the start, kept up to date after that.

use crate::record::{Guid, SnapshotRecord};
use crate::retention::Retained;
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_api::time::WallTime;

/// A snapshot that is on disk, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub snapshot: SnapshotId,
    pub guid: Guid,
    pub arrival: u64,
    pub taken_at: WallTime,
    pub changed_since: WallTime,
}

/// The retained snapshots, oldest first, and the whole history up to the newest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct History {
    kept: Vec<Kept>,
    lineage: Lineage,
}

impl History {
    /// The history that a set of records tells, and the snapshots that are none of it: what a
    /// whole content was to replace when the power went.
    pub(crate) fn of(mut records: Vec<SnapshotRecord>) -> (Self, Vec<SnapshotId>) {
        records.sort_by_key(|record| record.arrival);
        let lineage = records
            .last()
            .map(|record| record.lineage.clone())
            .unwrap_or_default();
        let mut superseded = Vec::new();
        let mut kept = Vec::new();
        for record in &records {
            let Some(entry) = entry_of(record) else {
                continue;
            };
            if lineage.contains(entry.snapshot) {
                kept.push(entry);
            } else {
                superseded.push(entry.snapshot);
            }
        }
        (Self { kept, lineage }, superseded)
    }

    /// The newest snapshot.
    pub(crate) fn head(&self) -> Option<&Kept> {
        self.kept.last()
    }

    /// The newest snapshot's name.
    pub(crate) fn head_id(&self) -> Option<SnapshotId> {
        self.head().map(|kept| kept.snapshot)
    }

    /// The whole history up to the newest snapshot.
    pub(crate) fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Whether there is no snapshot, and so no copy.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// All retained snapshots, oldest first.
    pub(crate) fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// All retained snapshots as retention sees them.
    pub(crate) fn retained(&self) -> Vec<Retained> {
        let retained = |kept: &Kept| Retained {
            snapshot: kept.snapshot,
            taken_at: kept.taken_at,
        };
        self.kept.iter().map(retained).collect()
    }

    /// One retained snapshot.
    pub(crate) fn get(&self, snapshot: SnapshotId) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.snapshot == snapshot)
    }

    /// The place of the next snapshot in the order of arrival.
    pub(crate) fn next_arrival(&self) -> u64 {
        self.head().map_or(1, |kept| kept.arrival.saturating_add(1))
    }

    /// The name of the next snapshot under an epoch.
    pub(crate) fn next_id(&self, epoch: Epoch) -> SnapshotId {
        let last = self.lineage.head().filter(|head| head.epoch == epoch);
        SnapshotId {
            epoch,
            sequence: last.map_or(1, |head| head.sequence.saturating_add(1)),
        }
    }

    /// Adds the newest snapshot. Gives the snapshots that are no part of its history.
    pub(crate) fn push(&mut self, record: &SnapshotRecord) -> Vec<SnapshotId> {
        let Some(entry) = entry_of(record) else {
            return Vec::new();
        };
        self.lineage = record.lineage.clone();
        let superseded: Vec<_> = self
            .kept
            .iter()
            .map(|kept| kept.snapshot)
            .filter(|snapshot| !self.lineage.contains(*snapshot))
            .collect();
        let is_kept =
            |kept: &Kept| self.lineage.contains(kept.snapshot) && kept.snapshot != entry.snapshot;
        self.kept.retain(is_kept);
        self.kept.push(entry);
        superseded
    }

    /// Forgets a snapshot that is not the newest any more, or is gone.
    pub(crate) fn forget(&mut self, snapshot: SnapshotId) {
        self.kept.retain(|kept| kept.snapshot != snapshot);
    }

    /// What a roll-back to a common point takes away, newest first, and what is the newest then.
    pub(crate) fn beyond(&self, to: Option<SnapshotId>) -> (Vec<SnapshotId>, Option<SnapshotId>) {
        let common = self
            .lineage
            .up_to(to.filter(|to| self.lineage.contains(*to)));
        let (stay, go): (Vec<_>, Vec<_>) = self
            .kept
            .iter()
            .map(|kept| kept.snapshot)
            .partition(|snapshot| common.contains(*snapshot));
        (go.into_iter().rev().collect(), stay.last().copied())
    }

    /// Makes an older record the newest, after those behind it were removed.
    pub(crate) fn rewound_to(&mut self, record: Option<&SnapshotRecord>) {
        self.lineage = record.map(|r| r.lineage.clone()).unwrap_or_default();
        let lineage = &self.lineage;
        self.kept.retain(|kept| lineage.contains(kept.snapshot));
    }

    /// When the oldest change was noticed that a copy with `acknowledged` as its newest lacks; none
    /// if it has all snapshots.
    pub(crate) fn lacking_since(&self, acknowledged: Option<SnapshotId>) -> Option<WallTime> {
        let acknowledged = acknowledged.filter(|snapshot| self.lineage.contains(*snapshot));
        let known = self.lineage.up_to(acknowledged);
        self.kept
            .iter()
            .find(|kept| !known.contains(kept.snapshot))
            .map(|kept| kept.changed_since)
    }
}

fn entry_of(record: &SnapshotRecord) -> Option<Kept> {
    Some(Kept {
        snapshot: record.snapshot()?,
        guid: record.guid,
        arrival: record.arrival,
        taken_at: record.taken_at,
        changed_since: record.changed_since,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};

    fn id(counter: u32, sequence: u32) -> SnapshotId {
        SnapshotId {
            epoch: Epoch {
                counter,
                node: NodeId(1),
                boot: BootId(1),
            },
            sequence,
        }
    }

    fn records(ids: &[SnapshotId]) -> Vec<SnapshotRecord> {
        let mut lineage = Lineage::genesis();
        let mut made = Vec::new();
        for (arrival, id) in (1..).zip(ids) {
            lineage = lineage.with(*id, 10).expect("a successor");
            made.push(SnapshotRecord {
                guid: Guid([u8::try_from(arrival).expect("few"); 16]),
                lineage: lineage.clone(),
                arrival,
                taken_at: WallTime(arrival as i64 * 1_000),
                changed_since: WallTime(arrival as i64 * 1_000 - 400),
            });
        }
        made
    }

    #[test]
    fn the_head_is_what_arrived_last_and_the_rest_of_another_branch_goes() {
        let mut all = records(&[id(1, 1), id(1, 2), id(1, 3)]);
        let mut other = records(&[id(2, 1)]);
        other[0].arrival = 4;
        all.extend(other);
        all.reverse();
        let (history, superseded) = History::of(all);
        assert_eq!(history.head_id(), Some(id(2, 1)));
        assert_eq!(superseded, [id(1, 1), id(1, 2), id(1, 3)]);
        assert_eq!(history.kept().len(), 1);
        assert_eq!(history.next_arrival(), 5);
    }

    #[test]
    fn names_go_on_within_an_epoch_and_begin_anew_in_the_next() {
        let (history, _none) = History::of(records(&[id(1, 1), id(1, 2)]));
        assert_eq!(history.next_id(id(1, 0).epoch), id(1, 3));
        assert_eq!(history.next_id(id(2, 0).epoch), id(2, 1));
    }

    #[test]
    fn rolling_back_goes_newest_first_and_falls_on_what_is_retained() {
        let (mut history, _none) = History::of(records(&[id(1, 1), id(1, 2), id(1, 4), id(2, 1)]));
        assert_eq!(
            history.beyond(Some(id(1, 3))),
            (vec![id(2, 1), id(1, 4)], Some(id(1, 2)))
        );
        assert_eq!(history.beyond(None).1, None);
        assert_eq!(history.beyond(Some(id(9, 9))).1, None);
        let record = &records(&[id(1, 1), id(1, 2)])[1];
        history.rewound_to(Some(record));
        assert_eq!(history.head_id(), Some(id(1, 2)));
        assert_eq!(history.lineage(), &record.lineage);
    }

    #[test]
    fn a_copy_lacks_what_came_after_its_newest_snapshot() {
        let (history, _none) = History::of(records(&[id(1, 1), id(1, 2), id(1, 3)]));
        let lacking = |snapshot| history.lacking_since(snapshot);
        assert_eq!(lacking(Some(id(1, 3))), None);
        assert_eq!(lacking(Some(id(1, 1))), Some(WallTime(1_600)));
        assert_eq!(lacking(None), Some(WallTime(600)));
    }
}
