//! Emptying a node.

use crate::refusal::Refusal;
use hwc_api::ids::NodeId;
use leptos::prelude::*;

/// Begins to empty a node and goes to the page that shows how it goes. `may_lack_copies` is `yes`
/// where datasets may be left with fewer copies than they should have.
///
/// # Errors
/// The visitor is no administrator, too few copies would be left, or nobody answered.
#[server(prefix = "/do", endpoint = "drain-node")]
pub async fn drain_node(
    node: NodeId,
    #[server(default)] note: String,
    #[server(default)] may_lack_copies: String,
) -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::v1::{DrainNode, DrainNodeBody};

    let call = DrainNode {
        node,
        body: DrainNodeBody {
            note: Some(note.clone()),
            may_lack_copies: Some(may_lack_copies == "yes"),
        },
    };
    server::call(&call).await.map_err(|refusal| {
        refusal.keeping([
            ("note", note.as_str()),
            ("may_lack_copies", may_lack_copies.as_str()),
        ])
    })?;
    leptos_axum::redirect(&format!("/nodes/{node}/drain"));
    Ok(())
}
