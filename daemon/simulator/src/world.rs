//! The cluster: nodes, links and one queue of things that will happen, in virtual time.
//!
//! This file makes a world and lets time pass; what happens is in the files below, one subject each.

mod board;
mod checks;
mod copies;
mod executor;
mod facts;
mod faults;
mod gates;
mod group;
mod happening;
mod links;
mod node;
mod orders;
mod parcels;
mod requests;
mod rest;
mod rows;
mod settings;
mod setup;
mod streams;
mod watch;

pub use node::Hardware;
pub use rest::RestReport;
pub use setup::{BrainFactory, Demand, Setup, Temper, Tempo};

use crate::chronicle::Chronicle;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::network::Network;
use crate::registry::Registry;
use crate::schedule::Schedule;
use crate::time::{Moment, ms, seconds};
use crate::truth::Truth;
use happening::{ForNode, Happening};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_state_machine::{Action, DatasetEvent, Event, Millis, StateMachine};
use links::Links;
use node::{Node, Running};
use requests::Requests;
use std::collections::BTreeMap;
use std::time::Duration;
use watch::Watch;

/// The registry is looked after this often.
const SETTINGS_EVERY: Duration = ms(250);
/// What takes time is looked at this often.
const WATCH_EVERY: Duration = seconds(1);

/// A cluster in virtual time.
pub struct World {
    schedule: Schedule<Happening>,
    dice: Dice,
    network: Network,
    links: Links,
    /// What boards show is under way for so much longer: all act upon what the others showed then.
    board_lag: Duration,
    nodes: BTreeMap<NodeId, Node>,
    registry: Registry,
    demands: BTreeMap<DatasetId, Demand>,
    requests: Requests,
    brain: BrainFactory,
    tempo: Tempo,
    temper: Temper,
    truth: Truth,
    watch: Watch,
    chronicle: Chronicle,
    journal: Option<Vec<JournalEntry>>,
    violation: Option<String>,
}

/// One step of a brain.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Whose.
    pub node: NodeId,
    /// Of which start of the node, counted from 1.
    pub start: u32,
    /// When, by the node's monotonic clock.
    pub now: Millis,
    /// What it was told.
    pub event: Event,
    /// What it wanted done.
    pub actions: Vec<Action>,
}

