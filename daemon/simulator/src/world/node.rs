//! One made-up node: its disk, and while it runs, its brain and its executor's memory.

use crate::disk::{Content, Disk};
use crate::world::ForNode;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, SnapshotId};
use hwc_state_machine::{StateMachine, StreamId, StreamOffer, TransferId};
use std::collections::{BTreeMap, BTreeSet};

/// One node.
pub(super) struct Node {
    pub(super) disk: Disk,
    /// Counts starts; what was meant for an earlier one is void.
    pub(super) start: u32,
    pub(super) join_index: u64,
    pub(super) running: Option<Running>,
    pub(super) frozen_since: Option<u64>,
    /// What came while it stood still.
    pub(super) deferred: Vec<ForNode>,
}

/// The memory of a running node.
pub(super) struct Running {
    pub(super) brain: StateMachine,
    pub(super) gates: BTreeMap<DatasetId, Gate>,
    pub(super) board: BTreeMap<DatasetId, (u64, HolderRecord)>,
    pub(super) next_version: u64,
    /// Newest record taken from each peer: its start, its version.
    pub(super) heard: BTreeMap<(NodeId, DatasetId), (u32, u64)>,
    pub(super) lacks_board: BTreeSet<NodeId>,
    pub(super) detector: BTreeMap<NodeId, Detected>,
    pub(super) incoming: BTreeMap<StreamId, Incoming>,
    pub(super) outgoing: BTreeMap<TransferId, NodeId>,
    pub(super) retain: BTreeMap<DatasetId, BTreeSet<SnapshotId>>,
    pub(super) next_stream: u64,
    pub(super) tick_at: Option<u64>,
    /// Whether it stood still for too long since its start.
    pub(super) had_gap: bool,
    /// Rows are written in order: not before this moment.
    pub(super) rows_until: u64,
}

/// What the executor serves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) epoch: Epoch,
    pub(super) is_open: bool,
}

/// What the detector thinks of a peer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Detected {
    pub(super) is_alive: Option<bool>,
    pub(super) silent_since: Option<u64>,
    /// Wrongly suspected until this moment.
    pub(super) mistaken_until: u64,
}

/// A stream that is coming in.
#[derive(Debug, Clone)]
pub(super) struct Incoming {
    pub(super) dataset: DatasetId,
    pub(super) from: NodeId,
    pub(super) session: u64,
    pub(super) transfer: TransferId,
    pub(super) offer: StreamOffer,
    pub(super) payload: Content,
}

impl Node {
    pub(super) fn new(join_index: u64) -> Self {
        Self {
            disk: Disk::default(),
            start: 0,
            join_index,
            running: None,
            frozen_since: None,
            deferred: Vec::new(),
        }
    }

    pub(super) fn is_awake(&self) -> bool {
        self.running.is_some() && self.frozen_since.is_none()
    }
}

impl Running {
    pub(super) fn new(brain: StateMachine) -> Self {
        Self {
            brain,
            gates: BTreeMap::new(),
            board: BTreeMap::new(),
            next_version: 0,
            heard: BTreeMap::new(),
            lacks_board: BTreeSet::new(),
            detector: BTreeMap::new(),
            incoming: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            retain: BTreeMap::new(),
            next_stream: 0,
            tick_at: None,
            had_gap: false,
            rows_until: 0,
        }
    }
}
