//! Where a new dataset goes: the brain's choice, fed with what this node sees.

use crate::api::Now;
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
        .map(|node| candidate(now, node.id))
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

fn candidate(now: &Now, id: NodeId) -> NodeCandidate {
    let observed = now.picture.nodes.get(&id);
    let takes_datasets = now
        .desired
        .nodes
        .get(&id)
        .is_some_and(hwc_api::desired::Node::takes_datasets);
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
    NodeCandidate {
        id,
        is_up: takes_datasets && now.picture.is_reachable(id) && observed.is_some(),
        free_bytes: observed.map_or(0, |observed| observed.pool_free_bytes),
        load_percent: observed.map_or(0, |observed| percent(observed.load_1m, observed.cores)),
        datasets: count(&|replicas| replicas.contains(&id)),
        preferred_live: count(&|replicas| replicas.first() == Some(&id)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a load average in percent, clamped"
)]
fn percent(load: f32, cores: u32) -> u32 {
    (load / cores.max(1) as f32 * 100.0).clamp(0.0, 1_000_000.0) as u32
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
