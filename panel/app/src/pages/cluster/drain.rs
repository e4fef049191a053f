//! Emptying a node: the form that begins it, then how it goes, in one place.

use super::drain_form::DrainForm;
use super::drain_progress::DrainProgress;
use super::with_node;
use crate::components::{Crumb, Place, Screen, Skeleton};
use crate::live::use_live;
use crate::tr;
use hwc_api::v1::NodeView;
use leptos::prelude::*;

/// The page.
#[component]
pub fn DrainPage() -> impl IntoView {
    with_node(|node| view! { <Drain node/> })
}

#[component]
fn Drain(node: Signal<NodeView>) -> impl IntoView {
    let live = use_live();
    let id = node.with_untracked(|node| node.node.id);
    let name = node.with_untracked(|node| node.node.name.to_string());
    let drain = Memo::new(move |_| live.drains.with(|drains| drains.get(&id).cloned()));
    let is_known = Memo::new(move |_| drain.with(Option::is_some));
    let is_drained = Memo::new(move |_| node.with(|node| node.drain.is_some()));
    let title = {
        let name = name.clone();
        Signal::derive(move || {
            if drain.with(|drain| drain.as_ref().is_some_and(|drain| drain.is_done)) {
                tr!("drain-done-title", node = name.clone())
            } else if is_drained.get() {
                tr!("drain-title", node = name.clone())
            } else {
                tr!("drain-form-title", node = name.clone())
            }
        })
    };
    let crumbs = vec![
        Crumb::link(tr!("nodes-title"), "/nodes"),
        Crumb::link(name.clone(), format!("/nodes?view=cards&node={id}")),
        Crumb::here(tr!("drain-crumb")),
    ];
    view! {
        <Screen title place=Place::Nodes crumbs>
            {move || match (is_drained.get(), is_known.get(), drain.get_untracked()) {
                (true, true, Some(first)) => {
                    let drain = Signal::derive(move || drain.get().unwrap_or_else(|| first.clone()));
                    view! { <DrainProgress title drain/> }.into_any()
                }
                // It has begun; the numbers are on their way.
                (true, ..) => {
                    view! {
                        <div class="page-h"><h1>{move || title.get()}</h1></div>
                        <Skeleton/>
                    }
                        .into_any()
                }
                (false, ..) => {
                    view! {
                        <div class="page-h"><h1>{move || title.get()}</h1></div>
                        <DrainForm node/>
                    }
                        .into_any()
                }
            }}
        </Screen>
    }
    .into_any()
}
