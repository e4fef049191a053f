//! Founding the cluster and its rules; nodes that join.

use super::draft::{Draft, no_copies};
use crate::settings::Edit;
use hwc_api::balancing::Balancing;
use hwc_api::change::Applied;
use hwc_api::desired::{Cluster, JoinToken, Node};
use hwc_api::ids::NodeId;
use hwc_api::names::{NodeName, ZoneName};
use hwc_api::network::Network;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

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
        return Err(no_copies());
    }
    check_balancing(&cluster.balancing)?;
    draft.edit(Edit::PutCluster(cluster.clone()));
    add_node(draft, name, address).map(Applied::Node)
}

pub(super) fn set_balancing(
    draft: &mut Draft<'_>,
    balancing: Balancing,
) -> Result<Applied, Problem> {
    check_balancing(&balancing)?;
    // `decide` refuses every change but the founding while there is no cluster.
    if let Some(cluster) = &draft.desired().cluster {
        draft.edit(Edit::PutCluster(Cluster {
            balancing,
            ..cluster.clone()
        }));
    }
    Ok(Applied::Done)
}

pub(super) fn set_network(draft: &mut Draft<'_>, network: Network) -> Applied {
    // `decide` refuses every change but the founding while there is no cluster.
    if let Some(cluster) = &draft.desired().cluster {
        draft.edit(Edit::PutCluster(Cluster {
            network,
            ..cluster.clone()
        }));
    }
    Applied::Done
}

fn check_balancing(balancing: &Balancing) -> Result<(), Problem> {
    let Balancing {
        is_on: _,
        moves_per_minute,
        moves_at_once,
        cool_down_s,
        veto_s,
        busy_percent,
        gap_percent,
        patience_s,
    } = *balancing;
    // Drains need a budget too, so there is always one; more than ten moves a second would be
    // nothing but moves.
    check_range("moves_per_minute", moves_per_minute.into(), 1..=600)?;
    check_range("moves_at_once", moves_at_once.into(), 1..=16)?;
    // Without any rest a site could go back and forth; a day is for ever to a load.
    check_range("cool_down_s", cool_down_s, 10..=86_400)?;
    check_range("veto_s", veto_s, 0..=3_600)?;
    check_range("busy_percent", busy_percent.into(), 10..=100)?;
    // The other node must stay idler than a busy one, and not below nothing.
    check_range(
        "gap_percent",
        gap_percent.into(),
        1..=u32::from(busy_percent) - 1,
    )?;
    check_range("patience_s", patience_s, 1..=3_600)
}

fn check_range(field: &str, value: u32, range: RangeInclusive<u32>) -> Result<(), Problem> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(Problem::new(
        ProblemCode::Invalid,
        format!("{value} is out of range: choose {least} to {most}."),
    )
    .field(field)
    .detail(format!("{least}-{most}")))
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
        zone: ZoneName::default(),
        switched_off: BTreeSet::new(),
        drain: None,
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
