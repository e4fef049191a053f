//! A fleet: several brains that spread made-up loads among themselves, each measuring as a node
//! does. Whatever the loads are, moves stay few, and cease when the loads stay as they are.

use super::desk::node;
use crate::{
    ClusterFacts, Command, DatasetEvent, DatasetFacts, DatasetPolicy, Event, InventoryItem, Millis,
    MoveFacts, MoveStage, PastMove, RegistryView, ReplicateFailure, StateMachine, StreamId,
    StreamOffer, Timers, TransferId, Unit,
};
use hwc_api::balancing::{Balancing, DatasetLoad};
use hwc_api::ids::{BootId, DatasetId, MoveId, NodeId, SiteId};
use hwc_api::moves::MoveReason;
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_api::time::WallTime;
use std::collections::{BTreeMap, VecDeque};

const NODES: u16 = 4;
const CORES: u32 = 4;
/// Between two tellings of loads, milliseconds.
const LOOK_MS: u64 = 2_000;
const RULES: Balancing = Balancing {
    is_on: true,
    moves_per_minute: 6,
    moves_at_once: 2,
    cool_down_s: 200,
    veto_s: 5,
    busy_percent: 75,
    gap_percent: 20,
    patience_s: 30,
};

/// A dataset that moved to spread load.
#[derive(Debug, Clone, Copy)]
struct Moved {
    at_ms: u64,
    dataset: DatasetId,
    from: NodeId,
    to: NodeId,
}

struct Fleet {
    brains: BTreeMap<NodeId, StateMachine>,
    now_ms: u64,
    policies: BTreeMap<DatasetId, DatasetPolicy>,
    receipts: BTreeMap<MoveId, PastMove>,
    /// What each dataset really takes, thousandths of a core.
    demand: BTreeMap<DatasetId, u32>,
    /// What is measured of it where it is live: follows slowly. Millionths.
    measured: BTreeMap<(NodeId, DatasetId), u64>,
    shown: BTreeMap<(NodeId, DatasetId), MoveFacts>,
    streams: BTreeMap<StreamId, (NodeId, NodeId, TransferId)>,
    waiting: VecDeque<(NodeId, Event)>,
    moved: Vec<Moved>,
    /// It says that it does nothing, whatever it does.
    liar: Option<NodeId>,
}

impl Fleet {
    /// Datasets, each with copies on two nodes; which ones, the chance decides.
    fn new(datasets: u32, chance: &mut Chance) -> Self {
        let ids: Vec<_> = (1..=NODES).map(NodeId).collect();
        let mut fleet = Self {
            brains: BTreeMap::new(),
            now_ms: 1_000_000,
            policies: BTreeMap::new(),
            receipts: BTreeMap::new(),
            demand: BTreeMap::new(),
            measured: BTreeMap::new(),
            shown: BTreeMap::new(),
            streams: BTreeMap::new(),
            waiting: VecDeque::new(),
            moved: Vec::new(),
            liar: None,
        };
        for n in 1..=datasets {
            let first = chance.below(NODES);
            let second = first + 1 + chance.below(NODES - 1);
            let set = [first, second].map(|n| NodeId(n % NODES + 1));
            fleet.policies.insert(DatasetId(n), policy(n, &set));
        }
        for id in ids {
            let brain = StateMachine::new(id, Timers::lan());
            fleet.brains.insert(id, brain);
        }
        fleet.boot();
        fleet
    }

    fn boot(&mut self) {
        let ids: Vec<_> = self.brains.keys().copied().collect();
        for id in &ids {
            let held = self.policies.iter();
            let held = held.filter(|(_, policy)| policy.replicas.contains(id));
            let inventory = held.map(|(dataset, _)| InventoryItem {
                dataset: *dataset,
                row: None,
                lineage: Some(history()),
                divergent: Vec::new(),
                head_taken_at: WallTime(0),
            });
            let booted = Event::Booted {
                boot: boot_of(*id),
                inventory: inventory.collect(),
            };
            self.waiting.push_back((*id, booted));
        }
        self.tell_registry();
        for id in &ids {
            for node in ids.iter().copied().filter(|node| node != id) {
                self.waiting.push_back((*id, Event::PeerAlive { node }));
            }
        }
        self.run();
        for id in &ids {
            for node in ids.iter().copied().filter(|node| node != id) {
                let boot = boot_of(node);
                self.waiting
                    .push_back((*id, Event::RecordsHeard { node, boot }));
            }
        }
        self.run();
    }

