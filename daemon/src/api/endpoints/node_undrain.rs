//! `DELETE /nodes/{node}/drain`: put a node back to use.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::{Answer, Parameters};
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
        path: "/nodes/{node}/drain",
        access,
        handler: delete(undrain),
    }
}

async fn undrain(
    State(api): State<Arc<Api>>,
    Parameters(node): Parameters<NodeId>,
) -> Answer<Nothing> {
    api.registry.change(Change::UndrainNode { node }).await?;
    tracing::info!(node.id = %node, "undrain");
    Ok(Json(Nothing {}))
}
