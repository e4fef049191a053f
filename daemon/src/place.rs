//! Where a new dataset goes: the brain's choice, fed with what this node sees.

use crate::api::Now;
use crate::conductor::facts::node_facts;
use hwc_api::desired::Node;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_state_machine::placement::{self, NodeCandidate};

/// The nodes for a new dataset with `copies` copies, the first to be live first; fewer where there
/// are not so many.
///
/// # Errors
/// When no node is up with room for it.
pub fn choose_replicas(now: &Now, copies: u8) -> Result<Vec<NodeId>, Problem> {
    let candidates: Vec<_> = now
        .desired
        .active_nodes()
        .map(|node| candidate(now, node))
        .collect();
    placement::choose_replicas(&candidates, copies).map_err(|error| {
        Problem::new(
            ProblemCode::NoNode,
            format!("No node can take another site: {error}."),
        )
    })
}

/// Copies of a dataset for which nobody asked for another number.
#[must_use]
pub fn default_copies(now: &Now) -> u8 {
    let cluster = now.desired.cluster.as_ref();
    cluster.map_or(1, |cluster| cluster.copies)
}

fn candidate(now: &Now, node: &Node) -> NodeCandidate {
    let id = node.id;
    let observed = now.picture.nodes.get(&id);
    let facts = node_facts(
        node,
        observed,
        now.picture.is_reachable(id) && observed.is_some(),
    );
    let datasets = now
        .desired
        .datasets
        .values()
        .filter(|dataset| !dataset.is_deleted);
    let count = |wanted: &dyn Fn(&[NodeId]) -> bool| {
        let number = datasets
            .clone()
            .filter(|dataset| wanted(&dataset.replicas))
            .count();
        u32::try_from(number).unwrap_or(u32::MAX)
    };
    NodeCandidate::of(
        id,
        &facts,
        // What its processors bear, in percent.
        facts.load.cpu_millicores / 10 / facts.cores.max(1),
        count(&|replicas| replicas.contains(&id)),
        count(&|replicas| replicas.first() == Some(&id)),
    )
}

/// Copies that a dataset should have; what belongs to it should have as many.
#[must_use]
pub fn copies_of(now: &Now, dataset: hwc_api::ids::DatasetId) -> u8 {
    let dataset = now.desired.datasets.get(&dataset);
    dataset.map_or_else(|| default_copies(now), |dataset| dataset.copies)
}

/// The nodes for a database that belongs to a dataset: where that one's copies are, its live node
/// first.
#[must_use]
pub fn beside(now: &Now, dataset: hwc_api::ids::DatasetId, live: NodeId) -> Vec<NodeId> {
    let replicas = now
        .desired
        .datasets
        .get(&dataset)
        .map(|dataset| dataset.replicas.clone());
    let others = replicas
        .unwrap_or_default()
        .into_iter()
        .filter(|node| *node != live);
    std::iter::once(live).chain(others).collect()
}
