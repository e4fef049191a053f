//! A desk: one brain with many datasets, an executor that carries everything out at once, and peers
//! that acknowledge, follow and take over.

use crate::{
    Action, Bug, ClusterFacts, Command, DatasetEvent, DatasetFacts, DatasetPolicy, Event,
    InventoryItem, Millis, MoveFacts, MoveStage, NodeFacts, PastMove, PeerMessage, RegistryView,
    ReplicateFailure, SizeStep, StateMachine, TakenSnapshot, Timers, Unit,
};
use hwc_api::balancing::{Balancing, DatasetLoad, NodeLoad};
use hwc_api::explanation::{Decision, Outcome};
use hwc_api::ids::{AccountId, BootId, DatasetId, MoveId, NodeId, SiteId};
use hwc_api::moves::{MovePhase, MoveReason};
use hwc_api::names::ZoneName;
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage, SnapshotId};
use hwc_api::time::WallTime;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The node whose brain is on the desk.
pub(super) const ME: NodeId = NodeId(1);
/// The others.
pub(super) const B: NodeId = NodeId(2);
pub(super) const C: NodeId = NodeId(3);
pub(super) const D: NodeId = NodeId(4);
/// Somebody who asks.
pub(super) const ASKED: MoveReason = MoveReason::Asked(AccountId(7));

/// A site of files and one database: datasets `10 n` and `10 n + 1`.
pub(super) fn files(site: u32) -> DatasetId {
    DatasetId(site * 10)
}

pub(super) fn database(site: u32) -> DatasetId {
    DatasetId(site * 10 + 1)
}

pub(super) fn node() -> NodeFacts {
    NodeFacts {
        zone: zone("rack"),
        is_hosting: true,
        is_draining: false,
        may_lack_copies: false,
        is_up: true,
        is_well: true,
        cores: 4,
        load: NodeLoad::default(),
        memory_total_bytes: 16 << 30,
        memory_available_bytes: 12 << 30,
        pool_total_bytes: 200 << 30,
        pool_free_bytes: 100 << 30,
    }
}

pub(super) fn zone(name: &str) -> ZoneName {
    ZoneName::parse(name).expect("a zone")
}

/// What a peer has of a dataset.
#[derive(Debug, Clone, Default)]
struct Copy {
    lineage: Option<Lineage>,
    seen: Epoch,
    live: Epoch,
}

/// The desk.
pub(super) struct Desk {
    pub(super) brain: StateMachine,
    pub(super) now: u64,
    pub(super) facts: ClusterFacts,
    pub(super) policies: BTreeMap<DatasetId, DatasetPolicy>,
    pub(super) past: BTreeMap<MoveId, PastMove>,
    pub(super) loads: BTreeMap<DatasetId, DatasetFacts>,
    /// Everything that the brain wanted since it was asked last.
    pub(super) said: Vec<Action>,
    /// Every event, with its moment and what the brain wanted.
    pub(super) journal: Vec<(Millis, Event, Vec<Action>)>,
    /// Commands that the executor keeps to itself: nothing happens, and transfers fail.
    pub(super) stuck: fn(&Command) -> bool,
    /// Whether the registry does what is proposed.
    pub(super) registry_works: bool,
    copies: BTreeMap<(DatasetId, NodeId), Copy>,
    waiting: VecDeque<Event>,
    sequence: BTreeMap<DatasetId, u32>,
}

impl Desk {
    /// Four healthy nodes, sites with one database each on this node and B, everything live here.
    pub(super) fn with_sites(sites: u32) -> Self {
        let mut desk = Self::idle(sites, &[ME, B]);
        desk.go_live();
        desk
    }

    pub(super) fn with_bugs(sites: u32, bugs: &[Bug]) -> Self {
        let mut desk = Self::idle(sites, &[ME, B]);
        desk.brain = desk.brain.with_bugs(bugs.iter().copied());
        desk.go_live();
        desk
    }

