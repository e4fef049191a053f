//! Bars and meters. Widths are SVG attributes: the page's content policy allows no inline styles.

use super::icon::{Glyph, Icon};
use crate::tone::Tone;
use leptos::prelude::*;

/// From this share on a meter warns.
const WARN_PERCENT: u8 = 85;
/// From this share on it is bad.
const BAD_PERCENT: u8 = 95;

/// A bar that is filled so far.
#[component]
pub fn Bar(
    /// How far, 0 to 100.
    #[prop(into)]
    percent: Signal<u8>,
    /// In which tone.
    #[prop(into)]
    tone: Signal<Tone>,
    /// Whether it is the thick one.
    #[prop(optional)]
    thick: bool,
    /// How much more is on the move, 0 to 100.
    #[prop(optional, into)]
    moving: Option<Signal<u8>>,
) -> impl IntoView {
    view! {
        <svg class=if thick { "bar l" } else { "bar" } data-s=move || tone.get().as_str() aria-hidden="true">
            <rect width=move || format!("{}%", percent.get()) height="100%"></rect>
            {moving
                .map(|moving| {
                    view! {
                        <rect
                            class="on-move"
                            x=move || format!("{}%", percent.get())
                            width=move || format!("{}%", moving.get())
                            height="100%"
                        ></rect>
                    }
                })}
        </svg>
    }
    .into_any()
}

/// Used, of a limit. Warns by itself when it gets full.
#[component]
pub fn Meter(
    /// What is measured.
    #[prop(into)]
    label: String,
    /// How much is used, as text.
    #[prop(into)]
    used: Signal<String>,
    /// Of how much, as text.
    #[prop(into)]
    limit: Signal<String>,
    /// The share, 0 to 100.
    #[prop(into)]
    percent: Signal<u8>,
    /// Whether it stands in a line of a table, without its label.
    #[prop(optional)]
    inline: bool,
) -> impl IntoView {
    let tone = Signal::derive(move || tone_of(percent.get()));
    let spoken = {
        let label = label.clone();
        move || format!("{label}: {} / {}", used.get(), limit.get())
    };
    view! {
        <div
            class=if inline { "meter inl" } else { "meter" }
            role="meter"
            aria-label=spoken
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || percent.get().to_string()
        >
            {(!inline).then(|| view! { <span class="l">{label}</span> })}
            <span class="v">
                {move || used.get()} " " <span>"/ " {move || limit.get()}</span>
                {move || {
                    (tone.get() == Tone::Bad)
                        .then(|| view! { <Icon glyph=Glyph::Warning class="c-bad in-text"/> })
                }}
            </span>
            <Bar percent tone/>
        </div>
    }
    .into_any()
}

/// The tone of a meter that is so full.
const fn tone_of(percent: u8) -> Tone {
    match percent {
        0..WARN_PERCENT => Tone::Plain,
        WARN_PERCENT..BAD_PERCENT => Tone::Warn,
        _ => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_warn_before_they_are_full() {
        for (percent, tone) in [
            (0, Tone::Plain),
            (84, Tone::Plain),
            (85, Tone::Warn),
            (94, Tone::Warn),
            (95, Tone::Bad),
            (100, Tone::Bad),
        ] {
            assert_eq!(tone_of(percent), tone, "{percent}");
        }
    }
}
