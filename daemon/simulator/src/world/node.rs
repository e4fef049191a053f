//! One made-up node: its disk, and while it runs, its brain and its executor's memory.

use super::board::Picture;
use super::group::GroupSide;
use super::happening::{ForNode, Stream};
use crate::clock::NodeClock;
use crate::disk::Disk;
use crate::registry::Settings;
use crate::time::Moment;
use crate::truth::Point;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, SnapshotId};
use hwc_state_machine::{
    MoveStatus, PersistToken, PersistedRow, StateMachine, StreamId, TransferId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One node.
pub(super) struct Node {
    pub(super) disk: Disk,
    /// The registry as far as it has come here; it is on disk.
    pub(super) settings: Rc<Settings>,
    pub(super) hardware: Hardware,
    pub(super) clock: NodeClock,
    /// Counts starts of this run; what was meant for an earlier one is void.
    pub(super) start: u32,
    pub(super) running: Option<Running>,
    pub(super) frozen_since: Option<Moment>,
    /// What came while it stood still.
    pub(super) deferred: Vec<ForNode>,
    /// While it is down: nothing of it answers. Otherwise its kernel refuses connections.
    pub(super) is_without_power: bool,
    /// It was taken out of the cluster for good.
    pub(super) is_removed: bool,
}

/// What a node is made of.
#[derive(Debug, Clone, Copy)]
pub struct Hardware {
    /// How many times slower its disk is than a good one.
    pub slowness: u32,
    /// Its pool has no room.
    pub is_full: bool,
    /// Processors.
    pub cores: u32,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Its pool, bytes.
    pub pool_bytes: u64,
}

impl Hardware {
    /// An ordinary server.
    pub const ORDINARY: Self = Self {
        slowness: 1,
        is_full: false,
        cores: 8,
        memory_bytes: 64 << 30,
        pool_bytes: 1 << 40,
    };
}

/// The memory of a running node.
pub(super) struct Running {
    pub(super) brain: StateMachine,
    pub(super) gates: BTreeMap<DatasetId, Gate>,
    /// Datasets whose services are being stopped.
    pub(super) fencing: BTreeSet<DatasetId>,
    pub(super) rows: Rows,
    pub(super) retain: BTreeMap<DatasetId, BTreeSet<SnapshotId>>,
    pub(super) incoming: BTreeMap<StreamId, Incoming>,
    pub(super) outgoing: BTreeMap<TransferId, Outgoing>,
    /// Divergent copies that are on their way: over which connection, and by then at the latest.
    pub(super) pushing: BTreeMap<(NodeId, DatasetId, Point), (u64, Moment)>,
    /// How often something was sent since the last acknowledgement.
    pub(super) unanswered: BTreeMap<(NodeId, DatasetId), u32>,
    pub(super) next_stream: u64,
    pub(super) tick_at: Option<Moment>,
    pub(super) facts_at: Option<Moment>,
    pub(super) facts_told_at: Option<Moment>,
    /// Whether it stood still for too long since its start.
    pub(super) had_gap: bool,
    pub(super) picture: Picture,
    /// Requests that wait at its front door, by dataset.
    pub(super) waiting: BTreeMap<DatasetId, Vec<u64>>,
    /// Moves from here, as the brain told of them last.
    pub(super) moves: BTreeMap<DatasetId, MoveStatus>,
    pub(super) side: GroupSide,
}

/// What the executor serves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) epoch: Epoch,
    pub(super) state: GateState,
    /// Requests that are being carried out.
    pub(super) running: u32,
    /// A snapshot is scheduled.
    pub(super) is_snapshot_due: bool,
}

/// What a gate lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GateState {
    /// Nothing yet: services are being started.
    Opening,
    /// Requests.
    Open,
    /// What runs already.
    Closing,
    /// Nothing at all: what is on disk is final until the gate is opened again.
    Quiet,
}

/// Rows on their way to the disk: one transaction at a time, whatever came meanwhile in the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) waiting: BTreeMap<DatasetId, (PersistedRow, PersistToken)>,
    pub(super) is_writing: bool,
}

/// A stream that is coming in.
#[derive(Debug, Clone)]
pub(super) struct Incoming {
    pub(super) from: NodeId,
    /// The sender's start.
    pub(super) start: u32,
    pub(super) connection: u64,
    pub(super) stream: Rc<Stream>,
}

/// A stream that is going out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    pub(super) to: NodeId,
    pub(super) dataset: DatasetId,
    pub(super) epoch: Epoch,
}

impl Node {
    pub(super) fn new(settings: Rc<Settings>, hardware: Hardware, clock: NodeClock) -> Self {
        Self {
            disk: Disk::default(),
            settings,
            hardware,
            clock,
            start: 0,
            running: None,
            frozen_since: None,
            deferred: Vec::new(),
            is_without_power: false,
            is_removed: false,
        }
    }

    pub(super) const fn is_awake(&self) -> bool {
        self.running.is_some() && self.frozen_since.is_none()
    }
}

impl Running {
    pub(super) fn new(brain: StateMachine, side: GroupSide) -> Self {
        Self {
            brain,
            gates: BTreeMap::new(),
            fencing: BTreeSet::new(),
            rows: Rows::default(),
            retain: BTreeMap::new(),
            incoming: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            pushing: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            next_stream: 0,
            tick_at: None,
            facts_at: None,
            facts_told_at: None,
            had_gap: false,
            picture: Picture::default(),
            waiting: BTreeMap::new(),
            moves: BTreeMap::new(),
            side,
        }
    }

    /// Whether services of a dataset are being started or stopped.
    pub(super) fn is_switching(&self, dataset: DatasetId) -> bool {
        let gate = self.gates.get(&dataset);
        self.fencing.contains(&dataset) || gate.is_some_and(|gate| gate.state != GateState::Open)
    }

    /// The epoch under which the executor serves a dataset, its gate open or closed.
    pub(super) fn gate_epoch(&self, dataset: DatasetId) -> Option<Epoch> {
        self.gates.get(&dataset).map(|gate| gate.epoch)
    }
}
