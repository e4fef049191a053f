//! Badges: the one state of an object, as icon and word.

use super::icon::{Glyph, Icon};
use crate::tone::Tone;
use crate::tr;
use hwc_api::v1::{LiveState, NodeHealth};
use leptos::prelude::*;

/// A badge.
#[component]
pub fn Badge(
    /// Its tone.
    tone: Tone,
    /// Its icon.
    glyph: Glyph,
    /// Its word.
    #[prop(into)]
    word: String,
) -> impl IntoView {
    view! {
        <span class="badge" data-s=tone.as_str()>
            <Icon glyph/>
            {word}
        </span>
    }
    .into_any()
}

/// How a site or a dataset stands.
#[component]
pub fn StateBadge(
    /// How.
    #[prop(into)]
    state: Signal<LiveState>,
) -> impl IntoView {
    move || {
        let (tone, glyph, word) = match state.get() {
            LiveState::Live => (Tone::Live, Glyph::Live, tr!("state-live")),
            LiveState::Starting => (Tone::Move, Glyph::Working, tr!("state-starting")),
            LiveState::Moving => (Tone::Move, Glyph::Move, tr!("state-moving")),
            LiveState::Down => (Tone::Bad, Glyph::Close, tr!("state-down")),
        };
        view! { <Badge tone glyph word/> }
    }
}

/// How a node is seen by the others.
#[component]
pub fn HealthBadge(
    /// How.
    #[prop(into)]
    health: Signal<NodeHealth>,
) -> impl IntoView {
    move || {
        let (tone, glyph, word) = match health.get() {
            NodeHealth::Up => (Tone::Ok, Glyph::Check, tr!("health-up")),
            NodeHealth::Suspect => (Tone::Warn, Glyph::Warning, tr!("health-suspect")),
            NodeHealth::Down => (Tone::Bad, Glyph::Close, tr!("health-down")),
        };
        view! { <Badge tone glyph word/> }
    }
}
