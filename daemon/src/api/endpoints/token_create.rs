//! `POST /tokens`: make an API token; its secret is answered once.

use super::site_create::unexpected;
use super::{Access, Endpoint};
use crate::api::access::{Action, Actor};
use crate::api::identity::{API_TOKEN_PREFIX, secret_hash};
use crate::api::refusal::{Answer, Body};
use crate::api::{Api, not_found};
use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json};
use hwc_api::change::{Applied, Change};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{CreateTokenBody, Method, NewToken};
use hwc_runtime::random::readable_secret;
use std::sync::Arc;

/// Longest life of a token, days.
const DAYS_MAX: u32 = 365;
/// Longest label, characters.
const LABEL_LENGTH_MAX: usize = 60;
/// Length of the secret after its prefix: 40 characters of 5.8 bits.
const SECRET_LENGTH: usize = 40;
const DAY_MS: i64 = 86_400_000;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageTokens);
    Endpoint {
        method: Method::Post,
        path: "/tokens",
        access,
        handler: post(create),
    }
}

async fn create(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Body(body): Body<CreateTokenBody>,
) -> Answer<NewToken> {
    let now = api.now();
    let account = actor.account().and_then(|id| now.desired.accounts.get(&id));
    let account = account.ok_or_else(|| not_found("account"))?;
    check(&body)?;
    if !api
        .passwords
        .verify(body.password, Some(account.password_hash.clone()))
        .await?
    {
        let message = "The password is wrong.";
        return Err(Problem::new(ProblemCode::WrongPassword, message)
            .field("password")
            .into());
    }
    let secret = format!("{API_TOKEN_PREFIX}{}", readable_secret(SECRET_LENGTH));
    let change = Change::CreateToken {
        account: account.id,
        label: body.label,
        secret_hash: secret_hash(secret.as_bytes()),
        now: now.at,
        expires_at: now.at.plus_ms(i64::from(body.days) * DAY_MS),
    };
    let applied = api.registry.change(change).await?;
    let Applied::Token(id) = applied else {
        return Err(unexpected(&applied).into());
    };
    let token = api
        .after_change(|desired| desired.tokens.get(&id).cloned())
        .await;
    let token = now.scene().token(&token.ok_or_else(|| not_found("token"))?);
    Ok(Json(NewToken { token, secret }))
}

fn check(body: &CreateTokenBody) -> Result<(), Problem> {
    if !(1..=DAYS_MAX).contains(&body.days) {
        let message = format!("A token lives 1 to {DAYS_MAX} days.");
        return Err(Problem::new(ProblemCode::Invalid, message).field("days"));
    }
    let is_label = !body.label.trim().is_empty()
        && body.label.chars().count() <= LABEL_LENGTH_MAX
        && !body.label.chars().any(char::is_control);
    if !is_label {
        let message = format!("The label needs 1 to {LABEL_LENGTH_MAX} characters on one line.");
        return Err(Problem::new(ProblemCode::Invalid, message).field("label"));
    }
    Ok(())
}
