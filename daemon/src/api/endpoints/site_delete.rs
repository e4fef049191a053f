//! `DELETE /sites/{site}`: delete a site with its databases.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Body, Parameters};
use axum::extract::State;
use axum::routing::delete;
use axum::{Extension, Json};
use hwc_api::change::Change;
use hwc_api::ids::SiteId;
use hwc_api::names::DomainName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{DeleteSiteBody, Method, Nothing};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::DeleteSite);
    Endpoint {
        method: Method::Delete,
        path: "/sites/{site}",
        access,
        handler: delete(remove),
    }
}

async fn remove(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(id): Parameters<SiteId>,
    Body(body): Body<DeleteSiteBody>,
) -> Answer<Nothing> {
    let now = api.now();
    let site = api.site_for(&actor, Action::DeleteSite, &now, id)?;
    let confirmed = DomainName::parse(body.confirm.trim_matches(' ')).ok();
    if confirmed.as_ref() != site.main_domain() {
        let message = "To delete the site, type its main domain.";
        return Err(Problem::new(ProblemCode::Invalid, message)
            .field("confirm")
            .into());
    }
    api.registry.change(Change::DeleteSite { site: id }).await?;
    api.after_change(|desired| (!desired.sites.contains_key(&id)).then_some(()))
        .await;
    tracing::info!(site.id = %id, domain = ?site.main_domain(), "site deleted");
    Ok(Json(Nothing {}))
}
