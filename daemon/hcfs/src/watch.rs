//! Which live datasets have changed and wait for a snapshot. Filled by a backend's watcher and by
//! the periodic scan, emptied by the snapshotter.
//!
//! A mark means "may have changed": one too many costs an empty snapshot, one too few costs data.

pub(crate) mod fanotify;

use hwc_api::ids::DatasetId;
use hwc_api::time::WallTime;
use hwc_runtime::clock::{Clock, Moment};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Since when, and until when so far, a dataset is being changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The first change that no snapshot has.
    pub first: Moment,
    /// The newest change.
    pub last: Moment,
    /// The first one, for people.
    pub first_at: WallTime,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    marks: Mutex<BTreeMap<DatasetId, Mark>>,
    changed: Notify,
    scan_wanted: Notify,
}

/// The marks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DirtyMarks(Arc<Inner>);

impl DirtyMarks {
    /// No marks.
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner {
            clock,
            marks: Mutex::default(),
            changed: Notify::new(),
            scan_wanted: Notify::new(),
        }))
    }

    /// Says that the live data of a dataset may have changed just now.
    pub fn mark(&self, dataset: DatasetId) {
        let now = self.0.clock.now();
        let is_new = {
            let mut marks = self.lock();
            let is_new = !marks.contains_key(&dataset);
            let mark = marks.entry(dataset).or_insert_with(|| Mark {
                first: now,
                last: now,
                first_at: self.0.clock.wall(),
            });
            mark.last = now;
            is_new
        };
        // A later change only puts the snapshot off, which the snapshotter sees when it wakes.
        if is_new {
            self.0.changed.notify_one();
        }
    }

    /// Says that changes were lost: everything must be looked at.
    pub fn ask_for_scan(&self) {
        self.0.scan_wanted.notify_one();
    }

    /// Waits until a scan is asked for. Cancel-safe.
    pub(crate) async fn scan_wanted(&self) {
        self.0.scan_wanted.notified().await;
    }

    /// Waits until a dataset is marked that was not. Cancel-safe.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Wakes the snapshotter to plan anew.
    pub(crate) fn replan(&self) {
        self.0.changed.notify_one();
    }

    /// All marks.
    pub(crate) fn all(&self) -> BTreeMap<DatasetId, Mark> {
        self.lock().clone()
    }

    /// The mark of one dataset.
    pub(crate) fn get(&self, dataset: DatasetId) -> Option<Mark> {
        self.lock().get(&dataset).copied()
    }

    /// Takes the mark of one dataset away. To be called before the snapshot is taken, so that what
    /// changes meanwhile marks it again.
    pub(crate) fn take(&self, dataset: DatasetId) -> Option<Mark> {
        self.lock().remove(&dataset)
    }

    /// Puts a mark back that no snapshot could be taken for.
    pub(crate) fn put_back(&self, dataset: DatasetId, mark: Mark) {
        let mut marks = self.lock();
        let entry = marks.entry(dataset).or_insert(mark);
        entry.first = entry.first.min(mark.first);
        entry.first_at = entry.first_at.min(mark.first_at);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DatasetId, Mark>> {
        self.0.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_mark_remembers_the_first_and_the_newest_change() {
        let clock = Clock::manual(WallTime(5));
        let marks = DirtyMarks::new(clock.clone());
        marks.mark(DatasetId(1));
        clock.advance(Duration::from_millis(70));
        marks.mark(DatasetId(1));
        let mark = marks.take(DatasetId(1)).expect("marked");
        assert_eq!(
            (mark.first, mark.last, mark.first_at),
            (Moment(0), Moment(70), WallTime(5))
        );
        assert_eq!(marks.take(DatasetId(1)), None);
        marks.mark(DatasetId(1));
        marks.put_back(DatasetId(1), mark);
        assert_eq!(marks.get(DatasetId(1)).map(|m| m.first), Some(Moment(0)));
    }
}
