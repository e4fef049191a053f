//! The cluster as the brain is told it: settings and picture, put together. Pure.

use crate::picture::Picture;
use hwc_api::desired::{Desired, Node};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::observed::{NodeObserved, ServiceState};
use hwc_api::time::WallTime;
use hwc_api::v1::NodeHealth;
use hwc_state_machine::{ClusterFacts, DatasetFacts, MoveFacts, NodeFacts};
use std::collections::BTreeMap;

use crate::load::Loads;

/// What node `me` tells its brain of the cluster; none before the cluster's settings are known.
#[must_use]
pub fn cluster_facts(
    desired: &Desired,
    picture: &Picture,
    me: NodeId,
    now: WallTime,
) -> Option<ClusterFacts> {
    let cluster = desired.cluster.as_ref()?;
    let node = |node: &Node| {
        let observed = picture.nodes.get(&node.id);
        let is_up = node.id == me || picture.health(node.id) == NodeHealth::Up;
        (node.id, node_facts(node, observed, is_up))
    };
    Some(ClusterFacts {
        now,
        balancing: cluster.balancing,
        leader: picture.registry_leader,
        is_writable: picture.is_registry_writable,
        nodes: desired.active_nodes().map(node).collect(),
        moves: picture
            .moves
            .values()
            .flatten()
            .filter(|(node, _)| **node != me && picture.is_reachable(**node))
            .map(|(node, progress)| MoveFacts {
                dataset: progress.dataset,
                from: *node,
                to: progress.to,
                phase: progress.phase,
                load: heavy(picture, *node, progress.dataset),
            })
            .collect(),
    })
}

/// What is known of one node.
#[must_use]
pub fn node_facts(node: &Node, observed: Option<&NodeObserved>, is_up: bool) -> NodeFacts {
    let drain = node.drain.as_ref();
    let is_well = |observed: &NodeObserved| {
        let mut services = observed.services.iter();
        services.all(|service| service.state != ServiceState::Failed)
    };
    NodeFacts {
        zone: node.zone.clone(),
        is_hosting: node.is_hosting(),
        is_draining: drain.is_some(),
        may_lack_copies: drain.is_some_and(|drain| drain.may_lack_copies),
        is_up,
        is_well: observed.is_some_and(is_well),
        cores: observed.map_or(0, |observed| observed.cores),
        load: observed.map_or_else(Default::default, |observed| observed.load),
        memory_total_bytes: observed.map_or(0, |observed| observed.memory_total_bytes),
        memory_available_bytes: observed.map_or(0, |observed| observed.memory_available_bytes),
        pool_total_bytes: observed.map_or(0, |observed| observed.pool_total_bytes),
        pool_free_bytes: observed.map_or(0, |observed| observed.pool_free_bytes),
    }
}

/// What a dataset takes on its node, where it is among the heaviest there.
fn heavy(picture: &Picture, node: NodeId, dataset: DatasetId) -> hwc_api::balancing::DatasetLoad {
    let heaviest = picture.nodes.get(&node).map(|observed| &observed.heaviest);
    let found = heaviest.and_then(|heaviest| heaviest.iter().find(|h| h.dataset == dataset));
    found.map_or_else(Default::default, |heavy| heavy.load)
}

/// What the datasets take that are live here, with their sizes as this node shows them.
#[must_use]
pub fn dataset_facts(
    loads: &Loads,
    picture: &Picture,
    me: NodeId,
) -> BTreeMap<DatasetId, DatasetFacts> {
    let used = |dataset: &DatasetId| {
        let shown = picture.datasets.get(dataset).and_then(|d| d.get(&me));
        shown.map_or(0, |observed| observed.used_bytes)
    };
    loads
        .datasets
        .iter()
        .map(|(dataset, load)| {
            let facts = DatasetFacts {
                load: *load,
                used_bytes: used(dataset),
            };
            (*dataset, facts)
        })
        .collect()
}
