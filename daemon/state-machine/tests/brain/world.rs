//! A made-up cluster: nodes as facts tell of them.

use hwc_api::balancing::{Balancing, NodeLoad};
use hwc_api::ids::NodeId;
use hwc_api::names::ZoneName;
use hwc_api::time::WallTime;
use hwc_state_machine::{ClusterFacts, NodeFacts};

/// A healthy node of four cores that does nothing.
pub fn node() -> NodeFacts {
    NodeFacts {
        zone: zone("rack"),
        is_hosting: true,
        is_draining: false,
        may_lack_copies: false,
        is_up: true,
        is_well: true,
        cores: 4,
        load: NodeLoad::default(),
        memory_total_bytes: 16 << 30,
        memory_available_bytes: 12 << 30,
        pool_total_bytes: 200 << 30,
        pool_free_bytes: 100 << 30,
    }
}

/// A zone.
pub fn zone(name: &str) -> ZoneName {
    ZoneName::parse(name).expect("a zone")
}

/// Healthy nodes, the first of which leads the registry; the default rules.
pub fn facts(nodes: &[NodeId]) -> ClusterFacts {
    ClusterFacts {
        now: WallTime(1_000_000),
        balancing: Balancing::default(),
        leader: nodes.first().copied(),
        is_writable: true,
        nodes: nodes.iter().map(|id| (*id, node())).collect(),
        moves: Vec::new(),
    }
}
