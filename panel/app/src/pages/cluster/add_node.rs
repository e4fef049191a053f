//! One more node: a token that lets one new server join, shown once with the command that uses it.

use crate::actions::CreateJoinToken;
use crate::components::{CopyButton, Crumb, Glyph, Icon, Moment, Place, RefusalBanner, Screen};
use crate::page_data::Page;
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::time::WallTime;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// How long a token may be good for, in minutes.
const MINUTES: [u32; 3] = [15, 60, 1440];
/// What is offered first.
const USUAL_MINUTES: u32 = 60;

/// The page.
#[component]
pub fn AddNodePage() -> impl IntoView {
    let create = ServerAction::<CreateJoinToken>::new();
    let refusal = refusal_of(create);
    sign_in_when_asked(refusal);
    let shown_once = use_context::<Page>().and_then(|page| page.data.shown_once.clone());
    let made = Memo::new(move |_| {
        create
            .value()
            .with(|value| {
                value
                    .as_ref()
                    .and_then(|value| value.as_ref().ok().cloned())
            })
            .map(|made| (made.token, Some(made.expires_at)))
            .or_else(|| shown_once.clone().map(|token| (token, None)))
    });
    let title = tr!("node-add-title");
    view! {
        <Screen
            title=Signal::stored(title.clone())
            place=Place::Nodes
            crumbs=vec![Crumb::link(tr!("nodes-title"), "/nodes"), Crumb::here(title.clone())]
        >
            <div class="page-h"><h1>{title}</h1></div>
            <div class="grid cols-main">
                <div class="stackv">
                    <div role="status">
                        {move || made.get().map(|(token, until)| view! { <JoinCard token until/> })}
                    </div>
                    <div class="card">
                        <ActionForm action=create>
                            <div class="card-b form narrow">
                                <RefusalBanner refusal/>
                                <div class="field">
                                    <label for="minutes">{tr!("node-add-valid")}</label>
                                    <select class="in" id="minutes" name="minutes">
                                        {MINUTES
                                            .into_iter()
                                            .map(|minutes| {
                                                view! {
                                                    <option
                                                        value=minutes.to_string()
                                                        selected=minutes == USUAL_MINUTES
                                                    >
                                                        {tr!("node-add-minutes", minutes = minutes)}
                                                    </option>
                                                }
                                            })
                                            .collect_view()}
                                    </select>
                                    <p class="hint">{tr!("node-add-hint")}</p>
                                </div>
                            </div>
                            <div class="card-f">
                                <button
                                    class="btn btn-primary"
                                    aria-busy=move || create.pending().get().then_some("true")
                                    disabled=move || create.pending().get()
                                >
                                    <Icon glyph=Glyph::Key/>
                                    {tr!("node-add-button")}
                                </button>
                                <a class="btn btn-quiet" href="/nodes">{tr!("cancel")}</a>
                            </div>
                        </ActionForm>
                    </div>
                </div>
                <section class="card">
                    <div class="card-h"><h2>{tr!("node-add-how")}</h2></div>
                    <ol class="list how">
                        <li><Icon glyph=Glyph::Node/><span>{tr!("node-add-step-install")}</span></li>
                        <li><Icon glyph=Glyph::Key/><span>{tr!("node-add-step-token")}</span></li>
                        <li><Icon glyph=Glyph::Map/><span>{tr!("node-add-step-appears")}</span></li>
                    </ol>
                </section>
            </div>
        </Screen>
    }
    .into_any()
}

/// The command with its token: here, and never again.
#[component]
fn JoinCard(token: String, until: Option<WallTime>) -> impl IntoView {
    let command = format!("hwc node join {token}");
    view! {
        <section class="card">
            <div class="card-h">
                <h2>{tr!("node-add-run")}</h2>
                <span class="push"></span>
                <CopyButton text=Signal::stored(command.clone())/>
            </div>
            <pre class="log once" dir="ltr" tabindex="0" aria-label=tr!("node-add-run")>{command}</pre>
            <div class="card-f">
                <Icon glyph=Glyph::Warning/>
                <span>
                    {tr!("node-add-once")} " "
                    {until.map(|until| view! { <span>{tr!("node-add-until")} " " <Moment at=until/></span> })}
                </span>
            </div>
        </section>
    }
    .into_any()
}
