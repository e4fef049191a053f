//! What nodes show each other, and what a node makes of it: routes, reports, moves.

use hwc_api::balancing::NodeLoad;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, RouteRecord};
use hwc_state_machine::MoveFacts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One thing that a node shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Its report of itself.
    Node,
    /// Its record of a dataset.
    Holder(DatasetId),
    /// How it says to route.
    Route(DatasetId),
    /// How far the move of a dataset is that leaves it.
    Move(DatasetId),
}

/// What it shows under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Shown {
    Node(NodeReport),
    Holder(Box<HolderRecord>),
    Route(RouteRecord),
    Move(MoveFacts),
}

/// A node's report of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodeReport {
    pub(super) is_well: bool,
    pub(super) cores: u32,
    pub(super) load: NodeLoad,
    pub(super) memory_total_bytes: u64,
    pub(super) memory_available_bytes: u64,
    pub(super) pool_total_bytes: u64,
    pub(super) pool_free_bytes: u64,
}

/// What a node knows of the others besides records, which its brain keeps.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture {
    pub(super) up: BTreeSet<NodeId>,
    pub(super) reports: BTreeMap<NodeId, NodeReport>,
    pub(super) moves: BTreeMap<(NodeId, DatasetId), MoveFacts>,
    routes: BTreeMap<DatasetId, BTreeMap<NodeId, RouteRecord>>,
    /// Whether the brain is to be told of the cluster anew.
    pub(super) is_new: bool,
}

impl Picture {
    /// A node shows this now; none: nothing any more. Says of which dataset the route changed.
    pub(super) fn learn(
        &mut self,
        node: NodeId,
        key: Key,
        shown: Option<&Shown>,
    ) -> Option<DatasetId> {
        match (key, shown) {
            (Key::Node, Some(Shown::Node(report))) => {
                self.is_new |= self.reports.insert(node, *report) != Some(*report);
            }
            (Key::Move(dataset), Some(Shown::Move(facts))) => {
                self.moves.insert((node, dataset), *facts);
                self.is_new = true;
            }
            (Key::Route(dataset), Some(Shown::Route(route))) => {
                self.routes.entry(dataset).or_default().insert(node, *route);
                return Some(dataset);
            }
            (Key::Node, _) => {
                self.reports.remove(&node);
            }
            (Key::Move(dataset), _) => {
                self.is_new |= self.moves.remove(&(node, dataset)).is_some();
            }
            (Key::Route(dataset), _) => {
                if let Some(routes) = self.routes.get_mut(&dataset) {
                    routes.remove(&node);
                }
                return Some(dataset);
            }
            (Key::Holder(_), _) => {}
        }
        None
    }

    /// The node that serves a dataset and whether its gate is open: of those that say so and are
    /// not declared dead, the one with the highest epoch.
    pub(super) fn live_node(
        &self,
        me: NodeId,
        dataset: DatasetId,
    ) -> Option<(NodeId, Epoch, bool)> {
        let serves = |route: &RouteRecord| match route.state {
            HolderState::Live | HolderState::Draining => true,
            HolderState::Replica | HolderState::Claiming => false,
        };
        self.routes
            .get(&dataset)?
            .iter()
            .filter(|(node, route)| serves(route) && (**node == me || self.up.contains(node)))
            .max_by_key(|(_, route)| route.epoch)
            .map(|(node, route)| {
                let is_open = route.is_open && route.state == HolderState::Live;
                (*node, route.epoch, is_open)
            })
    }
}
