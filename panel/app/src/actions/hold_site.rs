//! Keeping a site from being moved to spread load.

use crate::refusal::Refusal;
use hwc_api::ids::SiteId;
use leptos::prelude::*;

/// Keeps a site where it is for so many minutes; 0 lets it go. Vetoes a planned move of it. Goes to
/// the page `back`, the site's own unless said otherwise.
///
/// # Errors
/// The visitor is no administrator, the time is too long, or nobody answered.
#[server(prefix = "/do", endpoint = "hold-site")]
pub async fn hold_site(
    site: SiteId,
    minutes: u32,
    #[server(default)] back: String,
) -> Result<(), Refusal> {
    use crate::{return_path, server};
    use hwc_api::v1::{HoldSite, HoldSiteBody};

    let call = HoldSite {
        site,
        body: HoldSiteBody { minutes },
    };
    server::call(&call).await?;
    let done = if minutes > 0 {
        "site-held"
    } else {
        "site-unheld"
    };
    let own = format!("/sites/{site}/move");
    let back = return_path::checked(&back).unwrap_or(&own);
    leptos_axum::redirect(&format!("{back}?done={done}"));
    Ok(())
}
