//! What an administrator says of a node: where it stands, and which services are off on it.

use super::with_node;
use crate::actions::{SetServices, SetZone};
use crate::components::{Crumb, Field, Place, RefusalBanner, Screen};
use crate::node_text;
use crate::pages::{kept, refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::desired::NodeService;
use hwc_api::v1::NodeView;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The page.
#[component]
pub fn NodeSettingsPage() -> impl IntoView {
    with_node(|node| {
        let (id, name) = node.with_untracked(|node| (node.node.id, node.node.name.to_string()));
        let title = tr!("node-settings-title", node = name.clone());
        let crumbs = vec![
            Crumb::link(tr!("nodes-title"), "/nodes"),
            Crumb::link(name, format!("/nodes?view=cards&node={id}")),
            Crumb::here(tr!("node-settings")),
        ];
        view! {
            <Screen title=Signal::stored(title.clone()) place=Place::Nodes crumbs>
                <div class="page-h"><h1>{title}</h1></div>
                <div class="stackv narrow">
                    <Zone node/>
                    <Services node/>
                </div>
            </Screen>
        }
    })
}

/// Where it stands.
#[component]
fn Zone(node: Signal<NodeView>) -> impl IntoView {
    let set = ServerAction::<SetZone>::new();
    let refusal = refusal_of(set);
    sign_in_when_asked(refusal);
    let (id, zone) = node.with_untracked(|node| (node.node.id, node.zone.to_string()));
    let typed = kept(refusal, "zone", &zone);
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("node-zone")}</h2></div>
            <ActionForm action=set>
                <input type="hidden" name="node" value=id.to_string()/>
                <div class="card-b form">
                    <RefusalBanner refusal fields=&["zone"]/>
                    <Field name="zone" label=tr!("zone-name") hint=tr!("zone-hint") value=typed ltr=true refusal/>
                </div>
                <div class="card-f">
                    <button class="btn btn-primary" disabled=move || set.pending().get()>{tr!("save")}</button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}

/// What runs on it, as far as that is an administrator's choice.
#[component]
fn Services(node: Signal<NodeView>) -> impl IntoView {
    let set = ServerAction::<SetServices>::new();
    let refusal = refusal_of(set);
    sign_in_when_asked(refusal);
    let (id, off) = node.with_untracked(|node| (node.node.id, node.switched_off.clone()));
    let switches = [
        (NodeService::Hosting, "hosting", tr!("service-hosting-hint")),
        (
            NodeService::FrontDoors,
            "front_doors",
            tr!("service-front-doors-hint"),
        ),
        (NodeService::Voting, "voting", tr!("service-voting-hint")),
    ]
    .into_iter()
    .map(|(service, field, hint)| {
        view! {
            <label class="check">
                <input type="checkbox" name=field value="yes" checked=!off.contains(&service)/>
                <span>
                    {node_text::service(service)}
                    <small>{hint}</small>
                </span>
            </label>
        }
    })
    .collect_view();
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("services-title")}</h2></div>
            <ActionForm action=set>
                <input type="hidden" name="node" value=id.to_string()/>
                <div class="card-b form">
                    <RefusalBanner refusal/>
                    {switches}
                </div>
                <div class="card-f">
                    <button class="btn btn-primary" disabled=move || set.pending().get()>{tr!("save")}</button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
