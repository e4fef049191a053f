//! Where a site is: visitors, the live node, the copies with their ages. Drawn on wide screens,
//! listed on narrow ones, said in a sentence to those who listen.

use super::badge::Badge;
use super::icon::Glyph;
use crate::site_text;
use crate::tone::Tone;
use crate::tr;
use hwc_api::v1::{CopyView, DatasetView, LiveState};
use leptos::prelude::*;

/// Height of a copy's box with the gap below it.
const ROW: usize = 70;
/// The least height of the drawing.
const HEIGHT_MIN: usize = 140;

/// The diagram of one dataset.
#[component]
pub fn WhereDiagram(
    /// The dataset, as it stands.
    #[prop(into)]
    dataset: Signal<DatasetView>,
) -> impl IntoView {
    view! {
        <div class="card-b hide-m">{move || dataset.with(drawing)}</div>
        <div class="only-m">{move || dataset.with(list)}</div>
    }
    .into_any()
}

/// Everything in one sentence.
fn sentence(dataset: &DatasetView) -> String {
    let live = match &dataset.live_node {
        Some(node) => tr!("where-live", node = node.name.to_string()),
        None => tr!("where-nowhere"),
    };
    let copies = dataset.copies.iter().map(|copy| {
        tr!(
            "where-copy",
            node = copy.node.name.to_string(),
            age = site_text::copy(copy)
        )
    });
    std::iter::once(live)
        .chain(copies)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The line below the live node's name.
fn live_words(dataset: &DatasetView) -> (String, String) {
    match (&dataset.live_node, dataset.state) {
        (Some(node), LiveState::Live | LiveState::Moving) => (
            tr!("live-on", node = node.name.to_string()),
            if dataset.state == LiveState::Moving {
                tr!("where-moving")
            } else {
                tr!("where-answers")
            },
        ),
        (Some(node), LiveState::Starting | LiveState::Down) => (
            tr!("starting-on", node = node.name.to_string()),
            tr!("where-requests-wait"),
        ),
        (None, LiveState::Down) => (tr!("live-nowhere"), tr!("where-no-node")),
        (None, LiveState::Live | LiveState::Starting | LiveState::Moving) => {
            (tr!("state-starting"), tr!("where-requests-wait"))
        }
    }
}

const fn tone(state: LiveState) -> Tone {
    match state {
        LiveState::Live => Tone::Live,
        LiveState::Starting | LiveState::Moving => Tone::Move,
        LiveState::Down => Tone::Bad,
    }
}

fn drawing(dataset: &DatasetView) -> impl IntoView + use<> {
    let copies = dataset.copies.len();
    let height = (copies * ROW).max(HEIGHT_MIN);
    let middle = height / 2;
    let first = middle.saturating_sub(copies * ROW / 2);
    let centre = move |index: usize| first + index * ROW + ROW / 2;
    let (title, words) = live_words(dataset);
    let streams = dataset
        .copies
        .iter()
        .enumerate()
        .map(|(index, copy)| {
            let to = centre(index);
            let path = format!("M338 {middle}C388 {middle} 392 {to} 442 {to}");
            view! { <path class="rep" data-off=(!copy.is_reachable).then_some("yes") d=path></path> }
        })
        .collect_view();
    let boxes = dataset
        .copies
        .iter()
        .enumerate()
        .map(|(index, copy)| copy_box(copy, centre(index)))
        .collect_view();
    view! {
        <svg
            class="map where"
            data-s=tone(dataset.state).as_str()
            viewBox=format!("0 0 640 {height}")
            role="img"
            aria-label=sentence(dataset)
        >
            <text class="ax" x="0" y=(middle - 4).to_string()>{tr!("where-visitors")}</text>
            <text class="ax" x="0" y=(middle + 12).to_string()>{tr!("where-any-node")}</text>
            <path class="way" d=format!("M104 {middle}h78m-6-5 7 5-7 5")></path>
            {streams}
            <rect class="box live-box" x="190" y=(middle - 36).to_string() width="148" height="72" rx="10"></rect>
            <circle class="live-dot" cx="209" cy=(middle - 10).to_string() r="4"></circle>
            <text class="nn" x="221" y=(middle - 5).to_string()>{title}</text>
            <text class="ns" x="205" y=(middle + 17).to_string()>{words}</text>
            {boxes}
        </svg>
    }
}

fn copy_box(copy: &CopyView, centre: usize) -> impl IntoView + use<> {
    let mark = if copy.is_complete && copy.is_reachable {
        "copy-mark"
    } else {
        "copy-mark lacks"
    };
    view! {
        <g>
            <rect class="box" x="444" y=(centre - 26).to_string() width="195" height="52" rx="8"></rect>
            <rect class=mark x="458" y=(centre - 14).to_string() width="7" height="7" rx="1.5"></rect>
            <text class="nn" x="474" y=(centre - 5).to_string()>
                {tr!("copy-on", node = copy.node.name.to_string())}
            </text>
            <text class="ns" x="474" y=(centre + 13).to_string()>{site_text::copy(copy)}</text>
        </g>
    }
}

fn list(dataset: &DatasetView) -> impl IntoView + use<> {
    let (title, words) = live_words(dataset);
    let (glyph, word) = match dataset.state {
        LiveState::Live => (Glyph::Live, tr!("state-live")),
        LiveState::Starting => (Glyph::Working, tr!("state-starting")),
        LiveState::Moving => (Glyph::Move, tr!("state-moving")),
        LiveState::Down => (Glyph::Close, tr!("state-down")),
    };
    let copies = dataset
        .copies
        .iter()
        .map(|copy| {
            view! {
                <li>
                    <Badge tone=Tone::Copy glyph=Glyph::Copy word=tr!("copy-word")/>
                    <span class="grow b">{copy.node.name.to_string()}</span>
                    <span class="sm">{site_text::copy(copy)}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <ul class="list">
            <li>
                <Badge tone=tone(dataset.state) glyph word/>
                <span class="two grow">
                    <span class="b">{title}</span>
                    <small>{words}</small>
                </span>
            </li>
            {copies}
        </ul>
    }
}
