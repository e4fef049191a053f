//! Why a site is where it is.

use crate::refusal::Refusal;
use hwc_api::explanation::Explanation;
use hwc_api::ids::SiteId;
use leptos::prelude::*;

/// What the node that serves a site knows about why it is there. Candidates are named to
/// administrators only. A refusal is part of the answer: that no node serves a site just now is
/// ordinary, and browsers complain of calls that fail.
///
/// # Errors
/// The panel did not answer.
#[server(prefix = "/do", endpoint = "explain-site")]
pub async fn explain_site(site: SiteId) -> Result<Result<Explanation, Refusal>, Refusal> {
    Ok(crate::server::ask(&hwc_api::v1::ExplainSite { site }).await)
}
