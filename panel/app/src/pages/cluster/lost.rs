//! Nodes that are gone for good: which, what giving them up means, and the form that does it. The
//! choice travels in the address (`?node=2&node=3`), so that it works without JavaScript.

use crate::actions::{DeclareLost, lost_names, preview_lost};
use crate::components::{
    ConfirmField, Crumb, Empty, Glyph, Icon, Place, RefusalBanner, Screen, Skeleton,
};
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::v1::{DeclareLostView, NodeHealth, NodeRef};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The most sites that are named; more are counted.
const SITES_NAMED: usize = 12;

/// The page.
#[component]
pub fn LostPage() -> impl IntoView {
    let live = use_live();
    let query = use_query_map();
    let chosen = Memo::new(move |_| {
        let nodes = query.with(|query| query.get_all("node").unwrap_or_default());
        nodes.join(",")
    });
    let title = tr!("lost-title");
    let crumbs = vec![
        Crumb::link(tr!("voters-title"), "/voters"),
        Crumb::here(title.clone()),
    ];
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Voters crumbs>
            <div class="page-h"><h1>{title}</h1></div>
            {move || {
                let chosen = chosen.get();
                if chosen.is_empty() {
                    view! { <Choice live/> }.into_any()
                } else {
                    view! { <Meaning nodes=chosen/> }.into_any()
                }
            }}
        </Screen>
    }
    .into_any()
}

/// Which nodes are gone: only those that don't answer can be chosen.
#[component]
fn Choice(live: Live) -> impl IntoView {
    let gone = Memo::new(move |_| {
        live.nodes.with(|nodes| {
            let gone = nodes.values().filter(|node| node.health != NodeHealth::Up);
            gone.map(|node| node.node.clone()).collect::<Vec<_>>()
        })
    });
    move || {
        let gone = gone.get();
        if gone.is_empty() {
            return view! {
                <div class="card">
                    <Empty glyph=Glyph::Done title=tr!("lost-none") text=tr!("lost-none-text")>
                        <a class="btn btn-primary" href="/voters">{tr!("lost-back")}</a>
                    </Empty>
                </div>
            }
            .into_any();
        }
        view! {
            <section class="card narrow">
                <form method="get" action="/voters/lost">
                    <div class="dialog-b stackv">
                        <p class="s13">{tr!("lost-when")}</p>
                        <fieldset class="stackv gap-2">
                            <legend class="vh">{tr!("lost-which")}</legend>
                            {gone
                                .iter()
                                .map(|node| {
                                    view! {
                                        <label class="check">
                                            <input type="checkbox" name="node" value=node.id.to_string() checked/>
                                            <span>
                                                <bdi>{node.name.to_string()}</bdi>
                                                <small>{tr!("unfit-down")}</small>
                                            </span>
                                        </label>
                                    }
                                })
                                .collect_view()}
                        </fieldset>
                    </div>
                    <div class="dialog-f">
                        <a class="btn" href="/voters">{tr!("lost-keep")}</a>
                        <button class="btn btn-primary">{tr!("lost-preview")}</button>
                    </div>
                </form>
            </section>
        }
        .into_any()
    }
}

/// What it means, and the form.
#[component]
fn Meaning(nodes: String) -> impl IntoView {
    let asked = nodes.clone();
    let preview = Resource::new(|| (), move |()| preview_lost(asked.clone()));
    view! {
        <Suspense fallback=|| view! { <Skeleton/> }>
            {move || {
                let nodes = nodes.clone();
                Suspend::new(async move {
                    match preview.await {
                        Ok(meant) => view! { <LostForm nodes meant/> }.into_any(),
                        Err(refusal) => {
                            view! {
                                <RefusalBanner refusal=Signal::stored(Some(refusal))/>
                                <a class="btn" href="/voters/lost">{tr!("lost-other")}</a>
                            }
                                .into_any()
                        }
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

#[component]
fn LostForm(nodes: String, meant: DeclareLostView) -> impl IntoView {
    let declare = ServerAction::<DeclareLost>::new();
    let refusal = refusal_of(declare);
    sign_in_when_asked(refusal);
    let names = lost_names(&meant);
    let is_confirmed = RwSignal::new(true);
    view! {
        <section class="card narrow">
            <ActionForm action=declare>
                <input type="hidden" name="nodes" value=nodes/>
                <div class="dialog-b stackv">
                    <ul class="cons">{meaning(&meant)}</ul>
                    <RefusalBanner refusal fields=&["confirm"]/>
                    <ConfirmField
                        label=tr!("lost-confirm")
                        names=names.clone()
                        mismatch=tr!("lost-mismatch")
                        refusal
                        is_confirmed
                    />
                </div>
                <div class="dialog-f">
                    <a class="btn" href="/voters">{tr!("lost-keep")}</a>
                    <button
                        class="btn btn-danger solid"
                        disabled=move || !is_confirmed.get()
                        aria-busy=move || declare.pending().get().then_some("true")
                    >
                        {tr!("lost-button", nodes = names)}
                    </button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}

/// What is given up, who goes on, what is lost.
fn meaning(meant: &DeclareLostView) -> impl IntoView + use<> {
    let sites = meant.sites_without_copy.len();
    let sites_line = if sites == 0 {
        view! {
            <li>
                <Icon glyph=Glyph::Done/>
                <span>{tr!("lost-no-site")}</span>
            </li>
        }
        .into_any()
    } else {
        let named = meant.sites_without_copy.iter().take(SITES_NAMED);
        let named: Vec<String> = named.cloned().collect();
        let more = sites.saturating_sub(SITES_NAMED);
        view! {
            <li>
                <Icon glyph=Glyph::Failed class="c-bad"/>
                <span class="two">
                    <span class="b">{tr!("lost-sites", count = sites as u64)}</span>
                    <small class="wraps">
                        {named.join(", ")}
                        {(more > 0).then(|| format!(" {}", tr!("lost-sites-more", count = more as u64)))}
                    </small>
                </span>
            </li>
        }
        .into_any()
    };
    view! {
        <li>
            <Icon glyph=Glyph::Node/>
            <span>{tr!("lost-means-nodes", nodes = listed(&meant.lost))}</span>
        </li>
        <li>
            <Icon glyph=Glyph::Shield/>
            <span>{tr!("lost-means-voters", nodes = listed(&meant.voters))}</span>
        </li>
        <li>
            <Icon glyph=Glyph::Warning/>
            <span>{tr!("lost-means-settings", index = format::number(meant.index))}</span>
        </li>
        {sites_line}
    }
}

fn listed(nodes: &[NodeRef]) -> String {
    let names: Vec<String> = nodes.iter().map(|node| node.name.to_string()).collect();
    names.join(", ")
}
