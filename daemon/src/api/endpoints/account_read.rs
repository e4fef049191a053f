//! `GET /accounts/{account}`.

use super::{Access, Endpoint};
use crate::api::access::{Action, Actor, Object, can};
use crate::api::refusal::{Answer, Parameters};
use crate::api::{Api, not_found};
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::ids::AccountId;
use hwc_api::v1::{AccountView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadAccounts);
    Endpoint {
        method: Method::Get,
        path: "/accounts/{account}",
        access,
        handler: get(read),
    }
}

async fn read(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(id): Parameters<AccountId>,
) -> Answer<AccountView> {
    can(&actor, Action::ReadAccounts, Object::Of(id))?;
    let now = api.now();
    let account = now
        .desired
        .accounts
        .get(&id)
        .ok_or_else(|| not_found("account"))?;
    Ok(Json(now.scene().account(account)))
}
