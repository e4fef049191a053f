//! `GET /nodes`.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::v1::{Method, NodeView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadNodes);
    Endpoint {
        method: Method::Get,
        path: "/nodes",
        access,
        handler: get(list),
    }
}

async fn list(State(api): State<Arc<Api>>) -> Answer<Vec<NodeView>> {
    let now = api.now();
    Ok(Json(
        now.desired
            .active_nodes()
            .map(|node| now.scene().node(node))
            .collect(),
    ))
}
