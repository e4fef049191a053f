//! Pinning a site to a node.

use crate::refusal::Refusal;
use hwc_api::ids::SiteId;
use leptos::prelude::*;

/// Pins a site to the node of this id, or lets it go where `node` is empty.
///
/// # Errors
/// The visitor is no administrator, there is no such node, or nobody answered.
#[server(prefix = "/do", endpoint = "pin-site")]
pub async fn pin_site(site: SiteId, #[server(default)] node: String) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::v1::{PinSite, PinSiteBody};

    let chosen = super::node_in_form(&node)?;
    let call = PinSite {
        site,
        body: PinSiteBody { node: chosen },
    };
    server::call(&call).await?;
    let done = if chosen.is_some() {
        "site-pinned"
    } else {
        "site-unpinned"
    };
    leptos_axum::redirect(&format!("/sites/{site}/move?done={done}"));
    Ok(())
}
