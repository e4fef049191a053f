//! What a server function or page says besides its answer: status, cookies.

use crate::cookies;
use crate::refusal::Refusal;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use hwc_api::problem::ProblemCode;
use hwc_api::time::WallTime;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Answers with this HTTP status.
pub fn say_status(status: u16) {
    if let (Some(options), Ok(status)) = (
        use_context::<ResponseOptions>(),
        StatusCode::from_u16(status),
    ) {
        options.set_status(status);
    }
}

/// Answers with the status of a refusal where a program asked. A browser that sent a plain form is
/// sent back to its page instead, which says what was refused.
pub(super) fn say_refused(refusal: &Refusal) {
    if !wants_page() {
        say_status(refusal.code().map_or(503, ProblemCode::http_status));
    }
}

/// Whether a browser asked for a page, or sent a plain form, and no program.
fn wants_page() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        parts
            .headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"))
    })
}

/// Sets a cookie that only the server reads; until the browser is closed, or until `expires`.
pub fn set_cookie(name: &str, value: &str, expires: Option<WallTime>) {
    let until = expires
        .and_then(http_date)
        .map(|date| format!("; Expires={date}"));
    append(&format!(
        "{name}={value}; Path=/; HttpOnly; Secure; SameSite=Lax{}",
        until.unwrap_or_default()
    ));
}

/// Takes a cookie back.
pub fn clear_cookie(name: &str) {
    append(&format!(
        "{name}=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0"
    ));
}

/// Hands a secret to the next page, which shows it once: only where the browser sent a plain
/// form, for with JavaScript the answer itself brings it.
pub fn flash(secret: &str) {
    if wants_page() {
        append(&format!(
            "{}={secret}; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=60",
            cookies::SHOWN_ONCE
        ));
    }
}

fn append(cookie: &str) {
    let Some(options) = use_context::<ResponseOptions>() else {
        return;
    };
    match HeaderValue::from_str(cookie) {
        Ok(value) => options.append_header(header::SET_COOKIE, value),
        // Names are ours, values are tokens of the cluster: neither holds such bytes.
        Err(error) => tracing::error!(%error, "a cookie can't be written"),
    }
}

/// A moment as RFC 9110, 5.6.7 writes it; none for one that no calendar holds.
fn http_date(at: WallTime) -> Option<String> {
    let moment = time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).ok()?;
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    moment.format(&format).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_http_wants_them() {
        assert_eq!(
            http_date(WallTime(784_111_777_000)).as_deref(),
            Some("Sun, 06 Nov 1994 08:49:37 GMT")
        );
        assert_eq!(http_date(WallTime(i64::MAX)), None);
    }
}
