//! `POST /sites/{site}/apps`: install an application into a site.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Body, Parameters};
use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json};
use hwc_api::ids::SiteId;
use hwc_api::v1::{InstallAppBody, JobView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::InstallApp);
    Endpoint {
        method: Method::Post,
        path: "/sites/{site}/apps",
        access,
        handler: post(install),
    }
}

async fn install(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(site): Parameters<SiteId>,
    Body(body): Body<InstallAppBody>,
) -> Answer<JobView> {
    let now = api.now();
    let site = api.site_for(&actor, Action::InstallApp, &now, site)?;
    let job = api.installs.start(&now, &site, body).await?;
    let job = api
        .after_change(|desired| desired.jobs.get(&job).cloned())
        .await;
    let job = job.ok_or_else(|| crate::api::not_found("job"))?;
    Ok(Json(api.now().scene().job(&job)))
}
