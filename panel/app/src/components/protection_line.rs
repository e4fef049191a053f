//! How well something is protected, in a sentence with its icon.

use super::icon::{Glyph, Icon};
use crate::protection::Protection;
use crate::tone::Tone;
use leptos::prelude::*;

/// The sentence.
#[component]
pub fn ProtectionLine(
    /// The judgement.
    #[prop(into)]
    protection: Signal<Protection>,
) -> impl IntoView {
    let glyph = move || match protection.get() {
        Protection::Whole { .. } => Glyph::Shield,
        Protection::Begun => Glyph::Copy,
        Protection::Partial { .. } | Protection::None => Glyph::Warning,
    };
    let tone = Signal::derive(move || -> Tone { protection.get().tone() });
    view! {
        <span class="st" data-s=move || tone.get().as_str()>
            {move || view! { <Icon glyph=glyph()/> }}
            <span>{move || protection.get().sentence()}</span>
        </span>
    }
    .into_any()
}
