//! Who keeps the settings.

use crate::refusal::Refusal;
use hwc_api::v1::RegistryView;
use leptos::prelude::*;

/// The registry, as the node behind this panel sees it.
///
/// # Errors
/// The visitor is no administrator, or nobody answered.
#[server(prefix = "/do", endpoint = "read-registry")]
pub async fn read_registry() -> Result<RegistryView, Refusal> {
    crate::server::ask(&hwc_api::v1::ReadRegistry).await
}
