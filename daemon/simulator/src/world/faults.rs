//! What can be done to the cluster from outside: by fate, and by an administrator.

use super::node::Running;
use super::{
    BootId, DatasetEvent, DatasetId, DatasetPolicy, Epoch, Event, ForNode, GAP_MS, NodeId,
    RegistryView, Temper, World,
};
use crate::disk::Disk;
use hwc_api::balancing::{Balancing, NodeLoad};
use hwc_api::ids::AccountId;
use hwc_api::moves::MoveReason;
use hwc_api::names::ZoneName;
use hwc_api::time::WallTime;
use hwc_state_machine::{ClusterFacts, InventoryItem, NodeFacts};
use rand::Rng;
use std::collections::BTreeMap;

impl World {
    /// Starts a node that is down.
    pub fn boot(&mut self, id: NodeId) {
        let boot = BootId(self.rng.random());
        let brain = (self.brain)(id, self.timers.clone());
        let Some(node) = self
            .nodes
            .get_mut(&id)
            .filter(|node| node.running.is_none())
        else {
            return;
        };
        node.start += 1;
        node.frozen_since = None;
        node.deferred.clear();
        node.running = Some(Running::new(brain));
        self.label_leftovers(id, boot);
        let inventory = self.inventory(id);
        let peers: Vec<_> = self
            .nodes
            .keys()
            .copied()
            .filter(|peer| *peer != id)
            .collect();
        for peer in peers {
            self.reconnect(id, peer);
        }
        self.tell(id, Event::Booted { boot, inventory });
        let view = self.registry_for(id);
        self.tell(id, Event::Registry(view));
        let facts = self.facts();
        self.tell(id, Event::Cluster(facts));
        self.tell_later(id, 1, ForNode::AskForBoards);
    }

    /// What a crash left in no snapshot gets one under a label that was never used.
    fn label_leftovers(&mut self, id: NodeId, boot: BootId) {
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        let dirty: Vec<_> = node
            .disk
            .datasets
            .iter()
            .filter_map(|(dataset, on_disk)| {
                let copy = on_disk
                    .copy
                    .as_ref()
                    .filter(|copy| !copy.dirty.is_empty())?;
                Some((*dataset, copy.opened_under.counter))
            })
            .collect();
        for (dataset, counter) in dirty {
            let epoch = Epoch {
                counter,
                node: id,
                boot,
            };
            self.take_any_snapshot(id, dataset, epoch);
        }
    }

    fn inventory(&self, id: NodeId) -> Vec<InventoryItem> {
        let Some(node) = self.nodes.get(&id) else {
            return Vec::new();
        };
        node.disk
            .datasets
            .iter()
            .map(|(dataset, on_disk)| InventoryItem {
                dataset: *dataset,
                row: on_disk.row.clone(),
                lineage: on_disk.copy.as_ref().map(|copy| copy.lineage.clone()),
                divergent: on_disk
                    .divergent
                    .iter()
                    .map(|(lineage, _)| lineage.clone())
                    .collect(),
                head_taken_at: WallTime::default(),
            })
            .collect()
    }

