//! The result of what the visitor did on the page before, named in the address (`?done=…`).

use super::icon::{Glyph, Icon};
use crate::tr;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use std::time::Duration;

/// How long it stays, unless the pointer or the focus is on it.
const STAYS: Duration = Duration::from_secs(6);

/// The result, once.
#[component]
pub fn DoneToast() -> impl IntoView {
    let query = use_query_map();
    let text =
        Memo::new(move |_| query.with(|query| query.get("done").and_then(|done| text_of(&done))));
    let is_dismissed = RwSignal::new(false);
    let is_held = RwSignal::new(false);
    // A page that is not left says the next result as well.
    Effect::new(move |_| {
        text.track();
        is_dismissed.set(false);
    });
    Effect::new(move |_| {
        if text.get().is_none() || is_held.get() {
            return;
        }
        let timer = set_timeout_with_handle(move || is_dismissed.set(true), STAYS);
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    });
    view! {
        <div class="toasts" role="status">
            {move || {
                text.get()
                    .filter(|_| !is_dismissed.get())
                    .map(|text| {
                        view! {
                            <div
                                class="toast"
                                on:pointerenter=move |_| is_held.set(true)
                                on:pointerleave=move |_| is_held.set(false)
                            >
                                <Icon glyph=Glyph::Done class="c-ok"/>
                                <span>{text}</span>
                            </div>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}

/// Only these results are said: anybody can write an address.
fn text_of(done: &str) -> Option<String> {
    match done {
        "site-created" => Some(tr!("done-site-created")),
        "site-deleted" => Some(tr!("done-site-deleted")),
        "account-created" => Some(tr!("done-account-created")),
        "account-deleted" => Some(tr!("done-account-deleted")),
        "move-begun" => Some(tr!("done-move-begun")),
        "move-called-off" => Some(tr!("done-move-called-off")),
        "site-pinned" => Some(tr!("done-site-pinned")),
        "site-unpinned" => Some(tr!("done-site-unpinned")),
        "site-held" => Some(tr!("done-site-held")),
        "site-unheld" => Some(tr!("done-site-unheld")),
        "node-undrained" => Some(tr!("done-node-undrained")),
        "node-changed" => Some(tr!("done-node-changed")),
        "balancing-saved" | "network-saved" => Some(tr!("done-node-changed")),
        "nodes-lost" => Some(tr!("done-nodes-lost")),
        "key-replaced" => Some(tr!("done-key-replaced")),
        _unknown => None,
    }
}
