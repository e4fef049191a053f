//! `GET /moves`: all moves, under way and ended.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::v1::{Method, MovesView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadMoves);
    Endpoint {
        method: Method::Get,
        path: "/moves",
        access,
        handler: get(list),
    }
}

async fn list(State(api): State<Arc<Api>>) -> Answer<MovesView> {
    Ok(Json(api.now().scene().moves()))
}
