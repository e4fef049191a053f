//! The nodes: as a map with the details of one, or as a table. The first page of an administrator.

use super::troubles::Troubles;
use crate::components::{
    Badge, Crumb, Glyph, Icon, MovesCard, NodeDetail, NodeMap, NodeTable, Place, Screen,
    ViewSwitch, use_list_view,
};
use crate::i18n::format;
use crate::live::{Connection, Live, use_live};
use crate::map_layout::NODES_MAX;
use crate::node_text;
use crate::page_data::ListView;
use crate::protection::Protection;
use crate::tone::Tone;
use crate::tr;
use hwc_api::ids::NodeId;
use hwc_api::moves::MovePhase;
use hwc_api::v1::{LiveState, NodeHealth, NodeView};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The page.
#[component]
pub fn NodesPage() -> impl IntoView {
    let live = use_live();
    let view = use_list_view();
    let title = tr!("nodes-title");
    // A map of too many nodes is no picture any more.
    let is_map = Memo::new(move |_| {
        view.get() == ListView::Cards && live.nodes.with(|nodes| nodes.len() <= NODES_MAX)
    });
    let is_live = Memo::new(move |_| live.connection.get() == Connection::Open);
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Nodes crumbs=vec![Crumb::here(title.clone())]>
            <div class="page-h">
                <h1>{title}</h1>
                {move || {
                    is_live
                        .get()
                        .then(|| view! { <Badge tone=Tone::Live glyph=Glyph::Live word=tr!("updating-live")/> })
                }}
                <span class="push"></span>
                <ViewSwitch view is_map=true/>
                <div class="acts row">
                    <a class="btn btn-primary" href="/nodes/new">
                        <Icon glyph=Glyph::Plus/>
                        {tr!("node-add")}
                    </a>
                </div>
            </div>
            <Numbers live/>
            {move || {
                if is_map.get() {
                    view! { <MapWithDetail live/> }.into_any()
                } else {
                    view! { <div class="stackv"><NodeTable/><MovesCard/></div> }.into_any()
                }
            }}
        </Screen>
    }
    .into_any()
}

#[component]
fn MapWithDetail(live: Live) -> impl IntoView {
    let query = use_query_map();
    let selected = Memo::new(move |_| {
        let asked = query.with(|query| query.get("node").and_then(|id| id.parse::<NodeId>().ok()));
        live.nodes.with(|nodes| {
            asked
                .filter(|id| nodes.contains_key(id))
                .or_else(|| needing_a_look(nodes.values()).or_else(|| nodes.keys().next().copied()))
        })
    });
    view! {
        <div class="grid cols-main">
            <div class="stackv">
                <section class="card" aria-label=tr!("map-label")>
                    <NodeMap selected/>
                </section>
                <MovesCard/>
                <Troubles live/>
            </div>
            <NodeDetail id=selected/>
        </div>
    }
    .into_any()
}

/// The first node that is not as it should be.
fn needing_a_look<'node>(mut nodes: impl Iterator<Item = &'node NodeView>) -> Option<NodeId> {
    nodes
        .find(|node| node.health != NodeHealth::Up || node_text::trouble_count(node) > 0)
        .map(|node| node.node.id)
}

/// The numbers of the whole cluster.
#[component]
fn Numbers(live: Live) -> impl IntoView {
    let nodes = Memo::new(move |_| {
        live.nodes.with(|nodes| {
            let up = nodes.values().filter(|node| node.health == NodeHealth::Up);
            (up.count() as u64, nodes.len() as u64)
        })
    });
    let sites = Memo::new(move |_| {
        live.sites.with(|sites| {
            let answering = sites.values().filter(|site| site.state == LiveState::Live);
            (answering.count() as u64, sites.len() as u64)
        })
    });
    let copies = Memo::new(move |_| {
        live.sites.with(|sites| {
            let whole = sites
                .values()
                .filter(|site| Protection::of_site(site).tone() == Tone::Ok);
            (whole.count() as u64, sites.len() as u64)
        })
    });
    let space = Memo::new(move |_| {
        live.nodes.with(|nodes| {
            let reports = nodes.values().filter_map(|node| node.observed.as_ref());
            reports.fold((0, 0), |(used, whole), report| {
                (
                    used + node_text::pool_used(report),
                    whole + report.pool_total_bytes,
                )
            })
        })
    });
    let draining = Memo::new(move |_| {
        live.nodes
            .with(|nodes| nodes.values().filter(|node| node.drain.is_some()).count() as u64)
    });
    let moves = Memo::new(move |_| {
        live.moves.with(|moves| {
            let planned = moves
                .values()
                .filter(|view| view.of.phase == MovePhase::Planned);
            let planned = planned.count();
            ((moves.len() - planned) as u64, planned as u64)
        })
    });
    let number = |label: String, value: Memo<(u64, u64)>| {
        view! {
            <div>
                <div class="stat-l">{label}</div>
                <div class="stat-v">
                    {move || format::number(value.get().0)}
                    <small>{move || tr!("of-all", count = format::number(value.get().1))}</small>
                </div>
            </div>
        }
    };
    view! {
        <div class="strip">
            <div>
                <div class="stat-l">{tr!("numbers-nodes")}</div>
                <div class="stat-v">
                    {move || format::number(nodes.get().0)}
                    <small>
                        {move || tr!("of-all", count = format::number(nodes.get().1))}
                        {move || {
                            (draining.get() > 0).then(|| format!(" · {}", tr!("numbers-draining", count = draining.get())))
                        }}
                    </small>
                </div>
            </div>
            {number(tr!("numbers-sites-live"), sites)}
            {number(tr!("numbers-protected"), copies)}
            <div>
                <div class="stat-l">{tr!("numbers-moves")}</div>
                <div class="stat-v">
                    {move || format::number(moves.get().0)}
                    <small>{move || tr!("numbers-planned", count = format::number(moves.get().1))}</small>
                </div>
            </div>
            <div>
                <div class="stat-l">{tr!("numbers-space")}</div>
                <div class="stat-v">
                    {move || format::bytes(space.get().0)}
                    <small>{move || tr!("of-all", count = format::bytes(space.get().1))}</small>
                </div>
            </div>
        </div>
    }
    .into_any()
}
