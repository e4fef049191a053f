//! A site on the move: what happens just now, how far it is and how long it takes, how long
//! visitors wait.

use super::bar::Bar;
use super::elapsed::Elapsed;
use super::icon::{Glyph, Icon};
use super::moment::Moment;
use super::refusal_banner::RefusalBanner;
use crate::actions::CallOffMove;
use crate::i18n::format;
use crate::live::use_live;
use crate::move_text;
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tone::Tone;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::moves::{MovePhase, MoveProgress};
use hwc_api::pace::Paces;
use hwc_api::v1::{MoveView, SiteView};
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The card, while something of the site is planned to move or moves.
#[component]
pub fn MoveCard(
    /// The site, as it stands.
    site: Signal<SiteView>,
) -> impl IntoView {
    let live = use_live();
    let moves = Memo::new(move |_| site.with(|site| move_text::under_way(live, site)));
    let is_moving = Memo::new(move |_| moves.with(|moves| !moves.is_empty()));
    let id = site.with_untracked(|site| site.id);
    let is_administrator = live.is_administrator();
    let paces = StoredValue::new(Paces::default());
    move || {
        is_moving.get().then(|| {
            view! {
                <section class="card" aria-labelledby="move-title">
                    <div class="card-h">
                        <h2 id="move-title">
                            {move || moves.with(|moves| moves.first().map(|view| tr!("move-to", node = view.to.name.to_string())))}
                        </h2>
                        <span class="muted">
                            {move || moves.with(|moves| moves.first().map(|view| move_text::reason(live, view.of.reason)))}
                        </span>
                    </div>
                    <ul class="list">
                        {move || moves.get().into_iter().map(|view| line(&view, left(paces, &view.of))).collect_view()}
                    </ul>
                    {is_administrator.then(|| view! { <CallOff id/> })}
                </section>
            }
        })
    }
}

/// How long copying goes on, about, as soon as the page has seen enough of it.
fn left(paces: StoredValue<Paces>, progress: &MoveProgress) -> Option<String> {
    #[cfg(feature = "hydrate")]
    {
        let now = crate::browser::now();
        let left = paces.try_update_value(|paces| paces.remaining_ms(progress, now));
        left.flatten()
            .map(|left| tr!("move-left", time = format::about(left)))
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _only_a_browser_looks_on = (paces, progress);
        None
    }
}

/// One dataset on the move.
fn line(view: &MoveView<MoveProgress>, left: Option<String>) -> impl IntoView + use<> {
    let progress = &view.of;
    let percent = move_text::percent(progress);
    let waits = progress
        .gate_closed_at
        .map(|since| view! { <small>{tr!("move-visitors-wait")} " " <Elapsed since/></small> });
    let due = progress
        .due_at
        .filter(|_| progress.phase == MovePhase::Planned)
        .map(|due| view! { <small>{tr!("move-not-before")} " " <Moment at=due/></small> });
    let data = (progress.phase != MovePhase::Planned).then(|| {
        tr!(
            "move-data",
            sent = format::bytes(progress.sent_bytes),
            left = format::bytes(progress.behind_bytes)
        )
    });
    let is_planned = progress.phase == MovePhase::Planned;
    let (glyph, class) = if is_planned {
        (Glyph::Clock, "")
    } else {
        (Glyph::Working, "c-move spin")
    };
    view! {
        <li>
            <Icon glyph class/>
            <span class="two grow">
                <bdi class="b wraps">{view.title.clone()}</bdi>
                <small>{move_text::phase(progress.phase)} {data.map(|data| format!(" · {data}"))} {left.map(|left| format!(" · {left}"))}</small>
                {due}
                {waits}
                <span
                    class="move-bar"
                    role="progressbar"
                    aria-label=tr!("move-of", what = view.title.clone())
                    aria-valuemin="0"
                    aria-valuemax="100"
                    aria-valuenow=percent.to_string()
                >
                    <Bar percent=Signal::stored(percent) tone=Tone::Move/>
                </span>
            </span>
        </li>
    }
}

/// "Call off", until the site is handed over.
#[component]
fn CallOff(id: SiteId) -> impl IntoView {
    let call_off = ServerAction::<CallOffMove>::new();
    let refusal = refusal_of(call_off);
    sign_in_when_asked(refusal);
    view! {
        <div class="card-f">
            <ActionForm action=call_off>
                <input type="hidden" name="site" value=id.to_string()/>
                <button
                    class="btn"
                    aria-busy=move || call_off.pending().get().then_some("true")
                    disabled=move || call_off.pending().get()
                >
                    <Icon glyph=Glyph::Undo/>
                    {tr!("move-call-off")}
                </button>
            </ActionForm>
            <span>{tr!("move-call-off-hint")}</span>
            <RefusalBanner refusal/>
        </div>
    }
    .into_any()
}
