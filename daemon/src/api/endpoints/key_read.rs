//! `GET /cluster/keys`: which nodes have the newest key of sealed datagrams. Never a key itself.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::ids::NodeId;
use hwc_api::v1::{KeysView, Method, NodeKeyState, NodeKeyView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadKeys);
    Endpoint {
        method: Method::Get,
        path: "/cluster/keys",
        access,
        handler: get(read),
    }
}

async fn read(State(api): State<Arc<Api>>) -> Answer<KeysView> {
    Ok(Json(view(&api)))
}

/// Who has the newest key, as this node sees it.
pub(super) fn view(api: &Api) -> KeysView {
    let keys = &api.installs.group.keys;
    let (now, others) = (api.now(), keys.others());
    let state = |node: NodeId| match others.get(&node) {
        Some(true) => NodeKeyState::Newest,
        Some(false) => NodeKeyState::Other,
        None if node == api.me => NodeKeyState::Newest,
        None => NodeKeyState::Unheard,
    };
    let nodes = now.desired.active_nodes().map(|node| NodeKeyView {
        node: now.scene().node_ref(node.id),
        state: state(node.id),
    });
    let nodes: Vec<_> = nodes.collect();
    KeysView {
        generation: keys.generation(),
        old_ends_after_ms: None,
        is_everywhere: nodes.iter().all(|node| node.state == NodeKeyState::Newest),
        nodes,
    }
}
