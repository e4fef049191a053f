//! `POST /registry/declare-lost`: go on without nodes that are gone for good, or say what that would
//! mean.

use super::{Access, Endpoint};
use crate::api::access::Action;
use crate::api::refusal::{Answer, Body};
use crate::api::{Api, Now};
use axum::Json;
use axum::extract::State;
use axum::routing::post;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{DeclareLostBody, DeclareLostView, Method, NodeRef};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::DeclareLost);
    Endpoint {
        method: Method::Post,
        path: "/registry/declare-lost",
        access,
        handler: post(declare),
    }
}

async fn declare(
    State(api): State<Arc<Api>>,
    Body(body): Body<DeclareLostBody>,
) -> Answer<DeclareLostView> {
    let now = api.now();
    let lost: BTreeSet<NodeId> = body.nodes.into_iter().collect();
    check_gone(&now, &lost)?;
    let loss = if body.is_confirmed {
        tracing::warn!(?lost, "nodes are declared lost");
        api.registry.declare_lost(&lost).await?
    } else {
        api.registry.declare_lost_preview(&lost).await?
    };
    let scene = now.scene();
    let named = |nodes: &BTreeSet<NodeId>| -> Vec<NodeRef> {
        nodes.iter().map(|node| scene.node_ref(*node)).collect()
    };
    Ok(Json(DeclareLostView {
        lost: named(&loss.lost),
        voters: named(&loss.voters),
        index: loss.index,
        // As it was before: with the nodes goes what is known of them.
        sites_without_copy: scene.sites_without_copy(&lost),
        is_done: body.is_confirmed,
    }))
}

/// A node that this one still hears is not gone, whether or not its registry answers.
fn check_gone(now: &Now, lost: &BTreeSet<NodeId>) -> Result<(), Problem> {
    let mut nodes = now.desired.active_nodes();
    let is_there = |id| lost.contains(&id) && now.picture.is_reachable(id);
    let Some(alive) = nodes.find(|node| is_there(node.id)) else {
        return Ok(());
    };
    let name = &alive.name;
    let message = format!("Node {name} answers. Only nodes that are gone can be declared lost.");
    Err(Problem::new(ProblemCode::NodeAlive, message)
        .field("nodes")
        .detail(name.to_string()))
}
