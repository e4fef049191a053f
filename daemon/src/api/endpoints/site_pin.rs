//! `PUT /sites/{site}/pin`: pin a site to a node, or let it go.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Body, Parameters};
use axum::extract::State;
use axum::routing::put;
use axum::{Extension, Json};
use hwc_api::change::Change;
use hwc_api::ids::SiteId;
use hwc_api::v1::{Method, PinSiteBody, SiteView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::MoveSites);
    Endpoint {
        method: Method::Put,
        path: "/sites/{site}/pin",
        access,
        handler: put(pin),
    }
}

async fn pin(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(id): Parameters<SiteId>,
    Body(body): Body<PinSiteBody>,
) -> Answer<SiteView> {
    let site = api.site_for(&actor, Action::MoveSites, &api.now(), id)?;
    let change = Change::PinSite {
        site: site.id,
        node: body.node,
    };
    api.registry.change(change).await?;
    tracing::info!(site.id = %id, node.id = ?body.node, "pin");
    Ok(Json(api.site_view(id)?))
}
