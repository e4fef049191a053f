//! `GET /registry`: who keeps the settings, as this node sees it.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::ids::NodeId;
use hwc_api::v1::{Method, NodeRef, RegistryView};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadRegistry);
    Endpoint {
        method: Method::Get,
        path: "/registry",
        access,
        handler: get(read),
    }
}

async fn read(State(api): State<Arc<Api>>) -> Answer<RegistryView> {
    let status = api.registry.status();
    let now = api.now();
    let scene = now.scene();
    let named = |nodes: &BTreeSet<NodeId>| -> Vec<NodeRef> {
        nodes.iter().map(|node| scene.node_ref(*node)).collect()
    };
    let out_of_reach = status.voters.iter().copied();
    let out_of_reach = out_of_reach.filter(|node| !now.picture.is_reachable(*node));
    Ok(Json(RegistryView {
        is_writable: status.is_writable,
        leader: status.leader.map(|leader| scene.node_ref(leader)),
        voters: named(&status.voters),
        learners: named(&status.learners),
        out_of_reach: named(&out_of_reach.collect()),
        index: now.desired.index,
    }))
}
