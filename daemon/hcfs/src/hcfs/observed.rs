//! What is reported of datasets: how fresh they and their copies are, how much they hold.

use super::{Hcfs, Used, lock};
use crate::backend::{self, Space};
use crate::layout::Volume;
use hwc_api::ids::DatasetId;
use hwc_api::observed::ReplicaObserved;
use hwc_api::ownership::SnapshotId;
use hwc_api::time::WallTime;
use std::error::Error;
use std::time::Duration;

/// Measuring reads every inode of a dataset: not more often than this.
const MEASURE_INTERVAL: Duration = Duration::from_secs(10);

/// How a dataset stands on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The newest snapshot.
    pub head: Option<SnapshotId>,
    /// When the oldest change was noticed that no snapshot has yet.
    pub changed_since: Option<WallTime>,
    /// How many snapshots are retained.
    pub snapshots: usize,
}

impl Hcfs {
    /// How a dataset stands on this node.
    pub async fn freshness(&self, dataset: DatasetId) -> Freshness {
        let cell = self.cell(dataset);
        let state = cell.state.lock().await;
        Freshness {
            head: state.history.head_id(),
            changed_since: self.inner.marks.get(dataset).map(|mark| mark.first_at),
            snapshots: state.history.kept().len(),
        }
    }

    /// How fresh a copy is whose holder confirmed `acknowledged`, as the live node sees it.
    pub async fn replica_observed(
        &self,
        dataset: DatasetId,
        acknowledged: Option<SnapshotId>,
    ) -> ReplicaObserved {
        let now = self.clock().wall();
        let cell = self.cell(dataset);
        let state = cell.state.lock().await;
        let lacking = state.history.lacking_since(acknowledged);
        let unsaved = self.inner.marks.get(dataset).map(|mark| mark.first_at);
        let oldest = lacking.or(unsaved);
        ReplicaObserved {
            acknowledged,
            current_as_of: oldest.map_or(now, |oldest| oldest.min(now)),
            is_current: oldest.is_none(),
        }
    }

    /// How full the pool is.
    ///
    /// # Errors
    /// When it can't be measured.
    pub async fn space(&self) -> backend::Result<Space> {
        self.backend().space().await
    }

    /// Bytes that the newest snapshot of a dataset holds; shared ones in full. Measured at most
    /// every ten seconds; 0 where there is no copy or it can't be measured.
    pub async fn used_bytes(&self, dataset: DatasetId) -> u64 {
        let cell = self.cell(dataset);
        let head = cell.state.lock().await.history.head_id();
        let Some(head) = head else {
            return 0;
        };
        let now = self.clock().now();
        let known = *lock(&cell.used);
        if let Some(used) = known
            && (used.head == head || now.since(used.at) < MEASURE_INTERVAL)
        {
            return used.bytes;
        }
        match self
            .backend()
            .used_bytes(Volume::Snapshot(dataset, head))
            .await
        {
            Ok(bytes) => {
                *lock(&cell.used) = Some(Used {
                    head,
                    at: now,
                    bytes,
                });
                bytes
            }
            Err(error) => {
                let error = &error as &dyn Error;
                tracing::debug!(error, dataset.id = %dataset, "not measured");
                known.map_or(0, |used| used.bytes)
            }
        }
    }
}