    fn tell_registry(&mut self) {
        for id in self.brains.keys() {
            let view = RegistryView {
                my_join_index: 1,
                datasets: self.policies.clone(),
                moves: self.receipts.clone(),
            };
            self.waiting.push_back((*id, Event::Registry(view)));
        }
    }

    /// Time passes: loads are measured and told, deadlines met.
    fn wait(&mut self, milliseconds: u64) {
        let until = self.now_ms + milliseconds;
        while self.now_ms < until {
            self.now_ms += LOOK_MS;
            self.measure();
            let facts = self.facts();
            for id in self.brains.keys() {
                let loads = self.loads(*id);
                self.waiting.push_back((*id, Event::Loads(loads)));
                self.waiting.push_back((*id, Event::Cluster(facts.clone())));
                self.waiting.push_back((*id, Event::Tick));
            }
            self.run();
        }
    }

    /// Averages forget as a node's do: two thirds in a minute.
    fn measure(&mut self) {
        for (id, brain) in &self.brains {
            for (dataset, demand) in &self.demand {
                let key = (*id, *dataset);
                if brain.serving(*dataset).is_none() {
                    self.measured.remove(&key);
                    continue;
                }
                let measured = self.measured.entry(key).or_default();
                *measured = (*measured * 29 + u64::from(*demand) * 1_000) / 30;
            }
        }
    }

    fn loads(&self, id: NodeId) -> BTreeMap<DatasetId, DatasetFacts> {
        let own = self
            .measured
            .range((id, DatasetId(0))..(NodeId(id.0 + 1), DatasetId(0)));
        own.map(|((_, dataset), micro)| {
            let load = DatasetLoad {
                cpu_millicores: u32::try_from(micro / 1_000).expect("small"),
                ..DatasetLoad::default()
            };
            let used_bytes = 100 << 20;
            (*dataset, DatasetFacts { load, used_bytes })
        })
        .collect()
    }

    fn facts(&self) -> ClusterFacts {
        let nodes = self.brains.keys().map(|id| {
            let loads = self.loads(*id);
            let sum: u32 = loads.values().map(|of| of.load.cpu_millicores).sum();
            let mut node = node();
            node.cores = CORES;
            let is_lying = self.liar == Some(*id);
            node.load.cpu_millicores = if is_lying { 0 } else { sum.min(CORES * 1_000) };
            (*id, node)
        });
        ClusterFacts {
            now: WallTime(i64::try_from(self.now_ms).expect("small")),
            balancing: RULES,
            leader: Some(NodeId(1)),
            is_writable: true,
            nodes: nodes.collect(),
            moves: self.shown.values().copied().collect(),
        }
    }

    fn run(&mut self) {
        while let Some((id, event)) = self.waiting.pop_front() {
            let now = Millis(self.now_ms);
            let brain = self.brains.get_mut(&id).expect("a brain");
            for action in brain.step(now, event) {
                self.carry_out(id, action.dataset, action.command);
            }
        }
    }

    fn tell(&mut self, id: NodeId, dataset: DatasetId, event: DatasetEvent) {
        self.waiting
            .push_back((id, Event::Dataset { dataset, event }));
    }

