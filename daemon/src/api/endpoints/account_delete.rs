//! `DELETE /accounts/{account}`: delete an account that owns nothing.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Parameters};
use axum::extract::State;
use axum::routing::delete;
use axum::{Extension, Json};
use hwc_api::change::Change;
use hwc_api::ids::AccountId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{Method, Nothing};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageAccounts);
    Endpoint {
        method: Method::Delete,
        path: "/accounts/{account}",
        access,
        handler: delete(remove),
    }
}

async fn remove(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(account): Parameters<AccountId>,
) -> Answer<Nothing> {
    if actor.account() == Some(account) {
        let message = "You can't delete the account that you are signed in with.";
        return Err(Problem::new(ProblemCode::Conflict, message).into());
    }
    api.registry
        .change(Change::DeleteAccount { account })
        .await?;
    tracing::info!(account.id = %account, "account deleted");
    Ok(Json(Nothing {}))
}
