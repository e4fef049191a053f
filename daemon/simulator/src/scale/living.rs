//! How a node lives: its start, and what it tells its brain and the others every other second.

use super::node::{Node, Rooms, Running};
use super::queue::Happening;
use super::shown;
use super::world::{Activity, World};
use hwc_api::balancing::{DatasetLoad, NodeLoad};
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::v1::NodeHealth;
use hwc_group::board::{BoardConfig, BoardCore};
use hwc_group::identity::{Me, Start};
use hwc_group::membership::{MembershipConfig, MembershipCore};
use hwc_group::profile::BoardTiming;
use hwc_state_machine::{DatasetFacts, Event, StateMachine, Timers};
use std::collections::BTreeMap;

/// A node reports every other second.
const REPORT_EVERY_S: u64 = 2;

impl World {
    pub(super) fn start(&mut self, id: NodeId) {
        let boot = BootId(u32::try_from(self.dice.any() >> 32).unwrap_or(1));
        let (one, other) = (u128::from(self.dice.any()), u128::from(self.dice.any()));
        let has_rooms = self.has_rooms();
        let known = self.layout.acquaintances(id);
        let count = self.layout.node_count();
        let timing = self.timing;
        let peers = self.layout.others(id);
        let is_whole = self.layout.whole().contains(&id);
        let mut readers = known.clone();
        readers.extend(self.layout.whole().iter().filter(|whole| **whole != id));
        let Some(node) = self.node_mut(id) else {
            return;
        };
        node.life += 1;
        let number = node.life;
        let start = Start { number, boot };
        let me = Me { node: id, start };
        let config = MembershipConfig {
            timing: timing.membership,
            peers,
        };
        let config_of_board = BoardConfig {
            // As rarely as with streams to all nodes.
            timing: BoardTiming {
                heartbeat: timing.board.heartbeat_among(count),
                ..timing.board
            },
            peers: readers,
        };
        let rooms = || Rooms {
            board: BoardCore::new(config_of_board, me, other),
            brain: StateMachine::new(id, Timers::lan()),
            gates: BTreeMap::new(),
            are_facts_new: true,
        };
        node.running = Some(Box::new(Running {
            membership: MembershipCore::new(config, me, one),
            rooms: has_rooms.then(rooms),
            is_whole,
            known,
            alive: BTreeMap::new(),
            wake_at: u64::MAX,
        }));
        if has_rooms {
            self.boot(id, boot);
        }
        self.set_alarm(id);
        let at = self.now + self.dice.number(0..=1_000);
        self.queue.push(at, Happening::Second(self.end(id)));
    }

    fn boot(&mut self, id: NodeId, boot: BootId) {
        let Some(node) = self.node(id) else { return };
        let inventory = node.inventory();
        let is_whole = self.layout.whole().contains(&id);
        let view = if is_whole {
            self.layout.registry_view(self.layout.datasets())
        } else {
            let held = inventory.iter().map(|item| item.dataset);
            self.layout.registry_view(held)
        };
        self.think(id, Event::Booted { boot, inventory });
        self.think(id, Event::Registry(view));
        self.report(id);
    }

    /// A second of a node: what it tells its brain, and every other time, what it shows.
    pub(super) fn second(&mut self, id: NodeId) {
        let is_report_due = (self.now / 1_000).is_multiple_of(REPORT_EVERY_S);
        if self.activity != Activity::Quiet && is_report_due {
            self.report(id);
        }
        let node = self.node_mut(id);
        let Some(running) = node.and_then(|node| node.running.as_mut()) else {
            return;
        };
        let is_whole = running.is_whole;
        let Some(rooms) = running.rooms.as_mut() else {
            return;
        };
        let is_new = std::mem::take(&mut rooms.are_facts_new);
        if is_new || (is_whole && self.activity != Activity::Quiet) {
            self.tell_cluster(id);
        }
        if is_whole && is_report_due {
            self.tell_loads(id);
        }
        self.set_alarm(id);
    }

    fn report(&mut self, id: NodeId) {
        let load = NodeLoad {
            cpu_millicores: u32::try_from(self.dice.number(2_000..=6_000)).unwrap_or(0),
            io_bytes_per_s: self.dice.number(1_000_000..=50_000_000),
            requests_per_1000_s: 250_000,
            ..NodeLoad::default()
        };
        let now = self.now;
        let Some(node) = self.node_mut(id) else {
            return;
        };
        node.load = load;
        let first = node.disk.keys().next().copied().unwrap_or(DatasetId(0));
        let Some(rooms) = node.rooms_mut() else {
            return;
        };
        let boot = rooms.brain.me().boot;
        let report = shown::report(boot, &load, now, first);
        self.show(id, shown::NODE.to_owned(), report);
    }

    fn tell_cluster(&mut self, id: NodeId) {
        let Some(running) = self.node(id).and_then(|node| node.running.as_ref()) else {
            return;
        };
        let is_up = |node: NodeId| {
            let standing = running.membership.standing(node);
            standing.is_some_and(|standing| standing.health == NodeHealth::Up)
        };
        let known = self.nodes.iter().filter(|node| {
            let node = node.id;
            node == id || running.known.contains(&node)
        });
        let known = known.map(|node| (node.id, node.id == id || is_up(node.id), &node.load));
        let facts = self.layout.facts(self.now, known);
        self.think(id, Event::Cluster(facts));
    }

    fn tell_loads(&mut self, id: NodeId) {
        let Some(rooms) = self.node(id).and_then(Node::rooms) else {
            return;
        };
        let facts = DatasetFacts {
            load: DatasetLoad::default(),
            used_bytes: 1 << 30,
        };
        let loads = rooms.gates.keys().map(|dataset| (*dataset, facts));
        self.think(id, Event::Loads(loads.collect()));
    }
}
