//! Moving a site to another node.

use crate::refusal::Refusal;
use hwc_api::ids::SiteId;
use leptos::prelude::*;

/// Moves a site with its databases and goes to its page, which shows how that goes. `node` is the
/// node's id; empty where the cluster may choose.
///
/// # Errors
/// The visitor is no administrator, the node can't take the site, or nobody answered.
#[server(prefix = "/do", endpoint = "move-site")]
pub async fn move_site(site: SiteId, #[server(default)] node: String) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::v1::{MoveSite, MoveSiteBody};

    let chosen = super::node_in_form(&node)?;
    let call = MoveSite {
        site,
        body: MoveSiteBody { node: chosen },
    };
    server::call(&call)
        .await
        .map_err(|refusal| refusal.keeping([("node", node.as_str())]))?;
    leptos_axum::redirect(&format!("/sites/{site}?done=move-begun"));
    Ok(())
}
