//! The cluster: nodes, links and one queue of things that will happen, in virtual time.

mod checks;
mod copies;
mod delivery;
mod executor;
mod faults;
mod node;
mod rest;
mod streams;

use crate::disk::{Content, Disk};
use crate::ghost::Ghost;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, Lineage, SnapshotId};
use hwc_state_machine::{
    Action, DatasetEvent, DatasetPolicy, Event, Millis, PeerMessage, PersistToken, PersistedRow,
    RegistryView, ReplicateFailure, StateMachine, StreamId, StreamOffer, Timers, TransferId,
};
use node::{Node, Running};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

/// How a brain is made: lets tests hand in one with rules switched off.
pub type BrainFactory = fn(NodeId, Timers) -> StateMachine;

/// The failure detector declares a silent node unreachable after this long.
const DECLARE_MS: u64 = 4_000;
/// It looks this often.
const DETECTOR_MS: u64 = 250;
/// A standstill this long is noticed as a gap. Shorter than [`DECLARE_MS`].
const GAP_MS: u64 = 1_500;
/// Boards are exchanged whole this often, besides changes.
const ANTI_ENTROPY_MS: u64 = 5_000;
/// A transfer without an answer is given up after this long.
const TRANSFER_TIMEOUT_MS: u64 = 3_000;

/// Something that will happen.
#[derive(Debug, Clone)]
enum Happening {
    /// To a node, unless it has been restarted since; while it stands still, later.
    ToNode {
        node: NodeId,
        start: u32,
        what: ForNode,
    },
    /// The detector of a node looks.
    Detect(NodeId),
    /// Clients write to every open gate of a node.
    Write(NodeId),
    /// A node snapshots what was written.
    Snapshot(NodeId),
    /// A node prunes snapshots that need not be retained.
    Prune(NodeId),
}

/// Something that will happen to one start of a node.
#[derive(Debug, Clone)]
enum ForNode {
    /// A deadline of the brain.
    Tick,
    /// Something arrives from another node, if the connection is still the one it was sent over.
    Parcel {
        from: NodeId,
        session: u64,
        parcel: Parcel,
    },
    /// The executor has done something.
    Work(DatasetId, Work),
    /// The registry's state arrives.
    Registry,
    /// The executor asks its peers for what it lacks.
    AskForBoards,
}

/// What travels between nodes.
#[derive(Debug, Clone)]
enum Parcel {
    AskForBoard,
    Board {
        boot: BootId,
        start: u32,
        records: Vec<(DatasetId, u64, HolderRecord)>,
    },
    Record {
        dataset: DatasetId,
        start: u32,
        version: u64,
        record: HolderRecord,
    },
    Message {
        dataset: DatasetId,
        message: PeerMessage,
    },
    StreamHeader {
        dataset: DatasetId,
        transfer: TransferId,
        offer: StreamOffer,
        payload: Content,
    },
    StreamRefused {
        dataset: DatasetId,
        transfer: TransferId,
    },
    StreamBroken {
        dataset: DatasetId,
        transfer: TransferId,
    },
    StreamAcknowledged {
        dataset: DatasetId,
        transfer: TransferId,
    },
    Divergent {
        dataset: DatasetId,
        lineage: Lineage,
        content: Content,
    },
}

/// What an executor does after a while: an effect on the disk, a report, or both.
#[derive(Debug, Clone)]
enum Work {
    WriteRow {
        row: PersistedRow,
    },
    ReportRow {
        token: PersistToken,
    },
    FinishOpen {
        epoch: Epoch,
        from: Option<SnapshotId>,
    },
    FailOpen {
        epoch: Epoch,
    },
    FinishFence {
        epoch: Epoch,
    },
    FinishClosing {
        epoch: Epoch,
    },
    FinishReceiving {
        stream: StreamId,
    },
    FinishCommit {
        stream: StreamId,
    },
    File {
        lineage: Lineage,
    },
    RollBack {
        to: Option<SnapshotId>,
    },
    DropCopy,
    FailOperation,
    FailTransfer {
        transfer: TransferId,
        failure: ReplicateFailure,
    },
}

