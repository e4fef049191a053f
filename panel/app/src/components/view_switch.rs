//! Cards or table: links, so that it works without JavaScript; the choice is remembered.

use super::icon::{Glyph, Icon};
use crate::browser;
use crate::cookies;
use crate::page_data::{ListView, Page};
use crate::tr;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// How the list of this page is looked at: as the address says, else as last time.
#[must_use]
pub fn use_list_view() -> Memo<ListView> {
    let query = use_query_map();
    let last = use_context::<Page>()
        .map(|page| page.data.view)
        .unwrap_or_default();
    Memo::new(move |_| {
        query
            .with(|query| query.get("view").and_then(|text| ListView::parse(&text)))
            .unwrap_or(last)
    })
}

/// The switch.
#[component]
pub fn ViewSwitch(
    /// What is shown.
    view: Memo<ListView>,
    /// Whether the first view is a map and not cards.
    #[prop(optional)]
    is_map: bool,
) -> impl IntoView {
    let (first_glyph, first_word) = if is_map {
        (Glyph::Map, tr!("view-map"))
    } else {
        (Glyph::Apps, tr!("view-cards"))
    };
    let choice = move |which: ListView, glyph, word: String| {
        view! {
            <a
                href=format!("?view={}", which.as_str())
                aria-current=move || (view.get() == which).then_some("true")
                on:click=move |_| browser::keep_preference(cookies::VIEW, which.as_str())
            >
                <Icon glyph/>
                {word}
            </a>
        }
    };
    view! {
        <div class="seg hide-m" role="group" aria-label=tr!("view-label")>
            {choice(ListView::Cards, first_glyph, first_word)}
            {choice(ListView::Table, Glyph::Menu, tr!("view-table"))}
        </div>
    }
    .into_any()
}
