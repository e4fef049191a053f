//! Bringing the pool in order at the start, and finding what is on it.
//!
//! Nobody resumes serving from disk: live data left by a crash is saved as a snapshot under a
//! fresh label (never one of the old epoch, whose names the next copies may have used), then
//! removed. What is unfinished is removed. What can't be saved is left, and says so.

use super::{Cell, Filed, Hcfs, Inner, InventoryItem, Parts, State};
use crate::error::HcfsError;
use crate::history::History;
use crate::layout::{Layout, Volume};
use crate::record::{self, SnapshotRecord};
use crate::watch::DirtyMarks;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::{Epoch, SnapshotId};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What the folders of the pool hold.
#[derive(Debug, Default)]
struct Found {
    main: BTreeMap<DatasetId, Vec<SnapshotRecord>>,
    divergent: Vec<(DatasetId, SnapshotId, SnapshotRecord)>,
    live: BTreeSet<DatasetId>,
    /// Without a record: never finished, or half deleted.
    unfinished: Vec<Volume>,
    /// Without a volume.
    records_only: Vec<Volume>,
}

impl Hcfs {
    /// Brings the pool in order, says what is on it, and starts to watch it. Must be called when
    /// nobody writes to live data any more: what an earlier start left of it is saved and removed.
    ///
    /// # Errors
    /// When the pool is unfit or unreadable. Live data that can't be saved is no error: it stays
    /// where it is, and that dataset can't be made live here.
    pub async fn start(
        parts: Parts,
        me: NodeId,
        boot: BootId,
    ) -> Result<(Self, Vec<InventoryItem>), HcfsError> {
        parts.backend.prepare().await?;
        parts.backend.clear_incoming().await?;
        let config = &parts.config;
        let inner = Inner {
            me,
            marks: DirtyMarks::new(parts.clock.clone()),
            cells: Mutex::default(),
            pacing: Mutex::default(),
            next_stream: AtomicU64::new(1),
            sending: Arc::new(Semaphore::new(config.sending_max)),
            sending_to: Mutex::default(),
            receiving: Arc::new(Semaphore::new(config.receiving_max)),
            running: Mutex::default(),
            snapshotting: Arc::new(Semaphore::new(config.snapshots_max)),
            parts,
        };
        let hcfs = Self {
            inner: Arc::new(inner),
        };
        let found = hcfs.records("find", find).await?;
        hcfs.remove_unfinished(&found).await;
        let live = found.live.clone();
        hcfs.take_over(found).await;
        for dataset in live {
            hcfs.save_left_over(dataset, boot).await;
        }
        let inventory = hcfs.inventory().await;
        let parts = &hcfs.inner.parts;
        parts
            .backend
            .watch(hcfs.inner.marks.clone(), &parts.tasks)?;
        hcfs.spawn_snapshotter();
        hcfs.spawn_scan();
        hcfs.spawn_thinning();
        Ok((hcfs, inventory))
    }

    async fn remove_unfinished(&self, found: &Found) {
        for volume in &found.unfinished {
            tracing::info!(%volume, "removing what was never finished");
            self.destroy_or_warn(*volume).await;
        }
        for volume in &found.records_only {
            let volume = *volume;
            tracing::debug!(%volume, "removing a record without a snapshot");
            self.destroy_or_warn(volume).await;
        }
    }

    async fn destroy_or_warn(&self, volume: Volume) {
        if let Err(error) = self.destroy(volume).await {
            let error = &error as &dyn Error;
            tracing::warn!(error, %volume, "it could not be removed");
        }
    }

    /// Makes the cells of everything that is complete.
    async fn take_over(&self, found: Found) {
        let token = self.inner.parts.tasks.token();
        let mut states: BTreeMap<DatasetId, State> = BTreeMap::new();
        let fresh = || State::new(token.child_token());
        for (dataset, records) in found.main {
            let (history, superseded) = History::of(records);
            for snapshot in superseded {
                self.destroy_or_warn(Volume::Snapshot(dataset, snapshot))
                    .await;
            }
            states.entry(dataset).or_insert_with(fresh).history = history;
        }
        for (dataset, snapshot, record) in found.divergent {
            let state = states.entry(dataset).or_insert_with(fresh);
            state.divergent.insert(snapshot, Filed::of(&record));
        }
        for dataset in found.live {
            states.entry(dataset).or_insert_with(fresh);
        }
        let mut cells = super::lock(&self.inner.cells);
        for (dataset, state) in states {
            cells.insert(dataset, Arc::new(Cell::new(state)));
        }
    }

