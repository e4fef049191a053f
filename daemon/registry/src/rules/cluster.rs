//! Founding the cluster; nodes that join and leave.

use super::draft::{Draft, unknown_node};
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::{Cluster, Dataset, JoinToken, Node};
use hwc_api::ids::NodeId;
use hwc_api::names::NodeName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use std::net::IpAddr;

/// How long a join token is remembered after its expiry, so that a late use is told "expired"
/// rather than "wrong": seven days.
const JOIN_TOKEN_MEMORY_MS: i64 = 7 * 24 * 3_600 * 1_000;

pub(super) fn init(
    draft: &mut Draft<'_>,
    cluster: &Cluster,
    name: &NodeName,
    address: IpAddr,
) -> Result<Applied, Problem> {
    if draft.desired().cluster.is_some() {
        return Err(Problem::new(
            ProblemCode::AlreadyMember,
            "This node already belongs to a cluster.",
        ));
    }
    if cluster.copies == 0 {
        return Err(Problem::new(
            ProblemCode::Invalid,
            "Ask for at least one copy of each dataset.",
        )
        .field("copies")
        .detail("1"));
    }
    draft.edit(Edit::PutCluster(cluster.clone()));
    add_node(draft, name, address).map(Applied::Node)
}

pub(super) fn create_join_token(
    draft: &mut Draft<'_>,
    secret_hash: &str,
    expires_at: WallTime,
) -> Result<Applied, Problem> {
    if draft.desired().join_tokens.contains_key(secret_hash) {
        return Err(Problem::new(
            ProblemCode::Conflict,
            "This join token exists already. Make a new one.",
        ));
    }
    draft.edit(Edit::PutJoinToken(JoinToken {
        secret_hash: secret_hash.to_owned(),
        expires_at,
        used_by: None,
    }));
    Ok(Applied::Done)
}

pub(super) fn join_node(
    draft: &mut Draft<'_>,
    secret_hash: &str,
    name: &NodeName,
    address: IpAddr,
    now: WallTime,
) -> Result<Applied, Problem> {
    let token = usable_token(draft, secret_hash, now)?;
    check_node_is_new(draft, name, address)?;
    let node = add_node(draft, name, address)?;
    draft.edit(Edit::PutJoinToken(JoinToken {
        used_by: Some(node.id),
        ..token.clone()
    }));
    forget_old_tokens(draft, now);
    Ok(Applied::Node(node))
}

fn usable_token<'a>(
    draft: &Draft<'a>,
    secret_hash: &str,
    now: WallTime,
) -> Result<&'a JoinToken, Problem> {
    let Some(token) = draft.desired().join_tokens.get(secret_hash) else {
        return Err(Problem::new(
            ProblemCode::TokenWrong,
            "The join token is unknown. Make one on a member with: hwc node token",
        ));
    };
    if token.used_by.is_some() {
        return Err(Problem::new(
            ProblemCode::TokenUsed,
            "The join token was used already. Make a new one on a member with: hwc node token",
        ));
    }
    if token.expires_at <= now {
        return Err(Problem::new(
            ProblemCode::TokenExpired,
            "The join token is out of date. Make a new one on a member with: hwc node token",
        ));
    }
    Ok(token)
}

fn check_node_is_new(draft: &Draft<'_>, name: &NodeName, address: IpAddr) -> Result<(), Problem> {
    for node in draft.desired().active_nodes() {
        let (field, value) = if node.name == *name {
            ("name", name.to_string())
        } else if node.address == address {
            ("address", address.to_string())
        } else {
            continue;
        };
        return Err(Problem::new(
            ProblemCode::NodeTaken,
            format!(
                "The {field} {value} belongs to node {}. Remove that node first if it is gone.",
                node.name
            ),
        )
        .field(field)
        .detail(value));
    }
    Ok(())
}

fn add_node(draft: &mut Draft<'_>, name: &NodeName, address: IpAddr) -> Result<Node, Problem> {
    let node = Node {
        id: NodeId(draft.take(|counters| &mut counters.node)?),
        name: name.clone(),
        address,
        join_index: draft.index(),
        is_removed: false,
    };
    draft.edit(Edit::PutNode(node.clone()));
    Ok(node)
}

fn forget_old_tokens(draft: &mut Draft<'_>, now: WallTime) {
    for token in draft.desired().join_tokens.values() {
        if token.expires_at.plus_ms(JOIN_TOKEN_MEMORY_MS) < now {
            draft.edit(Edit::DeleteJoinToken(token.secret_hash.clone()));
        }
    }
}

pub(super) fn remove_node(draft: &mut Draft<'_>, id: NodeId) -> Result<Applied, Problem> {
    let node = draft
        .desired()
        .nodes
        .get(&id)
        .ok_or_else(|| unknown_node(id))?;
    if node.is_removed {
        return Ok(Applied::Done);
    }
    if draft.desired().active_nodes().count() == 1 {
        return Err(Problem::new(
            ProblemCode::Conflict,
            "This is the last node of the cluster; it can't be removed.",
        ));
    }
    for dataset in draft.desired().datasets.values() {
        leave_replicas(draft, dataset, id)?;
    }
    draft.edit(Edit::PutNode(Node {
        is_removed: true,
        ..node.clone()
    }));
    Ok(Applied::Done)
}

/// Takes a node out of a dataset's replicas. The last holder of trash stays named: nobody serves
/// it, and a set is never empty.
fn leave_replicas(draft: &mut Draft<'_>, dataset: &Dataset, node: NodeId) -> Result<(), Problem> {
    if !dataset.replicas.contains(&node) {
        return Ok(());
    }
    let replicas: Vec<_> = dataset
        .replicas
        .iter()
        .copied()
        .filter(|holder| *holder != node)
        .collect();
    if !replicas.is_empty() {
        draft.edit(Edit::PutDataset(Dataset {
            replicas,
            ..dataset.clone()
        }));
        return Ok(());
    }
    if dataset.is_deleted {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::Conflict,
        format!(
            "Node {node} holds the only copy of dataset {}. Let another node hold a copy first.",
            dataset.id
        ),
    )
    .detail(dataset.id.to_string()))
}
