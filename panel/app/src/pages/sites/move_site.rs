//! Where a site runs: moving it, pinning it to a node, keeping it where it is. For administrators.

use super::with_site;
use crate::actions::{HoldSite, MoveSite, PinSite};
use crate::components::{
    Crumb, Glyph, Icon, Moment, MoveCard, Place, RefusalBanner, Screen, WhyHere,
};
use crate::live::use_live;
use crate::pages::{kept, refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::desired::NodeService;
use hwc_api::ids::{NodeId, SiteId};
use hwc_api::v1::{NodeHealth, NodeView, SiteView};
use leptos::form::ActionForm;
use leptos::prelude::*;

/// How long a site can be held here, in minutes.
const HOLD_MINUTES: [u32; 4] = [60, 480, 1440, 10_080];

/// The page.
#[component]
pub fn MoveSitePage() -> impl IntoView {
    with_site(|id, site| {
        let name = site.with_untracked(|site| site.title.clone());
        let title = tr!("site-move-title", site = name.clone());
        let crumbs = vec![
            Crumb::link(name, format!("/sites/{id}")),
            Crumb::here(tr!("site-move-crumb")),
        ];
        view! {
            <Screen title=Signal::stored(title.clone()) place=Place::SiteOverview(id) crumbs>
                <div class="page-h"><h1>{title}</h1></div>
                <div class="grid cols-main">
                    <div class="stackv">
                        <MoveCard site/>
                        <MoveForm id site/>
                        <PinForm id site/>
                        <HoldForm id site/>
                    </div>
                    <div class="stackv"><WhyHere site/></div>
                </div>
            </Screen>
        }
    })
}

/// Where to, and the button.
#[component]
fn MoveForm(id: SiteId, site: Signal<SiteView>) -> impl IntoView {
    let move_site = ServerAction::<MoveSite>::new();
    let refusal = refusal_of(move_site);
    sign_in_when_asked(refusal);
    let chosen = kept(refusal, "node", "");
    let here = live_on(site);
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("move-form-title")}</h2></div>
            <ActionForm action=move_site>
                <input type="hidden" name="site" value=id.to_string()/>
                <div class="card-b form narrow">
                    <RefusalBanner refusal/>
                    <div class="field">
                        <label for="move-node">{tr!("move-form-node")}</label>
                        <select class="in" id="move-node" name="node" aria-describedby="move-hint">
                            <option value="">{tr!("move-form-auto")}</option>
                            {nodes(Some(chosen), here)}
                        </select>
                        <p class="hint" id="move-hint">{tr!("move-form-hint")}</p>
                    </div>
                </div>
                <div class="card-f">
                    <button
                        class="btn btn-primary"
                        aria-busy=move || move_site.pending().get().then_some("true")
                        disabled=move || move_site.pending().get()
                    >
                        <Icon glyph=Glyph::Move/>
                        {tr!("move-form-button")}
                    </button>
                    <a class="btn btn-quiet" href=format!("/sites/{id}")>{tr!("cancel")}</a>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}

/// The node that the whole site is live on, if it is one.
fn live_on(site: Signal<SiteView>) -> Option<NodeId> {
    site.with_untracked(|site| {
        let here = site.files.live_node.as_ref()?.id;
        let is_on =
            |node: &Option<hwc_api::v1::NodeRef>| node.as_ref().is_some_and(|node| node.id == here);
        let mut databases = site.databases.iter();
        databases
            .all(|database| is_on(&database.dataset.live_node))
            .then_some(here)
    })
}

/// Nodes to choose from: those that can't take a site are shown, and why, but not offered.
fn nodes(chosen: Option<String>, here: Option<NodeId>) -> impl IntoView {
    let live = use_live();
    let listed: Vec<NodeView> = live
        .nodes
        .with_untracked(|nodes| nodes.values().cloned().collect());
    listed
        .into_iter()
        .map(|node| {
            let id = node.node.id;
            let name = node.node.name.to_string();
            let obstacle = obstacle(&node, here);
            let is_blocked = obstacle.is_some();
            let text = obstacle.map_or_else(|| name.clone(), |why| format!("{name}: {why}"));
            let is_chosen = chosen.as_deref() == Some(id.to_string().as_str());
            // What is chosen already stays chosen: sending the form anew must not change it.
            let is_blocked = is_blocked && !is_chosen;
            view! {
                <option value=id.to_string() disabled=is_blocked selected=is_chosen>
                    {text}
                </option>
            }
        })
        .collect_view()
}

