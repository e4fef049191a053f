//! A workbench with one brain on it: made-up peers speak, the executor's answers are given by hand.

use crate::world::facts;
use hwc_api::ids::{AccountId, BootId, DatasetId, NodeId};
use hwc_api::moves::MoveReason;
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage, SnapshotId, Speaker};
use hwc_api::time::WallTime;
use hwc_state_machine::{
    ClusterFacts, Command, DatasetEvent, DatasetPolicy, DatasetStatus, Event, InventoryItem,
    Millis, PersistToken, PersistedRow, Phase, RegistryView, StateMachine, StreamId, StreamOffer,
    TakenSnapshot, Timers, TransferId,
};
use std::collections::BTreeMap;

/// The dataset.
pub const DATASET: DatasetId = DatasetId(1);
/// A node that is no member.
pub const A: NodeId = NodeId(9);
/// The other member.
pub const B: NodeId = NodeId(2);
/// A third one.
pub const C: NodeId = NodeId(3);
/// The node whose brain is on the bench.
pub const ME: NodeId = NodeId(1);

/// One brain.
pub struct Bench {
    brain: StateMachine,
    now: u64,
    policy: DatasetPolicy,
}

/// An epoch; the boot is the node's number.
pub fn epoch(counter: u32, node: NodeId) -> Epoch {
    Epoch {
        counter,
        node,
        boot: BootId(u32::from(node.0)),
    }
}

/// A history of (counter, node, last sequence); each snapshot changed ten bytes.
pub fn lineage(entries: &[(u32, NodeId, u32)]) -> Lineage {
    let mut line = Lineage::genesis();
    for (counter, node, last) in entries {
        for sequence in 1..=*last {
            let snapshot = SnapshotId {
                epoch: epoch(*counter, *node),
                sequence,
            };
            line = line.with(snapshot, 10).expect("a successor");
        }
    }
    line
}

/// The record of a replica that has seen the epoch with this counter, of node 2.
pub fn replica(seen: u32, lineage: Lineage) -> HolderRecord {
    HolderRecord {
        boot: BootId(2),
        state: HolderState::Replica,
        is_contending: false,
        has_copy: !lineage.is_genesis(),
        is_deleted: false,
        epoch: Epoch::NONE,
        seen: if seen == 0 {
            Epoch::NONE
        } else {
            epoch(seen, B)
        },
        lineage,
        heard: Vec::new(),
        against: Epoch::NONE,
        divergent: Vec::new(),
        moving_to: None,
        head_taken_at: WallTime(0),
    }
}

/// The record of a replica that acknowledges `seen`.
pub fn acknowledging(seen: Epoch, lineage: Lineage) -> HolderRecord {
    HolderRecord {
        seen,
        ..replica(0, lineage)
    }
}

/// The record of a node that claims `epoch`.
pub fn claiming(epoch: Epoch, lineage: Lineage) -> HolderRecord {
    HolderRecord {
        state: HolderState::Claiming,
        epoch,
        ..acknowledging(epoch, lineage)
    }
}

/// The record of a node that is live under `epoch`.
pub fn live(epoch: Epoch, lineage: Lineage) -> HolderRecord {
    HolderRecord {
        state: HolderState::Live,
        epoch,
        seen: epoch,
        ..replica(0, lineage)
    }
}

impl Bench {
    /// The same bench with a rule switched off.
    #[cfg(feature = "seeded-bugs")]
    pub fn breaking(mut self, rule: hwc_state_machine::Bug) -> Self {
        self.brain = self.brain.with_bugs([rule]);
        self
    }

    fn new(copy: Option<Lineage>, members: &[NodeId], created_index: u64) -> Self {
        let mut bench = Self {
            brain: StateMachine::new(ME, Timers::lan()),
            now: 1_000,
            policy: DatasetPolicy {
                replicas: members.to_vec(),
                copies: 2,
                created_index,
                is_deleted: false,
                unit: None,
                pin: None,
                hold_until: None,
            },
        };
        let inventory = copy.map(|lineage| InventoryItem {
            dataset: DATASET,
            row: None,
            lineage: Some(lineage),
            divergent: Vec::new(),
            head_taken_at: WallTime(0),
        });
        bench.step(Event::Booted {
            boot: BootId(1),
            inventory: inventory.into_iter().collect(),
        });
        bench.registry();
        bench.persist_all();
        bench.alive(B);
        bench.cluster(facts(&[ME, B, C, A]));
        bench
    }

    /// A member with a copy of three snapshots, as the other member has it.
    pub fn with_copy() -> Self {
        Self::with_copy_as(&[ME, B])
    }

