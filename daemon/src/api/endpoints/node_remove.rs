//! `DELETE /nodes/{node}`: take a node out of the cluster for good.

use super::{Access, Endpoint};
use crate::api::access::Action;
use crate::api::refusal::{Answer, Parameters};
use crate::api::{Api, active_node};
use axum::Json;
use axum::extract::State;
use axum::routing::delete;
use hwc_api::change::Change;
use hwc_api::ids::NodeId;
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
    active_node(&api.now(), node)?;
    api.registry.change(Change::RemoveNode { node }).await?;
    tracing::info!(node.id = %node, "node removed");
    Ok(Json(Nothing {}))
}
