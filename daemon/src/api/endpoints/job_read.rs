//! `GET /jobs/{job}`.

use super::{Access, Endpoint};
use crate::api::access::{Action, Actor, Object, can};
use crate::api::refusal::{Answer, Parameters};
use crate::api::{Api, not_found};
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::ids::JobId;
use hwc_api::v1::{JobView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadJobs);
    Endpoint {
        method: Method::Get,
        path: "/jobs/{job}",
        access,
        handler: get(read),
    }
}

async fn read(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(job): Parameters<JobId>,
) -> Answer<JobView> {
    let now = api.now();
    let view = now.scene().job_by_id(job).ok_or_else(|| not_found("job"))?;
    can(&actor, Action::ReadJobs, Object::Of(view.job.account))?;
    Ok(Json(view))
}
