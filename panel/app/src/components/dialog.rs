//! A question before something that is hard to undo: the browser's own `<dialog>`, which keeps the
//! focus inside, gives it back, and closes with Esc.
//!
//! Without JavaScript it never opens: what leads to it is a link to a page that asks the same.

use leptos::html;
use leptos::prelude::*;

/// A dialog that is open while `is_open` says so.
#[component]
pub fn Dialog(
    /// Its id; its title has `<id>-title`.
    id: &'static str,
    /// What it asks.
    #[prop(into)]
    title: Signal<String>,
    /// Whether it is open. Closing it by Esc or by a click beside it says so here too.
    is_open: RwSignal<bool>,
    /// What it says and offers.
    children: Children,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = element.get() else { return };
        match (is_open.get(), dialog.open()) {
            (true, false) => {
                let _shown = dialog.show_modal();
            }
            (false, true) => dialog.close(),
            (true, true) | (false, false) => {}
        }
    });
    view! {
        <dialog
            class="dialog"
            id=id
            node_ref=element
            aria-labelledby=format!("{id}-title")
            on:close=move |_| is_open.set(false)
            on:click=move |event| {
                // The dialog itself is its backdrop; what is in it is a child.
                let is_beside = element
                    .get_untracked()
                    .is_some_and(|dialog| event.target().as_ref() == Some(dialog.as_ref()));
                if is_beside {
                    is_open.set(false);
                }
            }
        >
            <div class="dialog-in">
                <div class="dialog-h">
                    <h2 id=format!("{id}-title")>{move || title.get()}</h2>
                </div>
                {children()}
            </div>
        </dialog>
    }
    .into_any()
}
