//! Moves of the whole cluster, planned and under way. A planned one can be held: then its site
//! stays where it is for a day.

use super::icon::{Glyph, Icon};
use super::moment::Moment;
use super::refusal_banner::RefusalBanner;
use crate::actions::HoldSite;
use crate::live::{Live, use_live};
use crate::move_text;
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::ids::DatasetId;
use hwc_api::moves::{MovePhase, MoveProgress};
use hwc_api::v1::MoveView;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// How long "Hold" keeps a site where it is: long enough for somebody to look into it.
const HOLD_MINUTES: u32 = 1440;

/// The card, while anything is planned to move or moves.
#[component]
pub fn MovesCard() -> impl IntoView {
    let live = use_live();
    let hold = ServerAction::<HoldSite>::new();
    let refusal = refusal_of(hold);
    sign_in_when_asked(refusal);
    let datasets = Memo::new(move |_| {
        live.moves
            .with(|moves| moves.keys().copied().collect::<Vec<_>>())
    });
    let is_any = Memo::new(move |_| datasets.with(|datasets| !datasets.is_empty()));
    move || {
        is_any.get().then(|| {
            view! {
                <section class="card">
                    <div class="card-h"><h2>{tr!("moves-title")}</h2></div>
                    <RefusalBanner refusal/>
                    <ul class="list">
                        <For each=move || datasets.get() key=|id| *id let:id>
                            <Line id hold/>
                        </For>
                    </ul>
                </section>
            }
        })
    }
}

/// One move. Its button stays the same one while the move gets further.
#[component]
fn Line(id: DatasetId, hold: ServerAction<HoldSite>) -> impl IntoView {
    let live = use_live();
    let view = Memo::new(move |_| live.moves.with(|moves| moves.get(&id).cloned()));
    let is_planned = Memo::new(move |_| {
        view.with(|view| {
            view.as_ref()
                .is_some_and(|view| view.of.phase == MovePhase::Planned)
        })
    });
    let site = view.with_untracked(|view| view.as_ref().and_then(|view| view.site));
    let name = view.with_untracked(|view| view.as_ref().map(|view| view.title.clone()));
    view! {
        <li>
            {move || {
                if is_planned.get() {
                    view! { <Icon glyph=Glyph::Clock/> }
                } else {
                    view! { <Icon glyph=Glyph::Working class="c-move spin"/> }
                }
            }}
            <span class="two grow">{move || view.with(|view| view.as_ref().map(|view| facts(live, view)))}</span>
            {move || {
                site.filter(|_| is_planned.get())
                    .map(|site| {
                        let label = tr!("moves-hold-label", site = name.clone().unwrap_or_default());
                        view! {
                            <ActionForm action=hold>
                                <input type="hidden" name="site" value=site.to_string()/>
                                <input type="hidden" name="minutes" value=HOLD_MINUTES.to_string()/>
                                <input type="hidden" name="back" value="/nodes"/>
                                <button class="btn btn-s" aria-label=label disabled=move || hold.pending().get()>
                                    {tr!("moves-hold")}
                                </button>
                            </ActionForm>
                        }
                    })
            }}
        </li>
    }
    .into_any()
}

/// What moves where, how far it is, and why.
fn facts(live: Live, view: &MoveView<MoveProgress>) -> impl IntoView + use<> {
    let progress = &view.of;
    let way = tr!(
        "moves-way",
        from = view.from.name.to_string(),
        to = view.to.name.to_string()
    );
    let title = match view.site {
        Some(site) => {
            view! { <a class="b wraps" href=format!("/sites/{site}")><bdi>{view.title.clone()}</bdi></a> }.into_any()
        }
        None => view! { <bdi class="b wraps">{view.title.clone()}</bdi> }.into_any(),
    };
    let percent = tr!("percent", value = move_text::percent(progress));
    let phase = move_text::phase(progress.phase);
    let state = if progress.phase == MovePhase::Planned {
        phase
    } else {
        format!("{phase}, {percent}")
    };
    let due = progress
        .due_at
        .filter(|_| progress.phase == MovePhase::Planned)
        .map(|due| view! { <small>{tr!("move-not-before")} " " <Moment at=due/></small> });
    view! {
        <span>{title} " " {way}</span>
        <small>{state} " · " {move_text::reason(live, progress.reason)}</small>
        {due}
    }
}
