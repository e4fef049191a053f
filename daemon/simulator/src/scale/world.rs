//! All nodes, under one queue of happenings.
//!
//! Every node runs the real membership, board and brain, as far as it is simulated: see the room's
//! page for who is whole. What crosses from node to node goes through the queue. How nodes live is in
//! `living`, what they say to each other in `talking`, what their brains want done in `executor`.

use super::ScaleSetup;
use super::executor::Streams;
use super::layout::Layout;
use super::meter::Meter;
use super::network::{End, LOST_ONE_IN, Pipes, TRAVEL_MS};
use super::node::Node;
use super::queue::{Happening, Queue};
use crate::dice::Dice;
use bytes::Bytes;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_group::board::{Audience, BoardInput};
use hwc_group::membership::Input;
use hwc_group::profile::Timing;
use hwc_runtime::clock::Moment;
use hwc_state_machine::{Event, Millis};
use std::collections::BTreeMap;

/// All daemons are started within so long, milliseconds.
const STARTS_WITHIN_MS: u64 = 2_000;

/// What the cluster does besides living.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// Nothing changes at all.
    Quiet,
    /// Nodes report on themselves.
    Reports,
    /// And visitors write.
    Writes,
}

/// The cluster.
pub(super) struct World {
    pub(super) setup: ScaleSetup,
    pub(super) layout: Layout,
    pub(super) now: u64,
    pub(super) activity: Activity,
    pub(super) nodes: Vec<Node>,
    pub(super) dice: Dice,
    pub(super) queue: Queue,
    pub(super) streams: Streams,
    pub(super) meter: Meter,
    pub(super) timing: Timing,
    pub(super) pipes: Pipes,
    /// Where each dataset is open.
    open: Vec<Option<(NodeId, Epoch)>>,
    unserved: usize,
}

impl World {
    /// Machines that are switched on within a moment. Without `has_rooms` nothing but membership.
    pub(super) fn new(setup: ScaleSetup, layout: Layout, has_rooms: bool) -> Self {
        let datasets = if has_rooms { setup.datasets } else { 0 };
        let mut held: BTreeMap<NodeId, Vec<DatasetId>> = BTreeMap::new();
        for dataset in layout.datasets().take(datasets as usize) {
            for node in layout.set_of(dataset) {
                held.entry(node).or_default().push(dataset);
            }
        }
        let node = |id| {
            let held = held.remove(&id).unwrap_or_default();
            let history = |dataset| (dataset, layout.history(dataset));
            Node::new(id, held.into_iter().map(history))
        };
        let nodes = layout.nodes().map(node).collect();
        let mut world = Self {
            now: 0,
            activity: Activity::Quiet,
            nodes,
            dice: Dice::new(setup.seed, 0),
            queue: Queue::default(),
            streams: Streams::default(),
            meter: Meter::new(setup.stopwatch),
            timing: setup.profile.timing(),
            pipes: Pipes::default(),
            open: vec![None; datasets as usize],
            unserved: datasets as usize,
            layout,
            setup,
        };
        for id in world.layout.nodes() {
            world.switch_on(id);
        }
        world.queue.push(0, Happening::Write);
        world
    }

    /// The machine starts in a moment.
    pub(super) fn switch_on(&mut self, id: NodeId) {
        let at = self.now + self.dice.number(0..=STARTS_WITHIN_MS);
        self.queue.push(at, Happening::Start(id));
    }

    /// The machine loses its power.
    pub(super) fn kill(&mut self, id: NodeId) {
        let Some(running) = self.node_mut(id).and_then(|node| node.running.take()) else {
            return;
        };
        let gates = running.rooms.map(|rooms| rooms.gates).unwrap_or_default();
        for dataset in gates.into_keys() {
            self.set_closed(dataset, id);
        }
        self.break_streams(id);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some((at, happening)) = self.queue.pop(end) {
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(usize::from(id.0).checked_sub(1)?)
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(usize::from(id.0).checked_sub(1)?)
    }

    pub(super) fn is_running(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.running.is_some())
    }

    pub(super) fn end(&self, id: NodeId) -> End {
        let life = self.node(id).map_or(0, |node| node.life);
        End { node: id, life }
    }

    /// Whether this very life of a node runs.
    pub(super) fn is_alive(&self, end: End) -> bool {
        self.is_running(end.node) && self.end(end.node) == end
    }

    /// Where a dataset is open.
    pub(super) fn open_at(&self, dataset: DatasetId) -> Option<(NodeId, Epoch)> {
        self.open.get(dataset.0 as usize).copied().flatten()
    }

    /// Whether nodes run more than membership.
    pub(super) const fn has_rooms(&self) -> bool {
        !self.open.is_empty()
    }

    /// Datasets that are open nowhere.
    pub(super) const fn unserved(&self) -> usize {
        self.unserved
    }

