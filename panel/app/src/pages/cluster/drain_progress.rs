//! How the emptying of a node goes: numbers, steps, copies, receipts, all live.

use super::drain_copies::DrainCopies;
use super::drain_numbers::DrainNumbers;
use super::drain_receipts::DrainReceipts;
use super::drain_steps::DrainSteps;
use crate::actions::UndrainNode;
use crate::components::{Badge, Glyph, Icon, Moment, RefusalBanner};
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tone::Tone;
use crate::tr;
use hwc_api::v1::DrainView;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// Everything about a drain.
#[component]
pub fn DrainProgress(title: Signal<String>, drain: Signal<DrainView>) -> impl IntoView {
    let is_done = Memo::new(move |_| drain.with(|drain| drain.is_done));
    // What has left is counted by its receipt, a moment later; the whole does not shrink meanwhile.
    let whole = Memo::new(move |before: Option<&u32>| {
        let now = drain.with(|drain| drain.moved.saturating_add(drain.live_left));
        match before {
            Some(before) if !is_done.get() => now.max(*before),
            Some(_) | None => now,
        }
    });
    let (since, by, note) = drain.with_untracked(|drain| {
        (
            drain.drain.since,
            drain.by_name.clone(),
            drain.drain.note.clone(),
        )
    });
    view! {
        <div class="page-h">
            <h1>{move || title.get()}</h1>
            {move || {
                if is_done.get() {
                    view! { <Badge tone=Tone::Ok glyph=Glyph::Done word=tr!("drain-is-done")/> }
                } else {
                    view! { <Badge tone=Tone::Move glyph=Glyph::Working word=tr!("drain-goes-on")/> }
                }
            }}
            <span class="muted s13 wraps">
                {tr!("drain-began")} " " <Moment at=since/> " " {tr!("drain-by", name = by)}
                {(!note.is_empty()).then(|| view! { " · " <bdi>{note}</bdi> })}
            </span>
            <span class="push"></span>
            <Undrain drain is_done/>
        </div>
        <div class="stackv">
            <DrainNumbers drain whole/>
            <div class="grid drain">
                <div class="stackv">
                    <DrainSteps drain whole/>
                    <DrainCopies drain/>
                </div>
                <DrainReceipts drain/>
            </div>
        </div>
    }
    .into_any()
}

/// Puts the node back to use.
#[component]
fn Undrain(drain: Signal<DrainView>, is_done: Memo<bool>) -> impl IntoView {
    let undrain = ServerAction::<UndrainNode>::new();
    let refusal = refusal_of(undrain);
    sign_in_when_asked(refusal);
    let id = drain.with_untracked(|drain| drain.node.id);
    view! {
        <div class="acts row">
            <RefusalBanner refusal/>
            <ActionForm action=undrain>
                <input type="hidden" name="node" value=id.to_string()/>
                <button
                    class="btn"
                    aria-busy=move || undrain.pending().get().then_some("true")
                    disabled=move || undrain.pending().get()
                >
                    <Icon glyph=Glyph::Undo/>
                    {move || if is_done.get() { tr!("drain-undo") } else { tr!("drain-stop") }}
                </button>
            </ActionForm>
        </div>
    }
    .into_any()
}