    /// The same, serving nothing: sites on these nodes, of which the first one serves.
    pub(super) fn idle(sites: u32, set: &[NodeId]) -> Self {
        let mut policies = BTreeMap::new();
        for site in 1..=sites {
            for dataset in [files(site), database(site)] {
                policies.insert(dataset, policy(site, set));
            }
        }
        let nodes = [ME, B, C, D].map(|id| (id, node()));
        let mut desk = Self {
            brain: StateMachine::new(ME, Timers::lan()),
            now: 1_000_000,
            facts: ClusterFacts {
                now: WallTime(1_700_000_000_000),
                balancing: Balancing::default(),
                leader: Some(D),
                is_writable: true,
                nodes: nodes.into(),
                moves: Vec::new(),
            },
            policies,
            past: BTreeMap::new(),
            loads: BTreeMap::new(),
            said: Vec::new(),
            journal: Vec::new(),
            stuck: |_| false,
            registry_works: true,
            copies: BTreeMap::new(),
            waiting: VecDeque::new(),
            sequence: BTreeMap::new(),
        };
        desk.boot(set);
        desk
    }

    fn boot(&mut self, set: &[NodeId]) {
        let lineage = Lineage::genesis()
            .with(snapshot(1, B, 1), 1_000)
            .expect("a successor");
        let datasets: Vec<_> = self.policies.keys().copied().collect();
        let mut inventory = Vec::new();
        for dataset in datasets {
            for node in set {
                let copy = Copy {
                    lineage: Some(lineage.clone()),
                    ..Copy::default()
                };
                self.copies.insert((dataset, *node), copy);
            }
            if set.contains(&ME) {
                inventory.push(InventoryItem {
                    dataset,
                    row: None,
                    lineage: Some(lineage.clone()),
                    divergent: Vec::new(),
                    head_taken_at: WallTime(0),
                });
            }
        }
        let boot = BootId(1);
        self.step(Event::Booted { boot, inventory });
        self.registry();
        self.cluster();
        for node in [B, C, D] {
            self.step(Event::PeerAlive { node });
            for dataset in self.policies.keys().copied().collect::<Vec<_>>() {
                self.show(dataset, node);
            }
            let boot = BootId(u32::from(node.0));
            self.step(Event::RecordsHeard { node, boot });
        }
        self.run();
    }

    fn go_live(&mut self) {
        self.wait(10_000);
        for dataset in self.policies.keys() {
            let status = self.brain.status(*dataset).expect("known");
            assert!(status.is_open, "{dataset}: {status:?}");
        }
        self.said.clear();
    }

    /// Another node goes live for everything.
    pub(super) fn served_by(&mut self, node: NodeId) {
        for dataset in self.policies.keys().copied().collect::<Vec<_>>() {
            self.take_over(dataset, node);
        }
        self.run();
        self.said.clear();
    }

    /// A node serves a dataset from now on.
    pub(super) fn take_over(&mut self, dataset: DatasetId, node: NodeId) {
        let highest = self
            .copies
            .values()
            .map(|copy| copy.seen.counter)
            .chain(self.brain.status(dataset).map(|status| status.seen.counter))
            .max();
        let epoch = Epoch {
            counter: highest.unwrap_or(0) + 1,
            node,
            boot: BootId(u32::from(node.0)),
        };
        let copy = self.copies.entry((dataset, node)).or_default();
        copy.seen = epoch;
        copy.live = epoch;
        self.show(dataset, node);
    }

    /// A node serves a dataset from now on, and this one has heard of it.
    pub(super) fn goes_live(&mut self, dataset: DatasetId, node: NodeId) {
        self.take_over(dataset, node);
        self.run();
    }

    /// This node serves a dataset again that another one serves: that one dies, and comes back.
    pub(super) fn take_back(&mut self, dataset: DatasetId) {
        let node = self.brain.status(dataset).and_then(|status| status.live);
        let node = node.expect("a live node");
        for copy in self.copies.values_mut() {
            copy.live = Epoch::NONE;
        }
        self.goes_down(node);
        self.wait(5_000);
        self.comes_back(node);
        assert!(self.open_here().contains(&dataset));
    }

    /// The same cluster, seen by this node after a restart.
    pub(super) fn restarted(self) -> Self {
        let set: Vec<_> = self
            .policies
            .values()
            .next()
            .map(|policy| policy.replicas.clone())
            .expect("a dataset");
        let mut desk = Self {
            brain: StateMachine::new(ME, Timers::lan()),
            ..self
        };
        desk.boot(&set);
        desk.go_live();
        desk
    }

