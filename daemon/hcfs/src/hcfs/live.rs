//! Being live: making the live data, taking snapshots of it, ending it.

use super::{Hcfs, State, TakenSnapshot};
use crate::error::HcfsError;
use crate::layout::Volume;
use crate::record::{self, LiveRecord, SnapshotRecord};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::{Epoch, SnapshotId};
use hwc_api::time::WallTime;
use std::error::Error;
use std::path::PathBuf;

/// How often the live data may turn out to have been written to again while it is being ended.
const LAST_SNAPSHOTS_MAX: usize = 3;

impl Hcfs {
    /// Makes the dataset live under `epoch`: its live data is the content of `from`, which must be
    /// the newest snapshot; without one it is empty, and its first snapshot is taken at once. From
    /// here on changes become snapshots. Gives the path of the live data. A dataset that is live
    /// under this very epoch already stays as it is.
    ///
    /// # Errors
    /// When the copy is another than `from`, the dataset is live, or the filesystem refuses.
    pub async fn go_live(
        &self,
        dataset: DatasetId,
        epoch: Epoch,
        from: Option<SnapshotId>,
    ) -> Result<PathBuf, HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        let path = self.live_path(dataset);
        if state.live == Some(epoch) {
            return Ok(path);
        }
        state.require_not_live(dataset)?;
        if state.has_left_over {
            return Err(HcfsError::LeftOver(dataset));
        }
        let found = state.history.head_id();
        if found != from {
            let expected = from;
            return Err(HcfsError::OtherHead {
                dataset,
                expected,
                found,
            });
        }
        let next = state.history.next_id(epoch);
        if state.history.lineage().with(next, 0).is_none() {
            return Err(HcfsError::EpochOutOfOrder { dataset, epoch });
        }
        let volume = Volume::Live(dataset);
        let opened = LiveRecord { epoch };
        self.records("write", move |layout| {
            record::write_live(layout, volume, &opened)
        })
        .await?;
        // What is there can only be of a call like this one that was interrupted before anybody
        // could write to it: ending removes the volume before it forgets that it was live.
        self.backend().delete(volume).await?;
        self.backend().create_live(dataset, from).await?;
        state.live = Some(epoch);
        if from.is_none() {
            let now = self.clock().wall();
            match self.snapshot_live(dataset, &mut state, now).await {
                Ok(first) => (self.inner.parts.snapshots)(dataset, first),
                Err(error) => {
                    state.live = None;
                    self.destroy(volume).await?;
                    return Err(error);
                }
            }
        }
        tracing::info!(dataset.id = %dataset, %epoch, "live");
        Ok(path)
    }

    /// Under which epoch the dataset is live here, if it is.
    pub async fn live_epoch(&self, dataset: DatasetId) -> Option<Epoch> {
        self.cell(dataset).state.lock().await.live
    }

    /// Takes a snapshot if anything changed since the newest one; to be called when the services
    /// have stopped or are quiesced. Everything written before the call is in the newest snapshot
    /// after it, durably. The listener isn't told.
    ///
    /// # Errors
    /// When the dataset is not live, or the filesystem refuses.
    pub async fn final_snapshot(
        &self,
        dataset: DatasetId,
    ) -> Result<Option<TakenSnapshot>, HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        self.snapshot_if_changed(dataset, &mut state).await
    }

    /// Ends being live: takes a last snapshot if anything changed, removes the live data, and ends
    /// every transfer of this dataset. To be called when the services have stopped. The listener
    /// isn't told of the snapshot that is returned. A dataset that is not live is fine.
    ///
    /// # Errors
    /// When something keeps writing, or the filesystem refuses; then the dataset is live still.
    pub async fn end_live(&self, dataset: DatasetId) -> Result<Option<TakenSnapshot>, HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        if state.live.is_none() {
            return Ok(None);
        }
        state.outgoing.cancel();
        state.outgoing = self.inner.parts.tasks.token().child_token();
        let mut last = None;
        for _ in 0..LAST_SNAPSHOTS_MAX {
            let Some(taken) = self.snapshot_if_changed(dataset, &mut state).await? else {
                self.remove_live(dataset, &mut state).await?;
                return Ok(last);
            };
            if let Some(earlier) = last.replace(taken) {
                (self.inner.parts.snapshots)(dataset, earlier);
            }
        }
        if let Some(taken) = last {
            (self.inner.parts.snapshots)(dataset, taken);
        }
        Err(HcfsError::StillWritten(dataset))
    }

    async fn remove_live(&self, dataset: DatasetId, state: &mut State) -> Result<(), HcfsError> {
        // The volume first: live data without a record would lose its counter if we crashed here.
        let volume = Volume::Live(dataset);
        self.backend().delete(volume).await?;
        state.live = None;
        self.inner.marks.take(dataset);
        super::lock(&self.inner.pacing).remove(&dataset);
        tracing::info!(dataset.id = %dataset, "not live any more");
        self.records("remove", move |layout| record::remove(layout, volume))
            .await
    }

    async fn snapshot_if_changed(
        &self,
        dataset: DatasetId,
        state: &mut State,
    ) -> Result<Option<TakenSnapshot>, HcfsError> {
        if state.live.is_none() {
            return Err(HcfsError::NotLive(dataset));
        }
        let head = state.history.head_id();
        if !self.backend().is_changed(dataset, head).await? {
            self.inner.marks.take(dataset);
            return Ok(None);
        }
        let mark = self.inner.marks.take(dataset);
        let changed_since = mark.map_or_else(|| self.clock().wall(), |mark| mark.first_at);
        self.snapshot_live(dataset, state, changed_since)
            .await
            .map(Some)
    }

    /// Takes the next snapshot of live data.
    pub(super) async fn snapshot_live(
        &self,
        dataset: DatasetId,
        state: &mut State,
        changed_since: WallTime,
    ) -> Result<TakenSnapshot, HcfsError> {
        let epoch = state.live.ok_or(HcfsError::NotLive(dataset))?;
        let snapshot = state.history.next_id(epoch);
        self.save(dataset, state, snapshot, changed_since).await
    }

    /// Makes the live data the snapshot of this name, complete.
    pub(super) async fn save(
        &self,
        dataset: DatasetId,
        state: &mut State,
        snapshot: SnapshotId,
        changed_since: WallTime,
    ) -> Result<TakenSnapshot, HcfsError> {
        let taken_at = self.clock().wall();
        let before = state.history.head_id();
        let volume = Volume::Snapshot(dataset, snapshot);
        let guid = self.backend().snapshot_live(dataset, snapshot).await?;
        let counted = self
            .backend()
            .changed_bytes(dataset, before, snapshot)
            .await;
        let changed_bytes = counted.unwrap_or_else(|error| {
            let error = &error as &dyn Error;
            tracing::warn!(error, dataset.id = %dataset, "changes were not counted");
            0
        });
        let lineage = state.history.lineage();
        let lineage = lineage
            .with(snapshot, changed_bytes)
            .or_else(|| lineage.with_fresh_label(snapshot, changed_bytes))
            .ok_or(HcfsError::EpochOutOfOrder {
                dataset,
                epoch: snapshot.epoch,
            })?;
        let record = SnapshotRecord {
            guid,
            lineage,
            arrival: state.history.next_arrival(),
            taken_at,
            changed_since,
        };
        self.complete(volume, &record).await?;
        state.history.push(&record);
        tracing::debug!(dataset.id = %dataset, %snapshot, changed_bytes, "snapshot taken");
        Ok(TakenSnapshot {
            snapshot,
            changed_bytes,
            taken_at,
        })
    }
}
