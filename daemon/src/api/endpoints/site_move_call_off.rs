//! `DELETE /sites/{site}/move`: call off what has not been handed over, planned moves included.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Parameters};
use axum::extract::State;
use axum::routing::delete;
use axum::{Extension, Json};
use hwc_api::ids::SiteId;
use hwc_api::v1::{Method, Nothing};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::MoveSites);
    Endpoint {
        method: Method::Delete,
        path: "/sites/{site}/move",
        access,
        handler: delete(call_off),
    }
}

async fn call_off(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(id): Parameters<SiteId>,
) -> Answer<Nothing> {
    let now = api.now();
    let site = api.site_for(&actor, Action::MoveSites, &now, id)?;
    api.moves().call_off(&now, &site).await?;
    tracing::info!(site.id = %id, "move called off");
    Ok(Json(Nothing {}))
}
