//! `GET /accounts`.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::refusal::Answer;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use hwc_api::v1::{AccountView, Method};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ReadAccounts);
    Endpoint {
        method: Method::Get,
        path: "/accounts",
        access,
        handler: get(list),
    }
}

async fn list(State(api): State<Arc<Api>>) -> Answer<Vec<AccountView>> {
    let now = api.now();
    Ok(Json(
        now.desired
            .accounts
            .values()
            .map(|account| now.scene().account(account))
            .collect(),
    ))
}
