//! `POST /nodes/tokens`: permit one more node to join.

use super::{Access, Endpoint};
use crate::api::Api;
use crate::api::access::Action;
use crate::api::identity::secret_hash;
use crate::api::refusal::{Answer, Body};
use axum::Json;
use axum::extract::State;
use axum::routing::post;
use hwc_api::change::Change;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{CreateJoinTokenBody, Method, NewJoinToken};
use hwc_runtime::random::secret_bytes;
use std::sync::Arc;

/// Longest life of a join token, minutes: a day.
const MINUTES_MAX: u32 = 1_440;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageNodes);
    Endpoint {
        method: Method::Post,
        path: "/nodes/tokens",
        access,
        handler: post(create),
    }
}

async fn create(
    State(api): State<Arc<Api>>,
    Body(body): Body<CreateJoinTokenBody>,
) -> Answer<NewJoinToken> {
    if !(1..=MINUTES_MAX).contains(&body.minutes) {
        let message = format!("A join token lives 1 to {MINUTES_MAX} minutes.");
        return Err(Problem::new(ProblemCode::Invalid, message)
            .field("minutes")
            .into());
    }
    let secret = secret_bytes::<32>();
    let expires_at = api.clock.wall().plus_ms(i64::from(body.minutes) * 60_000);
    let change = Change::CreateJoinToken {
        secret_hash: secret_hash(&secret),
        expires_at,
    };
    api.registry.change(change).await?;
    Ok(Json(NewJoinToken {
        token: (api.join_token_text)(&secret),
        expires_at,
    }))
}