/// Why a node can't take the site, as far as the panel can tell; the cluster judges the rest.
fn obstacle(node: &NodeView, here: Option<NodeId>) -> Option<String> {
    if here == Some(node.node.id) {
        Some(tr!("unfit-here"))
    } else if node.health != NodeHealth::Up {
        Some(tr!("unfit-down"))
    } else if node.switched_off.contains(&NodeService::Hosting) {
        Some(tr!("unfit-not-hosting"))
    } else if node.drain.is_some() {
        Some(tr!("unfit-draining"))
    } else {
        None
    }
}

/// The node that it stays on, or returns to.
#[component]
fn PinForm(id: SiteId, site: Signal<SiteView>) -> impl IntoView {
    let pin = ServerAction::<PinSite>::new();
    let refusal = refusal_of(pin);
    sign_in_when_asked(refusal);
    let pinned = site.with_untracked(|site| site.pin.as_ref().map(|node| node.id.to_string()));
    let state = move || {
        site.with(|site| match &site.pin {
            Some(node) => tr!("pin-is", node = node.name.to_string()),
            None => tr!("pin-none"),
        })
    };
    view! {
        <section class="card">
            <div class="card-h">
                <h2>{tr!("pin-title")}</h2>
                <span class="muted">{state}</span>
            </div>
            <ActionForm action=pin>
                <input type="hidden" name="site" value=id.to_string()/>
                <div class="card-b form narrow">
                    <RefusalBanner refusal/>
                    <div class="field">
                        <label for="pin-node">{tr!("pin-node")}</label>
                        <select class="in" id="pin-node" name="node" aria-describedby="pin-hint">
                            <option value="">{tr!("pin-nowhere")}</option>
                            {nodes(pinned, None)}
                        </select>
                        <p class="hint" id="pin-hint">{tr!("pin-hint")}</p>
                    </div>
                </div>
                <div class="card-f">
                    <button class="btn" disabled=move || pin.pending().get()>{tr!("pin-button")}</button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}

/// How long it is left where it is.
#[component]
fn HoldForm(id: SiteId, site: Signal<SiteView>) -> impl IntoView {
    let hold = ServerAction::<HoldSite>::new();
    let refusal = refusal_of(hold);
    sign_in_when_asked(refusal);
    let until = Memo::new(move |_| site.with(|site| site.hold_until));
    let choices = HOLD_MINUTES
        .into_iter()
        .map(|minutes| view! { <option value=minutes.to_string()>{tr!("hold-minutes", minutes = minutes)}</option> })
        .collect_view();
    view! {
        <section class="card">
            <div class="card-h">
                <h2>{tr!("hold-title")}</h2>
                <span class="muted">
                    {move || match until.get() {
                        Some(until) => view! { {tr!("hold-until")} " " <Moment at=until/> }.into_any(),
                        None => tr!("hold-none").into_any(),
                    }}
                </span>
            </div>
            <ActionForm action=hold>
                <input type="hidden" name="site" value=id.to_string()/>
                <div class="card-b form narrow">
                    <RefusalBanner refusal/>
                    <div class="field">
                        <label for="hold-for">{tr!("hold-for")}</label>
                        <select class="in" id="hold-for" name="minutes" aria-describedby="hold-hint">
                            {choices}
                            <option value="0">{tr!("hold-let-go")}</option>
                        </select>
                        <p class="hint" id="hold-hint">{tr!("hold-hint")}</p>
                    </div>
                </div>
                <div class="card-f">
                    <button class="btn" disabled=move || hold.pending().get()>{tr!("hold-button")}</button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
