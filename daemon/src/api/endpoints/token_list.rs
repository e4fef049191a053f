//! `GET /tokens`: my API tokens.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::Answer;
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::v1::{Method, TokenView};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageTokens);
    Endpoint {
        method: Method::Get,
        path: "/tokens",
        access,
        handler: get(list),
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
) -> Answer<Vec<TokenView>> {
    let now = api.now();
    let mine = now
        .desired
        .tokens
        .values()
        .filter(|token| Some(token.account) == actor.account());
    Ok(Json(mine.map(|token| now.scene().token(token)).collect()))
}