    /// A peer holds what the live node holds.
    pub(super) fn gets_copy(&mut self, dataset: DatasetId, node: NodeId) {
        let newest = self
            .copies
            .iter()
            .filter(|((of, _), _)| *of == dataset)
            .filter_map(|(_, copy)| copy.lineage.clone())
            .max_by_key(Lineage::total_sequence);
        let seen = self
            .copies
            .iter()
            .filter(|((of, _), _)| *of == dataset)
            .map(|(_, copy)| copy.seen)
            .max();
        let copy = self.copies.entry((dataset, node)).or_default();
        copy.lineage = newest;
        copy.seen = seen.unwrap_or_default();
        self.show(dataset, node);
        self.run();
    }

    /// What this node wrote last reaches a peer.
    pub(super) fn gets_copy_of_head(&mut self, dataset: DatasetId, node: NodeId) {
        let status = self.brain.status(dataset).expect("known");
        let copy = self.copies.entry((dataset, node)).or_default();
        copy.lineage = status.lineage;
        copy.seen = copy.seen.max(status.seen);
        self.show(dataset, node);
        self.run();
    }

    /// All copies of a dataset are lost; the nodes that are to hold it have none.
    pub(super) fn is_lost(&mut self, dataset: DatasetId, set: &[NodeId]) {
        let policy = self.policies.get_mut(&dataset).expect("known");
        policy.replicas = set.to_vec();
        for node in [B, C, D] {
            self.copies.insert((dataset, node), Copy::default());
            self.show(dataset, node);
        }
        self.run();
    }

    fn show(&mut self, dataset: DatasetId, node: NodeId) {
        let Some(copy) = self.copies.get(&(dataset, node)) else {
            return;
        };
        let is_live = copy.live != Epoch::NONE && copy.live == copy.seen;
        let record = HolderRecord {
            boot: BootId(u32::from(node.0)),
            state: if is_live {
                HolderState::Live
            } else {
                HolderState::Replica
            },
            is_contending: false,
            has_copy: copy.lineage.is_some(),
            is_deleted: false,
            epoch: if is_live { copy.live } else { Epoch::NONE },
            seen: copy.seen,
            lineage: copy.lineage.clone().unwrap_or_default(),
            heard: Vec::new(),
            against: Epoch::NONE,
            divergent: Vec::new(),
            moving_to: None,
            head_taken_at: WallTime(0),
        };
        self.tell(dataset, DatasetEvent::Record { from: node, record });
    }

    fn tell(&mut self, dataset: DatasetId, event: DatasetEvent) {
        self.waiting.push_back(Event::Dataset { dataset, event });
    }

    /// One event, and everything that follows from it at once.
    pub(super) fn give(&mut self, event: Event) {
        self.step(event);
        self.run();
    }

    fn step(&mut self, event: Event) {
        let now = Millis(self.now);
        let actions = self.brain.step(now, event.clone());
        self.journal.push((now, event, actions.clone()));
        for action in actions {
            self.said.push(action.clone());
            if !(self.stuck)(&action.command) {
                self.carry_out(action.dataset, action.command);
            } else if let Command::Replicate { transfer, .. } = action.command {
                let failure = ReplicateFailure::Interrupted;
                self.tell(
                    action.dataset,
                    DatasetEvent::ReplicateFailed { transfer, failure },
                );
            }
        }
    }

