//! Where a visitor wanted to go before the sign-in page came in between.
//!
//! The path travels in the address, so anybody can write one: only a path on this very host is
//! followed.

/// Percent-encodes what could be mistaken inside a query value.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The sign-in page's address for a visitor who is to come back to `here`; `expired` when a
/// session ended on the way.
#[must_use]
pub fn sign_in_address(here: &str, expired: bool) -> String {
    let reason = if expired { "&reason=expired" } else { "" };
    match checked(here) {
        Some("/") | None if !expired => "/sign-in".to_owned(),
        Some(path) => format!("/sign-in?next={}{reason}", encode(path)),
        None => format!("/sign-in?next=/{reason}"),
    }
}

/// The address of a page to come back to, without the result of what was done before it.
#[must_use]
pub fn here(path: &str, search: &str) -> String {
    let kept: Vec<&str> = search
        .trim_start_matches('?')
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("done="))
        .collect();
    if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    }
}

/// The path, if it is one on this host.
#[must_use]
pub fn checked(path: &str) -> Option<&str> {
    // `//host` and `/\host` would lead to another host; control characters are dropped by browsers.
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.chars().any(char::is_control);
    let is_sign_in = path.starts_with("/sign-in") || path.starts_with("/do/");
    (is_local && !is_sign_in).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_on_this_host_are_followed() {
        for good in ["/", "/sites/4", "/sites?view=table"] {
            assert_eq!(checked(good), Some(good));
        }
        for bad in [
            "",
            "sites",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/sign-in?next=/",
            "javascript:alert(1)",
        ] {
            assert_eq!(checked(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_result_is_not_said_again_on_the_way_back() {
        assert_eq!(here("/sites", ""), "/sites");
        assert_eq!(here("/sites", "?done=site-deleted"), "/sites");
        assert_eq!(
            here("/sites", "view=table&done=site-deleted&x=1"),
            "/sites?view=table&x=1"
        );
    }

    #[test]
    fn the_way_back_travels_in_the_address() {
        assert_eq!(sign_in_address("/", false), "/sign-in");
        assert_eq!(
            sign_in_address("/sites/4?a=b&c", false),
            "/sign-in?next=/sites/4%3Fa%3Db%26c"
        );
        assert_eq!(sign_in_address("/", true), "/sign-in?next=/&reason=expired");
        assert_eq!(
            sign_in_address("//evil.example", true),
            "/sign-in?next=/&reason=expired"
        );
    }
}
