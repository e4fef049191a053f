//! `GET /status`: the cluster as this node sees it, as far as it concerns the actor.

use super::{Access, Endpoint};
use crate::api::access::{Action, Actor, Object, can};
use crate::api::refusal::Answer;
use crate::api::{Api, not_found};
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::v1::{Method, NodeView, StatusView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadStatus);
    Endpoint {
        method: Method::Get,
        path: "/status",
        access,
        handler: get(read),
    }
}

async fn read(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
) -> Answer<StatusView> {
    let now = api.now();
    let scene = now.scene();
    let cluster = now
        .desired
        .cluster
        .as_ref()
        .ok_or_else(|| not_found("cluster"))?;
    let sees_nodes = can(&actor, Action::ReadNodes, Object::Cluster).is_ok();
    let sees_registry = can(&actor, Action::ReadRegistry, Object::Cluster).is_ok();
    let node = |view: NodeView| {
        if sees_nodes {
            view
        } else {
            NodeView {
                observed: None,
                drain: None,
                ..view
            }
        }
    };
    let mine = |owner| can(&actor, Action::ReadSites, Object::Of(owner)).is_ok();
    let sites = now.desired.sites.values().filter(|site| mine(site.account));
    Ok(Json(StatusView {
        cluster: cluster.id.clone(),
        name: cluster.name.clone(),
        answered_by: scene.node_ref(api.me),
        at: now.at,
        is_writable: now.picture.is_registry_writable,
        index: now.desired.index,
        registry: sees_registry.then(|| scene.registry(&api.registry.status())),
        nodes: now
            .desired
            .active_nodes()
            .map(|n| node(scene.node(n)))
            .collect(),
        sites: sites.map(|site| scene.site(site)).collect(),
    }))
}
