//! `GET /cluster/settings`: settings of the cluster as a whole, and what is in force of them.

use super::{Access, Endpoint};
use crate::api::access::Action;
use crate::api::refusal::Answer;
use crate::api::{Api, Now, not_found};
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::desired::Node;
use hwc_api::problem::Problem;
use hwc_api::v1::{ClusterSettingsView, Method, NetworkInForce};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadClusterSettings);
    Endpoint {
        method: Method::Get,
        path: "/cluster/settings",
        access,
        handler: get(read),
    }
}

async fn read(State(api): State<Arc<Api>>) -> Answer<ClusterSettingsView> {
    Ok(Json(view(&api.now())?))
}

/// The settings, and what each node follows of them.
pub(super) fn view(now: &Now) -> Result<ClusterSettingsView, Problem> {
    let cluster = now.desired.cluster.as_ref();
    let wanted = cluster.ok_or_else(|| not_found("cluster"))?.network;
    let scene = now.scene();
    let in_force = |node: &Node| {
        let report = now.picture.nodes.get(&node.id);
        let network = report.map(|report| report.network);
        NetworkInForce {
            node: scene.node_ref(node.id),
            network,
            needs_restart: network.is_some_and(|network| network != wanted),
        }
    };
    Ok(ClusterSettingsView {
        network: wanted,
        in_force: now.desired.active_nodes().map(in_force).collect(),
    })
}