/// How lively the made-up hardware is.
#[derive(Debug, Clone)]
pub struct Temper {
    /// Latency between nodes in milliseconds, from and to.
    pub latency_ms: (u64, u64),
    /// Chance that a parcel is lost.
    pub loss: f64,
    /// Chance that a parcel arrives twice.
    pub repeat: f64,
    /// Chance that a local operation fails.
    pub failure: f64,
    /// Longest time that a fence takes, in milliseconds.
    pub fence_ms: u64,
    /// Clients write about this often to an open gate, in milliseconds; 0: never by themselves.
    pub write_every_ms: u64,
}

impl Temper {
    /// A healthy cluster in one rack, nobody writing by themselves.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            latency_ms: (1, 3),
            loss: 0.0,
            repeat: 0.0,
            failure: 0.0,
            fence_ms: 50,
            write_every_ms: 0,
        }
    }
}

/// A cluster in virtual time.
pub struct World {
    now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    nodes: BTreeMap<NodeId, Node>,
    cut: BTreeSet<(NodeId, NodeId)>,
    sessions: BTreeMap<(NodeId, NodeId), u64>,
    policies: BTreeMap<DatasetId, DatasetPolicy>,
    registry_index: u64,
    brain: BrainFactory,
    timers: Timers,
    rng: StdRng,
    temper: Temper,
    ghost: Ghost,
    log: Vec<String>,
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
    /// When.
    pub now: Millis,
    /// What it was told.
    pub event: Event,
    /// What it wanted done.
    pub actions: Vec<Action>,
}

impl World {
    /// A cluster of nodes 1 to `nodes`, all up, without datasets.
    #[must_use]
    pub fn new(nodes: u16, seed: u64, temper: Temper, brain: BrainFactory) -> Self {
        let mut world = Self {
            now: 0,
            sequence: 0,
            queue: BTreeMap::new(),
            nodes: BTreeMap::new(),
            cut: BTreeSet::new(),
            sessions: BTreeMap::new(),
            policies: BTreeMap::new(),
            registry_index: 100,
            brain,
            timers: Timers::lan(),
            rng: StdRng::seed_from_u64(seed),
            temper,
            ghost: Ghost::default(),
            log: Vec::new(),
            journal: None,
            violation: None,
        };
        for id in 1..=nodes {
            let id = NodeId(id);
            world.nodes.insert(id, Node::new(u64::from(id.0)));
            world.boot(id);
            for happening in [
                Happening::Detect(id),
                Happening::Write(id),
                Happening::Snapshot(id),
                Happening::Prune(id),
            ] {
                let at = world.draw((1, DETECTOR_MS));
                world.later(at, happening);
            }
        }
        world
    }

    /// Lets time pass, until it is over or an invariant is violated.
    pub fn run_for(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        while self.violation.is_none() {
            let Some((&(at, sequence), _)) = self.queue.first_key_value() else {
                break;
            };
            if at > until {
                break;
            }
            self.now = at;
            if let Some(happening) = self.queue.remove(&(at, sequence)) {
                self.happen(happening);
            }
        }
        self.now = until;
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
        &self.log
    }

    /// The truth.
    #[must_use]
    pub const fn ghost(&self) -> &Ghost {
        &self.ghost
    }

