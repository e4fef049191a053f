//! The cluster as the brain is told it: settings and picture, put together. Pure.

use crate::picture::Picture;
use hwc_api::desired::{Desired, Node};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::observed::{NodeObserved, ServiceState};
use hwc_api::time::WallTime;
use hwc_api::v1::NodeHealth;
use hwc_state_machine::{ClusterFacts, DatasetFacts, MoveFacts, NodeFacts, SizeStep};
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

/// The rough sizes of all datasets, as their live nodes show them, that are others than `told`, which
/// is brought up to date. Only the registry's leader needs them: nothing for any other node.
pub fn new_sizes(
    picture: &Picture,
    me: NodeId,
    told: &mut BTreeMap<DatasetId, SizeStep>,
) -> BTreeMap<DatasetId, SizeStep> {
    if picture.registry_leader != Some(me) {
        told.clear();
        return BTreeMap::new();
    }
    let mut news = BTreeMap::new();
    for (dataset, shown) in &picture.datasets {
        let largest = shown.values().map(|observed| observed.used_bytes).max();
        let size = SizeStep::of(largest.unwrap_or(0));
        if told.insert(*dataset, size) != Some(size) {
            news.insert(*dataset, size);
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::observed::DatasetObserved;

    const ME: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn shows(picture: &mut Picture, dataset: u32, node: NodeId, used_bytes: u64) {
        let dataset = DatasetId(dataset);
        let observed = DatasetObserved {
            dataset,
            head: None,
            used_bytes,
            replicas: BTreeMap::new(),
        };
        let shown = picture.datasets.entry(dataset).or_default();
        shown.insert(node, observed);
    }

    #[test]
    fn the_leader_is_told_of_sizes_once_and_of_changes_that_matter() {
        let mut told = BTreeMap::new();
        let mut picture = Picture {
            registry_leader: Some(ME),
            ..Picture::default()
        };
        shows(&mut picture, 1, ME, 1_000_000);
        shows(&mut picture, 2, B, 5_000_000_000);
        let news = new_sizes(&picture, ME, &mut told);
        let expected = [(1, 1_000_000), (2, 5_000_000_000)];
        let expected = expected.map(|(id, bytes)| (DatasetId(id), SizeStep::of(bytes)));
        assert_eq!(news, expected.into());
        shows(&mut picture, 2, B, 5_010_000_000);
        assert_eq!(new_sizes(&picture, ME, &mut told), BTreeMap::new());
        shows(&mut picture, 2, B, 9_000_000_000);
        let news = new_sizes(&picture, ME, &mut told);
        assert_eq!(news.into_keys().collect::<Vec<_>>(), [DatasetId(2)]);
    }

    #[test]
    fn who_does_not_lead_is_told_nothing_and_the_next_leader_everything() {
        let mut told = BTreeMap::new();
        let mut picture = Picture::default();
        shows(&mut picture, 1, B, 1_000_000);
        for (leader, expected) in [(None, 0), (Some(ME), 1), (Some(B), 0), (Some(ME), 1)] {
            picture.registry_leader = leader;
            let news = new_sizes(&picture, ME, &mut told);
            assert_eq!(news.len(), expected, "{leader:?} leads");
        }
    }
}
