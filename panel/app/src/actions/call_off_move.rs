//! Calling off the move of a site.

use crate::refusal::Refusal;
use hwc_api::ids::SiteId;
use leptos::prelude::*;

/// Calls off what has not been handed over yet, planned moves included, and goes to the site's page.
///
/// # Errors
/// The visitor is no administrator, nothing moves, or nobody answered.
#[server(prefix = "/do", endpoint = "call-off-move")]
pub async fn call_off_move(site: SiteId) -> Result<(), Refusal> {
    crate::server::call(&hwc_api::v1::CallOffMove { site }).await?;
    leptos_axum::redirect(&format!("/sites/{site}?done=move-called-off"));
    Ok(())
}
