//! Who is where: zones, the nodes that share datasets, the nodes that are simulated whole. Pure.
//!
//! The datasets of a node have their copies on few other nodes, each of another zone: nodes come in
//! groups of neighbours. So every node shares datasets with all of its group and with nobody else,
//! and the loss of a zone takes one node of a group.

use hwc_api::balancing::{Balancing, NodeLoad};
use hwc_api::ids::{BootId, DatasetId, NodeId, SiteId};
use hwc_api::names::ZoneName;
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_api::time::WallTime;
use hwc_state_machine::{ClusterFacts, DatasetPolicy, NodeFacts, RegistryView, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// Copies of each dataset, the live one included.
pub(super) const COPIES: usize = 3;
/// The registry's leader; among the whole nodes.
pub(super) const LEADER: NodeId = NodeId(1);
/// The node that is killed alone; it shares datasets with most whole nodes.
pub(super) const VICTIM: NodeId = NodeId(4);

/// The cluster as it is laid out.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    nodes: u16,
    datasets: u32,
    zones: u16,
    group: u16,
    whole: BTreeSet<NodeId>,
    zone_names: Vec<ZoneName>,
}

impl Layout {
    /// None where so few nodes or zones leave nobody to take over.
    pub(super) fn new(nodes: u16, datasets: u32, zones: u16, group: u16) -> Option<Self> {
        let is_large_enough = usize::from(group) > COPIES && zones > group && nodes >= 2 * zones;
        let name = |zone: u16| ZoneName::parse(&format!("zone-{zone}")).ok();
        let zone_names = (0..zones).map(name).collect::<Option<Vec<_>>>()?;
        let neighbours = (LEADER.0..VICTIM.0).map(NodeId);
        is_large_enough.then(|| Self {
            nodes,
            datasets,
            zones,
            group,
            whole: neighbours.chain([NodeId(nodes - 1)]).collect(),
            zone_names,
        })
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes).map(NodeId)
    }

    pub(super) fn node_count(&self) -> usize {
        usize::from(self.nodes)
    }

    pub(super) fn datasets(&self) -> impl Iterator<Item = DatasetId> + use<> {
        (0..self.datasets).map(DatasetId)
    }

    /// The nodes that are simulated with all that a node of such a cluster has.
    pub(super) const fn whole(&self) -> &BTreeSet<NodeId> {
        &self.whole
    }

    pub(super) fn others(&self, node: NodeId) -> BTreeSet<NodeId> {
        self.nodes().filter(|other| *other != node).collect()
    }

    fn zone(&self, node: NodeId) -> u16 {
        (node.0 - 1) % self.zones
    }

    /// The nodes of a zone in which no node is simulated whole; none where there is no such zone.
    pub(super) fn spare_zone(&self) -> Option<Vec<NodeId>> {
        let kept: BTreeSet<_> = self.whole.iter().chain([&VICTIM]).collect();
        let taken: BTreeSet<_> = kept.iter().map(|node| self.zone(**node)).collect();
        let zone = (0..self.zones).find(|zone| !taken.contains(zone))?;
        Some(
            self.nodes()
                .filter(|node| self.zone(*node) == zone)
                .collect(),
        )
    }

    /// The first node and the size of a node's group; the last group takes in what is left over.
    fn group_of(&self, node: NodeId) -> (u16, u16) {
        let last = self.nodes / self.group - 1;
        let number = ((node.0 - 1) / self.group).min(last);
        let first = 1 + number * self.group;
        let size = if number == last {
            self.nodes - number * self.group
        } else {
            self.group
        };
        (first, size)
    }

    /// The other nodes that a node shares datasets with.
    pub(super) fn partners(&self, node: NodeId) -> BTreeSet<NodeId> {
        let (first, size) = self.group_of(node);
        let group = (first..first + size).map(NodeId);
        group.filter(|other| *other != node).collect()
    }

    /// Whom a node knows of: a whole one all others, the rest those they share datasets with.
    pub(super) fn acquaintances(&self, node: NodeId) -> BTreeSet<NodeId> {
        if self.whole.contains(&node) {
            self.others(node)
        } else {
            self.partners(node)
        }
    }

    /// The nodes that hold a dataset, the one that should serve it first. The two datasets of a site
    /// are together.
    pub(super) fn set_of(&self, dataset: DatasetId) -> [NodeId; COPIES] {
        let site = dataset.0 / 2;
        let count = u32::from(self.nodes);
        let node = |number: u32| NodeId(u16::try_from(number).unwrap_or(u16::MAX));
        let live = node(1 + site % count);
        let (first, size) = self.group_of(live);
        let place = live.0 - first;
        let turn = site / count % u32::from(size - 1);
        let partner = |nth: u32| {
            let step = 1 + (turn + nth) % u32::from(size - 1);
            let place = (u32::from(place) + step) % u32::from(size);
            node(u32::from(first) + place)
        };
        [live, partner(0), partner(1)]
    }

    /// The datasets that a node holds.
    pub(super) fn held_by(&self, node: NodeId) -> Vec<DatasetId> {
        let held = self.datasets();
        held.filter(|dataset| self.set_of(*dataset).contains(&node))
            .collect()
    }

    pub(super) fn registry_view(&self, datasets: impl Iterator<Item = DatasetId>) -> RegistryView {
        RegistryView {
            my_join_index: 1,
            datasets: datasets.map(|id| (id, self.policy(id))).collect(),
            moves: BTreeMap::new(),
        }
    }

    fn policy(&self, dataset: DatasetId) -> DatasetPolicy {
        DatasetPolicy {
            replicas: self.set_of(dataset).to_vec(),
            copies: u8::try_from(COPIES).unwrap_or(u8::MAX),
            created_index: 5,
            is_deleted: false,
            unit: Some(Unit {
                site: SiteId(dataset.0 / 2),
                files: DatasetId(dataset.0 & !1),
            }),
            pin: None,
            hold_until: None,
        }
    }

    /// What is on the disk of each holder before the first start: two terms of two nodes.
    pub(super) fn history(&self, dataset: DatasetId) -> Lineage {
        let [first, second, _] = self.set_of(dataset);
        let terms = [(1, second), (2, first)];
        terms
            .into_iter()
            .fold(Lineage::genesis(), |history, (counter, node)| {
                let epoch = Epoch {
                    counter,
                    node,
                    boot: BootId(u32::from(node.0)),
                };
                let sequence = 7;
                let snapshot = SnapshotId { epoch, sequence };
                history.with(snapshot, 1_000).unwrap_or(history)
            })
    }

    /// What a brain is told of these nodes.
    pub(super) fn facts<'a>(
        &self,
        now: u64,
        nodes: impl Iterator<Item = (NodeId, bool, &'a NodeLoad)>,
    ) -> ClusterFacts {
        ClusterFacts {
            now: WallTime(i64::try_from(now).unwrap_or(i64::MAX)),
            balancing: Balancing::default(),
            leader: Some(LEADER),
            is_writable: true,
            nodes: nodes
                .map(|(id, is_up, load)| (id, self.node_facts(id, is_up, load)))
                .collect(),
            moves: Vec::new(),
        }
    }

    fn node_facts(&self, node: NodeId, is_up: bool, load: &NodeLoad) -> NodeFacts {
        let zone = self.zone_names.get(usize::from(self.zone(node)));
        NodeFacts {
            zone: zone.cloned().unwrap_or_default(),
            is_hosting: true,
            is_draining: false,
            may_lack_copies: false,
            is_up,
            is_well: true,
            cores: 16,
            load: *load,
            memory_total_bytes: 64 << 30,
            memory_available_bytes: 32 << 30,
            pool_total_bytes: 4 << 40,
            pool_free_bytes: 2 << 40,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_spread_over_zones_and_partners() {
        for (nodes, zones, group) in [(1_000, 20, 5), (30, 6, 5), (53, 7, 4)] {
            let layout = Layout::new(nodes, 4_000, zones, group).expect("large enough");
            for dataset in layout.datasets() {
                let set = layout.set_of(dataset);
                let zones: BTreeSet<_> = set.iter().map(|node| layout.zone(*node)).collect();
                assert!(zones.len() > 1, "{set:?}");
                let distinct: BTreeSet<_> = set.into_iter().collect();
                assert_eq!(distinct.len(), COPIES);
                let [live, others @ ..] = set;
                let partners = layout.partners(live);
                assert!(others.iter().all(|other| partners.contains(other)));
            }
            for node in layout.nodes() {
                for partner in layout.partners(node) {
                    assert!(layout.partners(partner).contains(&node));
                }
            }
        }
    }

    #[test]
    fn the_zone_that_dies_holds_nobody_who_is_watched() {
        let layout = Layout::new(1_000, 10, 20, 5).expect("large enough");
        let zone = layout.spare_zone().expect("a zone");
        assert_eq!(zone.len(), 50);
        assert!(!zone.contains(&VICTIM));
        assert!(zone.iter().all(|node| !layout.whole().contains(node)));
        assert!(Layout::new(6, 10, 3, 5).is_none());
    }
}
