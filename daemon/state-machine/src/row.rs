//! What a node keeps on disk about a dataset besides the data itself.

use hwc_api::ids::NodeId;
use hwc_api::ownership::{Epoch, SnapshotId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One row per dataset, written whole and with fsync. Lineages and divergent copies are not in it:
/// the filesystems themselves are the truth about those.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PersistedRow {
    /// The highest epoch this node has seen; never shown before it is here.
    pub seen: Epoch,
    /// The registry said that the dataset is deleted: never claimed again.
    pub is_deleted: bool,
    /// The copy on disk counts as gone: its deletion was granted and may be half done.
    pub is_dropped: bool,
    /// Per other holder the newest snapshot that both are known to have.
    pub anchors: BTreeMap<NodeId, SnapshotId>,
}

/// Names one order to persist a row; counts up within a start of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersistToken(pub u64);

/// Names one transfer to another node; drawn by the sending brain, unique within its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(pub u64);

/// Names one incoming stream; drawn by the receiving node's executor, unique within its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub u64);
