//! The map of nodes: zones, a disc per node with its sites as dots and its load as a ring, the
//! streams of copies between them, and what moves. The table holds the same facts for those who
//! can't see it.

mod disc;
mod traffic;

use self::disc::disc;
use self::traffic::{copies, moves_on_their_way, streams};
use super::badge::HealthBadge;
use crate::live::{Live, use_live};
use crate::map_layout::{self, Point, WIDTH, ZoneBox};
use crate::tr;
use hwc_api::ids::NodeId;
use hwc_api::v1::NodeView;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use std::collections::BTreeMap;

/// From a zone's edge to its words.
const WORDS_IN: f64 = 14.0;
/// From a zone's top to the line of its words.
const WORDS_DOWN: f64 = 23.0;

/// The map.
#[component]
pub fn NodeMap(
    /// The node whose details are shown beside it.
    #[prop(into)]
    selected: Signal<Option<NodeId>>,
) -> impl IntoView {
    let live = use_live();
    let go = use_navigate();
    let streams = Memo::new(move |_| live.sites.with(|sites| streams(sites.values())));
    view! {
        <div class="map-w">{move || drawing(live, &streams.get(), selected.get(), &go)}</div>
        <ul class="list map-n">
            {move || {
                live.nodes
                    .with(|nodes| nodes.values().map(|node| line(node.clone())).collect_view())
            }}
        </ul>
        <div class="card-f">
            <div class="lgd">
                <span><i class="k-live"></i>{tr!("legend-live-site")}</span>
                <span><i class="k-copy"></i>{tr!("legend-copies")}</span>
                <span><i class="k-move"></i>{tr!("legend-move")}</span>
                <span><i class="k-ring"></i>{tr!("legend-ring")}</span>
            </div>
        </div>
    }
    .into_any()
}

fn drawing<Go>(
    live: Live,
    streams: &BTreeMap<(NodeId, NodeId), usize>,
    selected: Option<NodeId>,
    go: &Go,
) -> impl IntoView + use<Go>
where
    Go: Fn(&str, NavigateOptions) + Clone + 'static,
{
    let nodes: Vec<NodeView> = live.nodes.with(|nodes| nodes.values().cloned().collect());
    let zones: Vec<String> = nodes.iter().map(|node| node.zone.to_string()).collect();
    let plan = map_layout::plan(&zones);
    let place_of: BTreeMap<NodeId, Point> = nodes
        .iter()
        .map(|node| node.node.id)
        .zip(plan.places.iter().copied())
        .collect();
    let boxes = plan
        .zones
        .iter()
        .map(|zone| zone_box(zone, &nodes))
        .collect_view();
    let discs = nodes
        .iter()
        .zip(&plan.places)
        .map(|(node, place)| disc(node, *place, selected == Some(node.node.id), go.clone()))
        .collect_view();
    let moves: Vec<_> = live.moves.with(|moves| moves.values().cloned().collect());
    let moves = moves_on_their_way(&moves, &place_of);
    view! {
        <svg class="map" viewBox=format!("0 0 {WIDTH} {}", plan.height) role="group" aria-label=tr!("map-label")>
            {boxes}
            {copies(streams, &place_of)}
            {discs}
            {moves}
        </svg>
    }
}

/// A zone with its name and what it holds.
fn zone_box(zone: &ZoneBox, nodes: &[NodeView]) -> impl IntoView + use<> {
    let inside = || zone.nodes.iter().filter_map(|index| nodes.get(*index));
    let holds = tr!(
        "node-holds",
        sites = inside().map(|node| node.live_sites).sum::<u32>(),
        copies = inside().map(|node| node.copies).sum::<u32>()
    );
    let line = (zone.corner.y + WORDS_DOWN).to_string();
    view! {
        <rect
            class="zone"
            x=zone.corner.x.to_string()
            y=zone.corner.y.to_string()
            width=zone.width.to_string()
            height=zone.height.to_string()
            rx="12"
        ></rect>
        <text class="zl" x=(zone.corner.x + WORDS_IN).to_string() y=line.clone()>{zone.name.clone()}</text>
        <text class="zs" x=(zone.corner.x + zone.width - WORDS_IN).to_string() y=line text-anchor="end">
            {holds}
        </text>
    }
}

/// The page with this node's details.
fn address(node: &NodeView) -> String {
    format!("/nodes?view=cards&node={}", node.node.id)
}

/// A node on narrow screens.
fn line(node: NodeView) -> impl IntoView {
    let href = address(&node);
    let health = node.health;
    let holds = tr!("node-holds", sites = node.live_sites, copies = node.copies);
    let draining = node.drain.is_some().then(|| tr!("node-draining"));
    view! {
        <li>
            <span class="two grow">
                <a class="b t" href=href><bdi>{node.node.name.to_string()}</bdi></a>
                <small><bdi>{node.zone.to_string()}</bdi> " · " {holds}</small>
                {draining.map(|word| view! { <small class="c-move">{word}</small> })}
            </span>
            <HealthBadge health=Signal::stored(health)/>
        </li>
    }
}
