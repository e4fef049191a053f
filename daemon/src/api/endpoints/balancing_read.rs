//! `GET /balancing`: how load is spread.

use super::{Access, Endpoint};
use crate::api::access::Action;
use crate::api::refusal::Answer;
use crate::api::{Api, not_found};
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::balancing::Balancing;
use hwc_api::v1::Method;
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadBalancing);
    Endpoint {
        method: Method::Get,
        path: "/balancing",
        access,
        handler: get(read),
    }
}

async fn read(State(api): State<Arc<Api>>) -> Answer<Balancing> {
    let now = api.now();
    let cluster = now.desired.cluster.as_ref();
    let cluster = cluster.ok_or_else(|| not_found("cluster"))?;
    Ok(Json(cluster.balancing))
}
