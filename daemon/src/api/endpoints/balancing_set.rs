//! `PUT /balancing`: change how load is spread.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::{Answer, Body};
use axum::Json;
use axum::extract::State;
use axum::routing::put;
use hwc_api::balancing::Balancing;
use hwc_api::change::Change;
use hwc_api::v1::Method;
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageBalancing);
    Endpoint {
        method: Method::Put,
        path: "/balancing",
        access,
        handler: put(set),
    }
}

async fn set(State(api): State<Arc<Api>>, Body(balancing): Body<Balancing>) -> Answer<Balancing> {
    let change = Change::SetBalancing { balancing };
    api.registry.change(change).await?;
    tracing::info!(?balancing, "the rules of balancing are changed");
    Ok(Json(balancing))
}
