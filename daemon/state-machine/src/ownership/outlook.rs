//! What the planner sees of a dataset: who serves it, who follows, how far a move is.

use super::view::is_serving;
use super::{MoveEnd, MoveGate, Ownership, Role, Sent};
use crate::event::DatasetPolicy;
use crate::peers::Peers;
use hwc_api::ids::NodeId;
use hwc_api::moves::MovePhase;
use hwc_api::ownership::Epoch;
use std::collections::BTreeSet;

/// How closely a node follows the live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Following {
    /// Nothing is known of it just now.
    Unknown,
    /// It has no copy, or one that is not on the live node's history.
    No,
    /// It has a copy and takes increments.
    Yes,
}

/// A planned move from here, as the protocol carries it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moving {
    pub(crate) phase: MovePhase,
    /// The target lacks so little that the gate may close.
    pub(crate) is_ready: bool,
    pub(crate) may_close: bool,
}

impl Ownership {
    pub(crate) fn policy(&self) -> Option<&DatasetPolicy> {
        self.policy.as_ref()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_deleted() || self.policy.as_ref().is_none_or(|policy| policy.is_deleted)
    }

    pub(crate) fn highest_seen(&self) -> Epoch {
        self.seen()
    }

    /// Whether requests are let through here.
    pub(crate) fn is_open(&self) -> bool {
        match &self.role {
            Role::Serving(service) => service.is_open,
            Role::Replica | Role::Claiming(_) | Role::Fencing(_) => false,
        }
    }

    /// Where the dataset is being moved by the protocol, if it is.
    pub(crate) fn moving_to(&self) -> Option<NodeId> {
        match &self.role {
            Role::Serving(service) => service.moving.as_ref().map(|moving| moving.to),
            Role::Replica | Role::Claiming(_) | Role::Fencing(_) => None,
        }
    }

    /// How far the planned move is that was begun; `None` if there is none any more.
    pub(crate) fn moving(&self) -> Option<Moving> {
        let Role::Serving(service) = &self.role else {
            return None;
        };
        let moving = service.moving.as_ref()?;
        let phase = match moving.gate {
            MoveGate::Open => MovePhase::Copying,
            MoveGate::Closing => MovePhase::Closing,
            MoveGate::Closed => MovePhase::Finishing,
            MoveGate::CalledOff => return None,
        };
        Some(Moving {
            phase,
            is_ready: moving.is_ready,
            may_close: moving.may_close,
        })
    }

    /// How the last planned move from here ended; none while one is under way.
    pub(crate) fn move_end(&self) -> Option<MoveEnd> {
        self.move_end
    }

    /// Another node that is known to serve under a higher epoch than `epoch`.
    pub(crate) fn successor(&self, epoch: Epoch) -> Option<NodeId> {
        self.known_views()
            .filter(|(_, view)| is_serving(&view.record) && view.record.epoch > epoch)
            .max_by_key(|(_, view)| view.record.epoch)
            .map(|(node, _)| node)
    }

    /// How `node` follows this one, which serves.
    pub(crate) fn following(&self, node: NodeId, peers: &Peers) -> Following {
        let Role::Serving(service) = &self.role else {
            return Following::Unknown;
        };
        match self.known(node, peers) {
            _ if peers.alive_since(node).is_none() => Following::Unknown,
            None => Following::Unknown,
            Some(record) if self.follows(record, service.epoch) => Following::Yes,
            Some(_) => Following::No,
        }
    }

    /// Whether `node` is known to hold a copy.
    pub(crate) fn holds_copy(&self, node: NodeId, me: NodeId, peers: &Peers) -> bool {
        if node == me {
            return self.has_copy();
        }
        self.known(node, peers)
            .is_some_and(|record| record.has_copy)
    }

    /// The nodes known to hold a copy, this one included.
    pub(crate) fn copy_holders(&self, me: NodeId, peers: &Peers) -> BTreeSet<NodeId> {
        let others = self.views.iter().map(|(node, _)| *node);
        let mut holders: BTreeSet<_> = others
            .filter(|node| {
                self.known(*node, peers)
                    .is_some_and(|record| record.has_copy)
            })
            .collect();
        if self.has_copy() {
            holders.insert(me);
        }
        holders
    }

    pub(crate) fn sent_to(&self, node: NodeId) -> Sent {
        self.sent.get(&node).copied().unwrap_or_default()
    }

    /// Changed bytes that `node` lacks, as far as it shows.
    pub(crate) fn behind_bytes(&self, node: NodeId) -> u64 {
        let theirs = self
            .views
            .get(&node)
            .and_then(super::view::View::copy)
            .map_or(0, hwc_api::ownership::Lineage::weight_bytes);
        self.head().weight_bytes().saturating_sub(theirs)
    }
}
