//! Saying where a node stands.

use crate::refusal::Refusal;
use hwc_api::ids::NodeId;
use leptos::prelude::*;

/// Notes the zone of a node.
///
/// # Errors
/// The visitor is no administrator, the name is no zone's, or nobody answered.
#[server(prefix = "/do", endpoint = "set-zone")]
pub async fn set_zone(node: NodeId, zone: String) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::v1::{SetZone, SetZoneBody};

    let call = SetZone {
        node,
        body: SetZoneBody {
            zone: zone.trim().to_owned(),
        },
    };
    server::call(&call)
        .await
        .map_err(|refusal| refusal.keeping([("zone", zone.as_str())]))?;
    leptos_axum::redirect(&format!("/nodes/{node}/settings?done=node-changed"));
    Ok(())
}