    fn carry_out(&mut self, id: NodeId, dataset: DatasetId, command: Command) {
        let answer = match command {
            Command::Persist { token, .. } => DatasetEvent::Persisted { token },
            Command::Open { epoch, .. } | Command::ReopenGate { epoch } => {
                DatasetEvent::Opened { epoch }
            }
            Command::Fence { epoch } => DatasetEvent::Fenced {
                epoch,
                final_snapshot: None,
            },
            Command::CloseGate { epoch } => DatasetEvent::GateClosed {
                epoch,
                final_snapshot: None,
            },
            Command::AcceptStream { stream } => DatasetEvent::StreamReceived { stream },
            Command::CommitStream { stream } => {
                self.stream_ended(dataset, stream, true);
                DatasetEvent::StreamCommitted { stream }
            }
            Command::DropCopy => DatasetEvent::CopyDropped,
            Command::RefuseStream { stream, .. } | Command::DiscardStream { stream } => {
                return self.stream_ended(dataset, stream, false);
            }
            Command::Publish { record } => {
                for other in self.brains.keys().copied().filter(|other| *other != id) {
                    let event = DatasetEvent::Record {
                        from: id,
                        record: record.clone(),
                    };
                    self.waiting
                        .push_back((other, Event::Dataset { dataset, event }));
                }
                return;
            }
            Command::Send { to, message } => {
                return self.tell(to, dataset, DatasetEvent::Message { from: id, message });
            }
            Command::Replicate {
                transfer,
                to,
                epoch,
                parent,
                lineage,
                head_taken_at,
            } => {
                let stream = StreamId(transfer.0 * 100 + u64::from(id.0));
                self.streams.insert(stream, (id, to, transfer));
                let offer = StreamOffer {
                    from: id,
                    epoch,
                    parent,
                    lineage,
                    head_taken_at,
                };
                return self.tell(to, dataset, DatasetEvent::StreamOffered { stream, offer });
            }
            Command::SetReplicas { expected, replicas } => {
                let policy = self.policies.get_mut(&dataset).expect("known");
                if policy.replicas == expected {
                    policy.replicas = replicas;
                    self.tell_registry();
                }
                return;
            }
            Command::MoveChanged { status } => {
                return self.move_changed(id, dataset, status.to, status.reason, status.stage);
            }
            other => {
                assert!(
                    !matches!(
                        other,
                        Command::FileDivergent { .. } | Command::RollBack { .. }
                    ),
                    "nothing diverges here: {other:?}"
                );
                return;
            }
        };
        self.tell(id, dataset, answer);
    }

    fn stream_ended(&mut self, dataset: DatasetId, stream: StreamId, is_there: bool) {
        let Some((from, _, transfer)) = self.streams.remove(&stream) else {
            return;
        };
        let event = if is_there {
            DatasetEvent::ReplicaAcknowledged { transfer }
        } else {
            let failure = ReplicateFailure::Refused;
            DatasetEvent::ReplicateFailed { transfer, failure }
        };
        self.tell(from, dataset, event);
    }

    fn move_changed(
        &mut self,
        from: NodeId,
        dataset: DatasetId,
        to: NodeId,
        reason: MoveReason,
        stage: MoveStage,
    ) {
        let loads = self.loads(from);
        match stage {
            MoveStage::UnderWay(phase) => {
                let load = loads.get(&dataset).map(|of| of.load).unwrap_or_default();
                let shown = MoveFacts {
                    dataset,
                    from,
                    to,
                    phase,
                    load,
                };
                self.shown.insert((from, dataset), shown);
                return;
            }
            MoveStage::CalledOff(_) => {}
            MoveStage::Moved => {
                assert_eq!(reason, MoveReason::Balance);
                let at_ms = self.now_ms;
                self.moved.push(Moved {
                    at_ms,
                    dataset,
                    from,
                    to,
                });
                let id = MoveId(u32::try_from(self.moved.len()).expect("few"));
                let ended_at = WallTime(i64::try_from(at_ms).expect("small"));
                let receipt = PastMove {
                    dataset,
                    from,
                    to,
                    reason,
                    ended_at,
                };
                self.receipts.insert(id, receipt);
                self.tell_registry();
            }
        }
        self.shown.remove(&(from, dataset));
    }

