//! A field for a new password: shows it on demand, and can think of one.

use super::icon::{Glyph, Icon};
use crate::browser;
use crate::refusal::Refusal;
use crate::tr;
use leptos::prelude::*;

/// The field. Its buttons need JavaScript and appear with it.
#[component]
pub fn PasswordField(
    /// Its name in the form.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// A word of help below it.
    #[prop(into)]
    hint: String,
    /// The refusal of the whole form.
    #[prop(into)]
    refusal: Signal<Option<Refusal>>,
) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let is_shown = RwSignal::new(false);
    let has_buttons = RwSignal::new(false);
    Effect::new(move |_| has_buttons.set(true));
    let error = Memo::new(move |_| {
        refusal.with(|refusal| {
            refusal
                .as_ref()
                .filter(|refusal| refusal.field() == Some(name))
                .map(Refusal::text)
        })
    });
    let generate = move |_| {
        text.set(browser::generate_password());
        is_shown.set(true);
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="with-btns">
                <input
                    class="in ltr mono"
                    id=name
                    name=name
                    type=move || if is_shown.get() { "text" } else { "password" }
                    autocomplete="new-password"
                    spellcheck="false"
                    minlength="10"
                    required
                    prop:value=move || text.get()
                    on:input=move |event| text.set(event_target_value(&event))
                    aria-invalid=move || error.with(Option::is_some).then_some("true")
                    aria-describedby=format!("{name}-error {name}-hint")
                />
                {move || {
                    has_buttons
                        .get()
                        .then(|| {
                            view! {
                                <button
                                    type="button"
                                    class="btn btn-i"
                                    aria-label=tr!("password-show")
                                    aria-pressed=move || is_shown.get().to_string()
                                    on:click=move |_| is_shown.update(|shown| *shown = !*shown)
                                >
                                    <Icon glyph=Glyph::Eye/>
                                </button>
                                <button type="button" class="btn" on:click=generate>
                                    <Icon glyph=Glyph::Update/>
                                    {tr!("password-generate")}
                                </button>
                            }
                        })
                }}
            </div>
            <p class="err" id=format!("{name}-error") hidden=move || error.with(Option::is_none)>
                <Icon glyph=Glyph::Failed/>
                <span>{move || error.get()}</span>
            </p>
            <p class="hint" id=format!("{name}-hint")>{hint}</p>
        </div>
    }
    .into_any()
}
