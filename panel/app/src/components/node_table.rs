//! The nodes as a table; on narrow screens as a list.

use super::badge::HealthBadge;
use super::bar::Meter;
use super::icon::{Glyph, Icon};
use crate::i18n::format;
use crate::live::use_live;
use crate::node_text;
use crate::tr;
use hwc_api::ids::NodeId;
use hwc_api::v1::{NodeHealth, NodeView};
use leptos::prelude::*;

/// The table.
#[component]
pub fn NodeTable() -> impl IntoView {
    let live = use_live();
    let ids = Memo::new(move |_| {
        live.nodes
            .with(|nodes| nodes.keys().copied().collect::<Vec<_>>())
    });
    view! {
        <div class="card tbl-w">
            <table class="tbl fold dense">
                <thead>
                    <tr>
                        <th scope="col">{tr!("column-node")}</th>
                        <th scope="col">{tr!("column-state")}</th>
                        <th scope="col" class="num">{tr!("column-load")}</th>
                        <th scope="col" class="num">{tr!("column-live-sites")}</th>
                        <th scope="col" class="num">{tr!("column-copies")}</th>
                        <th scope="col" class="num">{tr!("meter-memory")}</th>
                        <th scope="col" class="num">{tr!("meter-pool")}</th>
                        <th scope="col">{tr!("column-version")}</th>
                        <th scope="col">{tr!("column-notes")}</th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || ids.get() key=|id| *id let:id>
                        <Row id/>
                    </For>
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Row(id: NodeId) -> impl IntoView {
    let live = use_live();
    let node = Memo::new(move |_| live.nodes.with(|nodes| nodes.get(&id).cloned()));
    let of = move |read: fn(&NodeView) -> String| {
        node.with(|node| node.as_ref().map(read).unwrap_or_default())
    };
    let health = Signal::derive(move || {
        node.with(|node| node.as_ref().map_or(NodeHealth::Down, |node| node.health))
    });
    let memory = reading(node, |report| {
        (node_text::memory_used(report), report.memory_total_bytes)
    });
    let pool = reading(node, |report| {
        (node_text::pool_used(report), report.pool_total_bytes)
    });
    let trouble = Memo::new(move |_| {
        node.with(|node| {
            node.as_ref()
                .map(node_text::trouble_count)
                .unwrap_or_default()
        })
    });
    let drain = Memo::new(move |_| live.drains.with(|drains| drains.get(&id).cloned()));
    view! {
        <tr>
            <td>
                <a class="t" href=format!("?view=cards&node={id}")>
                    <bdi>{move || of(|node| node.node.name.to_string())}</bdi>
                </a>
            </td>
            <td class="state"><HealthBadge health/></td>
            <td class="num" data-l=tr!("column-load")>{move || of(node_text::load)}</td>
            <td class="num" data-l=tr!("column-live-sites")>
                {move || of(|node| format::number(node.live_sites.into()))}
            </td>
            <td class="num" data-l=tr!("column-copies")>{move || of(|node| format::number(node.copies.into()))}</td>
            <td class="num full" data-l=tr!("meter-memory")>
                <UsedOf label=tr!("meter-memory") reading=memory/>
            </td>
            <td class="num full" data-l=tr!("meter-pool")>
                <UsedOf label=tr!("meter-pool") reading=pool/>
            </td>
            <td class="nw" data-l=tr!("column-version")>
                {move || of(|node| node.observed.as_ref().map(|report| report.version.clone()).unwrap_or_default())}
            </td>
            <td class="full sm" data-l=tr!("column-notes")>
                {move || {
                    drain
                        .get()
                        .map(|drain| {
                            let whole = drain.moved.saturating_add(drain.live_left);
                            view! {
                                <a href=format!("/nodes/{id}/drain")>
                                    {tr!("drain-note-line", moved = drain.moved, whole = whole)}
                                </a>
                                " "
                            }
                        })
                }}
                {move || {
                    let count = trouble.get();
                    if count > 0 {
                        view! {
                            <span class="st" data-s="warn">
                                <Icon glyph=Glyph::Warning/>
                                {tr!("node-trouble", count = count)}
                            </span>
                        }
                            .into_any()
                    } else {
                        view! { <span class="muted">{tr!("node-no-trouble")}</span> }.into_any()
                    }
                }}
            </td>
        </tr>
    }
    .into_any()
}

/// Used and whole, as the node last reported; nothing of nothing where it did not.
fn reading(
    node: Memo<Option<NodeView>>,
    read: fn(&hwc_api::observed::NodeObserved) -> (u64, u64),
) -> Signal<(u64, u64)> {
    Signal::derive(move || {
        node.with(|node| {
            node.as_ref()
                .and_then(|node| node.observed.as_ref())
                .map(read)
                .unwrap_or_default()
        })
    })
}

#[component]
fn UsedOf(label: String, reading: Signal<(u64, u64)>) -> impl IntoView {
    view! {
        <Meter
            label
            used=Signal::derive(move || format::bytes(reading.get().0))
            limit=Signal::derive(move || format::bytes(reading.get().1))
            percent=Signal::derive(move || format::percent(reading.get().0, reading.get().1))
            inline=true
        />
    }
    .into_any()
}
