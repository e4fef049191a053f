//! `PUT /nodes/{node}/services`: switch services of a node off and on.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::{Answer, Body, Parameters};
use axum::Json;
use axum::extract::State;
use axum::routing::put;
use hwc_api::change::Change;
use hwc_api::ids::NodeId;
use hwc_api::v1::{Method, NodeView, SetServicesBody};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageNodes);
    Endpoint {
        method: Method::Put,
        path: "/nodes/{node}/services",
        access,
        handler: put(set),
    }
}

async fn set(
    State(api): State<Arc<Api>>,
    Parameters(node): Parameters<NodeId>,
    Body(body): Body<SetServicesBody>,
) -> Answer<NodeView> {
    let switched_off = body.switched_off;
    tracing::info!(node.id = %node, ?switched_off, "services of a node are switched");
    let change = Change::SetServices { node, switched_off };
    api.registry.change(change).await?;
    Ok(Json(api.node_view(node)?))
}
