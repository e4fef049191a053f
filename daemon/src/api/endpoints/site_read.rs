//! `GET /sites/{site}`.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Parameters};
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::ids::SiteId;
use hwc_api::v1::{Method, SiteView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadSites);
    Endpoint {
        method: Method::Get,
        path: "/sites/{site}",
        access,
        handler: get(read),
    }
}

async fn read(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(site): Parameters<SiteId>,
) -> Answer<SiteView> {
    let now = api.now();
    let site = api.site_for(&actor, Action::ReadSites, &now, site)?;
    Ok(Json(now.scene().site(&site)))
}
