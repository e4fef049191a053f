//! What fate does to the cluster.

use super::group::GroupSide;
use super::happening::ForNode;
use super::node::{Hardware, Running};
use super::{Temper, World};
use crate::disk::Disk;
use crate::network::{Lane, Weather};
use crate::registry::Order;
use crate::time::ms;
use crate::truth::Change;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_api::time::WallTime;
use hwc_state_machine::{Event, InventoryItem};
use std::rc::Rc;
use std::time::Duration;

impl World {
    /// Starts a node that is down.
    pub fn boot(&mut self, id: NodeId) {
        // Any 32 bits.
        let boot = BootId(u32::try_from(self.dice.number(0..=u64::from(u32::MAX))).unwrap_or(0));
        let brain = (self.brain)(id, self.tempo.timers.clone());
        let Some(node) = self
            .nodes
            .get_mut(&id)
            .filter(|node| node.running.is_none() && !node.is_removed)
        else {
            return;
        };
        node.start += 1;
        node.frozen_since = None;
        node.is_without_power = false;
        node.deferred.clear();
        let me = (id, node.start, boot);
        let peers = self.peers_known_to(id);
        let side = GroupSide::new(me, peers, &self.tempo.timing, self.dice.any());
        if let Some(node) = self.nodes.get_mut(&id) {
            node.running = Some(Running::new(brain, side));
        }
        self.label_leftovers(id, boot);
        let inventory = self.inventory(id);
        for peer in self.others(id) {
            self.network.break_connection(id, peer);
        }
        self.tell(id, Event::Booted { boot, inventory });
        self.tell_settings(id);
        self.schedule_group(id);
        let pause = self.dice.span(self.temper.prune);
        self.tell_later(id, pause, ForNode::Prune);
    }

    /// What a crash left in no snapshot gets one under a label that was never used.
    fn label_leftovers(&mut self, id: NodeId, boot: BootId) {
        let Some(disk) = self.disk(id) else {
            return;
        };
        let leftovers = disk.datasets.iter().filter_map(|(dataset, on_disk)| {
            let copy = on_disk
                .copy
                .as_ref()
                .filter(|copy| !copy.dirty.is_empty())?;
            Some((*dataset, copy.opened_under.counter))
        });
        for (dataset, counter) in leftovers.collect::<Vec<_>>() {
            let epoch = Epoch {
                counter,
                node: id,
                boot,
            };
            self.take_any_snapshot(id, dataset, epoch);
        }
    }

    fn inventory(&self, id: NodeId) -> Vec<InventoryItem> {
        let datasets = self.disk(id).into_iter().flat_map(|disk| &disk.datasets);
        datasets
            .map(|(dataset, on_disk)| InventoryItem {
                dataset: *dataset,
                row: on_disk.row.clone(),
                lineage: on_disk.copy.as_ref().map(|copy| copy.lineage.clone()),
                divergent: on_disk
                    .divergent
                    .iter()
                    .map(|kept| kept.lineage.clone())
                    .collect(),
                head_taken_at: WallTime::default(),
            })
            .collect()
    }

    /// Something went wrong just now.
    pub(super) fn note_fault(&mut self) {
        self.truth.is_faulty = true;
        self.truth.last_fault = self.now();
    }

    /// A node dies; its disk stays.
    pub fn crash(&mut self, id: NodeId) {
        self.note_fault();
        if self.running_ref(id).is_some() {
            self.note(|| format!("{id} dies"));
        }
        self.end_running(id);
    }

