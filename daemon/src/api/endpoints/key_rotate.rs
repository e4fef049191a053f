//! `POST /cluster/keys`: replace the key of sealed datagrams.

use super::key_read::view;
use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::post;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{KeysView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::RotateKeys);
    Endpoint {
        method: Method::Post,
        path: "/cluster/keys",
        access,
        handler: post(rotate),
    }
}

async fn rotate(State(api): State<Arc<Api>>) -> Answer<KeysView> {
    let change = api.installs.group.keys.rotate().map_err(|error| {
        tracing::error!(%error, "replace the key of sealed datagrams");
        let message =
            "The new key could not be written down, so the old one stays; the node's log says why.";
        Problem::new(ProblemCode::Internal, message)
    })?;
    let ends_after_ms = u64::try_from(change.old_ends_after.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(KeysView {
        old_ends_after_ms: Some(ends_after_ms),
        ..view(&api)
    }))
}
