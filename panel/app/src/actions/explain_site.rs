//! Why a site is where it is.

use crate::refusal::Refusal;
use hwc_api::explanation::Explanation;
use hwc_api::ids::SiteId;
use leptos::prelude::*;

/// What the node that serves a site knows about why it is there. Candidates are named to
/// administrators only.
///
/// # Errors
/// There is no such site in sight, no node serves it just now, or nobody answered.
#[server(prefix = "/do", endpoint = "explain-site")]
pub async fn explain_site(site: SiteId) -> Result<Explanation, Refusal> {
    crate::server::ask(&hwc_api::v1::ExplainSite { site }).await
}
