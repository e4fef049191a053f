//! `GET /sites/{site}/explanation`: why a site is where it is, and where it would go.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor, Object, can};
use crate::api::refusal::{Answer, Parameters};
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::explanation::{Decision, Explanation, Outcome};
use hwc_api::ids::SiteId;
use hwc_api::v1::Method;
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ExplainSite);
    Endpoint {
        method: Method::Get,
        path: "/sites/{site}/explanation",
        access,
        handler: get(explain),
    }
}

async fn explain(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(site): Parameters<SiteId>,
) -> Answer<Explanation> {
    let now = api.now();
    let site = api.site_for(&actor, Action::ExplainSite, &now, site)?;
    let explanation = api.moves().explain(&now, &site).await?;
    let sees_loads = can(&actor, Action::ReadNodes, Object::Cluster).is_ok();
    Ok(Json(if sees_loads {
        explanation
    } else {
        without_loads(explanation)
    }))
}

/// Without what tells of other nodes' load: that is other customers' doing.
fn without_loads(mut explanation: Explanation) -> Explanation {
    for dataset in &mut explanation.datasets {
        dataset.candidates.clear();
        for Decision {
            outcome,
            candidates,
            ..
        } in &mut dataset.decisions
        {
            candidates.clear();
            match outcome {
                Outcome::Move {
                    load_percent,
                    target_load_percent,
                    ..
                } => (*load_percent, *target_load_percent) = (0, 0),
                Outcome::Claim { .. } | Outcome::Stay { .. } | Outcome::Rehome { .. } => {}
            }
        }
    }
    explanation
}