    /// Virtual milliseconds since the beginning.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now
    }

    /// All nodes, running or not.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied()
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

    /// The node whose gate is open for a dataset, the one under the highest epoch if several are.
    #[must_use]
    pub fn open_node(&self, dataset: DatasetId) -> Option<NodeId> {
        self.open_nodes(dataset).max().map(|(_, node)| node)
    }

    fn open_nodes(&self, dataset: DatasetId) -> impl Iterator<Item = (Epoch, NodeId)> {
        self.nodes.iter().filter_map(move |(id, node)| {
            let running = node.running.as_ref().filter(|_| node.is_awake())?;
            let gate = running.gates.get(&dataset)?;
            gate.is_open.then_some((gate.epoch, *id))
        })
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToNode { node, start, what } => self.happen_to_node(node, start, what),
            Happening::Detect(node) => {
                self.detect(node);
                self.later(DETECTOR_MS, Happening::Detect(node));
            }
            Happening::Write(node) => {
                self.clients_write(node);
                let pause = self.temper.write_every_ms.max(50);
                let at = self.draw((pause / 2, pause * 3 / 2));
                self.later(at, Happening::Write(node));
            }
            Happening::Snapshot(node) => {
                self.take_snapshots(node);
                let at = self.draw((100, 600));
                self.later(at, Happening::Snapshot(node));
            }
            Happening::Prune(node) => {
                self.prune(node);
                let at = self.draw((500, 3_000));
                self.later(at, Happening::Prune(node));
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
        if node.frozen_since.is_some() {
            node.deferred.push(what);
            return;
        }
        match what {
            ForNode::Tick => {
                if let Some(running) = &mut node.running {
                    running.tick_at = None;
                }
                self.tell(id, Event::Tick);
            }
            ForNode::Parcel {
                from,
                session,
                parcel,
            } => {
                if self.session(from, id) == session && self.is_linked(from, id) {
                    self.receive(id, from, parcel);
                }
            }
            ForNode::Work(dataset, work) => self.finish(id, dataset, work),
            ForNode::Registry => {
                let view = self.registry_for(id);
                self.tell(id, Event::Registry(view));
                let facts = self.facts();
                self.tell(id, Event::Cluster(facts));
            }
            ForNode::AskForBoards => self.ask_for_boards(id),
        }
    }

    /// Gives a brain an event, carries out what it wants, and checks that nothing is broken.
    fn tell(&mut self, id: NodeId, event: Event) {
        let now = Millis(self.now);
        let noted = self.journal.is_some().then(|| event.clone());
        let Some(running) = self.running(id) else {
            return;
        };
        let actions = running.brain.step(now, event);
        self.ghost.tally.steps += 1;
        if let (Some(event), Some(journal)) = (noted, &mut self.journal) {
            journal.push(JournalEntry {
                node: id,
                start: self.nodes.get(&id).map_or(0, |node| node.start),
                now,
                event,
                actions: actions.clone(),
            });
        }
        for action in actions {
            self.carry_out(id, action.dataset, action.command);
        }
        self.schedule_tick(id);
        self.check_step(id);
    }

    fn tell_dataset(&mut self, id: NodeId, dataset: DatasetId, event: DatasetEvent) {
        self.tell(id, Event::Dataset { dataset, event });
    }

    fn schedule_tick(&mut self, id: NodeId) {
        let now = self.now;
        let Some(running) = self.running(id) else {
            return;
        };
        let Some(Millis(at)) = running.brain.next_deadline() else {
            return;
        };
        if running.tick_at.is_none_or(|scheduled| at < scheduled) {
            running.tick_at = Some(at);
            self.tell_later(id, at.saturating_sub(now).max(1), ForNode::Tick);
        }
    }

    fn running(&mut self, id: NodeId) -> Option<&mut Running> {
        self.nodes.get_mut(&id)?.running.as_mut()
    }

    fn later(&mut self, delay: u64, happening: Happening) {
        self.sequence += 1;
        self.queue
            .insert((self.now + delay, self.sequence), happening);
    }

    fn tell_later(&mut self, node: NodeId, delay: u64, what: ForNode) {
        let Some(start) = self.nodes.get(&node).map(|node| node.start) else {
            return;
        };
        self.later(delay, Happening::ToNode { node, start, what });
    }

    fn draw(&mut self, (from, to): (u64, u64)) -> u64 {
        self.rng.random_range(from..=to.max(from))
    }

    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.rng.random_bool(chance)
    }

    fn violate(&mut self, what: String) {
        if self.violation.is_none() {
            self.note(format!("VIOLATION {what}"));
            self.violation = Some(format!("at {} ms: {what}", self.now));
        }
    }

    /// Adds a line to the log.
    pub fn note(&mut self, line: String) {
        let (seconds, millis) = (self.now / 1_000, self.now % 1_000);
        self.log.push(format!("{seconds:>4}.{millis:03} {line}"));
    }
}
