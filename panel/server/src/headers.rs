//! What every answer says to the browser about how to treat it.

use http::{HeaderName, HeaderValue, header};
use leptos::nonce::use_nonce;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use tower_http::set_header::SetResponseHeaderLayer;

/// Headers of every answer, pages and files alike.
pub const ALWAYS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Forms without JavaScript come back to the page they were on, so our own pages must know it.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Adds one of them unless the answer has it already.
pub fn layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// The content policy of a page, for which only its own scripts run: those that carry its nonce.
/// Called while the page is drawn.
pub fn add_content_policy() {
    let (Some(nonce), Some(options)) = (use_nonce(), use_context::<ResponseOptions>()) else {
        return;
    };
    match HeaderValue::from_str(&content_policy(&nonce)) {
        Ok(policy) => options.insert_header(header::CONTENT_SECURITY_POLICY, policy),
        Err(error) => tracing::error!(%error, "the content policy can't be written"),
    }
    // A page shows what one visitor may see at one moment.
    options.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn content_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         font-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_its_own_scripts_only() {
        let policy = content_policy("abc");
        assert!(policy.contains("'nonce-abc'"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe-inline"));
        assert!(HeaderValue::from_str(&policy).is_ok());
    }
}
