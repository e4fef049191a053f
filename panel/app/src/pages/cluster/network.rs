//! The network between the nodes: what kind it is, the key that seals what they tell each other, and
//! what was refused of what came over it.

use super::sealing_key::SealingKey;
use crate::actions::{SetNetwork, read_cluster_settings};
use crate::components::{Crumb, Glyph, Icon, Place, RefusalBanner, Screen, Skeleton};
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::network::Network;
use hwc_api::v1::{ClusterSettingsView, NodeView};
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The page.
#[component]
pub fn NetworkPage() -> impl IntoView {
    let live = use_live();
    let title = tr!("network-title");
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Network crumbs=vec![Crumb::here(title.clone())]>
            <div class="page-h"><h1>{title}</h1></div>
            <div class="grid cols-2">
                <Kind/>
                <div class="stackv">
                    <SealingKey/>
                    <Refused live/>
                </div>
            </div>
        </Screen>
    }
    .into_any()
}

/// The kind of network.
#[component]
fn Kind() -> impl IntoView {
    let set = ServerAction::<SetNetwork>::new();
    let refusal = refusal_of(set);
    sign_in_when_asked(refusal);
    let settings = Resource::new(move || set.version().get(), |_| read_cluster_settings());
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("network-kind")}</h2></div>
            <Transition fallback=|| view! { <Skeleton/> }>
                {move || Suspend::new(async move {
                    match settings.await {
                        Ok(settings) => {
                            view! {
                                <ActionForm action=set>
                                    <div class="card-b form">
                                        <RefusalBanner refusal/>
                                        {kinds(settings.network)}
                                    </div>
                                    <div class="card-f">
                                        <button class="btn btn-primary" disabled=move || set.pending().get()>
                                            {tr!("save")}
                                        </button>
                                        <span>{tr!("network-restart-hint")}</span>
                                    </div>
                                </ActionForm>
                                {in_force(&settings)}
                            }
                                .into_any()
                        }
                        Err(refusal) => {
                            view! {
                                <div class="card-b"><RefusalBanner refusal=Signal::stored(Some(refusal))/></div>
                            }
                                .into_any()
                        }
                    }
                })}
            </Transition>
        </section>
    }
    .into_any()
}

fn kinds(chosen: Network) -> impl IntoView {
    let kind = |network: Network, name: String, hint: String| {
        view! {
            <label class="check">
                <input type="radio" name="network" value=network.as_str() checked=network == chosen/>
                <span>
                    {name}
                    <small>{hint}</small>
                </span>
            </label>
        }
    };
    view! {
        <fieldset class="stackv gap-3">
            <legend class="vh">{tr!("network-kind")}</legend>
            {kind(Network::Lan, network_name(Network::Lan), tr!("network-lan-hint"))}
            {kind(Network::Wan, network_name(Network::Wan), tr!("network-wan-hint"))}
        </fieldset>
    }
}

fn network_name(network: Network) -> String {
    match network {
        Network::Lan => tr!("network-lan"),
        Network::Wan => tr!("network-wan"),
    }
}

/// What each node follows just now.
fn in_force(settings: &ClusterSettingsView) -> impl IntoView + use<> {
    let lines = settings
        .in_force
        .iter()
        .map(|line| {
            let (tone, glyph, text) = match (line.network, line.needs_restart) {
                (None, _) => ("off", Glyph::Waiting, tr!("network-unheard")),
                (Some(_), true) => ("warn", Glyph::Update, tr!("network-needs-restart")),
                (Some(network), false) => ("ok", Glyph::Check, network_name(network)),
            };
            view! {
                <li>
                    <span class="grow b"><bdi>{line.node.name.to_string()}</bdi></span>
                    <span class="st" data-s=tone>
                        <Icon glyph/>
                        <span>{text}</span>
                    </span>
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="card-b part">
            <h3>{tr!("network-in-force")}</h3>
            <ul class="plain-l">{lines}</ul>
        </div>
    }
}

/// What the nodes refused since their daemons started: nothing was changed by it.
#[component]
fn Refused(live: Live) -> impl IntoView {
    let lines = move || {
        live.nodes
            .with(|nodes| nodes.values().map(refusals).collect_view())
    };
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("refused-title")}</h2></div>
            <ul class="list">{lines}</ul>
            <div class="card-f">
                <Icon glyph=Glyph::Info/>
                <span>{tr!("refused-hint")}</span>
            </div>
        </section>
    }
    .into_any()
}

fn refusals(node: &NodeView) -> impl IntoView + use<> {
    let report = node.observed.as_ref().map(|report| &report.refusals);
    let kinds = report.map(|refusals| {
        [
            (tr!("refused-datagrams"), &refusals.datagrams),
            (tr!("refused-connections"), &refusals.connections),
            (tr!("refused-boards"), &refusals.boards),
            (tr!("refused-requests"), &refusals.requests),
        ]
    });
    let lines: Vec<String> = kinds
        .into_iter()
        .flatten()
        .filter(|(_, by_reason)| !by_reason.is_empty())
        .map(|(what, by_reason)| {
            let reasons: Vec<String> = by_reason
                .iter()
                .map(|(reason, count)| format!("{reason} {}", format::number(*count)))
                .collect();
            format!("{what}: {}", reasons.join(", "))
        })
        .collect();
    let is_none = lines.is_empty();
    view! {
        <li>
            <span class="two grow">
                <bdi class="b">{node.node.name.to_string()}</bdi>
                {is_none.then(|| view! { <small>{tr!("refused-none")}</small> })}
                {lines.into_iter().map(|line| view! { <small class="wraps">{line}</small> }).collect_view()}
            </span>
        </li>
    }
}
