//! `GET /registry`: who keeps the settings, as this node sees it.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::v1::{Method, RegistryView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadRegistry);
    Endpoint {
        method: Method::Get,
        path: "/registry",
        access,
        handler: get(read),
    }
}

async fn read(State(api): State<Arc<Api>>) -> Answer<RegistryView> {
    Ok(Json(api.now().scene().registry(&api.registry.status())))
}
