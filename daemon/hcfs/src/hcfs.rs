//! The room's door: everything that the conductor calls.
//!
//! [`Hcfs::start`] brings the pool in order and says what is on it. After that every dataset has a
//! cell with a lock: what changes one dataset (a snapshot, a received stream, a roll-back) happens
//! one at a time, different datasets don't wait for each other. Calls that change something are to
//! be awaited to their end: one that is dropped midway is made good by the next call or start, but
//! until then disk and memory may differ. See the parts: `start`, `live`,
//! `snapshotter`, `copies`, `keeping`, `transfers`, `sending`,
//! `observed`.

mod copies;
mod keeping;
mod live;
mod observed;
mod sending;
mod snapshotter;
mod start;
mod transfers;

pub use copies::Divergent;
pub use observed::Freshness;
pub(crate) use transfers::StoreError;

use crate::backend::Backend;
use crate::debounce::SnapshotPace;
use crate::error::HcfsError;
use crate::history::History;
use crate::layout::{Layout, Volume};
use crate::record::{self, Guid, SnapshotRecord};
use crate::replication::{StreamGate, TransferTimes};
use crate::retention::RetentionPolicy;
use crate::watch::DirtyMarks;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_api::time::WallTime;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::dial::Dial;
use hwc_runtime::lifecycle::Tasks;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio_util::sync::CancellationToken;

/// How HCFS works.
#[derive(Debug, Clone, PartialEq)]
pub struct HcfsConfig {
    /// How soon and how often snapshots are taken.
    pub pace: SnapshotPace,
    /// How many snapshots are kept.
    pub retention: RetentionPolicy,
    /// How often superfluous snapshots are removed.
    pub thinning_interval: Duration,
    /// How often all live datasets are looked at, for changes that gave no event.
    pub scan_interval: Duration,
    /// Timeouts of transfers.
    pub transfers: TransferTimes,
    /// Transfers that this node sends at a time; each holds a program and about a megabyte.
    pub sending_max: usize,
    /// Of these, to one node: a slow one must not delay the others.
    pub sending_to_one_max: usize,
    /// Transfers that this node takes at a time.
    pub receiving_max: usize,
    /// Snapshots taken at a time: those begun together share one commit.
    pub snapshots_max: usize,
    /// Streams are refused when less than this is free: the smaller of so many bytes …
    pub reserve_bytes: u64,
    /// … and so many hundredths of the pool, so that a small pool is usable too.
    pub reserve_percent: u64,
}

impl Default for HcfsConfig {
    fn default() -> Self {
        Self {
            pace: SnapshotPace::default(),
            retention: RetentionPolicy::default(),
            thinning_interval: Duration::from_secs(10),
            scan_interval: Duration::from_secs(10),
            transfers: TransferTimes::default(),
            sending_max: 16,
            sending_to_one_max: 4,
            receiving_max: 16,
            snapshots_max: 16,
            reserve_bytes: 256 * 1024 * 1024,
            reserve_percent: 3,
        }
    }
}

/// A snapshot that was taken of live data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenSnapshot {
    /// Its name: the epoch of the live dataset, the next sequence number.
    pub snapshot: SnapshotId,
    /// Bytes changed since the snapshot before: newly written extents plus a little for each
    /// changed file or folder. Caches and logs are counted too.
    pub changed_bytes: u64,
    /// When. For people.
    pub taken_at: WallTime,
}

/// What is on this disk about one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryItem {
    /// Which.
    pub dataset: DatasetId,
    /// The history of its copy; none where there is no copy.
    pub lineage: Option<Lineage>,
    /// The histories of its divergent copies.
    pub divergent: Vec<Lineage>,
    /// When the newest snapshot was taken; the beginning of time where there is none.
    pub head_taken_at: WallTime,
}

/// Hears of each snapshot that is taken because live data changed. Called in the order of the
/// snapshots, while the dataset's lock is held: it must hand on and return at once.
pub type SnapshotListener = Arc<dyn Fn(DatasetId, TakenSnapshot) + Send + Sync>;

/// What HCFS is made of.
pub struct Parts {
    /// The filesystem.
    pub backend: Arc<dyn Backend>,
    /// The way to other nodes.
    pub dial: Arc<dyn Dial>,
    /// Who is asked about streams.
    pub gate: Arc<dyn StreamGate>,
    /// Who hears of snapshots.
    pub snapshots: SnapshotListener,
    /// The time.
    pub clock: Clock,
    /// The group that its tasks belong to; HCFS ends with it.
    pub tasks: Tasks,
    /// How it works.
    pub config: HcfsConfig,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Datasets on this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hcfs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    me: NodeId,
    marks: DirtyMarks,
    cells: Mutex<BTreeMap<DatasetId, Arc<Cell>>>,
    pacing: Mutex<BTreeMap<DatasetId, crate::debounce::Pacing>>,
    next_stream: AtomicU64,
    sending: Arc<Semaphore>,
    sending_to: Mutex<BTreeMap<NodeId, Arc<Semaphore>>>,
    receiving: Arc<Semaphore>,
    /// Bytes of the streams to replicas that are under way.
    running: Mutex<BTreeMap<(DatasetId, NodeId), Arc<AtomicU64>>>,
    snapshotting: Arc<Semaphore>,
}

