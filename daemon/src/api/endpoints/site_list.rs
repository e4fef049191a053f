//! `GET /sites`: the sites in the actor's sight.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor, Object, can};
use crate::api::refusal::Answer;
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::v1::{Method, SiteView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadSites);
    Endpoint {
        method: Method::Get,
        path: "/sites",
        access,
        handler: get(list),
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
) -> Answer<Vec<SiteView>> {
    let now = api.now();
    let mine = |owner| can(&actor, Action::ReadSites, Object::Of(owner)).is_ok();
    let sites = now.desired.sites.values().filter(|site| mine(site.account));
    Ok(Json(sites.map(|site| now.scene().site(site)).collect()))
}
