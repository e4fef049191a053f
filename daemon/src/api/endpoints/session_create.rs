//! `POST /session`: sign in.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::identity::client_address;
use crate::api::refusal::{Body, Refusal};
use crate::session::{SESSION_LENGTH_MS, SessionFacts};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::routing::post;
use hwc_api::ids::SessionId;
use hwc_api::names::LoginName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{Method, SESSION_COOKIE, Session, SignInBody};
use hwc_runtime::random::secret_bytes;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    Endpoint {
        method: Method::Post,
        path: "/session",
        access: Access::Anyone,
        handler: post(sign_in),
    }
}

/// Checks the password against the registry as this node has it, and seals a session: nothing is
/// written, so that nobody waits for a majority to sign in.
async fn sign_in(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Body(body): Body<SignInBody>,
) -> Result<([(HeaderName, String); 2], Json<Session>), Refusal> {
    // Without the front door's word (a test, root on this node) all share one count.
    let address = client_address(&headers).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if let Some(wait) = api.attempts.wait(address) {
        let seconds = wait.as_secs().max(1).to_string();
        let message = format!("Too many wrong passwords. Try again in {seconds} s.");
        return Err(Problem::new(ProblemCode::TooManyAttempts, message)
            .detail(seconds)
            .into());
    }
    let now = api.now();
    let login = LoginName::parse(&body.login).ok();
    let account = login.and_then(|login| now.desired.account_of_login(&login));
    let hash = account.map(|account| account.password_hash.clone());
    let is_right = api.passwords.verify(body.password, hash).await?;
    let Some(account) = account.filter(|account| is_right && !account.is_suspended) else {
        api.attempts.note_wrong(address);
        let message = "Login name or password is wrong.";
        return Err(Problem::new(ProblemCode::WrongPassword, message)
            .field("password")
            .into());
    };
    let facts = SessionFacts {
        session: SessionId(secret_bytes()),
        account: account.id,
        issued_at: now.at,
        expires_at: now.at.plus_ms(SESSION_LENGTH_MS),
    };
    let token = api.seal.seal(&facts, &secret_bytes()).map_err(|error| {
        tracing::error!(%error, "a session could not be sealed");
        Problem::new(
            ProblemCode::Internal,
            "The session could not be made; try again.",
        )
    })?;
    let cookie = format!(
        "{SESSION_COOKIE}={token}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Lax",
        SESSION_LENGTH_MS / 1_000
    );
    let view = now.scene().account(account);
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((
        headers,
        Json(Session {
            token,
            expires_at: facts.expires_at,
            account: view,
        }),
    ))
}
