//! `GET /session`: who am I?

use super::{Access, Endpoint};
use crate::api::access::{Action, Actor};
use crate::api::refusal::Answer;
use crate::api::{Api, not_found};
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Json};
use hwc_api::v1::{AccountView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::UseSession);
    Endpoint {
        method: Method::Get,
        path: "/session",
        access,
        handler: get(read),
    }
}

async fn read(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
) -> Answer<AccountView> {
    let now = api.now();
    let account = actor.account().and_then(|id| now.desired.accounts.get(&id));
    Ok(Json(
        now.scene()
            .account(account.ok_or_else(|| not_found("account"))?),
    ))
}
