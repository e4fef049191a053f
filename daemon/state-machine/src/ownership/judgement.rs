//! Who should be live: a pure judgement on the records in reach, the same on every node.
//!
//! The candidates are the contenders in reach, or where there are none, all holders in reach with
//! a copy. The one whose branch has most changed is the best; ties go to the higher rank.

use super::view::is_serving;
use super::{Context, Ownership};
use crate::bugs::Bug;
use hwc_api::ids::NodeId;
use hwc_api::ownership::HolderRecord;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The verdict about this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This node's branch is (one of) the best: it may claim, after `rank` others. It `yields`
    /// where it is to serve nothing and another one is just as good.
    Best { rank: u32, yields: bool },
    /// Somebody else's turn, or something is not known yet.
    NotNow,
}

impl Ownership {
    /// Judges on the records of the holders in reach, without the `silent` ones of a round.
    pub(super) fn judge(&self, context: &Context<'_>, silent: &BTreeSet<NodeId>) -> Verdict {
        if self.is_deleted() || self.policy.is_none() {
            return Verdict::NotNow;
        }
        let mut others = Vec::new();
        for node in self.reach(context) {
            if silent.contains(&node) {
                continue;
            }
            let Some(record) = self.known(node, context.peers) else {
                return Verdict::NotNow;
            };
            if is_serving(record) {
                return Verdict::NotNow;
            }
            others.push((node, record));
        }
        let any_contending = others.iter().any(|(_, record)| record.is_contending);
        if any_contending && !self.is_contending && !context.bugs.has(Bug::ContendersIgnored) {
            return Verdict::NotNow;
        }
        if !self.has_copy() {
            return self.judge_beginning(context, &others, silent);
        }
        self.judge_among(context, &others)
    }

    /// Among those with a copy, only a head that nobody's exceeds is best.
    fn judge_among(&self, context: &Context<'_>, others: &[(NodeId, &HolderRecord)]) -> Verdict {
        let my_place = self.place(context.me.node, context);
        let mut rank = 0;
        let mut yields = false;
        for (node, record) in others {
            if !record.has_copy || (self.is_contending && !record.is_contending) {
                continue;
            }
            match record.lineage.compare_change(self.head()) {
                Ordering::Greater => return Verdict::NotNow,
                Ordering::Equal => {
                    let place = self.place(*node, context);
                    rank += u32::from(place < my_place);
                    yields |= my_place.is_leaving && !place.is_leaving;
                }
                Ordering::Less => {}
            }
        }
        Verdict::Best { rank, yields }
    }

    /// May this node, which has no copy, begin the dataset empty? Only a member that was in the
    /// cluster before the dataset was (a wiped node re-joins later than it), and only while every
    /// member is heard and none has a copy or ever had to put one aside.
    fn judge_beginning(
        &self,
        context: &Context<'_>,
        others: &[(NodeId, &HolderRecord)],
        silent: &BTreeSet<NodeId>,
    ) -> Verdict {
        let me = context.me.node;
        let Some(policy) = &self.policy else {
            return Verdict::NotNow;
        };
        let is_old_enough = context.my_join_index < policy.created_index;
        let is_nothing_lost = silent.is_empty()
            && policy
                .replicas
                .iter()
                .all(|member| *member == me || others.iter().any(|(node, _)| node == member));
        let is_nothing_there = self.divergent.is_empty()
            && self.copy.is_none()
            && others
                .iter()
                .all(|(_, record)| !record.has_copy && record.divergent.is_empty());
        let is_beginning = is_old_enough && is_nothing_lost && is_nothing_there;
        if self.is_member(me) && (is_beginning || context.bugs.has(Bug::EmptyClaims)) {
            let my_place = self.place(me, context);
            let places = others.iter().map(|(node, _)| self.place(*node, context));
            let rank = places.clone().filter(|place| *place < my_place).count();
            return Verdict::Best {
                rank: u32::try_from(rank).unwrap_or(u32::MAX),
                yields: my_place.is_leaving && places.into_iter().any(|place| !place.is_leaving),
            };
        }
        Verdict::NotNow
    }

    fn place(&self, node: NodeId, context: &Context<'_>) -> Place {
        let mut members = self.members().iter();
        let pin = self.policy.as_ref().and_then(|policy| policy.pin);
        Place {
            is_leaving: context.leaving.contains(&node),
            is_pinned_elsewhere: pin != Some(node),
            is_away_from_site: context.site_home != Some(node),
            in_set: members
                .position(|member| *member == node)
                .unwrap_or(usize::MAX),
            node,
        }
    }
}

/// The order among equally good holders: one that may serve, the one that the site is pinned to,
/// for a database where its site is, place in the set, id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    is_leaving: bool,
    is_pinned_elsewhere: bool,
    is_away_from_site: bool,
    in_set: usize,
    node: NodeId,
}
