//! `DELETE /session`: sign out, on every node at once.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::{Action, Actor};
use crate::api::identity::session_facts;
use crate::api::refusal::Refusal;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::routing::delete;
use axum::{Extension, Json};
use hwc_api::change::Change;
use hwc_api::v1::{Method, Nothing, SESSION_COOKIE};
use std::sync::Arc;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::UseSession);
    Endpoint {
        method: Method::Delete,
        path: "/session",
        access,
        handler: delete(sign_out),
    }
}

/// Told to the other nodes first, which needs no majority; then made durable in the registry. A
/// registry without a majority does not keep anyone signed in.
async fn sign_out(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
) -> Result<([(HeaderName, String); 1], Json<Nothing>), Refusal> {
    let facts = session_facts(&actor)?;
    (api.spread_revocation)(facts.session, facts.expires_at);
    let change = Change::RevokeSession {
        session: facts.session,
        expires_at: facts.expires_at,
        now: api.clock.wall(),
    };
    if let Err(problem) = api.registry.change(change).await {
        tracing::warn!(%problem, "sign-out is known to the nodes in reach only");
    }
    let cookie = format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    Ok(([(header::SET_COOKIE, cookie)], Json(Nothing {})))
}