    fn run(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            self.step(event);
        }
    }

    fn carry_out(&mut self, dataset: DatasetId, command: Command) {
        match command {
            Command::Persist { token, .. } => self.tell(dataset, DatasetEvent::Persisted { token }),
            Command::Publish { record } => self.peers_follow(dataset, &record),
            Command::Open { epoch, .. } | Command::ReopenGate { epoch } => {
                self.tell(dataset, DatasetEvent::Opened { epoch });
            }
            Command::Fence { epoch } => {
                let final_snapshot = None;
                self.tell(
                    dataset,
                    DatasetEvent::Fenced {
                        epoch,
                        final_snapshot,
                    },
                );
            }
            Command::CloseGate { epoch } => {
                let final_snapshot = Some(self.take_snapshot(dataset, epoch));
                self.tell(
                    dataset,
                    DatasetEvent::GateClosed {
                        epoch,
                        final_snapshot,
                    },
                );
            }
            Command::Replicate {
                transfer,
                to,
                epoch,
                lineage,
                ..
            } => {
                let copy = self.copies.entry((dataset, to)).or_default();
                copy.lineage = Some(lineage);
                copy.seen = copy.seen.max(epoch);
                self.tell(dataset, DatasetEvent::ReplicaAcknowledged { transfer });
                self.show(dataset, to);
            }
            Command::Send {
                to,
                message: PeerMessage::Promote { .. },
            } => self.take_over(dataset, to),
            Command::SetReplicas { expected, replicas } if self.registry_works => {
                let policy = self.policies.get_mut(&dataset).expect("known");
                assert_eq!(policy.replicas, expected, "an old set was expected");
                policy.replicas = replicas;
                let view = self.registry_view();
                self.waiting.push_back(Event::Registry(view));
            }
            _ => {}
        }
    }

    fn take_snapshot(&mut self, dataset: DatasetId, epoch: Epoch) -> TakenSnapshot {
        let sequence = self.sequence.entry(dataset).or_default();
        *sequence += 1;
        TakenSnapshot {
            snapshot: SnapshotId {
                epoch,
                sequence: *sequence,
            },
            changed_bytes: 100,
            taken_at: WallTime(0),
        }
    }

    /// Peers that hold a copy, or should, have seen what this node shows.
    fn peers_follow(&mut self, dataset: DatasetId, record: &HolderRecord) {
        let set = self.policies.get(&dataset).map(|policy| &policy.replicas);
        for node in set.cloned().unwrap_or_default() {
            if node == ME || !self.is_up(node) {
                continue;
            }
            let copy = self.copies.entry((dataset, node)).or_default();
            if copy.seen < record.seen {
                copy.seen = record.seen;
                self.show(dataset, node);
            }
        }
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.facts.nodes.get(&node).is_some_and(|node| node.is_up)
    }

    fn registry_view(&self) -> RegistryView {
        RegistryView {
            my_join_index: 1,
            datasets: self.policies.clone(),
            moves: self.past.clone(),
        }
    }

    pub(super) fn registry(&mut self) {
        let view = self.registry_view();
        self.give(Event::Registry(view));
    }

    /// The facts as they are now are told.
    pub(super) fn cluster(&mut self) {
        let facts = self.facts.clone();
        self.give(Event::Cluster(facts));
    }

    /// Time passes; facts and loads are told every second, as the conductor does.
    pub(super) fn wait(&mut self, milliseconds: u64) {
        let until = self.now + milliseconds;
        while self.now < until {
            let next = (self.now + 1_000).min(until);
            self.tick_until(next);
            self.facts.now = self.facts.now.plus_ms(1_000);
            self.loads_told();
            self.cluster();
        }
    }

    /// Time passes, and nothing else happens.
    pub(super) fn tick_until(&mut self, until: u64) {
        while let Some(Millis(at)) = self.brain.next_deadline()
            && at <= until
        {
            self.now = self.now.max(at);
            self.give(Event::Tick);
        }
        self.now = until;
    }

    pub(super) fn loads_told(&mut self) {
        let loads = self.loads.clone();
        self.give(Event::Loads(loads));
    }

    /// A site takes so much of this node.
    pub(super) fn takes(&mut self, site: u32, cpu_millicores: u32) {
        let load = DatasetLoad {
            cpu_millicores,
            ..DatasetLoad::default()
        };
        let used_bytes = 1 << 30;
        self.loads
            .insert(files(site), DatasetFacts { load, used_bytes });
    }

    /// The same of its database.
    pub(super) fn takes_database(&mut self, site: u32, cpu_millicores: u32) {
        self.takes(site, cpu_millicores);
        let facts = self.loads.remove(&files(site)).expect("just put there");
        self.loads.insert(database(site), facts);
    }

    /// All datasets are so large, as their live nodes show.
    pub(super) fn sizes(&mut self, bytes: u64) {
        let sizes = self.policies.keys();
        let sizes = sizes.map(|dataset| (*dataset, SizeStep::of(bytes)));
        let sizes = sizes.collect();
        self.give(Event::Sizes(sizes));
    }

    /// A node bears so much, in percent of its four cores.
    pub(super) fn bears(&mut self, node: NodeId, percent: u32) {
        let node = self.facts.nodes.get_mut(&node).expect("a node");
        node.load.cpu_millicores = percent * 40;
    }

    pub(super) fn facts_of(&mut self, node: NodeId) -> &mut NodeFacts {
        self.facts.nodes.get_mut(&node).expect("a node")
    }

    /// A node is down, for the detector and the facts.
    pub(super) fn goes_down(&mut self, node: NodeId) {
        self.facts_of(node).is_up = false;
        self.give(Event::PeerSuspect { node });
        self.cluster();
    }

    pub(super) fn comes_back(&mut self, node: NodeId) {
        self.facts_of(node).is_up = true;
        self.give(Event::PeerAlive { node });
        for dataset in self.policies.keys().copied().collect::<Vec<_>>() {
            let seen = self.brain.status(dataset).map(|status| status.seen);
            if let Some(copy) = self.copies.get_mut(&(dataset, node)) {
                copy.seen = copy.seen.max(seen.unwrap_or_default());
            }
            self.show(dataset, node);
        }
        self.run();
        let boot = BootId(u32::from(node.0));
        self.give(Event::RecordsHeard { node, boot });
        self.cluster();
    }

    pub(super) fn ask(&mut self, dataset: DatasetId, to: NodeId) {
        let event = DatasetEvent::MoveTo {
            node: to,
            reason: ASKED,
        };
        self.give(Event::Dataset { dataset, event });
    }

    pub(super) fn call_off(&mut self, dataset: DatasetId) {
        let event = DatasetEvent::CallOffMove;
        self.give(Event::Dataset { dataset, event });
    }

    /// Another node shows a move.
    pub(super) fn others_move(&mut self, from: NodeId, to: NodeId, dataset: u32, phase: MovePhase) {
        self.facts.moves.push(MoveFacts {
            dataset: DatasetId(dataset),
            from,
            to,
            phase,
            load: DatasetLoad::default(),
        });
    }

    /// The stages that were told of a dataset's moves, in order.
    pub(super) fn stages(&self, dataset: DatasetId) -> Vec<MoveStage> {
        self.said
            .iter()
            .filter(|action| action.dataset == dataset)
            .filter_map(|action| match &action.command {
                Command::MoveChanged { status } => Some(status.stage),
                _ => None,
            })
            .collect()
    }

    /// The targets of the moves that were planned, by dataset.
    pub(super) fn planned(&self) -> BTreeMap<DatasetId, NodeId> {
        let moves = self.brain.moves();
        moves
            .into_iter()
            .map(|(dataset, status)| (dataset, status.to))
            .collect()
    }

    pub(super) fn decisions(&self) -> Vec<Decision> {
        self.said
            .iter()
            .filter_map(|action| match &action.command {
                Command::Decided { decision } => Some(decision.clone()),
                _ => None,
            })
            .collect()
    }

    /// Decisions other than that a dataset goes live.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let outcomes = self.decisions().into_iter();
        outcomes
            .map(|decision| decision.outcome)
            .filter(|outcome| !matches!(outcome, Outcome::Claim { .. }))
            .collect()
    }

    /// The sets that were proposed.
    pub(super) fn proposed(&self) -> Vec<(DatasetId, Vec<NodeId>)> {
        self.said
            .iter()
            .filter_map(|action| match &action.command {
                Command::SetReplicas { replicas, .. } => Some((action.dataset, replicas.clone())),
                _ => None,
            })
            .collect()
    }

    /// The datasets that are open here.
    pub(super) fn open_here(&self) -> BTreeSet<DatasetId> {
        self.policies
            .keys()
            .copied()
            .filter(|dataset| self.brain.status(*dataset).is_some_and(|s| s.is_open))
            .collect()
    }
}

fn policy(site: u32, set: &[NodeId]) -> DatasetPolicy {
    DatasetPolicy {
        replicas: set.to_vec(),
        copies: 2,
        created_index: 5,
        is_deleted: false,
        unit: Some(Unit {
            site: SiteId(site),
            files: files(site),
        }),
        pin: None,
        hold_until: None,
    }
}

fn snapshot(counter: u32, node: NodeId, sequence: u32) -> SnapshotId {
    SnapshotId {
        epoch: Epoch {
            counter,
            node,
            boot: BootId(u32::from(node.0)),
        },
        sequence,
    }
}
