//! Whether this node may trust its own eyes. Pure.
//!
//! The idea of Lifeguard (Dadgar, Phillips, Currey: "Lifeguard: Local Health Awareness for More
//! Accurate Failure Detection", 2018), as far as foca leaves room for it: a node that misses the
//! answers of several members at once is probably slow or cut off itself, and gives those whom it
//! accuses more time to object. Its own pauses are dealt with elsewhere: they don't count at all
//! (see [`super::core`]).

use hwc_api::ids::NodeId;
use std::collections::BTreeMap;

/// Suspects get so many times longer while others do not answer us either.
const PATIENCE: u32 = 3;

/// How the last question to each member ended.
#[derive(Debug, Default)]
pub(super) struct LocalHealth {
    answered: BTreeMap<NodeId, bool>,
}

impl LocalHealth {
    /// A question ended.
    pub(super) fn asked(&mut self, node: NodeId, has_answered: bool) {
        self.answered.insert(node, has_answered);
    }

    /// These are members; who isn't does not count.
    pub(super) fn retain(&mut self, is_member: impl Fn(NodeId) -> bool) {
        self.answered.retain(|node, _answered| is_member(*node));
    }

    /// How many times longer a suspect gets: more, when at least half of the others did not answer.
    pub(super) fn patience_with(&self, suspect: NodeId) -> u32 {
        let others = self.answered.iter().filter(|(node, _)| **node != suspect);
        let (all, silent) = others.fold((0, 0), |(all, silent), (_node, has_answered)| {
            (all + 1, silent + u32::from(!has_answered))
        });
        if silent > 0 && silent * 2 >= all {
            PATIENCE
        } else {
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(answers: &[(u16, bool)]) -> LocalHealth {
        let mut health = LocalHealth::default();
        for (node, has_answered) in answers {
            health.asked(NodeId(*node), *has_answered);
        }
        health
    }

    #[test]
    fn who_misses_several_at_once_accuses_slowly() {
        let check = |answers: &[(u16, bool)], patience| {
            let health = health(answers);
            assert_eq!(health.patience_with(NodeId(2)), patience, "{answers:?}");
        };
        check(&[(2, false)], 1);
        check(&[(2, false), (3, true)], 1);
        check(&[(2, false), (3, false)], PATIENCE);
        check(&[(2, false), (3, false), (4, true), (5, true)], 1);
        check(&[(2, false), (3, false), (4, false), (5, true)], PATIENCE);
        check(&[(2, false), (3, false), (3, true)], 1);
    }

    #[test]
    fn who_left_does_not_count() {
        let mut health = health(&[(2, false), (3, false)]);
        health.retain(|node| node != NodeId(3));
        assert_eq!(health.patience_with(NodeId(2)), 1);
    }
}
