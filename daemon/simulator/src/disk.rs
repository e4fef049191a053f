//! A node's disk: what survives a crash. Contents are sums over writes, not bytes.

use crate::truth::{Change, Content, Point};
use hwc_api::ids::DatasetId;
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_state_machine::PersistedRow;
use std::collections::{BTreeMap, BTreeSet};

/// Everything on a node's disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Per dataset.
    pub datasets: BTreeMap<DatasetId, DatasetOnDisk>,
}

/// One dataset on a node's disk.
#[derive(Debug, Clone, Default)]
pub struct DatasetOnDisk {
    /// The row last persisted.
    pub row: Option<PersistedRow>,
    /// The copy.
    pub copy: Option<Copy>,
    /// Divergent copies.
    pub divergent: Vec<Divergent>,
}

/// A copy: its newest snapshot, and what was written since.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The history that it claims to have.
    pub lineage: Lineage,
    /// The snapshot that it really has.
    pub tip: Point,
    /// What is in that.
    pub content: Content,
    /// What was written since.
    pub dirty: Change,
    /// Under which epoch that was written.
    pub opened_under: Epoch,
    /// Snapshots that were not pruned.
    pub retained: BTreeSet<SnapshotId>,
}

impl Copy {
    /// An empty filesystem.
    #[must_use]
    pub const fn empty(opened_under: Epoch) -> Self {
        Self {
            lineage: Lineage::genesis(),
            tip: Point::ROOT,
            content: Content::EMPTY,
            dirty: Change::NONE,
            opened_under,
            retained: BTreeSet::new(),
        }
    }
}

/// A divergent copy.
#[derive(Debug, Clone)]
pub struct Divergent {
    /// Its history.
    pub lineage: Lineage,
    /// The snapshot that it is.
    pub tip: Point,
    /// What is in it.
    pub content: Content,
}