    /// The same, with this set.
    pub fn with_copy_as(members: &[NodeId]) -> Self {
        Self::with_members(lineage(&[(1, B, 3)]), members)
    }

    /// A member with this copy.
    pub fn with_copy_of(copy: Lineage) -> Self {
        Self::with_members(copy, &[ME, B])
    }

    /// A node with this copy, and this set.
    pub fn with_members(copy: Lineage, members: &[NodeId]) -> Self {
        Self::new(Some(copy), members, 5)
    }

    /// A member without a copy, which joined at index 10.
    pub fn empty(created_index: u64) -> Self {
        Self::new(None, &[ME, B], created_index)
    }

    /// A node that has nothing to do with the dataset.
    pub fn stranger() -> Self {
        Self::new(None, &[B, C], 5)
    }

    /// A replica of B, which is live under epoch 2.
    pub fn following() -> Self {
        let mut bench = Self::with_copy();
        bench.hear(B, live(epoch(2, B), lineage(&[(1, B, 3)])));
        bench.all_heard();
        bench.persist_all();
        bench
    }

    /// Asks B in a round.
    pub fn claiming() -> Self {
        let mut bench = Self::with_copy();
        bench.claim();
        bench
    }

    /// Live and open, with B following.
    pub fn serving() -> Self {
        Self::serving_with(&[ME, B])
    }

    /// Live and open, with this set.
    pub fn serving_with(members: &[NodeId]) -> Self {
        let mut bench = Self::with_copy_as(members);
        bench.claim();
        let mine = bench.record().epoch;
        bench.hear(B, acknowledging(mine, lineage(&[(1, B, 3)])));
        bench.tell(DatasetEvent::Opened { epoch: mine });
        assert!(bench.status().is_open, "{:?}", bench.status());
        bench
    }

    /// Was live, wrote one snapshot, and was stopped by a higher epoch of B.
    pub fn contending() -> Self {
        let mut bench = Self::serving();
        let mine = bench.record().epoch;
        let higher = epoch(mine.counter + 1, B);
        bench.hear(B, claiming(higher, lineage(&[(1, B, 3)])));
        bench.fenced(mine, Some(1));
        bench.persist_all();
        assert!(bench.status().is_contending);
        bench
    }

    fn claim(&mut self) {
        self.hear(B, replica(0, lineage(&[(1, B, 3)])));
        self.all_heard();
        self.persist_all();
        assert_eq!(self.phase(), Phase::Claiming);
    }

    fn step(&mut self, event: Event) -> Vec<Command> {
        let actions = self.brain.step(Millis(self.now), event);
        actions.into_iter().map(|action| action.command).collect()
    }

    /// Something about the dataset.
    pub fn tell(&mut self, event: DatasetEvent) -> Vec<Command> {
        let dataset = DATASET;
        self.step(Event::Dataset { dataset, event })
    }

    /// A peer shows a record.
    pub fn hear(&mut self, from: NodeId, record: HolderRecord) -> Vec<Command> {
        self.tell(DatasetEvent::Record { from, record })
    }

    /// The detector calls a node alive.
    pub fn alive(&mut self, node: NodeId) -> Vec<Command> {
        self.step(Event::PeerAlive { node })
    }

    /// The detector calls a node unreachable.
    pub fn suspect(&mut self, node: NodeId) -> Vec<Command> {
        self.step(Event::PeerSuspect { node })
    }

    /// B's board was delivered.
    pub fn all_heard(&mut self) -> Vec<Command> {
        let boot = BootId(2);
        self.step(Event::RecordsHeard { node: B, boot })
    }

    /// Time passes; the brain is looked after whenever it wants to be.
    pub fn wait(&mut self, milliseconds: u64) -> Vec<Command> {
        let until = self.now + milliseconds;
        let mut commands = Vec::new();
        while let Some(Millis(at)) = self.brain.next_deadline()
            && at <= until
        {
            self.now = self.now.max(at);
            commands.extend(self.step(Event::Tick));
            commands.extend(self.persist_all());
        }
        self.now = until;
        commands
    }

    /// The disk answers every order that is still open.
    pub fn persist_all(&mut self) -> Vec<Command> {
        // Tokens count up: the newest possible one answers all.
        let token = PersistToken(u64::MAX);
        self.tell(DatasetEvent::Persisted { token })
    }

    /// The cluster is so.
    pub fn cluster(&mut self, facts: ClusterFacts) -> Vec<Command> {
        self.step(Event::Cluster(facts))
    }

