//! A button that puts a text on the clipboard and says so.

use super::icon::{Glyph, Icon};
use crate::browser;
use crate::tr;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// How long the button says that it is done.
const SAID_FOR: Duration = Duration::from_secs(2);

/// The button. Appears with JavaScript, which it needs.
#[component]
pub fn CopyButton(
    /// The text.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    let is_possible = RwSignal::new(false);
    let is_done = RwSignal::new(false);
    Effect::new(move |_| is_possible.set(true));
    let copy = move |_| {
        let text = text.get_untracked();
        spawn_local(async move {
            if browser::copy_to_clipboard(text).await {
                is_done.set(true);
                set_timeout(move || is_done.set(false), SAID_FOR);
            }
        });
    };
    move || {
        is_possible.get().then(|| {
            view! {
                <button type="button" class="btn btn-quiet btn-s" on:click=copy>
                    {move || {
                        if is_done.get() {
                            view! { <Icon glyph=Glyph::Check/> }
                        } else {
                            view! { <Icon glyph=Glyph::Copy/> }
                        }
                    }}
                    <span aria-live="polite">
                        {move || if is_done.get() { tr!("copied") } else { tr!("copy") }}
                    </span>
                </button>
            }
        })
    }
}
