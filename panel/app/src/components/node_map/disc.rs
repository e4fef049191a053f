//! A node on the map: its disc, its load as a ring, its sites as dots, its name.

use crate::i18n::format;
use crate::map_layout::{self, DISC, DOTS_MAX, Point, RING};
use crate::node_text;
use crate::tr;
use hwc_api::v1::{NodeHealth, NodeView};
use leptos::prelude::*;
use leptos_router::NavigateOptions;

/// From this share of its processors on a node is drawn as busy.
const BUSY_SHARE: f64 = 0.85;

/// The node, as a link to its details.
pub(super) fn disc<Go>(
    node: &NodeView,
    at: Point,
    is_selected: bool,
    go: Go,
) -> impl IntoView + use<Go>
where
    Go: Fn(&str, NavigateOptions) + 'static,
{
    let share = node_text::load_share(node);
    let state = match node.health {
        NodeHealth::Down => "bad",
        NodeHealth::Suspect => "warn",
        NodeHealth::Up if node.drain.is_some() => "drain",
        NodeHealth::Up if share > BUSY_SHARE => "warn",
        NodeHealth::Up => "",
    };
    let href = super::address(node);
    let target = href.clone();
    let name = node.node.name.to_string();
    let words = match node.health {
        NodeHealth::Up if node.drain.is_some() => tr!("node-draining"),
        NodeHealth::Up => node_text::load(node),
        NodeHealth::Suspect => tr!("health-suspect"),
        NodeHealth::Down => tr!("health-down"),
    };
    let label = tr!(
        "map-node",
        node = name.clone(),
        state = words.clone(),
        sites = node.live_sites,
        copies = node.copies
    );
    let dots = map_layout::dots(node.live_sites as usize, at)
        .into_iter()
        .map(|dot| {
            view! { <circle class="site" cx=format!("{:.1}", dot.x) cy=format!("{:.1}", dot.y) r="2.6"></circle> }
        })
        .collect_view();
    let beyond =
        (node.live_sites as usize > DOTS_MAX).then(|| format::number(node.live_sites.into()));
    let is_down = node.health == NodeHealth::Down;
    // Inside `<g>`, so that the link is one of SVG and not of HTML; the router knows only the latter.
    view! {
        <g>
        <a
            href=href
            data-s=state
            on:click=move |event| {
                if !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
                    event.prevent_default();
                    go(&target, NavigateOptions::default());
                }
            }
        >
            <title>{label}</title>
            {is_selected
                .then(|| {
                    view! {
                        <circle class="sel" cx=at.x.to_string() cy=at.y.to_string() r=(RING + 5.0).to_string()></circle>
                    }
                })}
            <circle class="disc" cx=at.x.to_string() cy=at.y.to_string() r=DISC.to_string()></circle>
            <circle class="trk" cx=at.x.to_string() cy=at.y.to_string() r=RING.to_string()></circle>
            <path class="arc" d=map_layout::arc(at, if is_down { 0.999 } else { share })></path>
            {dots}
            {beyond
                .map(|count| {
                    view! {
                        <text class="ns" x=at.x.to_string() y=(at.y + 4.0).to_string() text-anchor="middle">
                            {count}
                        </text>
                    }
                })}
            <text class="nn" x=at.x.to_string() y=(at.y + RING + 20.0).to_string() text-anchor="middle">
                {name}
            </text>
            <text class="ns" x=at.x.to_string() y=(at.y + RING + 36.0).to_string() text-anchor="middle">
                {words}
            </text>
        </a>
        </g>
    }
}
