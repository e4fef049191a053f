//! Nodes after they have joined: zones, services, drains; those that leave, and those that are lost.

use super::draft::{Draft, unknown_node};
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::{Dataset, Drain, Node, NodeService, Site};
use hwc_api::ids::NodeId;
use hwc_api::names::ZoneName;
use hwc_api::problem::{Problem, ProblemCode};
use std::collections::BTreeSet;

pub(super) fn set_zone(
    draft: &mut Draft<'_>,
    id: NodeId,
    zone: &ZoneName,
) -> Result<Applied, Problem> {
    let node = draft.node(id)?;
    draft.edit(Edit::PutNode(Node {
        zone: zone.clone(),
        ..node.clone()
    }));
    Ok(Applied::Done)
}

/// Every service stays on somewhere, and hosting where there are datasets.
pub(super) fn set_services(
    draft: &mut Draft<'_>,
    id: NodeId,
    switched_off: &BTreeSet<NodeService>,
) -> Result<Applied, Problem> {
    let node = draft.node(id)?;
    for service in switched_off.difference(&node.switched_off) {
        check_is_elsewhere(draft, &BTreeSet::from([id]), *service)?;
    }
    if node.is_hosting() && switched_off.contains(&NodeService::Hosting) {
        check_holds_nothing(draft, node)?;
    }
    draft.edit(Edit::PutNode(Node {
        switched_off: switched_off.clone(),
        ..node.clone()
    }));
    Ok(Applied::Done)
}

/// Checks that a node without these has a service still.
fn check_is_elsewhere(
    draft: &Draft<'_>,
    without: &BTreeSet<NodeId>,
    service: NodeService,
) -> Result<(), Problem> {
    let mut others = draft.desired().active_nodes();
    if others.any(|node| !without.contains(&node.id) && !node.switched_off.contains(&service)) {
        return Ok(());
    }
    let (code, does) = match service {
        NodeService::Hosting => (ProblemCode::LastNode, "hosts sites"),
        NodeService::FrontDoors => (ProblemCode::Conflict, "answers visitors"),
        NodeService::Voting => (ProblemCode::Conflict, "keeps the settings"),
    };
    Err(Problem::new(
        code,
        format!("No other node {does}. Let another one do so first."),
    )
    .field("node"))
}

fn check_holds_nothing(draft: &Draft<'_>, node: &Node) -> Result<(), Problem> {
    let held = held_datasets(draft, node.id).count();
    if held == 0 {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::Conflict,
        format!("Node {} holds {held} datasets. Drain it first.", node.name),
    )
    .field("switched_off")
    .detail(held.to_string()))
}

/// The datasets, trash aside, of which a node should hold a copy.
fn held_datasets<'a>(draft: &Draft<'a>, node: NodeId) -> impl Iterator<Item = &'a Dataset> {
    let datasets = draft.desired().datasets.values();
    datasets.filter(move |dataset| !dataset.is_deleted && dataset.replicas.contains(&node))
}

/// Asked for again, a drain keeps its beginning and takes the newer note and terms.
pub(super) fn drain(draft: &mut Draft<'_>, id: NodeId, drain: &Drain) -> Result<Applied, Problem> {
    let node = draft.hosting_node(id)?;
    let others = draft
        .desired()
        .active_nodes()
        .filter(|other| other.id != id && other.takes_datasets());
    let others = others.count();
    if others == 0 {
        return Err(Problem::new(
            ProblemCode::LastNode,
            format!("No other node could take the sites of node {}.", node.name),
        )
        .field("node"));
    }
    if !drain.may_lack_copies {
        check_enough_copies(draft, node, others)?;
    }
    let begun = node.drain.as_ref().map(|begun| (begun.by, begun.since));
    let (by, since) = begun.unwrap_or((drain.by, drain.since));
    draft.edit(Edit::PutNode(Node {
        drain: Some(Drain {
            by,
            since,
            ..drain.clone()
        }),
        ..node.clone()
    }));
    Ok(Applied::Done)
}

fn check_enough_copies(draft: &Draft<'_>, node: &Node, others: usize) -> Result<(), Problem> {
    let lacking = held_datasets(draft, node.id)
        .filter(|dataset| usize::from(dataset.copies) > others)
        .count();
    if lacking == 0 {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::TooFewCopies,
        format!(
            "Without node {}, {lacking} datasets would have fewer copies than they should: only \
             {others} other nodes take datasets. Add a node first, or allow it for this drain.",
            node.name
        ),
    )
    .field("node")
    .detail(lacking.to_string()))
}