/// One dataset.
#[derive(Debug)]
struct Cell {
    state: AsyncMutex<State>,
    /// Snapshots that are being sent, with how many times.
    in_use: Mutex<BTreeMap<SnapshotId, usize>>,
    used: Mutex<Option<Used>>,
}

/// How much a dataset occupied when it was last measured.
#[derive(Debug, Clone, Copy)]
struct Used {
    head: SnapshotId,
    at: Moment,
    bytes: u64,
}

/// What is known of one dataset; changed under its lock only.
#[derive(Debug)]
struct State {
    history: History,
    divergent: BTreeMap<SnapshotId, Filed>,
    live: Option<Epoch>,
    /// Live data of an earlier start that could not be saved.
    has_left_over: bool,
    /// What must be kept; none until the first list of this start: then nothing may go.
    retain: Option<BTreeSet<SnapshotId>>,
    /// Ends what is being sent of it.
    outgoing: CancellationToken,
}

/// A divergent copy.
#[derive(Debug, Clone)]
struct Filed {
    lineage: Lineage,
    guid: Guid,
    taken_at: WallTime,
}

impl State {
    fn new(outgoing: CancellationToken) -> Self {
        Self {
            history: History::default(),
            divergent: BTreeMap::new(),
            live: None,
            has_left_over: false,
            retain: None,
            outgoing,
        }
    }

    fn require_not_live(&self, dataset: DatasetId) -> Result<(), HcfsError> {
        match self.live {
            Some(epoch) => Err(HcfsError::Live { dataset, epoch }),
            None => Ok(()),
        }
    }

    /// Whether a snapshot of the main history is in a divergent copy too.
    fn is_filed(&self, snapshot: SnapshotId) -> bool {
        self.divergent
            .values()
            .any(|filed| filed.lineage.contains(snapshot))
    }
}

impl Hcfs {
    /// Where everything is in the pool.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        self.inner.parts.backend.layout()
    }

    /// Where the live data of a dataset is while it is live here.
    #[must_use]
    pub fn live_path(&self, dataset: DatasetId) -> std::path::PathBuf {
        self.layout().path(Volume::Live(dataset))
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        self.inner.parts.backend.as_ref()
    }

    pub(crate) fn gate(&self) -> &dyn StreamGate {
        self.inner.parts.gate.as_ref()
    }

    pub(crate) fn times(&self) -> &TransferTimes {
        &self.inner.parts.config.transfers
    }

    fn clock(&self) -> &Clock {
        &self.inner.parts.clock
    }

    /// The cell of a dataset, made if there is none: any id may be asked for.
    fn cell(&self, dataset: DatasetId) -> Arc<Cell> {
        let token = || self.inner.parts.tasks.token().child_token();
        let mut cells = lock(&self.inner.cells);
        let cell = cells
            .entry(dataset)
            .or_insert_with(|| Arc::new(Cell::new(State::new(token()))));
        Arc::clone(cell)
    }

    fn cells(&self) -> Vec<(DatasetId, Arc<Cell>)> {
        let cells = lock(&self.inner.cells);
        cells
            .iter()
            .map(|(dataset, cell)| (*dataset, Arc::clone(cell)))
            .collect()
    }

    /// The history of a dataset's copy; none for no copy.
    pub async fn lineage(&self, dataset: DatasetId) -> Option<Lineage> {
        let cell = lock(&self.inner.cells).get(&dataset).cloned()?;
        let state = cell.state.lock().await;
        (!state.history.is_empty()).then(|| state.history.lineage().clone())
    }

    /// Writes the record that makes a volume complete.
    async fn complete(&self, volume: Volume, record: &SnapshotRecord) -> Result<(), HcfsError> {
        let record = record.clone();
        self.records("write", move |layout| {
            record::write(layout, volume, &record)
        })
        .await
    }

    /// Deletes a complete volume: the record first, so that a half-deleted one is none.
    async fn destroy(&self, volume: Volume) -> Result<(), HcfsError> {
        self.records("remove", move |layout| record::remove(layout, volume))
            .await?;
        Ok(self.backend().delete(volume).await?)
    }

    /// Works on records on a thread that may block.
    async fn records<T, F>(&self, doing: &'static str, work: F) -> Result<T, HcfsError>
    where
        T: Send + 'static,
        F: FnOnce(&Layout) -> std::io::Result<T> + Send + 'static,
    {
        let layout = self.layout().clone();
        tokio::task::spawn_blocking(move || work(&layout))
            .await
            .unwrap_or_else(|cut_off| Err(std::io::Error::other(cut_off)))
            .map_err(|source| HcfsError::Record { doing, source })
    }
}

impl Cell {
    fn new(state: State) -> Self {
        Self {
            state: AsyncMutex::new(state),
            in_use: Mutex::default(),
            used: Mutex::default(),
        }
    }
}

/// Locks what is held for moments only. A panic inside leaves nothing half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
