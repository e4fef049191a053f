//! Putting a node back to use.

use crate::refusal::Refusal;
use hwc_api::ids::NodeId;
use leptos::prelude::*;

/// Ends the drain of a node: it takes sites and copies again.
///
/// # Errors
/// The visitor is no administrator, the node is not being drained, or nobody answered.
#[server(prefix = "/do", endpoint = "undrain-node")]
pub async fn undrain_node(node: NodeId) -> Result<(), Refusal> {
    crate::server::call(&hwc_api::v1::UndrainNode { node }).await?;
    leptos_axum::redirect(&format!("/nodes?node={node}&done=node-undrained"));
    Ok(())
}
