//! The cookies of the panel: their names, and how they are written.

/// The chosen language.
pub const LANGUAGE: &str = "hwc-lang";
/// The chosen theme.
pub const THEME: &str = "hwc-theme";
/// How lists were looked at last.
pub const VIEW: &str = "hwc-view";
/// A secret on its way to the page that shows it once.
pub const SHOWN_ONCE: &str = "__Host-hwc-once";

/// A year, in seconds.
const YEAR_SECONDS: u32 = 31_536_000;

/// A preference: no secret, kept for a year, also for the eyes of the page's own code.
#[must_use]
pub fn preference(name: &str, value: &str) -> String {
    let value: String = value
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    format!("{name}={value}; Path=/; Max-Age={YEAR_SECONDS}; SameSite=Lax; Secure")
}

/// The value of a cookie in a `Cookie` header.
#[must_use]
pub fn find<'header>(header: &'header str, name: &str) -> Option<&'header str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let header = "a=1; hwc-lang=de;hwc-theme=dark; x-hwc-lang=fr; empty=";
        assert_eq!(find(header, LANGUAGE), Some("de"));
        assert_eq!(find(header, THEME), Some("dark"));
        assert_eq!(find(header, "empty"), None);
        assert_eq!(find(header, "lang"), None);
        assert_eq!(find("", LANGUAGE), None);
    }

    #[test]
    fn a_preference_can_not_smuggle_in_attributes() {
        assert!(
            preference(THEME, "dark; Domain=example")
                .starts_with("hwc-theme=darkDomainexample; Path=/;")
        );
    }
}
