//! Which nodes the cluster has, where they listen, and which were removed for good.
//!
//! The conductor tells it, from the registry, at every change; everything in this room follows. Deny
//! wins: a removed node is refused even where it is listed by mistake, and ids are never reused.

use hwc_api::ids::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::watch;

/// The nodes of the cluster as the registry has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// Where each node listens, this one included.
    pub nodes: BTreeMap<NodeId, SocketAddr>,
    /// The nodes that were taken out for good.
    pub removed: BTreeSet<NodeId>,
}

impl Roster {
    /// Where a node listens; none for strangers and removed nodes.
    #[must_use]
    pub fn address(&self, node: NodeId) -> Option<SocketAddr> {
        if self.removed.contains(&node) {
            return None;
        }
        self.nodes.get(&node).copied()
    }

    /// Whether a node belongs to the cluster today.
    #[must_use]
    pub fn admits(&self, node: NodeId) -> bool {
        self.address(node).is_some()
    }

    /// The nodes that belong to the cluster today, but for `me`.
    pub fn peers(&self, me: NodeId) -> impl Iterator<Item = NodeId> {
        self.nodes
            .keys()
            .copied()
            .filter(move |node| *node != me && !self.removed.contains(node))
    }

    /// Whether another node than `me` has this address.
    #[must_use]
    pub fn is_peer_address(&self, me: NodeId, address: IpAddr) -> bool {
        self.address(me).is_none_or(|mine| mine.ip() != address)
            && self.peers(me).any(|node| {
                self.address(node)
                    .is_some_and(|listening| listening.ip() == address)
            })
    }
}

/// The roster as it is now, shared by everything in this room. Clones are the same roster.
#[derive(Debug, Clone)]
pub struct SharedRoster(Arc<watch::Sender<Arc<Roster>>>);

impl SharedRoster {
    /// Begins with `roster`.
    #[must_use]
    pub fn new(roster: Roster) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(roster))))
    }

    /// The roster at this moment.
    #[must_use]
    pub fn get(&self) -> Arc<Roster> {
        Arc::clone(&self.0.borrow())
    }

    /// Replaces it; those who watch are woken if it differs.
    pub fn set(&self, roster: Roster) {
        self.0.send_if_modified(|current| {
            let differs = **current != roster;
            if differs {
                *current = Arc::new(roster);
            }
            differs
        });
    }

    /// Watches for changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Roster>> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_wins_over_listing() {
        let address = |last: u8| SocketAddr::from(([192, 0, 2, last], 7400));
        let roster = Roster {
            nodes: (1..=3)
                .map(|n: u8| (NodeId(n.into()), address(n)))
                .collect(),
            removed: [NodeId(3)].into(),
        };
        assert!(roster.admits(NodeId(2)) && !roster.admits(NodeId(3)) && !roster.admits(NodeId(9)));
        assert_eq!(roster.peers(NodeId(1)).collect::<Vec<_>>(), [NodeId(2)]);
        let is_peer = |last| roster.is_peer_address(NodeId(1), address(last).ip());
        assert!(is_peer(2) && !is_peer(1) && !is_peer(3) && !is_peer(9));
    }
}
