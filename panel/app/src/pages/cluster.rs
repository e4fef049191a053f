//! The cluster: its nodes, one more, what can be done with one; moves and the rules of balancing;
//! who keeps the settings; the network between the nodes.

mod add_node;
mod balancing;
mod drain;
mod drain_copies;
mod drain_form;
mod drain_numbers;
mod drain_progress;
mod drain_receipts;
mod drain_steps;
mod lost;
mod moves;
mod network;
mod node_settings;
mod nodes;
mod sealing_key;
mod troubles;
mod voters;

pub use add_node::AddNodePage;
pub use balancing::BalancingPage;
pub use drain::DrainPage;
pub use lost::LostPage;
pub use moves::MovesPage;
pub use network::NetworkPage;
pub use node_settings::NodeSettingsPage;
pub use nodes::NodesPage;
pub use voters::VotersPage;

use crate::live::use_live;
use crate::pages::problem::NotFoundPage;
use hwc_api::v1::NodeView;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// Draws a page about the node that the address names; another page where there is none.
fn with_node<V: IntoView + 'static>(
    draw: impl Fn(Signal<NodeView>) -> V + Send + Sync + Clone + 'static,
) -> impl IntoView {
    let live = use_live();
    let params = use_params_map();
    let node = Memo::new(move |_| {
        let id = params.with(|params| params.get("node")?.parse().ok())?;
        live.nodes.with(|nodes| nodes.get(&id).cloned())
    });
    let id = Memo::new(move |_| node.with(|node| node.as_ref().map(|node| node.node.id)));
    move || {
        let draw = draw.clone();
        match (id.get(), node.get_untracked()) {
            (Some(_), Some(first)) => {
                // A node that vanishes is drawn as it last was until the page gives way.
                let node = Signal::derive(move || node.get().unwrap_or_else(|| first.clone()));
                draw(node).into_any()
            }
            (None, _) | (_, None) => view! { <NotFoundPage/> }.into_any(),
        }
    }
}
