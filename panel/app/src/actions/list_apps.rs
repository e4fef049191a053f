//! The catalogue of applications.

use crate::refusal::Refusal;
use hwc_api::v1::AppView;
use leptos::prelude::*;

/// The applications that can be installed with one click.
///
/// # Errors
/// Nobody is signed in, or nobody answered.
#[server(prefix = "/do", endpoint = "list-apps")]
pub async fn list_apps() -> Result<Vec<AppView>, Refusal> {
    crate::server::call(&hwc_api::v1::ListApps).await
}
