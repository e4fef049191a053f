//! Only the panel's own pages may ask for something to be done.
//!
//! Browsers say where a request comes from (`Sec-Fetch-Site`, older ones `Origin`). A program that
//! says neither carries no cookies by itself, so that nobody can act in a visitor's name with it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use hwc_api::problem::{Problem, ProblemCode};

/// Refuses what another web site asks for.
pub async fn refuse_foreign(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || is_own(request.headers()) {
        return next.run(request).await;
    }
    let problem = Problem::new(
        ProblemCode::ForeignOrigin,
        "The request came from another web site.",
    );
    let status = StatusCode::from_u16(problem.code.http_status()).unwrap_or(StatusCode::FORBIDDEN);
    (status, axum::Json(problem)).into_response()
}

/// Whether the request comes from a page of this very origin, or from no page at all.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (
        text(header::HeaderName::from_static("sec-fetch-site")),
        text(header::ORIGIN),
    ) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let host = text(header::HOST);
            origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"))
                .is_some_and(|origin_host| Some(origin_host) == host)
        }
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    header::HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn only_the_panels_own_pages_are_heard() {
        let host = ("host", "panel.example:8443");
        for (pairs, expected) in [
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "none")], true),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], false),
            (vec![host, ("origin", "https://panel.example:8443")], true),
            (vec![host, ("origin", "https://evil.example")], false),
            (vec![host, ("origin", "https://panel.example")], false),
            (vec![host, ("origin", "null")], false),
            (vec![("origin", "https://panel.example:8443")], false),
            (vec![host], true),
        ] {
            assert_eq!(is_own(&headers(&pairs)), expected, "{pairs:?}");
        }
    }
}
