//! `DELETE /tokens/{token}`.

use super::{Access, Endpoint};
use crate::api::access::{Action, Actor, Object, can};
use crate::api::refusal::{Answer, Parameters};
use crate::api::{Api, not_found};
use axum::extract::State;
use axum::routing::delete;
use axum::{Extension, Json};
use hwc_api::change::Change;
use hwc_api::ids::TokenId;
use hwc_api::v1::{Method, Nothing};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageTokens);
    Endpoint {
        method: Method::Delete,
        path: "/tokens/{token}",
        access,
        handler: delete(remove),
    }
}

async fn remove(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(id): Parameters<TokenId>,
) -> Answer<Nothing> {
    let now = api.now();
    let token = now
        .desired
        .tokens
        .get(&id)
        .ok_or_else(|| not_found("token"))?;
    can(&actor, Action::ManageTokens, Object::Of(token.account))?;
    api.registry
        .change(Change::DeleteToken { token: id })
        .await?;
    Ok(Json(Nothing {}))
}
