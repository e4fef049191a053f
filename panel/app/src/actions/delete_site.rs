//! Deleting a site with its databases.

use crate::refusal::Refusal;
use hwc_api::ids::SiteId;
use leptos::prelude::*;

/// Deletes a site. `confirm` must repeat its main domain; the API compares.
///
/// # Errors
/// The domain was not repeated, the site has work under way, or nobody answered.
#[server(prefix = "/do", endpoint = "delete-site")]
pub async fn delete_site(site: SiteId, confirm: String) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::v1::{DeleteSite, DeleteSiteBody};

    let call = DeleteSite {
        site,
        body: DeleteSiteBody {
            confirm: confirm.trim().to_owned(),
        },
    };
    server::call(&call)
        .await
        .map_err(|refusal| refusal.keeping([("confirm", confirm.as_str())]))?;
    leptos_axum::redirect("/sites?done=site-deleted");
    Ok(())
}
