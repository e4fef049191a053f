//! The cluster's sign, and the sign with its name.

use crate::tr;
use leptos::prelude::*;

/// The sign alone.
#[component]
pub fn Mark(
    /// Its edge, in pixels.
    size: u32,
) -> impl IntoView {
    let size = size.to_string();
    view! {
        <svg class="mark" width=size.clone() height=size viewBox="0 0 24 24" fill="none" aria-hidden="true">
            <path d="M5 3v18M19 3v18" stroke="currentColor" stroke-width="4" stroke-linecap="round"></path>
            <path d="M7.5 12h9" stroke="currentColor" stroke-width="1.75"></path>
            <circle cx="13.6" cy="12" r="3.1" stroke-width="1.6"></circle>
        </svg>
    }
}

/// The sign with the name.
#[component]
pub fn Logo() -> impl IntoView {
    view! {
        <div class="logo-w">
            <Mark size=28/>
            <span>{tr!("product-name")}</span>
        </div>
    }
}
