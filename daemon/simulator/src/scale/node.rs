//! One node: the daemon's real cores while it runs, and its disk.

use hwc_api::balancing::NodeLoad;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage};
use hwc_api::time::WallTime;
use hwc_group::board::BoardCore;
use hwc_group::membership::MembershipCore;
use hwc_state_machine::{InventoryItem, PersistedRow, StateMachine};
use std::collections::{BTreeMap, BTreeSet};

/// One node.
pub(super) struct Node {
    pub(super) id: NodeId,
    /// Counts its starts: what was meant for an earlier one is void.
    pub(super) life: u64,
    pub(super) running: Option<Box<Running>>,
    pub(super) disk: BTreeMap<DatasetId, OnDisk>,
    /// What it bears, as its report says.
    pub(super) load: NodeLoad,
    pub(super) sent: Sent,
}

/// What a node runs.
pub(super) struct Running {
    pub(super) membership: MembershipCore,
    /// None where only membership is looked at.
    pub(super) rooms: Option<Rooms>,
    pub(super) is_whole: bool,
    /// The nodes of which its brain is told.
    pub(super) known: BTreeSet<NodeId>,
    /// Which life of each node it takes for alive.
    pub(super) alive: BTreeMap<NodeId, u64>,
    /// When it wants to be woken.
    pub(super) wake_at: u64,
}

/// What a daemon runs besides membership.
pub(super) struct Rooms {
    pub(super) board: BoardCore,
    pub(super) brain: StateMachine,
    /// What is open or being opened.
    pub(super) gates: BTreeMap<DatasetId, Epoch>,
    /// The brain is to be told of the cluster anew.
    pub(super) are_facts_new: bool,
}

/// A dataset on disk.
#[derive(Debug, Clone, Default)]
pub(super) struct OnDisk {
    pub(super) row: Option<PersistedRow>,
    pub(super) lineage: Option<Lineage>,
    pub(super) divergent: Vec<Lineage>,
    pub(super) head_taken_at: WallTime,
}

/// Bytes that a node sent, headers included.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    pub(super) datagrams: u64,
    pub(super) board: u64,
}

impl Node {
    /// A node that never ran, with these datasets on its disk.
    pub(super) fn new(id: NodeId, datasets: impl Iterator<Item = (DatasetId, Lineage)>) -> Self {
        let on_disk = |lineage| OnDisk {
            lineage: Some(lineage),
            ..OnDisk::default()
        };
        Self {
            id,
            life: 0,
            running: None,
            disk: datasets
                .map(|(dataset, lineage)| (dataset, on_disk(lineage)))
                .collect(),
            load: NodeLoad::default(),
            sent: Sent::default(),
        }
    }

    pub(super) fn rooms(&self) -> Option<&Rooms> {
        self.running.as_ref()?.rooms.as_ref()
    }

    pub(super) fn rooms_mut(&mut self) -> Option<&mut Rooms> {
        self.running.as_mut()?.rooms.as_mut()
    }

    /// What a start finds on disk.
    pub(super) fn inventory(&self) -> Vec<InventoryItem> {
        let item = |(dataset, found): (&DatasetId, &OnDisk)| InventoryItem {
            dataset: *dataset,
            row: found.row.clone(),
            lineage: found.lineage.clone(),
            divergent: found.divergent.clone(),
            head_taken_at: found.head_taken_at,
        };
        self.disk.iter().map(item).collect()
    }
}
