//! The registry, modelled: one log of settings that a leader extends while a majority of the voters
//! is in its reach, and that each node follows with a lag of its own.
//!
//! Its inside (terms, votes, logs that differ) is openraft's and is not modelled. What matters to
//! the brain is: a change may be refused, lost with its leader or late; a node may know an old
//! state for long; without a majority nothing changes.

mod settings;

pub use settings::{Member, Order, Settings};

use crate::time::Moment;
use hwc_api::ids::NodeId;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Most voters, as in the real registry.
const VOTERS_MAX: usize = 7;

/// The registry as it really is; what each node knows of it is the node's.
#[derive(Debug, Clone)]
pub struct Registry {
    newest: Rc<Settings>,
    leader: Option<NodeId>,
    /// Since when there is no leader that a majority follows.
    leaderless_since: Option<Moment>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            newest: Rc::default(),
            leader: None,
            leaderless_since: Some(Moment::START),
        }
    }
}

impl Registry {
    /// The newest settings that a majority has.
    #[must_use]
    pub const fn newest(&self) -> &Rc<Settings> {
        &self.newest
    }

    /// The node that orders the changes.
    #[must_use]
    pub const fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// The nodes whose word counts.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<NodeId> {
        let voting = self.newest.nodes.iter().filter(|(_, node)| node.is_voting);
        voting.map(|(id, _)| *id).take(VOTERS_MAX).collect()
    }

    /// Carries an order out, or refuses it and changes nothing.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn carry_out(&mut self, order: &Order) -> Result<(), String> {
        let mut next = Settings::clone(&self.newest);
        next.index += 1;
        next.carry_out(order)?;
        self.newest = Rc::new(next);
        Ok(())
    }

    /// Looks who leads: a leader stays one while it reaches a majority; when it does not, another
    /// one that does is elected after `election`. `reaches` says which voters a voter reaches,
    /// itself included; nobody if it is down.
    pub fn elect(
        &mut self,
        now: Moment,
        election: std::time::Duration,
        reaches: impl Fn(NodeId, NodeId) -> bool,
    ) {
        let voters = self.voters();
        let has_majority = |leader: NodeId| {
            let reached = voters.iter().filter(|voter| reaches(leader, **voter));
            reached.count() * 2 > voters.len()
        };
        if self
            .leader
            .is_some_and(|leader| voters.contains(&leader) && has_majority(leader))
        {
            self.leaderless_since = None;
            return;
        }
        let since = *self.leaderless_since.get_or_insert(now);
        self.leader = None;
        if now.since(since) >= election {
            self.leader = voters.iter().copied().find(|voter| has_majority(*voter));
            if self.leader.is_some() {
                self.leaderless_since = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    #[test]
    fn a_leader_needs_a_majority_and_a_minority_elects_nobody() {
        let mut registry = Registry::default();
        for node in 1..=3 {
            registry
                .carry_out(&Order::Join(NodeId(node)))
                .expect("joined");
        }
        let at = Moment::at_millis;
        let all = |_: NodeId, _: NodeId| true;
        registry.elect(at(0), seconds(1), all);
        assert_eq!(registry.leader(), None, "not before the election is over");
        registry.elect(at(1_000), seconds(1), all);
        assert_eq!(registry.leader(), Some(NodeId(1)));
        let alone = |from: NodeId, to: NodeId| from == to || (from.0 > 1 && to.0 > 1);
        registry.elect(at(2_000), seconds(1), alone);
        assert_eq!(registry.leader(), None);
        registry.elect(at(3_000), seconds(1), alone);
        assert_eq!(registry.leader(), Some(NodeId(2)));
        let nobody = |from: NodeId, to: NodeId| from == to;
        registry.elect(at(4_000), seconds(1), nobody);
        registry.elect(at(9_000), seconds(1), nobody);
        assert_eq!(registry.leader(), None);
    }
}
