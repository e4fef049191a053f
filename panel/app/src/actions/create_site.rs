//! Creating a site.

use crate::refusal::Refusal;
use hwc_api::v1::SiteView;
use leptos::prelude::*;

/// Creates a site and goes to its page. `account` is for administrators; empty means my own.
///
/// # Errors
/// The domain is invalid or taken, the account is at its limit, or nobody answered.
#[server(prefix = "/do", endpoint = "create-site")]
pub async fn create_site(
    domain: String,
    #[server(default)] account: String,
) -> Result<SiteView, Refusal> {
    use crate::server;
    use hwc_api::v1::{CreateSite, CreateSiteBody};

    let call = CreateSite {
        body: CreateSiteBody {
            domain: domain.trim_matches(' ').to_owned(),
            account: account.parse().ok(),
            copies: None,
        },
    };
    let site = server::call(&call).await.map_err(|refusal| {
        refusal.keeping([("domain", domain.as_str()), ("account", account.as_str())])
    })?;
    leptos_axum::redirect(&format!("/sites/{}?done=site-created", site.id));
    Ok(site)
}
