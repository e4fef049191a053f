//! A node's disk: what survives a crash. Contents are modelled as sets of write numbers.

use hwc_api::ids::DatasetId;
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_state_machine::PersistedRow;
use std::collections::{BTreeMap, BTreeSet};

/// The content of a filesystem: the numbers of the writes in it.
pub type Content = BTreeSet<u32>;

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
    pub divergent: Vec<(Lineage, Content)>,
}

/// A copy: its snapshots and what was written since.
#[derive(Debug, Clone, Default)]
pub struct Copy {
    /// History up to the newest snapshot.
    pub lineage: Lineage,
    /// All writes in it, also those in no snapshot yet.
    pub content: Content,
    /// Writes in no snapshot yet.
    pub dirty: Content,
    /// Under which epoch they were made.
    pub opened_under: Epoch,
    /// Snapshots that were not pruned.
    pub retained: BTreeSet<SnapshotId>,
}

impl Disk {
    /// Whether this write is anywhere on this disk.
    #[must_use]
    pub fn has_write(&self, dataset: DatasetId, write: u32) -> bool {
        let Some(on_disk) = self.datasets.get(&dataset) else {
            return false;
        };
        let in_copy = on_disk
            .copy
            .as_ref()
            .is_some_and(|copy| copy.content.contains(&write));
        in_copy || on_disk.keeps_divergent(write)
    }
}

impl DatasetOnDisk {
    /// Whether a divergent copy has this write.
    #[must_use]
    pub fn keeps_divergent(&self, write: u32) -> bool {
        self.divergent
            .iter()
            .any(|(_, content)| content.contains(&write))
    }
}
