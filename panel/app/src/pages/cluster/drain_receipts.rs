//! What left a node that is being emptied: moves under way first, then receipts, the newest first.

use crate::components::{Elapsed, Glyph, Icon};
use crate::i18n::format;
use crate::live::use_live;
use crate::move_text;
use crate::refusal::problem_text;
use crate::tr;
use hwc_api::moves::{MovePhase, MoveProgress, MoveReceipt};
use hwc_api::v1::{DrainView, MoveView};
use leptos::prelude::*;

/// The most receipts that are listed.
const RECEIPTS: usize = 50;

/// The table.
#[component]
pub fn DrainReceipts(drain: Signal<DrainView>) -> impl IntoView {
    let live = use_live();
    let (node, since) = drain.with_untracked(|drain| (drain.node.id, drain.drain.since));
    let under_way = Memo::new(move |_| {
        live.moves.with(|moves| {
            let leaving = moves.values().filter(|view| view.from.id == node);
            leaving.cloned().collect::<Vec<_>>()
        })
    });
    let ended = Memo::new(move |_| {
        live.receipts.with(|receipts| {
            let newest_first = receipts.values().rev();
            newest_first
                .filter(|view| view.from.id == node && view.of.report.ended_at >= since)
                .take(RECEIPTS)
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    let is_empty = move || under_way.with(Vec::is_empty) && ended.with(Vec::is_empty);
    view! {
        <section class="card">
            <div class="card-h">
                <h2>{tr!("receipts-title")}</h2>
                <span class="muted">{tr!("newest-first")}</span>
            </div>
            <Show when=move || !is_empty() fallback=|| view! { <p class="card-b s13 muted">{tr!("receipts-none")}</p> }>
                <div class="tbl-w">
                    <table class="tbl fold dense">
                        <thead>
                            <tr>
                                <th scope="col">{tr!("column-what")}</th>
                                <th scope="col">{tr!("column-to")}</th>
                                <th scope="col">{tr!("column-state")}</th>
                                <th scope="col" class="num">{tr!("column-waited")}</th>
                                <th scope="col" class="num">{tr!("column-longest")}</th>
                                <th scope="col" class="num">{tr!("column-failed")}</th>
                                <th scope="col" class="num">{tr!("column-data")}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {move || under_way.with(|moves| moves.iter().map(moving).collect_view())}
                            {move || ended.with(|receipts| receipts.iter().map(over).collect_view())}
                        </tbody>
                    </table>
                </div>
            </Show>
        </section>
    }
    .into_any()
}

fn moving(view: &MoveView<MoveProgress>) -> impl IntoView + use<> {
    let progress = &view.of;
    let phase = move_text::phase(progress.phase);
    let state = if progress.phase == MovePhase::Copying {
        let percent = tr!("percent", value = move_text::percent(progress));
        format!("{phase}, {percent}")
    } else {
        phase
    };
    let (glyph, class) = if progress.phase == MovePhase::Planned {
        (Glyph::Clock, "")
    } else {
        (Glyph::Working, "spin")
    };
    let waits = match progress.gate_closed_at {
        Some(since) => view! { <Elapsed since/> }.into_any(),
        None => "–".into_any(),
    };
    view! {
        <tr>
            <td class="b"><bdi class="wraps">{view.title.clone()}</bdi></td>
            <td data-l=tr!("column-to")><bdi>{view.to.name.to_string()}</bdi></td>
            <td class="full" data-l=tr!("column-state")>
                <span class="st" data-s="move">
                    <Icon glyph class/>
                    <span>{state}</span>
                </span>
            </td>
            <td class="num" data-l=tr!("column-waited")>"–"</td>
            <td class="num" data-l=tr!("column-longest")>{waits}</td>
            <td class="num" data-l=tr!("column-failed")>"–"</td>
            <td class="num muted" data-l=tr!("column-data")>{format::bytes(progress.sent_bytes)}</td>
        </tr>
    }
}

fn over(view: &MoveView<MoveReceipt>) -> impl IntoView + use<> {
    let report = &view.of.report;
    let noticed = move_text::noticed(&view.of);
    let node = view.to.name.to_string();
    let (tone, glyph, state) = match &report.problem {
        None => ("ok", Glyph::Done, tr!("live-on", node = node.clone())),
        Some(problem) => ("warn", Glyph::Undo, problem_text(problem)),
    };
    view! {
        <tr>
            <td class="b"><bdi class="wraps">{view.title.clone()}</bdi></td>
            <td data-l=tr!("column-to")><bdi>{node}</bdi></td>
            <td class="full" data-l=tr!("column-state")>
                <span class="st" data-s=tone>
                    <Icon glyph/>
                    <span>{state}</span>
                </span>
            </td>
            <td class="num" data-l=tr!("column-waited")>{format::number(noticed.held.into())}</td>
            <td class="num" data-l=tr!("column-longest")>{format::duration(noticed.longest_wait_ms.into())}</td>
            <td class="num" data-l=tr!("column-failed")>{format::number(noticed.failed.into())}</td>
            <td class="num muted" data-l=tr!("column-data")>{format::bytes(report.sent_bytes)}</td>
        </tr>
    }
}
