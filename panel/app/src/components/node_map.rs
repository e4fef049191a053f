//! The map of nodes: a disc per node with its sites as dots, its load as a ring, and the streams
//! of copies between them. The table holds the same facts for those who can't see it.

use super::badge::HealthBadge;
use crate::i18n::format;
use crate::live::use_live;
use crate::map_layout::{self, DISC, DOTS_MAX, Point, RING, WIDTH};
use crate::move_text;
use crate::node_text;
use crate::tr;
use hwc_api::ids::NodeId;
use hwc_api::moves::{MovePhase, MoveProgress};
use hwc_api::v1::{MoveView, NodeHealth, NodeView, SiteView};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use std::collections::BTreeMap;

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
        <div class="map-w">
            {move || {
                let nodes: Vec<NodeView> = live.nodes.with(|nodes| nodes.values().cloned().collect());
                let moves: Vec<_> = live.moves.with(|moves| moves.values().cloned().collect());
                drawing(&nodes, &streams.get(), &moves, selected.get(), &go)
            }}
        </div>
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

/// How many datasets flow from one node to another.
fn streams<'site>(
    sites: impl Iterator<Item = &'site SiteView>,
) -> BTreeMap<(NodeId, NodeId), usize> {
    let mut streams = BTreeMap::new();
    let datasets = sites.flat_map(|site| {
        let databases = site.databases.iter().map(|database| &database.dataset);
        std::iter::once(&site.files).chain(databases)
    });
    for dataset in datasets {
        let Some(from) = &dataset.live_node else {
            continue;
        };
        for copy in dataset.copies.iter().filter(|copy| copy.is_reachable) {
            *streams.entry((from.id, copy.node.id)).or_default() += 1;
        }
    }
    streams
}

fn drawing<Go>(
    nodes: &[NodeView],
    streams: &BTreeMap<(NodeId, NodeId), usize>,
    moves: &[MoveView<MoveProgress>],
    selected: Option<NodeId>,
    go: &Go,
) -> impl IntoView + use<Go>
where
    Go: Fn(&str, NavigateOptions) + Clone + 'static,
{
    let (places, height) = map_layout::places(nodes.len());
    let place_of: BTreeMap<NodeId, Point> = nodes
        .iter()
        .map(|node| node.node.id)
        .zip(places.iter().copied())
        .collect();
    let streams = streams
        .iter()
        .filter_map(|((from, to), count)| {
            let path = map_layout::stream(*place_of.get(from)?, *place_of.get(to)?);
            let width = (1.2 + (*count as f64).sqrt() * 0.5).min(4.0);
            Some(view! { <path class="rep" d=path stroke-width=format!("{width:.2}")></path> })
        })
        .collect_view();
    let moves = moves
        .iter()
        .filter_map(|view| {
            let from = *place_of.get(&view.from.id)?;
            Some(on_the_way(&view.of, from, *place_of.get(&view.to.id)?))
        })
        .collect_view();
    let discs = nodes
        .iter()
        .zip(&places)
        .map(|(node, place)| disc(node, *place, selected == Some(node.node.id), go.clone()))
        .collect_view();
    let summary = tr!(
        "node-holds",
        sites = nodes.iter().map(|node| node.live_sites).sum::<u32>(),
        copies = nodes.iter().map(|node| node.copies).sum::<u32>()
    );
    view! {
        <svg class="map" viewBox=format!("0 0 {WIDTH} {height}") role="group" aria-label=tr!("map-label")>
            <rect
                class="zone"
                x="4"
                y="4"
                width=(WIDTH - 8.0).to_string()
                height=(height - 8.0).to_string()
                rx="12"
            ></rect>
            <text class="zs" x=(WIDTH - 18.0).to_string() y="27" text-anchor="end">{summary}</text>
            {streams}
            {moves}
            {discs}
        </svg>
    }
}

/// A move: its way, and a dot as far along it as the move is.
fn on_the_way(progress: &MoveProgress, from: Point, to: Point) -> impl IntoView + use<> {
    let is_planned = progress.phase == MovePhase::Planned;
    let share = f64::from(move_text::percent(progress)) / 100.0;
    let at = map_layout::along(from, to, share);
    view! {
        <path class=if is_planned { "mv planned" } else { "mv" } d=map_layout::stream(from, to)></path>
        {(!is_planned)
            .then(|| {
                view! { <circle class="mvd" cx=format!("{:.1}", at.x) cy=format!("{:.1}", at.y) r="5"></circle> }
            })}
    }
}

fn disc<Go>(node: &NodeView, at: Point, is_selected: bool, go: Go) -> impl IntoView + use<Go>
where
    Go: Fn(&str, NavigateOptions) + 'static,
{
    let share = node_text::load_share(node);
    let state = match node.health {
        NodeHealth::Down => "bad",
        NodeHealth::Suspect => "warn",
        NodeHealth::Up if share > 0.85 => "warn",
        NodeHealth::Up => "",
    };
    let href = address(node);
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

/// The page with this node's details.
fn address(node: &NodeView) -> String {
    format!("/nodes?view=cards&node={}", node.node.id)
}

/// A node on narrow screens.
fn line(node: NodeView) -> impl IntoView {
    let href = address(&node);
    let health = node.health;
    view! {
        <li>
            <span class="two grow">
                <a class="b t" href=href><bdi>{node.node.name.to_string()}</bdi></a>
                <small>{tr!("node-holds", sites = node.live_sites, copies = node.copies)}</small>
            </span>
            <HealthBadge health=Signal::stored(health)/>
        </li>
    }
}
