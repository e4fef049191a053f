//! `PUT /sites/{site}/hold`: keep a site from being moved to spread load.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Body, Parameters};
use axum::extract::State;
use axum::routing::put;
use axum::{Extension, Json};
use hwc_api::change::Change;
use hwc_api::ids::SiteId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use hwc_api::v1::{HoldSiteBody, Method, SiteView};
use std::sync::Arc;

/// Longest hold, minutes: a year. What is to stay for longer is pinned.
const MINUTES_MAX: u32 = 365 * 24 * 60;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::MoveSites);
    Endpoint {
        method: Method::Put,
        path: "/sites/{site}/hold",
        access,
        handler: put(hold),
    }
}

async fn hold(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(id): Parameters<SiteId>,
    Body(body): Body<HoldSiteBody>,
) -> Answer<SiteView> {
    let now = api.now();
    let site = api.site_for(&actor, Action::MoveSites, &now, id)?;
    let until = until(now.at, body.minutes)?;
    let change = Change::HoldSite {
        site: site.id,
        until,
    };
    api.registry.change(change).await?;
    tracing::info!(site.id = %id, minutes = body.minutes, "hold");
    Ok(Json(api.site_view(id)?))
}

fn until(now: WallTime, minutes: u32) -> Result<Option<WallTime>, Problem> {
    match minutes {
        0 => Ok(None),
        1..=MINUTES_MAX => Ok(Some(now.plus_ms(i64::from(minutes) * 60_000))),
        _ => {
            let message = format!("A site is held for at most {MINUTES_MAX} minutes, a year.");
            Err(Problem::new(ProblemCode::Invalid, message)
                .field("minutes")
                .detail(MINUTES_MAX.to_string()))
        }
    }
}