pub(super) fn undrain(draft: &mut Draft<'_>, id: NodeId) -> Result<Applied, Problem> {
    let node = draft.node(id)?;
    if node.drain.is_none() {
        return Err(Problem::new(
            ProblemCode::NodeNotDraining,
            format!("Node {} is not being drained.", node.name),
        )
        .field("node")
        .detail(node.name.to_string()));
    }
    draft.edit(Edit::PutNode(Node {
        drain: None,
        ..node.clone()
    }));
    Ok(Applied::Done)
}

/// Takes a node out that others can stand in for.
pub(super) fn remove(draft: &mut Draft<'_>, id: NodeId) -> Result<Applied, Problem> {
    let node = known(draft, id)?;
    if node.is_removed {
        return Ok(Applied::Done);
    }
    if draft.desired().active_nodes().count() == 1 {
        return Err(Problem::new(
            ProblemCode::LastNode,
            "This is the last node of the cluster; it can't be removed.",
        )
        .field("node"));
    }
    let leaving = BTreeSet::from([id]);
    for service in [
        NodeService::Hosting,
        NodeService::FrontDoors,
        NodeService::Voting,
    ] {
        if !node.switched_off.contains(&service) {
            check_is_elsewhere(draft, &leaving, service)?;
        }
    }
    if let Some(dataset) = held_datasets(draft, id).find(|dataset| dataset.replicas == [id]) {
        return Err(Problem::new(
            ProblemCode::Conflict,
            format!(
                "Node {} holds the only copy of dataset {}. Let another node hold a copy first.",
                node.name, dataset.id
            ),
        )
        .detail(dataset.id.to_string()));
    }
    take_out(draft, &leaving);
    Ok(Applied::Done)
}

/// Takes nodes out that are gone whatever the settings say: what only they hold is given up.
pub(super) fn declare_lost(
    draft: &mut Draft<'_>,
    nodes: &BTreeSet<NodeId>,
) -> Result<Applied, Problem> {
    if nodes.is_empty() {
        return Err(
            Problem::new(ProblemCode::Invalid, "Name the nodes that are lost.").field("nodes"),
        );
    }
    for node in nodes {
        known(draft, *node)?;
    }
    let mut active = draft.desired().active_nodes();
    if active.all(|node| nodes.contains(&node.id)) {
        return Err(Problem::new(
            ProblemCode::LastNode,
            "These are all nodes of the cluster; one must remain.",
        )
        .field("nodes"));
    }
    take_out(draft, nodes);
    Ok(Applied::Done)
}

/// A node that is, or was, in the cluster.
fn known<'a>(draft: &Draft<'a>, id: NodeId) -> Result<&'a Node, Problem> {
    let node = draft.desired().nodes.get(&id);
    node.ok_or_else(|| unknown_node(id))
}

/// Marks nodes as removed, and lets go of them where they are named.
fn take_out(draft: &mut Draft<'_>, leaving: &BTreeSet<NodeId>) {
    let desired = draft.desired();
    for dataset in desired.datasets.values() {
        leave_replicas(draft, dataset, leaving);
    }
    for site in desired.sites.values() {
        if site.pin.is_some_and(|node| leaving.contains(&node)) {
            draft.edit(Edit::PutSite(Site {
                pin: None,
                ..site.clone()
            }));
        }
    }
    for node in desired.active_nodes() {
        if leaving.contains(&node.id) {
            draft.edit(Edit::PutNode(Node {
                is_removed: true,
                drain: None,
                ..node.clone()
            }));
        }
    }
}

/// Takes nodes out of a dataset's replicas. The last holders stay named, of trash and of what is
/// lost: a set is never empty, and whoever asks is told where it was.
fn leave_replicas(draft: &mut Draft<'_>, dataset: &Dataset, leaving: &BTreeSet<NodeId>) {
    let replicas: Vec<_> = dataset
        .replicas
        .iter()
        .copied()
        .filter(|holder| !leaving.contains(holder))
        .collect();
    if !replicas.is_empty() && replicas != dataset.replicas {
        draft.edit(Edit::PutDataset(Dataset {
            replicas,
            ..dataset.clone()
        }));
    }
}