    /// B is to take the dataset over.
    pub fn move_to_b(&mut self) -> Vec<Command> {
        self.tell(DatasetEvent::MoveTo {
            node: B,
            reason: MoveReason::Asked(AccountId(1)),
        })
    }

    fn registry(&mut self) -> Vec<Command> {
        let datasets = BTreeMap::from([(DATASET, self.policy.clone())]);
        self.step(Event::Registry(RegistryView {
            my_join_index: 10,
            datasets,
            moves: BTreeMap::new(),
        }))
    }

    /// The registry wants these to hold the dataset.
    pub fn members(&mut self, members: &[NodeId]) -> Vec<Command> {
        self.policy.replicas = members.to_vec();
        self.registry()
    }

    /// The registry deletes the dataset.
    pub fn delete(&mut self) -> Vec<Command> {
        self.policy.is_deleted = true;
        self.registry()
    }

    /// The node stood still.
    pub fn gap(&mut self) -> Vec<Command> {
        self.now += 5_000;
        self.step(Event::Gap { length_ms: 5_000 })
    }

    /// The fence is done, with a final snapshot of this sequence number.
    pub fn fenced(&mut self, epoch: Epoch, sequence: Option<u32>) -> Vec<Command> {
        let final_snapshot = sequence.map(|sequence| taken(epoch, sequence));
        self.tell(DatasetEvent::Fenced {
            epoch,
            final_snapshot,
        })
    }

    /// The gate is closed, with a final snapshot of this sequence number.
    pub fn gate_closed(&mut self, epoch: Epoch, sequence: Option<u32>) -> Vec<Command> {
        let final_snapshot = sequence.map(|sequence| taken(epoch, sequence));
        self.tell(DatasetEvent::GateClosed {
            epoch,
            final_snapshot,
        })
    }

    /// A snapshot was taken under the present epoch.
    pub fn snapshot(&mut self, sequence: u32) -> Vec<Command> {
        let epoch = self.record().epoch;
        self.snapshot_under(epoch, sequence)
    }

    /// A snapshot was taken under this epoch.
    pub fn snapshot_under(&mut self, epoch: Epoch, sequence: u32) -> Vec<Command> {
        self.tell(DatasetEvent::SnapshotTaken(taken(epoch, sequence)))
    }

    /// A peer offers a stream.
    pub fn offer(
        &mut self,
        stream: StreamId,
        from: NodeId,
        epoch: Epoch,
        parent: Option<SnapshotId>,
        lineage: Lineage,
    ) -> Vec<Command> {
        let offer = StreamOffer {
            from,
            epoch,
            parent,
            lineage,
            head_taken_at: WallTime(0),
        };
        self.tell(DatasetEvent::StreamOffered { stream, offer })
    }

    /// What the brain shows.
    pub fn record(&self) -> HolderRecord {
        self.try_record().expect("nothing was ever shown")
    }

    /// What the brain shows, if anything.
    pub fn try_record(&self) -> Option<HolderRecord> {
        self.brain.record(DATASET).cloned()
    }

    /// What can be read from the brain.
    pub fn status(&self) -> DatasetStatus {
        self.brain.status(DATASET).expect("an unknown dataset")
    }

    /// What the brain is doing.
    pub fn phase(&self) -> Phase {
        self.status().phase
    }

    /// The brain's node and start.
    pub fn me(&self) -> Speaker {
        self.brain.me()
    }

    /// The snapshots that must be kept.
    pub fn anchors(&self) -> Vec<SnapshotId> {
        self.brain.anchors(DATASET)
    }

    /// The row among some commands.
    pub fn persist_in(commands: &[Command]) -> Option<(PersistedRow, PersistToken)> {
        commands.iter().find_map(|command| match command {
            Command::Persist { row, token } => Some((row.clone(), *token)),
            _ => None,
        })
    }

    /// The record among some commands.
    pub fn published(commands: &[Command]) -> Option<HolderRecord> {
        commands.iter().find_map(|command| match command {
            Command::Publish { record } => Some(record.clone()),
            _ => None,
        })
    }

    /// The transfer among some commands, and what it builds upon.
    pub fn replicated(commands: &[Command]) -> Option<(TransferId, Option<SnapshotId>)> {
        commands.iter().find_map(|command| match command {
            Command::Replicate {
                transfer, parent, ..
            } => Some((*transfer, *parent)),
            _ => None,
        })
    }
}

fn taken(epoch: Epoch, sequence: u32) -> TakenSnapshot {
    TakenSnapshot {
        snapshot: SnapshotId { epoch, sequence },
        changed_bytes: 10,
        taken_at: WallTime(1),
    }
}
