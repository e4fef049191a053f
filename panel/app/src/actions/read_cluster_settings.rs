//! Settings of the cluster as a whole.

use crate::refusal::Refusal;
use hwc_api::v1::ClusterSettingsView;
use leptos::prelude::*;

/// The settings, and what is in force of them.
///
/// # Errors
/// The visitor is no administrator, or nobody answered.
#[server(prefix = "/do", endpoint = "read-cluster-settings")]
pub async fn read_cluster_settings() -> Result<ClusterSettingsView, Refusal> {
    crate::server::ask(&hwc_api::v1::ReadClusterSettings).await
}
