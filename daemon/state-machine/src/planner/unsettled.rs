//! Which sets need attention: kept by the registry's leader, so that a hundred thousand sets that are
//! right cost nothing.
//!
//! All sets are looked at when nodes stand otherwise, and now and then; one alone when the registry
//! changed it.

use super::census::Census;
use super::sets::Membership;
use super::{Planner, View};
use crate::event::DatasetPolicy;
use crate::facts::{ClusterFacts, NodeFacts};
use crate::ownership::Ownership;
use crate::time::Millis;
use hwc_api::ids::{DatasetId, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All sets are looked at this often even if nothing is known to have changed.
const LOOK_AGAIN_MS: u64 = 60_000;
/// Datasets are counted anew so often while sets are being changed.
const COUNT_AGAIN_MS: u64 = 10_000;

/// A set that is not as it should be, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unsettled {
    /// The set as it is.
    pub(super) replicas: Vec<NodeId>,
    /// Since when no member was added, as far as this node knows.
    pub(super) since: Millis,
    pub(super) judged_at: Option<Millis>,
    pub(super) proposed: Option<Proposal>,
}

/// What was proposed, and is not seen in the registry yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proposal {
    pub(super) at: Millis,
    pub(super) added: Vec<NodeId>,
}

/// What the leader keeps of sets between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Rehoming {
    pub(super) unsettled: BTreeMap<DatasetId, Unsettled>,
    /// The nodes that are down for longer than a restart takes.
    lost: BTreeSet<NodeId>,
    /// When all sets are looked at again; none: now.
    look_at: Option<Millis>,
    /// Sets that the registry changed since.
    changed: BTreeSet<DatasetId>,
    /// Datasets per node, counted not long ago.
    census: Census,
    counted_at: Option<Millis>,
}

impl Rehoming {
    pub(super) fn look_at_all(&mut self) {
        self.look_at = None;
    }

    pub(super) fn look_at(&mut self, datasets: &[DatasetId]) {
        self.changed.extend(datasets);
    }

    /// Datasets per node. Counting all takes a while; in between, what is proposed is counted by
    /// whoever proposes it.
    pub(super) fn census(&mut self, view: View<'_>) -> Census {
        let again_at = self.counted_at.map(|at| at.plus(COUNT_AGAIN_MS));
        if again_at.is_none_or(|at| at <= view.now) {
            self.census = Census::take(view);
            self.counted_at = Some(view.now);
        }
        self.census.clone()
    }
}

/// Whether other sets may be right by these facts than by those before.
pub(super) fn differs(before: &ClusterFacts, facts: &ClusterFacts) -> bool {
    let is_alike = |one: &NodeFacts, other: &NodeFacts| {
        one.zone == other.zone
            && one.is_hosting == other.is_hosting
            && one.is_draining == other.is_draining
            && one.may_lack_copies == other.may_lack_copies
            && one.is_up == other.is_up
    };
    (before.leader, before.is_writable) != (facts.leader, facts.is_writable)
        || before.nodes.len() != facts.nodes.len()
        || facts.nodes.iter().any(|(id, node)| {
            let before = before.nodes.get(id);
            before.is_none_or(|before| !is_alike(before, node))
        })
}

impl Planner {
    /// A node that is down for long enough counts as lost from now on.
    pub(super) fn note_losses(&mut self, facts: &ClusterFacts, view: View<'_>) {
        let mut lost = BTreeSet::new();
        for node in facts.nodes.keys() {
            let Some(since) = self.standing.down_since(*node) else {
                continue;
            };
            let lost_at = since.plus(view.timers.rehome_after_ms);
            if lost_at <= view.now {
                lost.insert(*node);
            } else {
                self.wake(view, lost_at);
            }
        }
        if lost != self.rehoming.lost {
            self.rehoming.lost = lost;
            self.rehoming.look_at_all();
        }
    }

    /// Looks at what was changed, or at all sets if that is due, for those that need attention.
    pub(super) fn find_unsettled(&mut self, facts: &ClusterFacts, view: View<'_>) {
        let has_one_zone = has_one_zone(facts);
        let changed = std::mem::take(&mut self.rehoming.changed);
        if self.rehoming.look_at.is_some_and(|at| at > view.now) {
            for dataset in changed {
                self.look_at_one(dataset, has_one_zone, facts, view);
            }
            return;
        }
        for dataset in view.datasets.keys() {
            self.look_at_one(*dataset, has_one_zone, facts, view);
        }
        self.rehoming.look_at = Some(view.now.plus(LOOK_AGAIN_MS));
    }

    fn look_at_one(
        &mut self,
        dataset: DatasetId,
        has_one_zone: bool,
        facts: &ClusterFacts,
        view: View<'_>,
    ) {
        let ownership = view.datasets.get(&dataset);
        let unsettled = ownership
            .filter(|ownership| !ownership.is_gone())
            .and_then(|ownership| Some((ownership, ownership.policy()?)))
            .filter(|(ownership, policy)| {
                !self.is_settled(ownership, policy, has_one_zone, facts, view)
            });
        let Some((_, policy)) = unsettled else {
            self.rehoming.unsettled.remove(&dataset);
            return;
        };
        let before = self.rehoming.unsettled.get(&dataset);
        if before.is_none_or(|before| before.replicas != policy.replicas) {
            let has_new = |before: &&Unsettled| {
                let mut members = policy.replicas.iter();
                members.any(|node| !before.replicas.contains(node))
            };
            let since = before
                .filter(|before| !has_new(before))
                .map_or(view.now, |before| before.since);
            let unsettled = Unsettled {
                replicas: policy.replicas.clone(),
                since,
                judged_at: None,
                proposed: None,
            };
            self.rehoming.unsettled.insert(dataset, unsettled);
        }
    }

    /// Whether a set is as it should be: enough good members, no others, each with its copy, not
    /// all in one zone.
    fn is_settled(
        &self,
        ownership: &Ownership,
        policy: &DatasetPolicy,
        has_one_zone: bool,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> bool {
        let members = policy.replicas.iter();
        let all_good = members.clone().all(|node| {
            self.membership(*node, facts) == Membership::Good
                && ownership.holds_copy(*node, view.me, view.peers)
        });
        let mut zones = members
            .filter_map(|node| facts.nodes.get(node))
            .map(|node| &node.zone);
        let first = zones.next();
        let is_spread =
            has_one_zone || policy.replicas.len() < 2 || zones.any(|zone| Some(zone) != first);
        all_good && is_spread && policy.replicas.len() == usize::from(policy.copies.max(1))
    }

    pub(super) fn membership(&self, node: NodeId, facts: &ClusterFacts) -> Membership {
        let Some(known) = facts.nodes.get(&node) else {
            return Membership::Removed;
        };
        if self.rehoming.lost.contains(&node) {
            Membership::Lost
        } else if !known.is_hosting {
            Membership::NotHosting
        } else if known.is_draining {
            Membership::Drained
        } else {
            Membership::Good
        }
    }
}

fn has_one_zone(facts: &ClusterFacts) -> bool {
    let zones = facts
        .nodes
        .values()
        .filter(|node| node.is_hosting && !node.is_draining && node.is_up)
        .map(|node| &node.zone);
    zones.collect::<BTreeSet<_>>().len() < 2
}
