//! `GET /nodes/{node}/drain`: how far the emptying of a node is.

use super::{Access, Endpoint};
use crate::api::access::Action;
use crate::api::refusal::{Answer, Parameters};
use crate::api::{Api, Now, active_node};
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{DrainView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadNodes);
    Endpoint {
        method: Method::Get,
        path: "/nodes/{node}/drain",
        access,
        handler: get(read),
    }
}

async fn read(
    State(api): State<Arc<Api>>,
    Parameters(node): Parameters<NodeId>,
) -> Answer<DrainView> {
    Ok(Json(view(&api.now(), node)?))
}

/// The drain of a node.
pub(super) fn view(now: &Now, id: NodeId) -> Result<DrainView, Problem> {
    let node = active_node(now, id)?;
    now.scene().drain(node).ok_or_else(|| {
        let message = format!("Node {} is not being drained.", node.name);
        Problem::new(ProblemCode::NodeNotDraining, message).detail(node.name.to_string())
    })
}
