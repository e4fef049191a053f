//! The other nodes as this one sees them: whom the failure detector calls alive, whose records
//! were heard.

use crate::time::Millis;
use hwc_api::ids::{BootId, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the failure detector says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Liveness {
    Alive { since: Millis },
    Suspected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Peer {
    liveness: Liveness,
    board: Option<BootId>,
    /// Alive and heard at some moment since this node's boot or last gap.
    was_met: bool,
}

impl Peer {
    fn note_meeting(&mut self) {
        let is_alive = self.liveness != Liveness::Suspected;
        self.was_met |= is_alive && self.board.is_some();
    }
}

/// All other nodes of which anything was said since the boot or the last gap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peers(BTreeMap<NodeId, Peer>);

impl Peers {
    /// The detector calls `node` alive; the moment counts from the first time.
    pub(crate) fn alive(&mut self, node: NodeId, now: Millis) {
        let peer = self.entry(node);
        if peer.liveness == Liveness::Suspected {
            peer.liveness = Liveness::Alive { since: now };
        }
        peer.note_meeting();
    }

    /// The detector declared `node` unreachable: what it showed before counts no more.
    pub(crate) fn suspect(&mut self, node: NodeId) {
        let peer = self.entry(node);
        peer.liveness = Liveness::Suspected;
        peer.board = None;
    }

    /// All records of `node` were delivered.
    pub(crate) fn board_heard(&mut self, node: NodeId, boot: BootId) {
        let peer = self.entry(node);
        peer.board = Some(boot);
        peer.note_meeting();
    }

    /// Since when the detector calls `node` alive; `None` while it does not.
    pub(crate) fn alive_since(&self, node: NodeId) -> Option<Millis> {
        match self.0.get(&node)?.liveness {
            Liveness::Alive { since } => Some(since),
            Liveness::Suspected => None,
        }
    }

    /// Whether all records of `node` were delivered: what it didn't show, it doesn't hold.
    pub(crate) fn is_board_heard(&self, node: NodeId) -> bool {
        self.0.get(&node).is_some_and(|peer| peer.board.is_some())
    }

    /// Whether `node` was alive and heard at some moment since this node's boot or last gap.
    pub(crate) fn was_met(&self, node: NodeId) -> bool {
        self.0.get(&node).is_some_and(|peer| peer.was_met)
    }

    /// This node stood still: nobody's records count until they were heard anew. The detector's
    /// word stands; it speaks again if it changes its mind.
    pub(crate) fn forget(&mut self, now: Millis) {
        for peer in self.0.values_mut() {
            peer.board = None;
            peer.was_met = false;
            if let Liveness::Alive { since } = &mut peer.liveness {
                *since = now;
            }
        }
    }

    fn entry(&mut self, node: NodeId) -> &mut Peer {
        self.0.entry(node).or_insert(Peer {
            liveness: Liveness::Suspected,
            board: None,
            was_met: false,
        })
    }
}
