//! How load is spread: whether it is, when a node counts as busy, how many moves at once, how long
//! a move is announced.

use crate::actions::{SetBalancing, read_balancing};
use crate::components::{Badge, Crumb, Field, Glyph, Icon, Place, RefusalBanner, Screen, Skeleton};
use crate::i18n::format;
use crate::pages::{kept, refusal_of, sign_in_when_asked};
use crate::refusal::Refusal;
use crate::tone::Tone;
use crate::tr;
use hwc_api::balancing::Balancing;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The fields that say themselves what is wrong with them.
const FIELDS: &[&str] = &[
    "moves_per_minute",
    "moves_at_once",
    "cool_down_s",
    "veto_s",
    "busy_percent",
    "gap_percent",
    "patience_s",
];

/// The page.
#[component]
pub fn BalancingPage() -> impl IntoView {
    let set = ServerAction::<SetBalancing>::new();
    let refusal = refusal_of(set);
    sign_in_when_asked(refusal);
    // Read anew once it was changed; a form that was refused stays as it is.
    let changes = Memo::new(move |before: Option<&usize>| {
        let was_done = set.value().with(|value| matches!(value, Some(Ok(()))));
        before.copied().unwrap_or_default() + usize::from(was_done)
    });
    let rules = Resource::new(move || changes.get(), |_| read_balancing());
    let title = tr!("balancing-title");
    let crumbs = vec![
        Crumb::link(tr!("moves-title"), "/moves"),
        Crumb::here(title.clone()),
    ];
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Balancing crumbs>
            <Suspense fallback=|| view! { <Skeleton/> }>
                {move || {
                    let title = title.clone();
                    Suspend::new(async move {
                        match rules.await {
                            Ok(rules) => {
                                view! {
                                    <div class="page-h">
                                        <h1>{title}</h1>
                                        {badge(rules.is_on)}
                                    </div>
                                    <div class="grid cols-main">
                                        <Form rules set refusal/>
                                        <InWords rules/>
                                    </div>
                                }
                                    .into_any()
                            }
                            Err(refusal) => {
                                view! {
                                    <div class="page-h"><h1>{title}</h1></div>
                                    <RefusalBanner refusal=Signal::stored(Some(refusal))/>
                                }
                                    .into_any()
                            }
                        }
                    })
                }}
            </Suspense>
        </Screen>
    }
    .into_any()
}

fn badge(is_on: bool) -> impl IntoView {
    if is_on {
        view! { <Badge tone=Tone::Ok glyph=Glyph::Check word=tr!("balancing-is-on")/> }
    } else {
        view! { <Badge tone=Tone::Plain glyph=Glyph::Waiting word=tr!("balancing-is-off")/> }
    }
}

#[component]
fn Form(
    rules: Balancing,
    set: ServerAction<SetBalancing>,
    refusal: Signal<Option<Refusal>>,
) -> impl IntoView {
    let was_on = if refusal.with_untracked(Option::is_some) {
        kept(refusal, "is_on", "") == "yes"
    } else {
        rules.is_on
    };
    let number =
        move |name: &'static str, value: u32, range: (u32, u32), label: String, hint: String| {
            let value = kept(refusal, name, &value.to_string());
            view! { <Field name label hint value kind="number" ltr=true range=range refusal/> }
        };
    view! {
        <section class="card">
            <ActionForm action=set>
                <div class="card-b form">
                    <RefusalBanner refusal fields=FIELDS/>
                    <label class="check">
                        <input type="checkbox" name="is_on" value="yes" checked=was_on/>
                        <span>
                            {tr!("balancing-on")}
                            <small>{tr!("balancing-on-hint")}</small>
                        </span>
                    </label>
                </div>
                <fieldset class="card-b part form pairs">
                    <legend>{tr!("balancing-when")}</legend>
                    {number(
                        "busy_percent",
                        rules.busy_percent.into(),
                        (10, 100),
                        tr!("balancing-busy"),
                        tr!("balancing-busy-hint"),
                    )}
                    {number(
                        "patience_s",
                        rules.patience_s,
                        (1, 3600),
                        tr!("balancing-patience"),
                        tr!("balancing-patience-hint"),
                    )}
                    {number(
                        "gap_percent",
                        rules.gap_percent.into(),
                        (1, 99),
                        tr!("balancing-gap"),
                        tr!("balancing-gap-hint"),
                    )}
                </fieldset>
                <fieldset class="card-b part form pairs">
                    <legend>{tr!("balancing-budget")}</legend>
                    {number(
                        "moves_per_minute",
                        rules.moves_per_minute.into(),
                        (1, 600),
                        tr!("balancing-per-minute"),
                        tr!("balancing-per-minute-hint"),
                    )}
                    {number(
                        "moves_at_once",
                        rules.moves_at_once.into(),
                        (1, 16),
                        tr!("balancing-at-once"),
                        tr!("balancing-at-once-hint"),
                    )}
                </fieldset>
                <fieldset class="card-b part form pairs">
                    <legend>{tr!("balancing-rest")}</legend>
                    {number("veto_s", rules.veto_s, (0, 3600), tr!("balancing-veto"), tr!("balancing-veto-hint"))}
                    {number(
                        "cool_down_s",
                        rules.cool_down_s,
                        (10, 86_400),
                        tr!("balancing-cool-down"),
                        tr!("balancing-cool-down-hint"),
                    )}
                </fieldset>
                <div class="card-f">
                    <button
                        class="btn btn-primary"
                        aria-busy=move || set.pending().get().then_some("true")
                        disabled=move || set.pending().get()
                    >
                        {tr!("save")}
                    </button>
                    <a class="btn btn-quiet" href="/moves">{tr!("cancel")}</a>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}

/// What the rules in force come to.
#[component]
fn InWords(rules: Balancing) -> impl IntoView {
    let seconds = |seconds: u32| format::about(u64::from(seconds) * 1000);
    let lines = if rules.is_on {
        vec![
            (
                Glyph::Gauge,
                tr!(
                    "balancing-words-when",
                    busy = rules.busy_percent,
                    patience = seconds(rules.patience_s)
                ),
            ),
            (
                Glyph::Move,
                tr!(
                    "balancing-words-where",
                    most = rules.busy_percent.saturating_sub(rules.gap_percent)
                ),
            ),
            (
                Glyph::Clock,
                tr!(
                    "balancing-words-rest",
                    veto = seconds(rules.veto_s),
                    rest = seconds(rules.cool_down_s)
                ),
            ),
        ]
    } else {
        vec![(Glyph::Waiting, tr!("balancing-words-off"))]
    };
    let budget = tr!(
        "balancing-words-budget",
        minute = rules.moves_per_minute,
        once = rules.moves_at_once
    );
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("balancing-words")}</h2></div>
            <ul class="list how">
                {lines
                    .into_iter()
                    .chain([(Glyph::Swap, budget)])
                    .map(|(glyph, text)| view! { <li><Icon glyph/><span>{text}</span></li> })
                    .collect_view()}
            </ul>
        </section>
    }
    .into_any()
}
