//! `POST /accounts`: create an account.

use super::site_create::unexpected;
use super::{Access, Endpoint};
use crate::api::access::Action;
use crate::api::refusal::{Answer, Body};
use crate::api::{Api, not_found};
use axum::Json;
use axum::extract::State;
use axum::routing::post;
use hwc_api::change::{Applied, Change};
use hwc_api::names::{EmailAddress, LoginName, NameError};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{AccountView, CreateAccountBody, Method};
use std::sync::Arc;

/// Longest display name, characters: what a page can show on one line.
const NAME_LENGTH_MAX: usize = 100;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageAccounts);
    Endpoint {
        method: Method::Post,
        path: "/accounts",
        access,
        handler: post(create),
    }
}

async fn create(
    State(api): State<Arc<Api>>,
    Body(body): Body<CreateAccountBody>,
) -> Answer<AccountView> {
    let login = LoginName::parse(&body.login).map_err(|reason| invalid("login", &reason))?;
    let email = EmailAddress::parse(body.email.trim_matches(' '))
        .map_err(|reason| invalid("email", &reason))?;
    let name = display_name(&body.name)?;
    let password_hash = api.passwords.hash(body.password).await?;
    let change = Change::CreateAccount {
        login,
        name,
        email,
        role: body.role,
        limits: body.limits,
        password_hash,
        now: api.clock.wall(),
    };
    let applied = api.registry.change(change).await?;
    let Applied::Account(id) = applied else {
        return Err(unexpected(&applied).into());
    };
    let account = api
        .after_change(|desired| desired.accounts.get(&id).cloned())
        .await;
    let account = account.ok_or_else(|| not_found("account"))?;
    tracing::info!(account.id = %id, role = ?account.role, "account created");
    Ok(Json(api.now().scene().account(&account)))
}

fn invalid(field: &str, reason: &NameError) -> Problem {
    Problem::new(ProblemCode::Invalid, format!("The {field} {reason}."))
        .field(field)
        .detail(reason.to_string())
}

fn display_name(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    let refuse = |reason: &str| {
        Problem::new(ProblemCode::Invalid, format!("The name {reason}."))
            .field("name")
            .detail(reason)
    };
    if name.is_empty() {
        return Err(refuse("is empty"));
    }
    if name.chars().count() > NAME_LENGTH_MAX {
        return Err(refuse("is longer than 100 characters"));
    }
    if name
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
    {
        return Err(refuse("contains a line break or control character"));
    }
    Ok(name.to_owned())
}
