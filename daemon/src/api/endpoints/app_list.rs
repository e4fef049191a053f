//! `GET /apps`: the catalogue of applications.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::v1::{AppView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadApps);
    Endpoint {
        method: Method::Get,
        path: "/apps",
        access,
        handler: get(list),
    }
}

async fn list(State(api): State<Arc<Api>>) -> Answer<Vec<AppView>> {
    Ok(Json(api.installs.catalogue_views()))
}
