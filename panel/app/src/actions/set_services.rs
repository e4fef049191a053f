//! Switching services of a node off and on.

use crate::refusal::Refusal;
use hwc_api::ids::NodeId;
use leptos::prelude::*;

/// Switches the services of a node: `yes` for those that are on, nothing for those that are off,
/// as check boxes are sent.
///
/// # Errors
/// The visitor is no administrator, the cluster can't do without that service, or nobody answered.
#[server(prefix = "/do", endpoint = "set-services")]
pub async fn set_services(
    node: NodeId,
    #[server(default)] hosting: String,
    #[server(default)] front_doors: String,
    #[server(default)] voting: String,
) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::desired::NodeService;
    use hwc_api::v1::{SetServices, SetServicesBody};

    let switches = [
        (NodeService::Hosting, hosting),
        (NodeService::FrontDoors, front_doors),
        (NodeService::Voting, voting),
    ];
    let switched_off = switches
        .into_iter()
        .filter(|(_, switch)| switch != "yes")
        .map(|(service, _)| service)
        .collect();
    let call = SetServices {
        node,
        body: SetServicesBody { switched_off },
    };
    server::call(&call).await?;
    leptos_axum::redirect(&format!("/nodes/{node}/settings?done=node-changed"));
    Ok(())
}
