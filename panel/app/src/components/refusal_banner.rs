//! A refusal that concerns no field of the form in sight: said above it.

use super::icon::{Glyph, Icon};
use crate::refusal::Refusal;
use leptos::prelude::*;

/// The refusal, unless one of these fields shows it.
#[component]
pub fn RefusalBanner(
    /// The refusal of the form.
    #[prop(into)]
    refusal: Signal<Option<Refusal>>,
    /// The fields that say it themselves.
    #[prop(optional)]
    fields: &'static [&'static str],
) -> impl IntoView {
    let text = Memo::new(move |_| {
        refusal.with(|refusal| {
            refusal
                .as_ref()
                .filter(|refusal| refusal.field().is_none_or(|field| !fields.contains(&field)))
                .map(Refusal::text)
        })
    });
    // The place is there before the text: what appears in it is read out.
    view! {
        <div role="alert">
            {move || {
                text.get()
                    .map(|text| {
                        view! {
                            <p class="banner" data-s="bad">
                                <Icon glyph=Glyph::Failed/>
                                <span>{text}</span>
                            </p>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}