impl World {
    /// A cluster of nodes 1 to `setup.nodes`, all up, without datasets.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let mut world = Self {
            schedule: Schedule::default(),
            dice: Dice::new(setup.seed, 0),
            network: Network::new(setup.weather),
            links: Links::default(),
            board_lag: Duration::ZERO,
            nodes: BTreeMap::new(),
            registry: Registry::default(),
            demands: BTreeMap::new(),
            requests: Requests::default(),
            brain: setup.brain,
            tempo: setup.tempo,
            temper: setup.temper,
            truth: Truth::default(),
            watch: Watch::default(),
            chronicle: Chronicle::new(setup.verbosity),
            journal: None,
            violation: None,
        };
        for id in (1..=setup.nodes).map(NodeId) {
            world.found(id);
        }
        for id in (1..=setup.nodes).map(NodeId) {
            world.boot(id);
        }
        for (delay, happening) in [
            (ms(2), Happening::Settings),
            (WATCH_EVERY, Happening::Watch),
        ] {
            world.schedule.after(delay, happening);
        }
        world
    }

    /// Lets time pass, until it is over or an invariant is violated.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now() + span);
    }

    /// Lets time pass until a moment, or until an invariant is violated.
    pub fn run_until(&mut self, end: Moment) {
        while self.violation.is_none() {
            let Some(happening) = self.schedule.next(end) else {
                break;
            };
            self.happen(happening);
        }
        self.truth.tally.simulated_ms = self.now().millis();
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.schedule.now()
    }

    /// The first invariant that was violated.
    #[must_use]
    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Notes every step of every brain from here on.
    pub fn keep_journal(&mut self) {
        self.journal.get_or_insert_default();
    }

    /// The steps noted since [`World::keep_journal`].
    #[must_use]
    pub fn journal(&self) -> &[JournalEntry] {
        self.journal.as_deref().unwrap_or_default()
    }

    /// What happened, a line each.
    #[must_use]
    pub fn log(&self) -> &[String] {
        self.chronicle.lines()
    }

    /// The truth.
    #[must_use]
    pub const fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The registry as it really is.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// All nodes that belong to the cluster, running or not.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes
            .iter()
            .filter(|(_, node)| !node.is_removed)
            .map(|(id, _)| *id)
    }

    /// All datasets that are not deleted.
    pub fn dataset_ids(&self) -> impl Iterator<Item = DatasetId> {
        let datasets = self.registry.newest().datasets.iter();
        datasets
            .filter(|(_, policy)| !policy.is_deleted)
            .map(|(id, _)| *id)
    }

    /// A node's disk.
    #[must_use]
    pub fn disk(&self, node: NodeId) -> Option<&Disk> {
        self.nodes.get(&node).map(|node| &node.disk)
    }

    /// A node's brain, if it runs.
    #[must_use]
    pub fn brain(&self, node: NodeId) -> Option<&StateMachine> {
        Some(&self.nodes.get(&node)?.running.as_ref()?.brain)
    }

    /// Whether a node runs and does not stand still.
    #[must_use]
    pub fn is_awake(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(Node::is_awake)
    }

    /// The node whose gate is open for a dataset, the one under the highest epoch if several are.
    #[must_use]
    pub fn open_node(&self, dataset: DatasetId) -> Option<NodeId> {
        self.truth
            .open_nodes(dataset)
            .filter(|(node, _)| self.is_awake(*node))
            .max_by_key(|(_, epoch)| *epoch)
            .map(|(node, _)| node)
    }

    /// Adds a line to the log.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        self.chronicle.tell(self.schedule.now(), line);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToNode { node, start, what } => self.happen_to_node(node, start, what),
            Happening::Frame { link, frame } => self.frame_arrives(link, frame),
            Happening::HeldFrames(link) => self.held_frames(link),
            Happening::Settings => {
                self.look_after_settings();
                self.schedule.after(SETTINGS_EVERY, Happening::Settings);
            }
            Happening::Order(ordered) => self.order_arrives(&ordered),
            Happening::Client(dataset) => self.client_comes(dataset),
            Happening::GiveUp { request } => self.give_up(request),
            Happening::Watch => {
                self.look();
                self.schedule.after(WATCH_EVERY, Happening::Watch);
            }
        }
    }

    fn happen_to_node(&mut self, id: NodeId, start: u32, what: ForNode) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        if node.start != start || node.running.is_none() {
            return;
        }
        let now = self.schedule.now();
        if node.frozen_since.is_some() {
            node.deferred.push(what);
            return;
        }
        match what {
            ForNode::Tick => {
                let Some(running) = &mut node.running else {
                    return;
                };
                // Otherwise an earlier deadline has come up, and its tick was this one's, too.
                if running.tick_at.is_some_and(|at| at <= now) {
                    running.tick_at = None;
                    self.tell(id, Event::Tick);
                }
            }
            ForNode::GroupTick => self.tick_group(id),
            ForNode::Datagram { from, content } => self.datagram_arrives(id, from, content),
            ForNode::Board(input) => self.tell_board(id, input),
            ForNode::Dialled(to) => self.dialled(id, to),
            ForNode::MistakeEnds(peer) => self.mistake_ends(id, peer),
            ForNode::Parcel {
                from,
                connection,
                parcel,
            } => self.parcel_arrives(id, from, connection, parcel),
            ForNode::Work(dataset, work) => self.finish(id, dataset, work),
            ForNode::RowsWritten => self.rows_written(id),
            ForNode::RowsReported(rows) => self.rows_reported(id, rows),
            ForNode::Snapshot(dataset) => self.snapshot_is_due(id, dataset),
            ForNode::Prune => self.prune(id),
            ForNode::Settings => self.learn_settings(id),
            ForNode::Facts => self.tell_facts(id),
        }
    }

    /// Gives a brain an event, carries out what it wants, and checks that nothing is broken.
    fn tell(&mut self, id: NodeId, event: Event) {
        let now = self.now();
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let (millis, start) = (node.clock.millis(now), node.start);
        let Some(running) = &mut node.running else {
            return;
        };
        let noted = self.journal.is_some().then(|| event.clone());
        self.chronicle.event(now, id, &event);
        let actions = running.brain.step(millis, event);
        self.truth.tally.steps += 1;
        if let (Some(event), Some(journal)) = (noted, &mut self.journal) {
            journal.push(JournalEntry {
                node: id,
                start,
                now: millis,
                event,
                actions: actions.clone(),
            });
        }
        for action in actions {
            self.chronicle.action(now, id, &action);
            self.carry_out(id, action.dataset, action.command);
        }
        self.schedule_tick(id);
    }

    fn tell_dataset(&mut self, id: NodeId, dataset: DatasetId, event: DatasetEvent) {
        self.tell(id, Event::Dataset { dataset, event });
        self.check_knowing_each_other(id, dataset);
    }

    fn schedule_tick(&mut self, id: NodeId) {
        let now = self.now();
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let clock = node.clock;
        let Some(running) = &mut node.running else {
            return;
        };
        let Some(deadline) = running.brain.next_deadline() else {
            return;
        };
        let at = clock.moment_of(deadline).max(now + ms(1));
        if running.tick_at.is_none_or(|scheduled| at < scheduled) {
            running.tick_at = Some(at);
            self.tell_later(id, at.since(now), ForNode::Tick);
        }
    }

    fn running(&mut self, id: NodeId) -> Option<&mut Running> {
        self.nodes.get_mut(&id)?.running.as_mut()
    }

    fn running_ref(&self, id: NodeId) -> Option<&Running> {
        self.nodes.get(&id)?.running.as_ref()
    }

    /// The other nodes of the cluster.
    fn others(&self, id: NodeId) -> Vec<NodeId> {
        self.node_ids().filter(|other| *other != id).collect()
    }

    fn tell_later(&mut self, node: NodeId, delay: Duration, what: ForNode) {
        let Some(start) = self.nodes.get(&node).map(|node| node.start) else {
            return;
        };
        self.schedule
            .after(delay, Happening::ToNode { node, start, what });
    }

    fn violate(&mut self, rule: &str, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let what = what();
            self.note(|| format!("VIOLATION of {rule}: {what}"));
            self.violation = Some(format!("{rule} at {}: {what}", self.now()));
        }
    }
}

/// An epoch as the log shows it: without the boot, which differs from run to run.
fn counter(epoch: Epoch) -> String {
    format!("{}-{}", epoch.counter, epoch.node)
}
