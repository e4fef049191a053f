//! A place where nothing is yet: what it is for, what it costs, one button.

use super::icon::{Glyph, Icon};
use leptos::prelude::*;

/// The empty place; its children are the button.
#[component]
pub fn Empty(
    /// Its icon.
    glyph: Glyph,
    /// What is not there.
    #[prop(into)]
    title: String,
    /// What it would be for.
    #[prop(into)]
    text: String,
    /// The button.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <Icon glyph/>
            <p class="b">{title}</p>
            <p>{text}</p>
            {children.map(|children| children())}
        </div>
    }
    .into_any()
}
