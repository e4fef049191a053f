//! What can be read from a brain, for status pages and the executor.

use hwc_api::ids::NodeId;
use hwc_api::ownership::{Epoch, HolderRecord, Lineage};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What this node is doing for a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Serves nothing.
    Replica,
    /// Asks the other holders in a round.
    Claiming,
    /// Has won; mounts and starts, and then serves.
    Live,
    /// Live with its gate closed for a move.
    Draining,
    /// Is being stopped; others still see it as it was before.
    Fencing,
}

/// One dataset as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetStatus {
    /// What this node does for it.
    pub phase: Phase,
    /// Whether requests are let through here.
    pub is_open: bool,
    /// Its own branch was served and is undecided.
    pub is_contending: bool,
    /// Whether the dataset is deleted.
    pub is_deleted: bool,
    /// The epoch claimed or served under; [`Epoch::NONE`] as a replica.
    pub epoch: Epoch,
    /// The highest epoch seen.
    pub seen: Epoch,
    /// The history of the copy here; none where there is no copy.
    pub lineage: Option<Lineage>,
    /// When the head here was taken.
    pub head_taken_at: WallTime,
    /// The divergent copies here.
    pub divergent: Vec<Lineage>,
    /// The nodes that should hold a copy, as the registry says.
    pub members: Vec<NodeId>,
    /// The node that this one follows: itself if live, or the one live node it knows of.
    pub live: Option<NodeId>,
    /// Where it is being moved from here.
    pub moving_to: Option<NodeId>,
    /// The other nodes' records, newest known.
    pub views: BTreeMap<NodeId, ViewStatus>,
}

/// Another node's record as known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewStatus {
    /// The record.
    pub record: HolderRecord,
    /// Whether it still counts: heard since the boot, the last gap, the peer's last suspicion.
    pub is_known: bool,
    /// Whether the failure detector calls the peer alive.
    pub is_alive: bool,
}
