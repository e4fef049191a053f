//! Removing superfluous snapshots. What is superfluous is decided in `retention`.

use super::{Hcfs, lock};
use crate::error::HcfsError;
use crate::layout::Volume;
use crate::retention::superfluous;
use hwc_api::ids::DatasetId;
use hwc_api::ownership::SnapshotId;
use std::collections::BTreeSet;
use std::error::Error;

impl Hcfs {
    /// These snapshots must be kept whatever the policy says, in place of the list before. Until
    /// the first list of a start nothing of the dataset is thinned.
    pub async fn retain(&self, dataset: DatasetId, snapshots: BTreeSet<SnapshotId>) {
        let cell = self.cell(dataset);
        cell.state.lock().await.retain = Some(snapshots);
    }

    pub(super) fn spawn_thinning(&self) {
        let hcfs = self.clone();
        let interval = self.inner.parts.config.thinning_interval;
        let tasks = &self.inner.parts.tasks;
        tasks.spawn_until_stopped("thin out snapshots", async move {
            loop {
                tokio::time::sleep(interval).await;
                for (dataset, _cell) in hcfs.cells() {
                    if let Err(error) = hcfs.thin(dataset).await {
                        let error = &error as &dyn Error;
                        tracing::warn!(error, dataset.id = %dataset, "snapshots not thinned");
                    }
                }
            }
        });
    }

    /// Removes the superfluous snapshots of a dataset now. Gives their names.
    ///
    /// # Errors
    /// When the filesystem refuses; the next call goes on.
    pub async fn thin(&self, dataset: DatasetId) -> Result<Vec<SnapshotId>, HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        let Some(retain) = &state.retain else {
            return Ok(Vec::new());
        };
        let mut keep = retain.clone();
        keep.extend(lock(&cell.in_use).keys());
        let policy = &self.inner.parts.config.retention;
        let now = self.clock().wall();
        let gone = superfluous(policy, now, &state.history.retained(), &keep);
        for snapshot in &gone {
            self.destroy(Volume::Snapshot(dataset, *snapshot)).await?;
            state.history.forget(*snapshot);
        }
        if !gone.is_empty() {
            tracing::debug!(dataset.id = %dataset, count = gone.len(), "snapshots thinned");
        }
        Ok(gone)
    }
}
