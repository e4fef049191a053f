//! `DELETE /nodes/{node}`: take a node out of the cluster for good.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::{Answer, Parameters};
use axum::Json;
use axum::extract::State;
use axum::routing::delete;
use hwc_api::change::Change;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{Method, Nothing};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageNodes);
    Endpoint {
        method: Method::Delete,
        path: "/nodes/{node}",
        access,
        handler: delete(remove),
    }
}

async fn remove(
    State(api): State<Arc<Api>>,
    Parameters(node): Parameters<NodeId>,
) -> Answer<Nothing> {
    let now = api.now();
    if !now.desired.active_nodes().any(|known| known.id == node) {
        return Err(Problem::new(ProblemCode::UnknownNode, "The cluster has no such node.").into());
    }
    api.registry.change(Change::RemoveNode { node }).await?;
    tracing::info!(node.id = %node, "node removed");
    Ok(Json(Nothing {}))
}
