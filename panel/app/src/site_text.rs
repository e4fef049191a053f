//! Sites in words.

use crate::i18n::format;
use crate::job_text;
use crate::tr;
use hwc_api::v1::{CopyView, SiteView};

/// What a site runs: `WordPress 6.8 · PHP 8.4`; with its owner's name for administrators.
#[must_use]
pub fn runs(site: &SiteView, with_owner: bool) -> String {
    let php = tr!("php-version", version = site.php.as_str());
    let software = match &site.app {
        Some(app) => format!("{} {} · {php}", job_text::app_name(&app.app), app.version),
        None => php,
    };
    if with_owner {
        format!("{} · {software}", site.account_name)
    } else {
        software
    }
}

/// How fresh a copy is.
#[must_use]
pub fn copy(copy: &CopyView) -> String {
    if !copy.is_reachable {
        tr!("copy-unreachable")
    } else if !copy.is_complete {
        tr!("copy-incomplete")
    } else {
        match copy.age_ms {
            Some(0) => tr!("copy-current"),
            Some(age) => format::age(age),
            None => tr!("copy-unknown-age"),
        }
    }
}

/// The address of a site.
#[must_use]
pub fn address(site: &SiteView) -> String {
    let domain = site.domains.first().map(ToString::to_string);
    format!("https://{}/", domain.unwrap_or_default())
}