    /// From here on the machine answers nothing at all.
    fn switch_off(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.is_without_power = true;
        }
    }

    fn end_running(&mut self, id: NodeId) {
        self.remove_all_gates(id);
        self.end_links(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.running = None;
            node.frozen_since = None;
            node.deferred.clear();
        }
        self.watch.forget_moves(id);
    }

    /// A node loses its power: what was written since the last snapshots is gone too.
    pub fn power_cut(&mut self, id: NodeId) {
        self.switch_off(id);
        self.crash(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            for on_disk in node.disk.datasets.values_mut() {
                if let Some(copy) = &mut on_disk.copy {
                    copy.dirty = Change::NONE;
                }
            }
        }
    }

    /// A node dies with its disk, and joins again, empty.
    pub fn wipe(&mut self, id: NodeId) {
        self.replace_disk(id, Disk::default());
        if let Some(node) = self.nodes.get_mut(&id) {
            node.settings = Rc::default();
        }
        if self.registry.newest().nodes.contains_key(&id) {
            self.decree(&Order::JoinAgain(id));
        }
    }

    /// A node dies and comes back with this older image of its disk.
    pub fn replace_disk(&mut self, id: NodeId, disk: Disk) {
        self.switch_off(id);
        self.crash(id);
        self.note(|| format!("{id} has another disk"));
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut node.disk, disk);
        self.truth.disks_lost.insert(id, self.schedule.now());
        self.truth.shown_seen.retain(|(node, _), _| *node != id);
        self.hold_disk(id);
        self.lose_disk(before);
    }

    /// The truth about who holds what, with everything on a disk that came to a node.
    fn hold_disk(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        for (dataset, on_disk) in &node.disk.datasets {
            let history = self.truth.histories.entry(*dataset).or_default();
            let copy = on_disk.copy.iter().map(|copy| copy.tip);
            for tip in copy.chain(on_disk.divergent.iter().map(|kept| kept.tip)) {
                history.hold(tip);
            }
        }
    }

    /// Nobody can keep what was on the last disk that held it.
    fn lose_disk(&mut self, disk: Disk) {
        for (dataset, on_disk) in disk.datasets {
            let history = self.truth.history(dataset);
            let copy = on_disk.copy.into_iter().map(|copy| copy.tip);
            for tip in copy.chain(on_disk.divergent.into_iter().map(|kept| kept.tip)) {
                let gone = history.release(tip);
                history.give_up(&gone);
            }
        }
    }

    /// A node was taken out of the cluster for good: it ends, and nobody counts its disk.
    pub(super) fn take_out(&mut self, id: NodeId) {
        self.note_fault();
        self.end_running(id);
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        node.is_removed = true;
        let disk = std::mem::take(&mut node.disk);
        self.truth.disks_lost.insert(id, self.schedule.now());
        self.lose_disk(disk);
    }

    /// A node stands still.
    pub fn freeze(&mut self, id: NodeId) {
        let now = self.now();
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.is_awake()) else {
            return;
        };
        node.frozen_since = Some(now);
        self.note_fault();
        self.note(|| format!("{id} stands still"));
    }

    /// A node goes on where it stood still. It notices if that was long.
    pub fn thaw(&mut self, id: NodeId) {
        let now = self.now();
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let Some(since) = node.frozen_since.take() else {
            return;
        };
        let length = now.since(since);
        let deferred = std::mem::take(&mut node.deferred);
        self.truth.last_fault = now;
        self.note(|| format!("{id} goes on after {} ms", length.as_millis()));
        if length >= self.tempo.timing.freeze_limit {
            self.notice_gap(id, length);
        }
        for what in deferred {
            self.tell_later(id, ms(1), what);
        }
    }

    /// Before anything else: nobody is let through, and the brain is told.
    fn notice_gap(&mut self, id: NodeId, length: Duration) {
        for peer in self.others(id) {
            self.network.break_connection(id, peer);
        }
        if let Some(running) = self.running(id) {
            running.had_gap = true;
            running.picture.is_new = true;
            let served = running.gates.iter();
            let served: Vec<_> = served.map(|(id, gate)| (*id, gate.epoch)).collect();
            self.truth.frozen_epochs.extend(served);
        }
        self.truth_closes(id);
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        self.tell(id, Event::Gap { length_ms });
        self.facts_are_due(id);
    }

    /// A node that woke up answers nothing before a new round; its gates stay where they are until
    /// its brain fences them.
    fn truth_closes(&mut self, id: NodeId) {
        for open in self.truth.open.values_mut() {
            open.remove(&id);
        }
    }

    /// Cuts a link, both ways.
    pub fn cut(&mut self, one: NodeId, other: NodeId) {
        self.note(|| format!("{one} and {other} are cut"));
        for lane in [Lane::Streams, Lane::Datagrams] {
            self.cut_way(one, other, lane);
            self.cut_way(other, one, lane);
        }
    }

    /// Cuts one lane of a link, one way.
    pub fn cut_way(&mut self, from: NodeId, to: NodeId, lane: Lane) {
        self.note_fault();
        self.network.cut(from, to, lane);
    }

    /// Mends a link, both ways.
    pub fn mend(&mut self, one: NodeId, other: NodeId) {
        self.truth.last_fault = self.now();
        for lane in [Lane::Streams, Lane::Datagrams] {
            self.network.mend(one, other, lane);
            self.network.mend(other, one, lane);
        }
    }

    /// Mends all links.
    pub fn mend_links(&mut self) {
        if self.network.mend_all() {
            self.truth.last_fault = self.now();
            self.note(|| "all links are mended".to_owned());
        }
    }

    /// A node's hardware gets better or worse.
    pub fn set_hardware(&mut self, id: NodeId, change: impl FnOnce(&mut Hardware)) {
        if let Some(node) = self.nodes.get_mut(&id) {
            change(&mut node.hardware);
            self.note_fault();
        }
    }

    /// What a node's hardware is like.
    #[must_use]
    pub fn hardware(&self, id: NodeId) -> Option<Hardware> {
        self.nodes.get(&id).map(|node| node.hardware)
    }

    /// A node's wall clock jumps.
    pub fn jump_clock(&mut self, id: NodeId, by_ms: i64) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.clock.wall_offset_ms += by_ms;
            self.note(|| format!("the clock of {id} jumps by {by_ms} ms"));
        }
    }

    /// A node's clocks run as they like. Only for nodes that have not run yet, or are down.
    pub fn set_clock(&mut self, id: NodeId, drift_ppm: i64, wall_offset_ms: i64) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.clock.drift_ppm = drift_ppm;
            node.clock.wall_offset_ms = wall_offset_ms;
        }
    }

    /// Another temper of the nodes.
    pub fn set_temper(&mut self, temper: Temper) {
        self.temper = temper;
    }

    /// Another network.
    pub fn set_weather(&mut self, weather: Weather) {
        self.network.weather = weather;
    }

    /// What boards show is under way for so much longer: all act upon what the others showed then.
    pub fn set_board_lag(&mut self, lag: Duration) {
        self.board_lag = lag;
    }

    /// After a rest, visitors come again as they like.
    pub fn let_visitors_in(&mut self) {
        self.requests.are_visitors_away = false;
    }

    /// The datasets that a node is live for.
    #[must_use]
    pub fn live_on(&self, id: NodeId) -> Vec<DatasetId> {
        let open = self.truth.open.iter();
        open.filter(|(_, nodes)| nodes.contains_key(&id))
            .map(|(dataset, _)| *dataset)
            .collect()
    }
}
