//! What becomes of copies: kept beside as divergent, rolled back, dropped, put into the trash.
//!
//! Every function here finishes what an interrupted earlier call began, and discards nothing that
//! is not kept elsewhere, whoever asks.

use super::{Filed, Hcfs, State};
use crate::error::HcfsError;
use crate::layout::Volume;
use crate::record::{self, SnapshotRecord};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::{Lineage, SnapshotId};
use hwc_api::time::WallTime;
use std::time::{Duration, UNIX_EPOCH};

/// What the losing side of a netsplit wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergent {
    /// Its history.
    pub lineage: Lineage,
    /// When its newest snapshot was taken.
    pub taken_at: WallTime,
}

impl Hcfs {
    /// Keeps the copy as it is as a divergent one too. It is on disk when this returns.
    ///
    /// # Errors
    /// When the copy's history is not `lineage`, or the filesystem refuses.
    pub async fn file_divergent(
        &self,
        dataset: DatasetId,
        lineage: &Lineage,
    ) -> Result<(), HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        let expected = lineage.head();
        let Some(snapshot) = expected else {
            return Ok(());
        };
        if state.divergent.contains_key(&snapshot) {
            return Ok(());
        }
        if !state.history.lineage().same_branch(lineage) {
            let found = state.history.head_id();
            return Err(HcfsError::OtherHead {
                dataset,
                expected,
                found,
            });
        }
        let from = Volume::Snapshot(dataset, snapshot);
        let to = Volume::Divergent(dataset, snapshot);
        let record = self.read_record(from, snapshot).await?;
        self.backend().copy(from, to).await?;
        self.complete(to, &record).await?;
        state.divergent.insert(snapshot, Filed::of(&record));
        tracing::info!(dataset.id = %dataset, %snapshot, "kept as a divergent copy");
        Ok(())
    }

    /// Winds the copy back to the newest retained snapshot at or before `to`, or removes it where
    /// none is retained. Gives the history that it has then.
    ///
    /// # Errors
    /// When the dataset is live, a snapshot would be lost that no divergent copy has, or the
    /// filesystem refuses; then some of the snapshots may be gone already.
    pub async fn roll_back(
        &self,
        dataset: DatasetId,
        to: Option<SnapshotId>,
    ) -> Result<Option<Lineage>, HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        state.require_not_live(dataset)?;
        let (gone, head) = state.history.beyond(to);
        if let Some(snapshot) = gone.iter().find(|snapshot| !state.is_filed(**snapshot)) {
            return Err(HcfsError::NotFiled {
                dataset,
                snapshot: *snapshot,
            });
        }
        self.remove_snapshots(dataset, &mut state, &gone, head)
            .await?;
        Ok(head.map(|_| state.history.lineage().clone()))
    }

    /// Removes the copy; divergent ones stay. The caller has made sure that others hold it.
    ///
    /// # Errors
    /// When the dataset is live, or the filesystem refuses.
    pub async fn drop_copy(&self, dataset: DatasetId) -> Result<(), HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        state.require_not_live(dataset)?;
        let (gone, _none) = state.history.beyond(None);
        self.remove_snapshots(dataset, &mut state, &gone, None)
            .await
    }

    /// Puts the newest snapshot of a deleted dataset into the trash and removes the others.
    ///
    /// # Errors
    /// When the dataset is live, or the filesystem refuses.
    pub async fn move_to_trash(&self, dataset: DatasetId) -> Result<(), HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        state.require_not_live(dataset)?;
        if let Some(snapshot) = state.history.head_id() {
            let from = Volume::Snapshot(dataset, snapshot);
            let to = Volume::Trash(dataset, snapshot);
            let record = self.read_record(from, snapshot).await?;
            self.backend().copy(from, to).await?;
            self.complete(to, &record).await?;
        }
        let (gone, _none) = state.history.beyond(None);
        self.remove_snapshots(dataset, &mut state, &gone, None)
            .await
    }

    /// Removes from the trash what came into it before a moment.
    ///
    /// # Errors
    /// When the filesystem refuses.
    pub async fn empty_trash(&self, before: WallTime) -> Result<(), HcfsError> {
        let old = self
            .records("find", move |layout| {
                let mut old = Vec::new();
                for volume in layout.found_records()? {
                    let is_trash = matches!(volume, Volume::Trash(..));
                    if is_trash && is_older(&layout.record(volume), before)? {
                        old.push(volume);
                    }
                }
                Ok(old)
            })
            .await?;
        for volume in old {
            self.destroy(volume).await?;
        }
        Ok(())
    }

    /// The divergent copies of a dataset.
    pub async fn divergent(&self, dataset: DatasetId) -> Vec<Divergent> {
        let cell = self.cell(dataset);
        let state = cell.state.lock().await;
        let shown = |filed: &Filed| Divergent {
            lineage: filed.lineage.clone(),
            taken_at: filed.taken_at,
        };
        state.divergent.values().map(shown).collect()
    }

    /// Removes a divergent copy for good: by order of the registry only. One that is not there is
    /// fine.
    ///
    /// # Errors
    /// When the filesystem refuses.
    pub async fn forget_divergent(
        &self,
        dataset: DatasetId,
        head: SnapshotId,
    ) -> Result<(), HcfsError> {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        self.destroy(Volume::Divergent(dataset, head)).await?;
        state.divergent.remove(&head);
        Ok(())
    }

    /// Removes snapshots, newest first, so that what is left after a crash is always a whole
    /// history; then takes `head` for the newest.
    async fn remove_snapshots(
        &self,
        dataset: DatasetId,
        state: &mut State,
        gone: &[SnapshotId],
        head: Option<SnapshotId>,
    ) -> Result<(), HcfsError> {
        state.outgoing.cancel();
        state.outgoing = self.inner.parts.tasks.token().child_token();
        let record = match head {
            Some(head) => {
                let volume = Volume::Snapshot(dataset, head);
                Some(self.read_record(volume, head).await?)
            }
            None => None,
        };
        for snapshot in gone {
            self.destroy(Volume::Snapshot(dataset, *snapshot)).await?;
        }
        self.backend().sync().await?;
        state.history.rewound_to(record.as_ref());
        Ok(())
    }

    pub(super) async fn read_record(
        &self,
        volume: Volume,
        snapshot: SnapshotId,
    ) -> Result<SnapshotRecord, HcfsError> {
        self.records("read", move |layout| {
            record::read(layout, volume, snapshot)?
                .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
        })
        .await
    }
}

fn is_older(path: &std::path::Path, before: WallTime) -> std::io::Result<bool> {
    let before = u64::try_from(before.0).unwrap_or(0);
    let modified = std::fs::metadata(path)?.modified()?;
    Ok(modified < UNIX_EPOCH + Duration::from_millis(before))
}
