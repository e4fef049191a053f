//! Saying what kind of network is between the nodes.

use crate::refusal::Refusal;
use hwc_api::network::Network;
use leptos::prelude::*;

/// Sets the kind of network.
///
/// # Errors
/// The visitor is no administrator, settings can't be changed, or nobody answered.
#[server(prefix = "/do", endpoint = "set-network")]
pub async fn set_network(network: Network) -> Result<(), Refusal> {
    use hwc_api::v1::{SetClusterSettings, SetClusterSettingsBody};

    let call = SetClusterSettings {
        body: SetClusterSettingsBody { network },
    };
    crate::server::call(&call).await?;
    leptos_axum::redirect("/network?done=network-saved");
    Ok(())
}
