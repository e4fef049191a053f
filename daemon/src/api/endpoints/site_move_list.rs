//! `GET /sites/{site}/moves`: the moves of a site, under way and ended.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Parameters};
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::ids::SiteId;
use hwc_api::v1::{Method, MovesView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadSiteMoves);
    Endpoint {
        method: Method::Get,
        path: "/sites/{site}/moves",
        access,
        handler: get(list),
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(site): Parameters<SiteId>,
) -> Answer<MovesView> {
    let now = api.now();
    let site = api.site_for(&actor, Action::ReadSiteMoves, &now, site)?;
    Ok(Json(now.scene().site_moves(&site)))
}
