//! Who asks: from the control socket, a bearer token or the session cookie.

use super::Api;
use super::access::{Actor, Credential};
use crate::session::SessionFacts;
use axum::http::{HeaderMap, Method, header};
use hwc_api::desired::{Account, Desired};
use hwc_api::ids::AccountId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::SESSION_COOKIE;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Marks requests that came through the control socket.
#[derive(Debug, Clone, Copy)]
pub struct ThroughControlSocket;

/// Where the front door and the panel say who the visitor is. Only they can reach `api.sock`.
pub const CLIENT_HEADER: &str = "x-hwc-client";
/// First letters of an API token's secret, to tell it from a session.
pub const API_TOKEN_PREFIX: &str = "hwct_";

/// Finds out who asks.
///
/// # Errors
/// When nobody is signed in, the session is over, or the request comes from another web site.
pub fn actor(
    api: &Api,
    method: &Method,
    headers: &HeaderMap,
    is_control: bool,
) -> Result<Actor, Problem> {
    if let Some(token) = bearer(headers) {
        return if token.starts_with(API_TOKEN_PREFIX) {
            by_api_token(api, token)
        } else {
            by_session(api, token)
        };
    }
    if is_control {
        return Ok(Actor::LocalRoot);
    }
    let cookie = session_cookie(headers).ok_or_else(sign_in_required)?;
    if !is_same_origin(method, headers) {
        return Err(Problem::new(
            ProblemCode::ForeignOrigin,
            "The request comes from another web site and was not carried out.",
        ));
    }
    by_session(api, &cookie)
}

/// The visitor's address, as the front door gives it.
#[must_use]
pub fn client_address(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(CLIENT_HEADER)?.to_str().ok()?.parse().ok()
}

/// SHA-256 of a secret, as the registry stores it.
#[must_use]
pub fn secret_hash(secret: &[u8]) -> String {
    hex::encode(Sha256::digest(secret))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value.to_owned())
}

fn by_session(api: &Api, token: &str) -> Result<Actor, Problem> {
    let facts = api.seal.open(token).map_err(|_| sign_in_required())?;
    let now = api.now();
    let is_revoked = now.desired.revoked_sessions.contains(&facts.session)
        || now.picture.revoked_sessions.contains(&facts.session);
    let account = valid_account(&now.desired, facts.account)?;
    if now.at >= facts.expires_at || is_revoked || facts.issued_at < account.sessions_valid_from {
        return Err(session_expired());
    }
    Ok(account_actor(account, Credential::Session(facts)))
}

fn by_api_token(api: &Api, secret: &str) -> Result<Actor, Problem> {
    let now = api.now();
    let hash = secret_hash(secret.as_bytes());
    let token = now
        .desired
        .tokens
        .values()
        .find(|token| token.secret_hash == hash);
    let token = token
        .filter(|token| now.at < token.expires_at)
        .ok_or_else(sign_in_required)?;
    let account = valid_account(&now.desired, token.account)?;
    Ok(account_actor(account, Credential::Token(token.id)))
}

fn account_actor(account: &Account, credential: Credential) -> Actor {
    Actor::Account {
        account: account.id,
        role: account.role,
        credential,
    }
}

fn valid_account(desired: &Desired, id: AccountId) -> Result<&Account, Problem> {
    desired
        .accounts
        .get(&id)
        .filter(|account| !account.is_suspended)
        .ok_or_else(session_expired)
}

/// The facts of a session that is valid now, from its token.
///
/// # Errors
/// When it is over.
pub fn session_facts(actor: &Actor) -> Result<SessionFacts, Problem> {
    match actor {
        Actor::Account {
            credential: Credential::Session(facts),
            ..
        } => Ok(*facts),
        Actor::LocalRoot
        | Actor::Account {
            credential: Credential::Token(_),
            ..
        } => Err(Problem::new(
            ProblemCode::SignInRequired,
            "This needs a session, not a token.",
        )),
    }
}

/// A cookie acts for its owner whatever page made the request; so requests that change something,
/// and WebSocket upgrades, must come from our own pages.
fn is_same_origin(method: &Method, headers: &HeaderMap) -> bool {
    let is_upgrade = headers.contains_key(header::UPGRADE);
    if matches!(*method, Method::GET | Method::HEAD) && !is_upgrade {
        return true;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|value| value.to_str().ok());
    match (
        origin.and_then(|origin| origin.strip_prefix("https://")),
        host,
    ) {
        (Some(origin), Some(host)) => origin.eq_ignore_ascii_case(host),
        (None, _) | (_, None) => false,
    }
}

fn sign_in_required() -> Problem {
    Problem::new(ProblemCode::SignInRequired, "Sign in first.")
}

fn session_expired() -> Problem {
    Problem::new(
        ProblemCode::SessionExpired,
        "The session is over; sign in again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_cookie_acts_for_our_own_pages_only() {
        let check = |method: Method, pairs: &[(&'static str, &'static str)], expected: bool| {
            assert_eq!(
                is_same_origin(&method, &headers(pairs)),
                expected,
                "{method} {pairs:?}"
            );
        };
        check(Method::GET, &[], true);
        check(Method::POST, &[("sec-fetch-site", "same-origin")], true);
        check(Method::POST, &[("sec-fetch-site", "cross-site")], false);
        check(Method::POST, &[("sec-fetch-site", "same-site")], false);
        check(
            Method::POST,
            &[
                ("host", "a.example:8443"),
                ("origin", "https://a.example:8443"),
            ],
            true,
        );
        check(
            Method::POST,
            &[("host", "a.example"), ("origin", "https://evil.example")],
            false,
        );
        check(Method::POST, &[("host", "a.example")], false);
        check(
            Method::GET,
            &[
                ("upgrade", "websocket"),
                ("host", "a.example"),
                ("origin", "null"),
            ],
            false,
        );
        check(
            Method::GET,
            &[("upgrade", "websocket"), ("host", "a.example")],
            false,
        );
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        let found = session_cookie(&headers(&[("cookie", "a=b; __Host-hwc-session=xyz; c=d")]));
        assert_eq!(found.as_deref(), Some("xyz"));
        assert_eq!(
            session_cookie(&headers(&[("cookie", "x__Host-hwc-session=xyz")])),
            None
        );
    }
}
