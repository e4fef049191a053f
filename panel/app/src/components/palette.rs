//! Ctrl K: finds sites, nodes and pages by name. Needs JavaScript and appears with it; everything
//! that it finds is also in a menu.

use super::icon::{Glyph, Icon};
use crate::finder::{self, Finding};
use crate::live::{Live, use_live};
use crate::tr;
use hwc_api::v1::LiveState;
use leptos::prelude::*;
use leptos::{ev, html};
use leptos_router::hooks::use_navigate;

/// The button in the top bar, with the dialog that it opens.
#[component]
pub fn Palette() -> impl IntoView {
    let live = use_live();
    let is_possible = RwSignal::new(false);
    Effect::new(move |_| is_possible.set(true));
    move || is_possible.get().then(|| view! { <Finder live/> })
}

#[component]
fn Finder(live: Live) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let typed = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let found = Memo::new(move |_| finder::search(&typed.get(), &everything(live)));
    let open = move || {
        typed.set(String::new());
        chosen.set(0);
        if let Some(dialog) = dialog.get_untracked()
            && !dialog.open()
        {
            let _shown = dialog.show_modal();
        }
        if let Some(input) = input.get_untracked() {
            let _focused = input.focus();
        }
    };
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let shortcut = window_event_listener(ev::keydown, move |event| {
        if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            open();
        }
    });
    on_cleanup(move || shortcut.remove());
    let navigate = use_navigate();
    let go = move |href: &str| {
        close();
        navigate(href, leptos_router::NavigateOptions::default());
    };
    let on_key = {
        let go = go.clone();
        move |event: ev::KeyboardEvent| {
            let count = found.with_untracked(Vec::len);
            match event.key().as_str() {
                "ArrowDown" => chosen.update(|chosen| *chosen = finder::step(*chosen, count, true)),
                "ArrowUp" => chosen.update(|chosen| *chosen = finder::step(*chosen, count, false)),
                "Enter" => {
                    if let Some(finding) =
                        found.with_untracked(|found| found.get(chosen.get_untracked()).cloned())
                    {
                        go(&finding.href);
                    }
                }
                _other => return,
            }
            event.prevent_default();
        }
    };
    view! {
        <button type="button" class="find" on:click=move |_| open()>
            <Icon glyph=Glyph::Search/>
            <span>{tr!("find-placeholder")}</span>
            <kbd>"Ctrl K"</kbd>
        </button>
        <dialog
            class="palette"
            node_ref=dialog
            aria-label=tr!("find-open")
            on:click=move |event| {
                let is_beside = dialog
                    .get_untracked()
                    .is_some_and(|dialog| event.target().as_ref() == Some(dialog.as_ref()));
                if is_beside {
                    close();
                }
            }
        >
            <div class="palette-in">
                <Icon glyph=Glyph::Search/>
                <input
                    node_ref=input
                    type="text"
                    role="combobox"
                    aria-label=tr!("find-placeholder")
                    aria-expanded="true"
                    aria-controls="found"
                    aria-autocomplete="list"
                    aria-activedescendant=move || {
                        found.with(|found| !found.is_empty()).then(|| format!("found-{}", chosen.get()))
                    }
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=tr!("find-placeholder")
                    prop:value=move || typed.get()
                    on:input=move |event| {
                        typed.set(event_target_value(&event));
                        chosen.set(0);
                    }
                    on:keydown=on_key
                />
                <kbd>"Esc"</kbd>
            </div>
            <ul class="palette-l" id="found" role="listbox" aria-label=tr!("find-open")>
                {move || {
                    let go = go.clone();
                    let found = found.get();
                    if found.is_empty() {
                        return view! { <li class="palette-g" role="presentation">{tr!("find-none")}</li> }.into_any();
                    }
                    let mut last = None;
                    found
                        .into_iter()
                        .enumerate()
                        .map(|(index, finding)| {
                            let begins_group = last != Some(finding.kind);
                            last = Some(finding.kind);
                            option(finding, index, begins_group, chosen, go.clone())
                        })
                        .collect_view()
                        .into_any()
                }}
            </ul>
        </dialog>
    }
    .into_any()
}

fn option(
    finding: Finding,
    index: usize,
    begins_group: bool,
    chosen: RwSignal<usize>,
    go: impl Fn(&str) + 'static,
) -> impl IntoView {
    let glyph = finding.glyph;
    let href = finding.href.clone();
    view! {
        {begins_group
            .then(|| view! { <li class="palette-g" role="presentation">{finding.kind.title()}</li> })}
        <li
            class="o"
            id=format!("found-{index}")
            role="option"
            aria-selected=move || (chosen.get() == index).to_string()
            on:pointermove=move |_| chosen.set(index)
            on:click=move |_| go(&href)
        >
            <Icon glyph/>
            <bdi class="trunc">{finding.name}</bdi>
            <small>{finding.note}</small>
        </li>
    }
}

/// All that can be found by this visitor.
fn everything(live: Live) -> Vec<Finding> {
    let is_administrator = live.is_administrator();
    let mut all: Vec<Finding> = live.sites.with(|sites| {
        sites
            .values()
            .flat_map(|site| finder::of_site(site, state_word(site.state), is_administrator))
            .collect()
    });
    all.push(finder::page(tr!("site-create-title"), "/sites/new"));
    if !is_administrator {
        all.push(finder::page(tr!("sites-my-title"), "/sites"));
        return all;
    }
    live.nodes
        .with(|nodes| all.extend(nodes.values().flat_map(finder::of_node)));
    all.push(finder::deed(
        tr!("lost-title"),
        "/voters/lost".to_owned(),
        Glyph::Warning,
    ));
    let pages = [
        (tr!("nodes-title"), "/nodes"),
        (tr!("sites-all-title"), "/sites"),
        (tr!("accounts-title"), "/accounts"),
        (tr!("moves-title"), "/moves"),
        (tr!("balancing-title"), "/balancing"),
        (tr!("voters-title"), "/voters"),
        (tr!("network-title"), "/network"),
        (tr!("account-create-title"), "/accounts/new"),
        (tr!("node-add-title"), "/nodes/new"),
    ];
    all.extend(pages.map(|(name, href)| finder::page(name, href)));
    all
}

fn state_word(state: LiveState) -> String {
    match state {
        LiveState::Live => tr!("state-live"),
        LiveState::Starting => tr!("state-starting"),
        LiveState::Moving => tr!("state-moving"),
        LiveState::Down => tr!("state-down"),
    }
}
