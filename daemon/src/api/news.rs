//! What another node did a moment ago is known here too.
//!
//! A visitor's requests reach one node after another. What was acknowledged on one, an account say,
//! may arrive at the next a moment after the visitor does. So a refusal that newer settings could
//! turn into an answer is not told before this node has caught up with the leader; where that
//! brought something, the request is asked again. A refused request changed nothing.

use super::Api;
use super::refusal::{Refused, read};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hwc_api::problem::ProblemCode;
use std::sync::Arc;

/// Asks again what may be answered otherwise by now.
pub(super) async fn ask_again(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = match read(Request::from_parts(parts.clone(), body), &()).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let known = Arc::clone(&api.desired.borrow());
    let first = Request::from_parts(parts.clone(), Body::from(body.clone()));
    let answer = next.clone().run(first).await;
    let code = answer
        .extensions()
        .get::<Refused>()
        .map(|refused| refused.0);
    if !code.is_some_and(|code| may_be_too_early(code, &parts.headers)) {
        return answer;
    }
    api.registry.catch_up().await;
    if Arc::ptr_eq(&known, &api.desired.borrow()) {
        return answer;
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Whether settings that this node has not seen yet could make an answer of this refusal.
fn may_be_too_early(code: ProblemCode, headers: &HeaderMap) -> bool {
    let is_of_what_is = matches!(
        code,
        ProblemCode::NotFound
            | ProblemCode::UnknownNode
            | ProblemCode::SessionExpired
            | ProblemCode::WrongPassword
    );
    // An API token may be new; who shows none is known nowhere.
    let is_of_a_token =
        code == ProblemCode::SignInRequired && headers.contains_key(header::AUTHORIZATION);
    is_of_what_is || is_of_a_token
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_what_is_not_known_here_is_asked_again() {
        let nobody = HeaderMap::new();
        let mut somebody = HeaderMap::new();
        somebody.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        let check = |code, headers: &HeaderMap, expected: bool| {
            assert_eq!(
                may_be_too_early(code, headers),
                expected,
                "{code} {headers:?}"
            );
        };
        check(ProblemCode::NotFound, &nobody, true);
        check(ProblemCode::UnknownNode, &nobody, true);
        check(ProblemCode::SessionExpired, &nobody, true);
        check(ProblemCode::WrongPassword, &nobody, true);
        check(ProblemCode::SignInRequired, &nobody, false);
        check(ProblemCode::SignInRequired, &somebody, true);
        check(ProblemCode::Malformed, &somebody, false);
        check(ProblemCode::LoginTaken, &somebody, false);
        check(ProblemCode::TooManyAttempts, &somebody, false);
    }
}