    /// What holds of the moves whatever the loads do.
    fn check(&self, seed: u32) {
        for (n, one) in self.moved.iter().enumerate() {
            let later = &self.moved[n + 1..];
            let in_a_minute = later
                .iter()
                .filter(|other| other.at_ms < one.at_ms + 60_000);
            // Two nodes may take the last place of the budget at the same moment.
            let most = usize::from(RULES.moves_per_minute) + usize::from(NODES);
            assert!(in_a_minute.count() < most, "seed {seed}: {:?}", self.moved);
            let mut again = later.iter().filter(|other| other.dataset == one.dataset);
            if let Some(next) = again.next() {
                let passed_ms = next.at_ms - one.at_ms;
                let cool_down_ms = u64::from(RULES.cool_down_s) * 1_000;
                let is_back = next.to == one.from;
                let least_ms = if is_back {
                    6 * cool_down_ms
                } else {
                    cool_down_ms
                };
                assert!(passed_ms >= least_ms, "seed {seed}: {one:?} {next:?}");
            }
        }
        // After a move a node measures anew for a minute, and is patient, and announces the next.
        let least_ms = 60_000 + u64::from(RULES.patience_s) * 1_000;
        for id in self.brains.keys() {
            let own: Vec<_> = self
                .moved
                .iter()
                .filter(|moved| moved.from == *id)
                .collect();
            for pair in own.windows(2) {
                let passed_ms = pair[1].at_ms - pair[0].at_ms;
                assert!(passed_ms >= least_ms, "seed {seed}: {pair:?}");
            }
        }
    }
}

fn boot_of(node: NodeId) -> BootId {
    BootId(u32::from(node.0))
}

fn history() -> Lineage {
    let epoch = Epoch {
        counter: 1,
        node: NodeId(1),
        boot: BootId(9),
    };
    let snapshot = SnapshotId { epoch, sequence: 1 };
    Lineage::genesis()
        .with(snapshot, 1_000)
        .expect("a successor")
}

fn policy(n: u32, set: &[NodeId]) -> DatasetPolicy {
    DatasetPolicy {
        replicas: set.to_vec(),
        copies: 2,
        created_index: 5,
        is_deleted: false,
        unit: Some(Unit {
            site: SiteId(n),
            files: DatasetId(n),
        }),
        pin: None,
        hold_until: None,
    }
}

/// Numbers that look like chance, the same for the same seed.
struct Chance(u32);

impl Chance {
    fn below(&mut self, limit: u16) -> u16 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = u16::try_from(self.0 >> 16).expect("16 bits");
        number % limit
    }

    /// Many small ones, a few large ones.
    fn demands(&mut self, fleet: &mut Fleet) {
        for dataset in fleet.policies.keys() {
            let most = if self.below(4) == 0 { 1_800 } else { 300 };
            let demand = u32::from(self.below(most));
            fleet.demand.insert(*dataset, demand);
        }
    }
}

#[test]
fn with_loads_that_stay_as_they_are_moves_cease() {
    let mut moved = 0;
    for seed in 0..24 {
        let mut chance = Chance(seed);
        let mut fleet = Fleet::new(24, &mut chance);
        fleet.liar = (seed % 3 == 0).then_some(NodeId(NODES));
        chance.demands(&mut fleet);
        fleet.wait(1_800_000);
        fleet.check(seed);
        let before = fleet.moved.len();
        assert!(before <= 24, "seed {seed}: {:?}", fleet.moved);
        fleet.wait(1_800_000);
        assert_eq!(fleet.moved.len(), before, "seed {seed}: {:?}", fleet.moved);
        moved += before;
    }
    assert!(moved > 12, "too little happened to be of use: {moved}");
}

#[test]
fn with_loads_that_change_all_the_time_moves_stay_few() {
    let mut moved = 0;
    for seed in 100..106 {
        let mut chance = Chance(seed);
        let mut fleet = Fleet::new(24, &mut chance);
        for _ in 0..20 {
            chance.demands(&mut fleet);
            let minutes = 1 + u64::from(chance.below(6));
            fleet.wait(minutes * 60_000);
        }
        fleet.check(seed);
        moved += fleet.moved.len();
    }
    assert!(moved > 12, "too little happened to be of use: {moved}");
}
