//! Moves as a table: those under way first, then receipts, the newest first. On narrow screens a
//! list.

use super::elapsed::Elapsed;
use super::icon::{Glyph, Icon};
use super::moment::Moment;
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::move_text;
use crate::refusal::problem_text;
use crate::tr;
use hwc_api::ids::DatasetId;
use hwc_api::moves::{MovePhase, MoveProgress, MoveReason, MoveReceipt};
use hwc_api::v1::MoveView;
use leptos::prelude::*;

/// The card with the table.
#[component]
pub fn ReceiptTable(
    /// Moves that are planned or under way.
    #[prop(into)]
    under_way: Signal<Vec<MoveView<MoveProgress>>>,
    /// Receipts, the newest first.
    #[prop(into)]
    ended: Signal<Vec<MoveView<MoveReceipt>>>,
    /// What is said where there are none.
    none: String,
    /// Whether they left different nodes at different times, and for different reasons, which is
    /// shown then.
    #[prop(optional)]
    has_from: bool,
) -> impl IntoView {
    let live = use_live();
    let is_empty = move || under_way.with(Vec::is_empty) && ended.with(Vec::is_empty);
    view! {
        <section class="card">
            <div class="card-h">
                <h2>{tr!("receipts-title")}</h2>
                <span class="muted">{tr!("newest-first")}</span>
            </div>
            <Show
                when=move || !is_empty()
                fallback=move || view! { <p class="card-b s13 muted">{none.clone()}</p> }
            >
                <div class="tbl-w">
                    <table class="tbl fold dense">
                        <thead>
                            <tr>
                                <th scope="col">{tr!("column-what")}</th>
                                {has_from.then(|| view! { <th scope="col">{tr!("column-from")}</th> })}
                                <th scope="col">{tr!("column-to")}</th>
                                <th scope="col">{tr!("column-state")}</th>
                                <th scope="col" class="num">{tr!("column-waited")}</th>
                                <th scope="col" class="num">{tr!("column-longest")}</th>
                                <th scope="col" class="num">{tr!("column-failed")}</th>
                                <th scope="col" class="num">{tr!("column-data")}</th>
                                {has_from.then(|| view! { <th scope="col" class="num">{tr!("column-ended")}</th> })}
                            </tr>
                        </thead>
                        <tbody>
                            {move || {
                                under_way
                                    .with(|moves| moves.iter().map(|view| moving(live, view, has_from)).collect_view())
                            }}
                            {move || {
                                ended
                                    .with(|receipts| {
                                        receipts.iter().map(|view| over(live, view, has_from)).collect_view()
                                    })
                            }}
                        </tbody>
                    </table>
                </div>
            </Show>
        </section>
    }
    .into_any()
}

/// What moves, as a link to its site while that is in sight; and why, where moves have many reasons.
fn what<T>(
    live: Live,
    view: &MoveView<T>,
    dataset: DatasetId,
    reason: Option<MoveReason>,
) -> impl IntoView + use<T> {
    let name = move_text::what(live, view, dataset);
    let site = view
        .site
        .filter(|site| live.sites.with(|sites| sites.contains_key(site)));
    let title = match site {
        Some(site) => {
            view! { <a class="b t wraps" href=format!("/sites/{site}")><bdi>{name}</bdi></a> }
                .into_any()
        }
        None => view! { <bdi class="b wraps">{name}</bdi> }.into_any(),
    };
    let why = reason.map(|reason| view! { <small>{move_text::reason(live, reason)}</small> });
    view! { <td><div class="two">{title} {why}</div></td> }
}

/// A move under way.
fn moving(live: Live, view: &MoveView<MoveProgress>, has_from: bool) -> impl IntoView + use<> {
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
            {what(live, view, progress.dataset, has_from.then_some(progress.reason))}
            {has_from
                .then(|| view! { <td data-l=tr!("column-from")><bdi>{view.from.name.to_string()}</bdi></td> })}
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
            {has_from.then(|| view! { <td class="num muted" data-l=tr!("column-ended")>"–"</td> })}
        </tr>
    }
}

/// A move that is over.
fn over(live: Live, view: &MoveView<MoveReceipt>, has_from: bool) -> impl IntoView + use<> {
    let report = &view.of.report;
    let noticed = move_text::noticed(&view.of);
    let node = view.to.name.to_string();
    let (tone, glyph, state) = match &report.problem {
        None => ("ok", Glyph::Done, tr!("live-on", node = node.clone())),
        Some(problem) => ("warn", Glyph::Undo, problem_text(problem)),
    };
    view! {
        <tr>
            {what(live, view, report.dataset, has_from.then_some(report.reason))}
            {has_from
                .then(|| view! { <td data-l=tr!("column-from")><bdi>{view.from.name.to_string()}</bdi></td> })}
            <td data-l=tr!("column-to")><bdi>{node}</bdi></td>
            <td class="full" data-l=tr!("column-state")>
                <span class="st" data-s=tone>
                    <Icon glyph/>
                    <span>{state}</span>
                </span>
            </td>
            <td class="num" data-l=tr!("column-waited")>{format::number(noticed.held.into())}</td>
            <td class="num" data-l=tr!("column-longest")>{move_text::longest_wait(noticed)}</td>
            <td class="num" data-l=tr!("column-failed")>{format::number(noticed.failed.into())}</td>
            <td class="num muted" data-l=tr!("column-data")>{format::bytes(report.sent_bytes)}</td>
            {has_from
                .then(|| view! { <td class="num muted nw" data-l=tr!("column-ended")><Moment at=report.ended_at/></td> })}
        </tr>
    }
}
