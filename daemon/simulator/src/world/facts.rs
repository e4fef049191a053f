//! What a brain is told of the cluster, and what a node reports of itself.

use super::World;
use super::board::{Key, NodeReport, Shown};
use super::happening::ForNode;
use super::node::{GateState, Node};
use crate::time::{ms, seconds};
use hwc_api::balancing::{DatasetLoad, NodeLoad};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_state_machine::{ClusterFacts, DatasetFacts, Event, MoveFacts, NodeFacts};
use std::collections::BTreeMap;
use std::time::Duration;

/// News of the cluster are told together, not more often than this.
const FACTS_APART: Duration = seconds(1);
/// Loads are measured, and the brain is told of the cluster in any case, this often.
const FACTS_EVERY: Duration = seconds(5);
/// What a node takes that serves nothing, thousandths of a core.
const IDLE_MILLICORES: u32 = 100;

impl World {
    /// There is news of the cluster for a node's brain.
    pub(super) fn facts_are_due(&mut self, id: NodeId) {
        let now = self.now();
        let Some(running) = self.running(id).filter(|running| running.picture.is_new) else {
            return;
        };
        let at = match running.facts_told_at {
            Some(told) => (told + FACTS_APART).max(now + ms(1)),
            None => now + ms(1),
        };
        self.schedule_facts(id, at);
    }

    fn schedule_facts(&mut self, id: NodeId, at: crate::time::Moment) {
        let now = self.now();
        let Some(running) = self.running(id) else {
            return;
        };
        if running.facts_at.is_none_or(|due| at < due) {
            running.facts_at = Some(at);
            self.tell_later(id, at.since(now), ForNode::Facts);
        }
    }

    /// Measures, reports, and tells the brain.
    pub(super) fn tell_facts(&mut self, id: NodeId) {
        let now = self.now();
        let Some(running) = self.running(id) else {
            return;
        };
        if running.facts_at.is_none_or(|due| due > now) {
            return;
        }
        running.facts_at = None;
        running.facts_told_at = Some(now);
        running.picture.is_new = false;
        if let Some(report) = self.report(id) {
            self.show(id, Key::Node, Some(Shown::Node(report)));
        }
        let loads = self.loads(id);
        self.tell(id, Event::Loads(loads));
        if let Some(facts) = self.facts(id) {
            self.tell(id, Event::Cluster(facts));
        }
        self.schedule_facts(id, now + FACTS_EVERY);
    }

    /// What a node reports of itself.
    fn report(&self, id: NodeId) -> Option<NodeReport> {
        let node = self.nodes.get(&id)?;
        let hardware = node.hardware;
        let busy = self.loads(id);
        let cpu: u32 = busy.values().map(|facts| facts.load.cpu_millicores).sum();
        let capacity = hardware.cores * 1_000;
        let used = self.used_bytes(node);
        let free = hardware.pool_bytes.saturating_sub(used);
        Some(NodeReport {
            is_well: hardware.slowness == 1,
            cores: hardware.cores,
            load: NodeLoad {
                cpu_millicores: (cpu + IDLE_MILLICORES).min(capacity),
                ..NodeLoad::default()
            },
            memory_total_bytes: hardware.memory_bytes,
            memory_available_bytes: hardware.memory_bytes / 2,
            pool_total_bytes: hardware.pool_bytes,
            pool_free_bytes: if hardware.is_full { 0 } else { free },
        })
    }

    fn used_bytes(&self, node: &Node) -> u64 {
        let copies = node.disk.datasets.iter();
        copies
            .filter_map(|(dataset, on_disk)| {
                let history = self.truth.histories.get(dataset)?;
                Some(history.bytes(on_disk.copy.as_ref()?.tip))
            })
            .sum()
    }

    /// What the datasets take that are live on a node.
    fn loads(&self, id: NodeId) -> BTreeMap<DatasetId, DatasetFacts> {
        let Some(running) = self.running_ref(id) else {
            return BTreeMap::new();
        };
        let open = running.gates.iter();
        open.filter(|(_, gate)| gate.state == GateState::Open)
            .map(|(dataset, _)| (*dataset, self.dataset_facts(id, *dataset)))
            .collect()
    }

    fn dataset_facts(&self, id: NodeId, dataset: DatasetId) -> DatasetFacts {
        let demand = self.demand(dataset);
        let history = self.truth.histories.get(&dataset);
        let tip = self.copy(id, dataset).map(|copy| copy.tip);
        DatasetFacts {
            load: DatasetLoad {
                cpu_millicores: demand.cpu_millicores,
                ..DatasetLoad::default()
            },
            used_bytes: history
                .zip(tip)
                .map_or(0, |(history, tip)| history.bytes(tip)),
        }
    }

    /// The cluster as a node sees it.
    fn facts(&self, id: NodeId) -> Option<ClusterFacts> {
        let node = self.nodes.get(&id)?;
        let running = node.running.as_ref()?;
        let settings = &node.settings;
        let picture = &running.picture;
        let node_facts = |(other, member): (&NodeId, &crate::registry::Member)| {
            let report = picture.reports.get(other);
            let facts = NodeFacts {
                zone: member.zone.clone(),
                is_hosting: member.is_hosting,
                is_draining: member.drain.is_some(),
                may_lack_copies: member.drain.unwrap_or(false),
                is_up: *other == id || picture.up.contains(other),
                is_well: report.is_some_and(|report| report.is_well),
                cores: report.map_or(0, |report| report.cores),
                load: report.map(|report| report.load).unwrap_or_default(),
                memory_total_bytes: report.map_or(0, |report| report.memory_total_bytes),
                memory_available_bytes: report.map_or(0, |report| report.memory_available_bytes),
                pool_total_bytes: report.map_or(0, |report| report.pool_total_bytes),
                pool_free_bytes: report.map_or(0, |report| report.pool_free_bytes),
            };
            (*other, facts)
        };
        let leader = self.leader_for(id);
        Some(ClusterFacts {
            now: node.clock.wall(self.now()),
            balancing: settings.balancing,
            leader,
            is_writable: leader.is_some(),
            nodes: settings.nodes.iter().map(node_facts).collect(),
            moves: picture.moves.values().copied().collect(),
        })
    }

    /// What others are shown of a move from here.
    pub(super) fn move_facts(
        &self,
        id: NodeId,
        dataset: DatasetId,
        to: NodeId,
        phase: hwc_api::moves::MovePhase,
    ) -> MoveFacts {
        MoveFacts {
            dataset,
            from: id,
            to,
            phase,
            load: self.dataset_facts(id, dataset).load,
        }
    }
}