    /// A node dies; its disk stays.
    pub fn crash(&mut self, id: NodeId) {
        self.ghost.is_faulty = true;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.running = None;
            node.frozen_since = None;
            node.deferred.clear();
        }
        self.note(format!("{id} dies"));
    }

    /// A node loses its power: what was written since the last snapshots is gone too.
    pub fn power_cut(&mut self, id: NodeId) {
        self.crash(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            for on_disk in node.disk.datasets.values_mut() {
                if let Some(copy) = &mut on_disk.copy {
                    let dirty = std::mem::take(&mut copy.dirty);
                    copy.content.retain(|write| !dirty.contains(write));
                }
            }
        }
        self.forget_lost();
    }

    /// A node dies with its disk; it will join again as a new one.
    pub fn wipe(&mut self, id: NodeId) {
        self.replace_disk(id, Disk::default());
        self.registry_index += 1;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.join_index = self.registry_index;
        }
    }

    /// A node dies and comes back with this older image of its disk.
    pub fn replace_disk(&mut self, id: NodeId, disk: Disk) {
        self.crash(id);
        self.note(format!("{id} has another disk"));
        if let Some(node) = self.nodes.get_mut(&id) {
            node.disk = disk;
        }
        self.ghost.shown_seen.retain(|(node, _), _| *node != id);
        self.forget_lost();
    }

    /// Nobody can keep a write whose last disk is gone.
    fn forget_lost(&mut self) {
        let nodes = &self.nodes;
        self.ghost.acknowledged.retain(|(dataset, write)| {
            nodes
                .values()
                .any(|node| node.disk.has_write(*dataset, *write))
        });
    }

    /// A node stands still.
    pub fn freeze(&mut self, id: NodeId) {
        let now = self.now;
        self.ghost.is_faulty = true;
        if let Some(node) = self.nodes.get_mut(&id).filter(|node| node.is_awake()) {
            node.frozen_since = Some(now);
            self.note(format!("{id} stands still"));
        }
    }

    /// A node goes on where it stood still. It notices if that was long.
    pub fn thaw(&mut self, id: NodeId) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let Some(since) = node.frozen_since.take() else {
            return;
        };
        let length_ms = now - since;
        let deferred = std::mem::take(&mut node.deferred);
        self.note(format!("{id} goes on after {length_ms} ms"));
        if length_ms >= GAP_MS {
            self.notice_gap(id, length_ms);
        }
        for what in deferred {
            self.tell_later(id, 1, what);
        }
    }

    fn notice_gap(&mut self, id: NodeId, length_ms: u64) {
        let peers: Vec<_> = self
            .nodes
            .keys()
            .copied()
            .filter(|peer| *peer != id)
            .collect();
        for peer in peers {
            self.reconnect(id, peer);
        }
        if let Some(running) = self.running(id) {
            running.detector.clear();
            running.had_gap = true;
            let served: Vec<_> = running
                .gates
                .iter()
                .map(|(dataset, gate)| (*dataset, gate.epoch))
                .collect();
            self.ghost.frozen_epochs.extend(served);
        }
        self.tell(id, Event::Gap { length_ms });
        let facts = self.facts();
        self.tell(id, Event::Cluster(facts));
    }

    /// Cuts the link between two nodes.
    pub fn cut(&mut self, one: NodeId, other: NodeId) {
        self.ghost.is_faulty = true;
        self.cut.insert((one.min(other), one.max(other)));
        self.note(format!("{one} and {other} are cut"));
    }

    /// Mends all links.
    pub fn mend_links(&mut self) {
        if !self.cut.is_empty() {
            self.cut.clear();
            self.note("all links are mended".to_owned());
        }
    }

    /// A node's detector wrongly declares another unreachable, for a while.
    pub fn mistake(&mut self, id: NodeId, peer: NodeId, milliseconds: u64) {
        let until = self.now + milliseconds;
        if let Some(running) = self.running(id) {
            running.detector.entry(peer).or_default().mistaken_until = until;
            self.ghost.is_faulty = true;
            self.note(format!("{id} wrongly suspects {peer}"));
        }
    }

    /// The registry: a new dataset, or other members for an old one.
    pub fn set_members(&mut self, dataset: DatasetId, replicas: Vec<NodeId>) {
        self.registry_index += 1;
        let created_index = self.registry_index;
        self.note(format!("dataset {dataset} is to be on {replicas:?}"));
        self.policies
            .entry(dataset)
            .or_insert_with(|| DatasetPolicy {
                replicas: Vec::new(),
                copies: 2,
                created_index,
                is_deleted: false,
                unit: None,
                pin: None,
                hold_until: None,
            })
            .replicas = replicas;
        self.spread_registry();
    }

    /// The registry: a dataset is deleted.
    pub fn delete(&mut self, dataset: DatasetId) {
        if let Some(policy) = self.policies.get_mut(&dataset) {
            policy.is_deleted = true;
            self.note(format!("dataset {dataset} is deleted"));
        }
        self.spread_registry();
    }

    /// An administrator moves a dataset to another node.
    pub fn move_to(&mut self, dataset: DatasetId, to: NodeId) {
        if let Some(live) = self.open_node(dataset) {
            self.note(format!("dataset {dataset} is to move from {live} to {to}"));
            self.tell_dataset(
                live,
                dataset,
                DatasetEvent::MoveTo {
                    node: to,
                    reason: MoveReason::Asked(AccountId(1)),
                },
            );
        }
    }

    /// Another temper of the hardware.
    pub fn set_temper(&mut self, temper: Temper) {
        self.temper = temper;
    }

    fn spread_registry(&mut self) {
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        for id in ids {
            let delay = if self.ghost.is_faulty || self.temper.loss > 0.0 {
                self.draw((1, 2_000))
            } else {
                self.draw((1, 50))
            };
            self.tell_later(id, delay, ForNode::Registry);
        }
    }

    /// The cluster as every node is told it: all nodes fit to host, nobody to change the registry,
    /// nothing to balance. So the brains do what they are asked for, and nothing by themselves.
    pub(super) fn facts(&self) -> ClusterFacts {
        let node = NodeFacts {
            zone: ZoneName::default(),
            is_hosting: true,
            is_draining: false,
            may_lack_copies: false,
            is_up: true,
            is_well: true,
            cores: 4,
            load: NodeLoad::default(),
            memory_total_bytes: 1 << 34,
            memory_available_bytes: 1 << 33,
            pool_total_bytes: 1 << 40,
            pool_free_bytes: 1 << 39,
        };
        ClusterFacts {
            now: WallTime::default(),
            balancing: Balancing {
                is_on: false,
                ..Balancing::default()
            },
            leader: None,
            is_writable: false,
            nodes: self.nodes.keys().map(|id| (*id, node.clone())).collect(),
            moves: Vec::new(),
        }
    }

    /// The registry as it is, for this node.
    pub(super) fn registry_for(&self, id: NodeId) -> RegistryView {
        RegistryView {
            my_join_index: self.nodes.get(&id).map_or(u64::MAX, |node| node.join_index),
            datasets: self.policies.clone(),
            moves: BTreeMap::new(),
        }
    }
}
