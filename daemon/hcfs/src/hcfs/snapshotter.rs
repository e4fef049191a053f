//! Turning marks into snapshots, and finding the changes that gave no event.

use super::{Hcfs, lock};
use crate::backend::BackendError;
use crate::debounce::{self, Pacing};
use crate::error::HcfsError;
use crate::watch::Mark;
use hwc_api::ids::DatasetId;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// When nothing waits, the snapshotter waits for a mark; this only bounds the wait.
const NOTHING_DUE: Duration = Duration::from_secs(3600);

impl Hcfs {
    pub(super) fn spawn_snapshotter(&self) {
        let hcfs = self.clone();
        let tasks = &self.inner.parts.tasks;
        let token = tasks.token();
        tasks.spawn("take snapshots", async move {
            loop {
                let wait = hcfs.start_due_snapshots().unwrap_or(NOTHING_DUE);
                tokio::select! {
                    () = token.cancelled() => return,
                    () = hcfs.inner.marks.changed() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        });
    }

    /// Starts the snapshots that are due, as many as may run. Says when the next is due.
    fn start_due_snapshots(&self) -> Option<Duration> {
        let inner = &self.inner;
        let marks = inner.marks.all();
        let plan = {
            let pacing = lock(&inner.pacing);
            debounce::plan(
                &inner.parts.config.pace,
                self.clock().now(),
                &marks,
                &pacing,
            )
        };
        for dataset in plan.due {
            // Whoever ends asks for a new plan, so that the others get their turn.
            let Ok(turn) = Arc::clone(&inner.snapshotting).try_acquire_owned() else {
                break;
            };
            lock(&inner.pacing).entry(dataset).or_default().is_busy = true;
            let hcfs = self.clone();
            let name = format!("snapshot dataset {dataset}");
            inner.parts.tasks.spawn(name, async move {
                hcfs.snapshot_marked(dataset).await;
                drop(turn);
                hcfs.inner.marks.replan();
            });
        }
        plan.next_in
    }

    async fn snapshot_marked(&self, dataset: DatasetId) {
        let started = self.clock().now();
        let outcome = self.try_snapshot_marked(dataset).await;
        let has_failed = match outcome {
            Ok(is_live) => {
                if !is_live {
                    lock(&self.inner.pacing).remove(&dataset);
                    return;
                }
                false
            }
            Err((mark, error)) => {
                let error = &error as &dyn Error;
                tracing::warn!(error, dataset.id = %dataset, "no snapshot; trying again");
                self.inner.marks.put_back(dataset, mark);
                true
            }
        };
        let pace = &self.inner.parts.config.pace;
        let pacing: Pacing =
            debounce::after_snapshot(pace, started, self.clock().now(), has_failed);
        lock(&self.inner.pacing).insert(dataset, pacing);
    }

    /// Takes the snapshot of a marked dataset; says whether it is live at all.
    async fn try_snapshot_marked(&self, dataset: DatasetId) -> Result<bool, (Mark, HcfsError)> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        // Taken under the lock and before the snapshot: a change from here on marks again.
        let Some(mark) = self.inner.marks.take(dataset) else {
            return Ok(state.live.is_some());
        };
        if state.live.is_none() {
            return Ok(false);
        }
        let taken = self.snapshot_live(dataset, &mut state, mark.first_at).await;
        let taken = taken.map_err(|error| (mark, error))?;
        (self.inner.parts.snapshots)(dataset, taken);
        Ok(true)
    }

    /// The net under the events: looks at all live datasets from time to time, and at once when
    /// events were lost.
    pub(super) fn spawn_scan(&self) {
        let hcfs = self.clone();
        let interval = self.inner.parts.config.scan_interval;
        let tasks = &self.inner.parts.tasks;
        let token = tasks.token();
        tasks.spawn("scan for changes", async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    () = hcfs.inner.marks.scan_wanted() => {}
                    () = tokio::time::sleep(interval) => {}
                }
                hcfs.scan().await;
            }
        });
    }

    async fn scan(&self) {
        match self.backend().changed_live().await {
            Ok(changed) => {
                for dataset in changed {
                    self.inner.marks.mark(dataset);
                }
            }
            Err(error) => {
                warn_of_blind_scan(&error);
                for (dataset, cell) in self.cells() {
                    if cell.state.lock().await.live.is_some() {
                        self.inner.marks.mark(dataset);
                    }
                }
            }
        }
    }
}

fn warn_of_blind_scan(error: &BackendError) {
    let error = error as &dyn Error;
    tracing::warn!(
        error,
        "no scan for changes; taking all live datasets for changed"
    );
}