    /// Saves the live data that an earlier start left, and removes it.
    async fn save_left_over(&self, dataset: DatasetId, boot: BootId) {
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        if let Err(error) = self.try_save_left_over(dataset, &mut state, boot).await {
            state.has_left_over = true;
            tracing::error!(
                error = &error as &dyn Error,
                dataset.id = %dataset,
                "unsaved live data of an earlier start stays where it is"
            );
        }
    }

    async fn try_save_left_over(
        &self,
        dataset: DatasetId,
        state: &mut State,
        boot: BootId,
    ) -> Result<(), HcfsError> {
        let volume = Volume::Live(dataset);
        let head = state.history.head_id();
        // Not being able to tell counts as changed.
        let is_changed = self.backend().is_changed(dataset, head).await;
        if is_changed.unwrap_or(true) {
            let opened = self
                .records("read", move |layout| record::read_live(layout, volume))
                .await?;
            let under = opened.map(|record| record.epoch);
            let under = under.or(head.map(|head| head.epoch));
            let snapshot = SnapshotId {
                epoch: Epoch {
                    counter: under.map_or(1, |epoch| epoch.counter),
                    node: self.inner.me,
                    boot,
                },
                sequence: 1,
            };
            let now = self.clock().wall();
            self.save(dataset, state, snapshot, now).await?;
            tracing::info!(dataset.id = %dataset, %snapshot, "unsaved live data was saved");
        }
        self.destroy(volume).await
    }

    /// What is on this disk, by dataset.
    async fn inventory(&self) -> Vec<InventoryItem> {
        let mut items = Vec::new();
        for (dataset, cell) in self.cells() {
            let state = cell.state.lock().await;
            let head = state.history.head();
            if head.is_none() && state.divergent.is_empty() {
                continue;
            }
            items.push(InventoryItem {
                dataset,
                lineage: head.map(|_| state.history.lineage().clone()),
                divergent: state
                    .divergent
                    .values()
                    .map(|filed| filed.lineage.clone())
                    .collect(),
                head_taken_at: head.map(|head| head.taken_at).unwrap_or_default(),
            });
        }
        items
    }
}

impl Filed {
    pub(super) fn of(record: &SnapshotRecord) -> Self {
        Self {
            lineage: record.lineage.clone(),
            guid: record.guid,
            taken_at: record.taken_at,
        }
    }
}

/// Looks at every folder of the pool. Blocking.
fn find(layout: &Layout) -> io::Result<Found> {
    let mut found = Found::default();
    let volumes = layout.found()?;
    for volume in &volumes {
        let (dataset, snapshot) = match *volume {
            Volume::Live(dataset) => {
                found.live.insert(dataset);
                continue;
            }
            Volume::Snapshot(dataset, snapshot)
            | Volume::Divergent(dataset, snapshot)
            | Volume::Trash(dataset, snapshot) => (dataset, snapshot),
        };
        match (record::read(layout, *volume, snapshot)?, volume) {
            (None, _) => found.unfinished.push(*volume),
            (Some(record), Volume::Snapshot(..)) => {
                found.main.entry(dataset).or_default().push(record);
            }
            (Some(record), Volume::Divergent(..)) => {
                found.divergent.push((dataset, snapshot, record));
            }
            (Some(_), Volume::Trash(..) | Volume::Live(_)) => {}
        }
    }
    let there: BTreeSet<Volume> = volumes.into_iter().collect();
    found.records_only = layout
        .found_records()?
        .into_iter()
        .filter(|volume| !there.contains(volume))
        .collect();
    Ok(found)
}
