//! Who keeps the settings, whether they can be changed, and why not.

use super::Scene;
use hwc_api::ids::NodeId;
use hwc_api::observed::RegistryStanding;
use hwc_api::v1::{NodeRef, RegistryView, WriteObstacle};
use hwc_registry::{RegistryStatus, Standing};
use std::collections::BTreeSet;

impl Scene<'_> {
    /// The registry as this node sees it.
    #[must_use]
    pub fn registry(&self, status: &RegistryStatus) -> RegistryView {
        let named = |nodes: &BTreeSet<NodeId>| -> Vec<NodeRef> {
            nodes.iter().map(|node| self.node_ref(*node)).collect()
        };
        let voters_that = |is_so: &dyn Fn(NodeId) -> bool| -> BTreeSet<NodeId> {
            let voters = status.voters.iter().copied();
            voters.filter(|node| is_so(*node)).collect()
        };
        let out_of_reach = voters_that(&|node| !self.picture.is_reachable(node));
        let witnesses = voters_that(&|node| {
            let node = self.desired.nodes.get(&node);
            node.is_some_and(|node| !node.is_removed && !node.is_hosting())
        });
        let obstacle = obstacle(status, out_of_reach.len());
        RegistryView {
            is_writable: status.is_writable,
            leader: leader(status, obstacle).map(|leader| self.node_ref(leader)),
            voters: named(&status.voters),
            learners: named(&status.learners),
            witnesses: named(&witnesses),
            standing: standing(status.standing),
            obstacle,
            out_of_reach: named(&out_of_reach),
            index: self.desired.index,
        }
    }
}

/// As it is told to others.
#[must_use]
pub const fn standing(standing: Standing) -> RegistryStanding {
    match standing {
        Standing::Member => RegistryStanding::Member,
        Standing::LostSettings => RegistryStanding::LostSettings,
        Standing::Outdated => RegistryStanding::Outdated,
    }
}

/// The node that orders the changes. Who last did is remembered by those who lost it: while that
/// hinders changes, nobody leads.
fn leader(status: &RegistryStatus, obstacle: Option<WriteObstacle>) -> Option<NodeId> {
    match obstacle {
        Some(WriteObstacle::NoMajority { .. } | WriteObstacle::NoLeader) => None,
        Some(WriteObstacle::LostSettings | WriteObstacle::Outdated) | None => status.leader,
    }
}

fn obstacle(status: &RegistryStatus, out_of_reach: usize) -> Option<WriteObstacle> {
    if status.is_writable {
        return None;
    }
    match status.standing {
        Standing::LostSettings => return Some(WriteObstacle::LostSettings),
        Standing::Outdated => return Some(WriteObstacle::Outdated),
        Standing::Member => {}
    }
    let voters = status.voters.len();
    let (needed, in_reach) = (voters / 2 + 1, voters.saturating_sub(out_of_reach));
    let count = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Some(if in_reach < needed {
        WriteObstacle::NoMajority {
            in_reach: count(in_reach),
            needed: count(needed),
        }
    } else {
        WriteObstacle::NoLeader
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        voters: u16,
        out_of_reach: usize,
        standing: Standing,
        expected: Option<WriteObstacle>,
    ) {
        let status = RegistryStatus {
            standing,
            leader: None,
            is_writable: expected.is_none(),
            last_applied: 1,
            voters: (1..=voters).map(NodeId).collect(),
            learners: BTreeSet::new(),
        };
        let found = obstacle(&status, out_of_reach);
        assert_eq!(found, expected, "{voters} {out_of_reach} {standing:?}");
    }

    #[test]
    fn who_led_before_the_majority_was_lost_leads_no_more() {
        let led = Some(NodeId(2));
        let (no_majority, no_leader) = (
            WriteObstacle::NoMajority {
                in_reach: 1,
                needed: 2,
            },
            WriteObstacle::NoLeader,
        );
        for (obstacle, expected) in [
            (None, led),
            (Some(WriteObstacle::Outdated), led),
            (Some(WriteObstacle::LostSettings), led),
            (Some(no_majority), None),
            (Some(no_leader), None),
        ] {
            let status = RegistryStatus {
                standing: Standing::Member,
                leader: led,
                is_writable: obstacle.is_none(),
                last_applied: 1,
                voters: (1..=3).map(NodeId).collect(),
                learners: BTreeSet::new(),
            };
            assert_eq!(leader(&status, obstacle), expected, "{obstacle:?}");
        }
    }

    #[test]
    fn why_settings_can_t_be_changed_is_said_with_numbers() {
        let no_majority = |in_reach, needed| {
            let obstacle = WriteObstacle::NoMajority { in_reach, needed };
            Some(obstacle)
        };
        check(3, 1, Standing::Member, None);
        check(3, 2, Standing::Member, no_majority(1, 2));
        check(2, 1, Standing::Member, no_majority(1, 2));
        check(7, 4, Standing::Member, no_majority(3, 4));
        check(0, 0, Standing::Member, no_majority(0, 1));
        check(3, 1, Standing::Member, Some(WriteObstacle::NoLeader));
        check(3, 0, Standing::Outdated, Some(WriteObstacle::Outdated));
        let lost = Standing::LostSettings;
        check(3, 2, lost, Some(WriteObstacle::LostSettings));
    }
}
