//! Nodes as candidates: how many datasets each holds and serves, what it bears and will bear.

use super::load::{Points, Share};
use super::{Planner, UnitKey, View};
use crate::facts::ClusterFacts;
use crate::placement::{self, NodeCandidate, Purpose, Request};
use hwc_api::explanation::Candidate;
use hwc_api::ids::{DatasetId, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Datasets of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Count {
    holds: u32,
    serves: u32,
}

/// Datasets of all nodes, counted once for many judgements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Census(BTreeMap<NodeId, Count>);

impl Census {
    /// Datasets per node, as the registry wants them and as they are served.
    pub(super) fn take(view: View<'_>) -> Self {
        let mut counts: BTreeMap<NodeId, Count> = BTreeMap::new();
        for ownership in view.datasets.values() {
            let Some(policy) = ownership.policy().filter(|policy| !policy.is_deleted) else {
                continue;
            };
            for node in &policy.replicas {
                counts.entry(*node).or_default().holds += 1;
            }
            let preferred = policy.replicas.first().copied();
            if let Some(live) = ownership.live_node(view.me).or(preferred) {
                counts.entry(live).or_default().serves += 1;
            }
        }
        Self(counts)
    }
}

/// What is to be placed: datasets that go together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) key: UnitKey,
    pub(super) datasets: &'a [DatasetId],
    /// The node that they leave.
    pub(super) here: NodeId,
}

impl Planner {
    /// All nodes, judged as places where a subject is to be served, the best first. A node that
    /// would bear more than `most_load_percent` is unfit.
    pub(super) fn candidates(
        &self,
        subject: Subject<'_>,
        most_load_percent: Option<u32>,
        census: &Census,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Vec<Candidate> {
        let share = self.share_of_all(subject.datasets, facts, view.me);
        let holders = common_holders(subject.datasets, view);
        let request = Request {
            purpose: Purpose::Serve,
            here: Some(subject.here),
            kept: &[],
            holders: &holders,
            beside: beside(subject.datasets, view),
            needed_bytes: self.bytes_of_all(subject.datasets),
            most_load_percent,
        };
        let nodes = self.nodes(&share, subject, census, facts, view);
        placement::judge(&nodes, &request)
    }

    /// All nodes as they would be with `added` more; the one that the subject leaves as it is.
    pub(super) fn nodes(
        &self,
        added: &Share,
        subject: Subject<'_>,
        census: &Census,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Vec<NodeCandidate> {
        let nodes = facts.nodes.iter();
        nodes
            .map(|(id, node)| {
                let expected = self.expected(*id, subject.key, facts, view);
                let load = if *id == subject.here {
                    expected
                } else {
                    expected.with(added, node)
                };
                let count = census.0.get(id).copied().unwrap_or_default();
                NodeCandidate::of(*id, node, load.percent(), count.holds, count.serves)
            })
            .collect()
    }

    /// What a node bears, with all that is on its way to it and not measured yet, but for `key`.
    pub(super) fn expected(
        &self,
        id: NodeId,
        key: UnitKey,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Points {
        let Some(node) = facts.nodes.get(&id) else {
            return Points::default();
        };
        let moment = self.moment(view.now);
        let others = self.traffic.arriving(id, view.me, moment);
        let own = self.traffic.arriving_from(view.me, id, key);
        Points::of(node).with(&others.and(own), node)
    }

    pub(super) fn share_of_all(
        &self,
        datasets: &[DatasetId],
        facts: &ClusterFacts,
        me: NodeId,
    ) -> Share {
        let shares = datasets
            .iter()
            .map(|dataset| self.share(*dataset, facts, me));
        shares.fold(Share::default(), Share::and)
    }

    pub(super) fn bytes_of_all(&self, datasets: &[DatasetId]) -> u64 {
        let bytes = datasets.iter().map(|dataset| self.bytes_of(*dataset));
        bytes.fold(0, u64::saturating_add)
    }
}

/// The nodes that hold complete copies of all these datasets.
pub(super) fn common_holders(datasets: &[DatasetId], view: View<'_>) -> BTreeSet<NodeId> {
    let mut holders = datasets
        .iter()
        .filter_map(|dataset| view.datasets.get(dataset))
        .map(|ownership| ownership.copy_holders(view.me, view.peers));
    let first = holders.next().unwrap_or_default();
    holders.fold(first, |common, next| &common & &next)
}

/// For databases without their files: the node that serves those.
pub(super) fn beside(datasets: &[DatasetId], view: View<'_>) -> Option<NodeId> {
    let first = *datasets.first()?;
    let files = view.policy(first)?.unit?.files;
    if datasets.contains(&files) {
        return None;
    }
    view.datasets.get(&files)?.live_node(view.me)
}
