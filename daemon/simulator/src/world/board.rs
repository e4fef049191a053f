//! What nodes show each other, and what a node makes of it: routes, reports, moves.

use bytes::Bytes;
use hwc_api::balancing::NodeLoad;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, RouteRecord};
use hwc_state_machine::MoveFacts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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

/// As the board knows it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::Holder(dataset) => write!(f, "holder/{dataset}"),
            Self::Route(dataset) => write!(f, "route/{dataset}"),
            Self::Move(dataset) => write!(f, "move/{dataset}"),
        }
    }
}

impl Key {
    /// Reads a key; none where it is not one of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "node" {
            return Some(Self::Node);
        }
        let (kind, dataset) = text.split_once('/')?;
        let dataset = DatasetId(dataset.parse().ok()?);
        match kind {
            "holder" => Some(Self::Holder(dataset)),
            "route" => Some(Self::Route(dataset)),
            "move" => Some(Self::Move(dataset)),
            _ => None,
        }
    }
}

/// What it shows under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Shown {
    Node(NodeReport),
    Holder(Box<HolderRecord>),
    Route(RouteRecord),
    Move(MoveFacts),
}

impl Shown {
    /// As it stands on the board.
    pub(super) fn write(&self) -> Option<Bytes> {
        postcard::to_stdvec(self).ok().map(Bytes::from)
    }

    /// Reads it.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        postcard::from_bytes(value).ok()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_as_it_was_written() {
        let dataset = DatasetId(7);
        for key in [
            Key::Node,
            Key::Holder(dataset),
            Key::Route(dataset),
            Key::Move(dataset),
        ] {
            assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
        for strange in ["", "nodes", "holder", "holder/", "holder/x", "job/7"] {
            assert_eq!(Key::parse(strange), None, "{strange}");
        }
        let report = Shown::Node(NodeReport {
            is_well: true,
            cores: 8,
            load: NodeLoad::default(),
            memory_total_bytes: 2,
            memory_available_bytes: 1,
            pool_total_bytes: 4,
            pool_free_bytes: 3,
        });
        let written = report.write().expect("written");
        assert_eq!(Shown::read(&written), Some(report));
        assert_eq!(Shown::read(&[250, 1]), None);
    }
}