    pub(super) fn set_open(&mut self, dataset: DatasetId, id: NodeId, epoch: Epoch) {
        let before = self.open_at(dataset);
        if let Some(place) = self.open.get_mut(dataset.0 as usize) {
            *place = Some((id, epoch));
        }
        match before {
            None => self.unserved -= 1,
            Some((other, _)) => self.meter.served_twice += u64::from(other != id),
        }
    }

    pub(super) fn set_closed(&mut self, dataset: DatasetId, id: NodeId) {
        if self.open_at(dataset).is_some_and(|(node, _)| node == id)
            && let Some(place) = self.open.get_mut(dataset.0 as usize)
        {
            *place = None;
            self.unserved += 1;
        }
    }

    /// How long a packet is on its way.
    pub(super) fn travel(&mut self) -> u64 {
        self.dice.number(TRAVEL_MS.0..=TRAVEL_MS.1)
    }

    pub(super) fn is_lost(&mut self) -> bool {
        self.dice.number(1..=LOST_ONE_IN) == 1
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start(id) => self.start(id),
            Happening::Datagram { to, from, content } => {
                self.membership(to, Input::Datagram { from, content });
                self.set_alarm(to);
            }
            Happening::Frame(link, frame) => self.arrive(link, frame),
            Happening::Dialled { from, to } => self.dialled(from, to),
            Happening::Wake(end) => self.wake(end),
            Happening::Second(end) => {
                if self.is_alive(end) {
                    self.second(end.node);
                    self.queue.push(self.now + 1_000, Happening::Second(end));
                }
            }
            Happening::Done(end, dataset, work) => {
                if self.is_alive(end) {
                    self.done(end.node, dataset, *work);
                    self.set_alarm(end.node);
                }
            }
            Happening::Write => {
                if self.activity == Activity::Writes {
                    self.write_some();
                }
                self.queue.push(self.now + 10, Happening::Write);
            }
        }
    }

    fn wake(&mut self, end: End) {
        let now = self.now;
        let node = self.node_mut(end.node).filter(|node| node.life == end.life);
        let Some(running) = node.and_then(|node| node.running.as_mut()) else {
            return;
        };
        if running.wake_at != now {
            return;
        }
        running.wake_at = u64::MAX;
        let is_due = |at: Moment| at.0 <= now;
        let is_membership_due = is_due(running.membership.next_deadline());
        let rooms = running.rooms.as_ref();
        let board = rooms.and_then(|rooms| rooms.board.next_deadline());
        let brain = rooms.and_then(|rooms| rooms.brain.next_deadline());
        if is_membership_due {
            self.membership(end.node, Input::Tick);
        }
        if board.is_some_and(is_due) {
            self.board(end.node, BoardInput::Tick);
        }
        if brain.is_some_and(|at| at.0 <= now) {
            self.think(end.node, Event::Tick);
        }
        self.set_alarm(end.node);
    }

    pub(super) fn set_alarm(&mut self, id: NodeId) {
        let (now, end) = (self.now, self.end(id));
        let Some(running) = self.node_mut(id).and_then(|node| node.running.as_mut()) else {
            return;
        };
        let rooms = running.rooms.as_ref();
        let board = rooms.and_then(|rooms| rooms.board.next_deadline());
        let brain = rooms.and_then(|rooms| rooms.brain.next_deadline());
        let due = running.membership.next_deadline().0;
        let due = board.map_or(due, |at| due.min(at.0));
        let due = brain.map_or(due, |at| due.min(at.0)).max(now);
        if due < running.wake_at {
            running.wake_at = due;
            self.queue.push(due, Happening::Wake(end));
        }
    }

    pub(super) fn take_off(&mut self, id: NodeId, key: &str) {
        let now = Moment(self.now);
        if let Some(rooms) = self.node_mut(id).and_then(Node::rooms_mut) {
            rooms.board.remove(now, key);
        }
    }

    pub(super) fn show(&mut self, id: NodeId, key: String, value: Bytes) {
        let now = Moment(self.now);
        if let Some(rooms) = self.node_mut(id).and_then(Node::rooms_mut)
            && rooms.board.set(now, key, value, Audience::All).is_err()
        {
            self.meter.refused += 1;
        }
    }

    pub(super) fn think(&mut self, id: NodeId, event: Event) {
        let now = Millis(self.now);
        let meter = &mut self.meter;
        let node = self.nodes.get_mut(usize::from(id.0).wrapping_sub(1));
        let Some(running) = node.and_then(|node| node.running.as_mut()) else {
            return;
        };
        let Some(rooms) = running.rooms.as_mut() else {
            return;
        };
        let actions = if running.is_whole {
            meter.step(|| rooms.brain.step(now, event))
        } else {
            rooms.brain.step(now, event)
        };
        for action in actions {
            self.carry_out(id, action.dataset, action.command);
        }
    }
}
