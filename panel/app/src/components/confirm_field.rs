//! What must be typed before something is lost for good.

use super::icon::{Glyph, Icon};
use crate::actions::is_repeated;
use crate::refusal::Refusal;
use leptos::prelude::*;

/// The field `confirm`. The API compares; where there is JavaScript, `is_confirmed` already tells
/// whether the names were repeated.
#[component]
pub fn ConfirmField(
    /// What to type, said in words.
    label: String,
    /// What to type.
    names: String,
    /// What is said when something else was typed.
    mismatch: String,
    /// The refusal of the whole form; shown here when it is about this field.
    refusal: Signal<Option<Refusal>>,
    /// Kept up here; begins as true, so that the form can be sent without JavaScript.
    is_confirmed: RwSignal<bool>,
) -> impl IntoView {
    let is_mismatch = Memo::new(move |_| {
        refusal.with(|refusal| {
            refusal
                .as_ref()
                .is_some_and(|refusal| refusal.field() == Some("confirm"))
        })
    });
    let typed = RwSignal::new(String::new());
    let expected = names.clone();
    Effect::new(move |_| is_confirmed.set(typed.with(|typed| is_repeated(typed, &expected))));
    view! {
        <div class="field">
            <label for="confirm">
                <span>{label} " " <span class="code-b ltr">{names}</span></span>
            </label>
            <input
                class="in ltr"
                id="confirm"
                name="confirm"
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                required
                aria-invalid=move || is_mismatch.get().then_some("true")
                aria-describedby="confirm-error"
                prop:value=move || typed.get()
                on:input=move |event| typed.set(event_target_value(&event))
            />
            <p class="err" id="confirm-error" hidden=move || !is_mismatch.get()>
                <Icon glyph=Glyph::Failed/>
                <span>{mismatch}</span>
            </p>
        </div>
    }
    .into_any()
}
