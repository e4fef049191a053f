//! `PUT /nodes/{node}/zone`: say where a node stands.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::{Answer, Body, Parameters};
use axum::Json;
use axum::extract::State;
use axum::routing::put;
use hwc_api::change::Change;
use hwc_api::ids::NodeId;
use hwc_api::names::ZoneName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{Method, NodeView, SetZoneBody};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageNodes);
    Endpoint {
        method: Method::Put,
        path: "/nodes/{node}/zone",
        access,
        handler: put(set),
    }
}

async fn set(
    State(api): State<Arc<Api>>,
    Parameters(node): Parameters<NodeId>,
    Body(body): Body<SetZoneBody>,
) -> Answer<NodeView> {
    let zone = ZoneName::parse(&body.zone).map_err(|reason| {
        Problem::new(ProblemCode::Invalid, format!("The zone {reason}."))
            .field("zone")
            .detail(reason.to_string())
    })?;
    tracing::info!(node.id = %node, %zone, "a node is put in a zone");
    api.registry.change(Change::SetZone { node, zone }).await?;
    Ok(Json(api.node_view(node)?))
}
