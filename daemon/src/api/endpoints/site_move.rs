//! `POST /sites/{site}/move`: move a site and its databases.

use super::{Access, Endpoint};
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Body, Parameters};
use crate::api::{Api, Now, active_node};
use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json};
use hwc_api::desired::Site;
use hwc_api::ids::{NodeId, SiteId};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{JobView, Method, MoveSiteBody};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::MoveSites);
    Endpoint {
        method: Method::Post,
        path: "/sites/{site}/move",
        access,
        handler: post(begin),
    }
}

async fn begin(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(id): Parameters<SiteId>,
    Body(body): Body<MoveSiteBody>,
) -> Answer<JobView> {
    let now = api.now();
    let site = api.site_for(&actor, Action::MoveSites, &now, id)?;
    if let Some(node) = body.node {
        check_target(&now, &site, node).map_err(|problem| problem.field("node"))?;
    }
    let by = actor.noted();
    let job = api.moves().begin(&now, &site, body.node, by).await?;
    tracing::info!(site.id = %id, job.id = %job, node.id = ?body.node, "move");
    let job = api
        .after_change(|desired| desired.jobs.get(&job).cloned())
        .await;
    let job = job.ok_or_else(|| crate::api::not_found("job"))?;
    Ok(Json(api.now().scene().job(&job)))
}

/// Refuses what this node knows to be impossible before a job is noted for it; the brain that serves
/// the site judges the rest, such as room and load.
fn check_target(now: &Now, site: &Site, id: NodeId) -> Result<(), Problem> {
    let node = active_node(now, id)?;
    let name = &node.name;
    let refuse = |code, message: String| Err(Problem::new(code, message).detail(name.to_string()));
    if !node.is_hosting() {
        let message = format!("Node {name} hosts no sites: hosting is switched off on it.");
        return refuse(ProblemCode::NodeNotHosting, message);
    }
    if node.drain.is_some() {
        let message = format!("Node {name} is being drained. Choose another, or undrain it.");
        return refuse(ProblemCode::NodeDraining, message);
    }
    if !now.picture.is_reachable(id) {
        let message = format!("Node {name} does not answer. Choose another.");
        return refuse(ProblemCode::NodeDown, message);
    }
    let is_there = now.scene().datasets_of(site).all(|dataset| {
        let live = now.picture.live_node(dataset);
        live.is_some_and(|live| live.node == id)
    });
    if is_there {
        let message = format!("The site is live on node {name} already.");
        return refuse(ProblemCode::AlreadyThere, message);
    }
    Ok(())
}
