//! What a leader believes of a follower, told with its log entries, so that a follower that has
//! lost what it acknowledged (a wiped disk, a restored backup) finds out before it votes or answers.

use crate::raft_types::{RaftMetrics, Vote};
use serde::{Deserialize, Serialize};

/// What a leader believes of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// It votes. Nobody votes before its log was nearly whole.
    pub is_voter: bool,
    /// It has acknowledged the log up to here, to this leader.
    pub acknowledged: Option<u64>,
}

impl Claim {
    /// A candidate's belief: it asks those that vote.
    pub const VOTER: Self = Self {
        is_voter: true,
        acknowledged: None,
    };

    /// What the leader of this vote knows of a node; nothing where the report is of another time.
    pub fn of(metrics: &RaftMetrics, vote: &Vote, node: u64) -> Self {
        if metrics.vote != *vote {
            return Self::default();
        }
        let membership = metrics.membership_config.membership();
        let matched = metrics.replication.as_ref().and_then(|all| all.get(&node));
        Self {
            is_voter: membership.voter_ids().any(|voter| voter == node),
            acknowledged: matched.copied().flatten().map(|log_id| log_id.index),
        }
    }

    /// Whether it can't be true of a node whose log ends here; none of an empty log.
    pub fn is_refuted_by(self, last_index: Option<u64>) -> bool {
        (self.is_voter && last_index.is_none()) || self.acknowledged > last_index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_voter_and_a_log_shorter_than_acknowledged_are_losses() {
        for (is_voter, acknowledged, last_index, is_refuted) in [
            (false, None, None, false),
            (false, None, Some(5), false),
            (true, None, Some(0), false),
            (true, None, None, true),
            (false, Some(5), Some(5), false),
            (true, Some(5), Some(9), false),
            (false, Some(5), Some(4), true),
            (false, Some(0), None, true),
        ] {
            let claim = Claim {
                is_voter,
                acknowledged,
            };
            assert_eq!(
                claim.is_refuted_by(last_index),
                is_refuted,
                "{claim:?} {last_index:?}"
            );
        }
    }
}
