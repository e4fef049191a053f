//! What a brain knows of the cluster besides records: nodes, load, moves of other nodes. Facts come
//! whole, the newest replace those before; nothing here is wall time that decides an order.

use hwc_api::balancing::{Balancing, DatasetLoad, NodeLoad};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::MovePhase;
use hwc_api::names::ZoneName;
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The cluster as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Wall time at this moment, by this node's clock: the beginning of every date in decisions,
    /// and what `hold_until` is compared with.
    pub now: WallTime,
    /// How load is spread.
    pub balancing: Balancing,
    /// Who leads the registry, as far as this node knows.
    pub leader: Option<NodeId>,
    /// Whether changes of the registry can be acknowledged, as this node sees it.
    pub is_writable: bool,
    /// All nodes that belong to the cluster today, this one too, those that are down too.
    pub nodes: BTreeMap<NodeId, NodeFacts>,
    /// Moves that are planned or under way, as all nodes show them. This node's own are passed
    /// over.
    pub moves: Vec<MoveFacts>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Where it stands: nodes of one zone may fail together.
    pub zone: ZoneName,
    /// Whether it may hold datasets.
    pub is_hosting: bool,
    /// Whether it is being emptied, or is empty and waits to be put back to use.
    pub is_draining: bool,
    /// Whether datasets may be left with fewer copies than they should have while it is drained.
    pub may_lack_copies: bool,
    /// Whether the failure detector calls it up. Always true of this node itself.
    pub is_up: bool,
    /// Whether the services that hosting takes run as they should, by its own newest report; false
    /// without any report. Nothing moves to a node that is not well.
    pub is_well: bool,
    /// Number of processors; 0 where unknown.
    pub cores: u32,
    /// What it bears.
    pub load: NodeLoad,
    /// Memory, bytes.
    pub memory_total_bytes: u64,
    /// Memory that new work could have, bytes.
    pub memory_available_bytes: u64,
    /// Size of the pool that holds the datasets, bytes.
    pub pool_total_bytes: u64,
    /// Free space in it, bytes.
    pub pool_free_bytes: u64,
}

/// A move as the node shows it that the dataset leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveFacts {
    /// What moves.
    pub dataset: DatasetId,
    /// The node that it leaves.
    pub from: NodeId,
    /// Where it goes.
    pub to: NodeId,
    /// What happens just now.
    pub phase: MovePhase,
    /// What serving it takes; nothing where unknown.
    pub load: DatasetLoad,
}

/// A dataset as its live node measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatasetFacts {
    /// What serving it takes.
    pub load: DatasetLoad,
    /// Bytes in it.
    pub used_bytes: u64,
}
