//! A field of a form: label, input, hint, and the refusal that concerns it.

use super::icon::{Glyph, Icon};
use crate::refusal::Refusal;
use leptos::prelude::*;

/// A text field. What it says when refused is tied to it for those who listen.
#[component]
pub fn Field(
    /// Its name in the form; also what a refusal calls it.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// Its type; text unless said otherwise.
    #[prop(default = "text")]
    kind: &'static str,
    /// What it begins with.
    #[prop(optional, into)]
    value: String,
    /// A word of help below it.
    #[prop(optional, into)]
    hint: String,
    /// An example inside it.
    #[prop(optional, into)]
    placeholder: String,
    /// What browsers may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Whether it may stay empty.
    #[prop(optional)]
    optional: bool,
    /// Whether it holds an address or code, which is read left to right in every language.
    #[prop(optional)]
    ltr: bool,
    /// Whether it takes the focus when the page opens.
    #[prop(optional)]
    autofocus: bool,
    /// The least and the most that a number may be.
    #[prop(optional, into)]
    range: Option<(u32, u32)>,
    /// The refusal of the whole form; shown here when it is about this field.
    #[prop(into)]
    refusal: Signal<Option<Refusal>>,
    /// Called with each change of the text.
    #[prop(optional, into)]
    on_text: Option<Callback<String>>,
) -> impl IntoView {
    let error = Memo::new(move |_| {
        refusal.with(|refusal| {
            refusal
                .as_ref()
                .filter(|refusal| refusal.field() == Some(name))
                .map(Refusal::text)
        })
    });
    let has_hint = !hint.is_empty();
    let described = move || {
        let ids = [
            error.with(Option::is_some).then(|| format!("{name}-error")),
            has_hint.then(|| format!("{name}-hint")),
        ];
        let ids: Vec<String> = ids.into_iter().flatten().collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    };
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                class=if ltr { "in ltr" } else { "in" }
                id=name
                name=name
                type=kind
                value=value
                placeholder=(!placeholder.is_empty()).then_some(placeholder)
                autocomplete=autocomplete
                inputmode=range.map(|_| "numeric")
                min=range.map(|(least, _)| least.to_string())
                max=range.map(|(_, most)| most.to_string())
                autocapitalize=ltr.then_some("none")
                spellcheck=ltr.then_some("false")
                required=!optional
                autofocus=autofocus
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                aria-describedby=described
                on:input=move |event| {
                    if let Some(callback) = on_text {
                        callback.run(event_target_value(&event));
                    }
                }
            />
            {move || {
                error
                    .get()
                    .map(|text| {
                        view! {
                            <p class="err" id=format!("{name}-error")>
                                <Icon glyph=Glyph::Failed/>
                                <span>{text}</span>
                            </p>
                        }
                    })
            }}
            {has_hint.then(|| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
        </div>
    }
    .into_any()
}
