//! How the registry is doing, seen from this node.

use crate::core::Core;
use crate::raft_types::{RaftMetrics, node_id, raft_id};
use crate::timing::Timing;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::{Clock, Moment};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Whether this node may take part in keeping the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// It takes part.
    #[default]
    Member,
    /// It has lost settings that it had acknowledged: its disk was wiped, or an old state of it
    /// restored. It must be removed and join again.
    LostSettings,
    /// The settings hold what only a newer version of hwcd understands.
    Outdated,
}

impl Standing {
    /// What a person must know and do.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Member => "This node takes part in keeping the settings.",
            Self::LostSettings => {
                "This node has lost settings that it had acknowledged (a wiped disk, or an old \
                 state restored), so it must not vote and keeps none. Remove it on another node \
                 (hwc node remove), empty its state folder, and let it join again."
            }
            Self::Outdated => {
                "The settings hold what only a newer version of hwcd understands. This node's copy \
                 of them stands still. Upgrade hwcd on this node."
            }
        }
    }
}

/// How the registry is doing, seen from this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryStatus {
    /// Whether this node may take part.
    pub standing: Standing,
    /// The leader that this node follows, or is.
    pub leader: Option<NodeId>,
    /// Whether a change would be taken now, as far as this node can tell.
    pub is_writable: bool,
    /// The index of the log up to which this node has applied.
    pub last_applied: u64,
    /// The nodes whose majority takes a change. While voters are being changed: those that vote
    /// before and after. A node counts here once its vote is final, and only then can the nodes
    /// that voted before it die in its stead.
    pub voters: BTreeSet<NodeId>,
    /// The other nodes that hold the settings.
    pub learners: BTreeSet<NodeId>,
}

/// When this node last heard of its leader, and what the leader said of its majority.
#[derive(Debug, Default)]
pub(crate) struct LeaderHeard {
    /// Milliseconds of the clock, plus one; 0 for never.
    at_ms: AtomicU64,
    has_quorum: AtomicBool,
}

impl LeaderHeard {
    pub fn note(&self, clock: &Clock, has_quorum: bool) {
        self.has_quorum.store(has_quorum, Ordering::Relaxed);
        self.at_ms
            .store(clock.now().0.saturating_add(1), Ordering::Relaxed);
    }

    fn is_leading_a_majority(&self, clock: &Clock, timing: Timing) -> bool {
        let at_ms = self.at_ms.load(Ordering::Relaxed);
        at_ms > 0
            && clock.now().since(Moment(at_ms - 1)) <= timing.fresh()
            && self.has_quorum.load(Ordering::Relaxed)
    }
}

/// Whether this node leads, and has lately heard of a majority.
pub(crate) fn has_quorum(metrics: &RaftMetrics, timing: Timing) -> bool {
    metrics.running_state.is_ok()
        && metrics.current_leader == Some(metrics.id)
        && metrics
            .millis_since_quorum_ack
            .is_some_and(|age_ms| Duration::from_millis(age_ms) <= timing.fresh())
}

impl RegistryStatus {
    pub(crate) fn of(core: &Core) -> Self {
        let metrics = core.metrics();
        let is_writable = match metrics.current_leader {
            Some(leader) if leader == raft_id(core.me) => has_quorum(&metrics, core.timing),
            Some(_) => {
                metrics.running_state.is_ok()
                    && core.heard.is_leading_a_majority(&core.clock, core.timing)
            }
            None => false,
        };
        let membership = metrics.membership_config.membership();
        let members: BTreeSet<NodeId> = membership
            .nodes()
            .filter_map(|(member, _)| node_id(*member))
            .collect();
        let sets = membership.get_joint_config();
        let votes_throughout = |member: &&NodeId| {
            let is_in = |set: &BTreeSet<u64>| set.contains(&raft_id(**member));
            !sets.is_empty() && sets.iter().all(is_in)
        };
        let voters: BTreeSet<NodeId> = members.iter().filter(votes_throughout).copied().collect();
        Self {
            standing: core.standing(),
            leader: metrics.current_leader.and_then(node_id),
            is_writable,
            last_applied: metrics.last_applied.map_or(0, |log_id| log_id.index),
            learners: members.difference(&voters).copied().collect(),
            voters,
        }
    }
}
