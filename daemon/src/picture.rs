//! The cluster as this node sees it at one moment: who is up, who serves what, how fresh the
//! copies are.
//!
//! Made by the conductor from the board and from membership; read by the API, the front doors and
//! `hwc status`. Facts only: what should be is the registry's (`Desired`).

use hwc_api::ids::{DatasetId, JobId, NodeId, SessionId};
use hwc_api::job::JobProgress;
use hwc_api::moves::MoveProgress;
use hwc_api::observed::{DatasetObserved, NodeObserved};
use hwc_api::ownership::{HolderRecord, HolderState, RouteRecord};
use hwc_api::v1::NodeHealth;
use std::collections::{BTreeMap, BTreeSet};

/// What this node sees.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Picture {
    /// How each other node answers; this node itself is always up.
    pub health: BTreeMap<NodeId, NodeHealth>,
    /// Each node's newest report of itself.
    pub nodes: BTreeMap<NodeId, NodeObserved>,
    /// Who says to serve which dataset.
    pub routes: BTreeMap<DatasetId, BTreeMap<NodeId, RouteRecord>>,
    /// Who holds which dataset, and which history of it.
    pub holders: BTreeMap<DatasetId, BTreeMap<NodeId, HolderRecord>>,
    /// How fresh the copies are, as the live node reports it.
    pub datasets: BTreeMap<DatasetId, BTreeMap<NodeId, DatasetObserved>>,
    /// How far running jobs are.
    pub jobs: BTreeMap<JobId, JobProgress>,
    /// Moves that are planned or under way, as the nodes tell that the datasets leave.
    pub moves: BTreeMap<DatasetId, BTreeMap<NodeId, MoveProgress>>,
    /// Sessions that any node has ended, whether or not the registry could be told.
    pub revoked_sessions: BTreeSet<SessionId>,
    /// Whether changes of the registry can be acknowledged.
    pub is_registry_writable: bool,
    /// The registry's leader, where known.
    pub registry_leader: Option<NodeId>,
}

/// Who serves a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveNode {
    /// The node.
    pub node: NodeId,
    /// What it says.
    pub route: RouteRecord,
}

impl Picture {
    /// How a node answers; a node that was never heard of is down.
    #[must_use]
    pub fn health(&self, node: NodeId) -> NodeHealth {
        self.health.get(&node).copied().unwrap_or(NodeHealth::Down)
    }

    /// Whether a node is not declared dead.
    #[must_use]
    pub fn is_reachable(&self, node: NodeId) -> bool {
        self.health(node) != NodeHealth::Down
    }

    /// The node that serves a dataset: of those that say so and are not declared dead, the one with
    /// the highest epoch.
    #[must_use]
    pub fn live_node(&self, dataset: DatasetId) -> Option<LiveNode> {
        self.routes
            .get(&dataset)?
            .iter()
            .filter(|(node, route)| is_serving(route.state) && self.is_reachable(**node))
            .max_by_key(|(_, route)| route.epoch)
            .map(|(node, route)| LiveNode {
                node: *node,
                route: *route,
            })
    }

    /// Whether a node in reach is about to serve a dataset.
    #[must_use]
    pub fn is_being_claimed(&self, dataset: DatasetId) -> bool {
        self.routes.get(&dataset).is_some_and(|routes| {
            routes.iter().any(|(node, route)| {
                route.state == HolderState::Claiming && self.is_reachable(*node)
            })
        })
    }

    /// The move that a dataset is in, as the node tells that serves it.
    #[must_use]
    pub fn moving(&self, dataset: DatasetId) -> Option<&MoveProgress> {
        let live = self.live_node(dataset)?;
        self.moves.get(&dataset)?.get(&live.node)
    }

    /// What the live node of a dataset reports about it.
    #[must_use]
    pub fn dataset(&self, dataset: DatasetId) -> Option<&DatasetObserved> {
        let live = self.live_node(dataset)?;
        self.datasets.get(&dataset)?.get(&live.node)
    }
}

const fn is_serving(state: HolderState) -> bool {
    match state {
        HolderState::Live | HolderState::Draining => true,
        HolderState::Replica | HolderState::Claiming => false,
    }
}
