//! The copies during a drain: how many of everything other nodes hold, and whether that is enough.

use crate::components::{Bar, Glyph, Icon};
use crate::i18n::format;
use crate::tone::Tone;
use crate::tr;
use hwc_api::v1::{CopiesCount, DrainView};
use leptos::prelude::*;

/// The card.
#[component]
pub fn DrainCopies(drain: Signal<DrainView>) -> impl IntoView {
    let most = Signal::derive(move || drain.with(|drain| most_percent(&drain.copies)));
    let has_counts = Memo::new(move |_| drain.with(|drain| !drain.copies.is_empty()));
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("drain-copies")}</h2></div>
            <div class="card-b stackv gap-3">
                <Show when=move || has_counts.get()>
                    <Bar percent=most tone=Tone::Ok thick=true/>
                    <div class="lgd">
                        {move || drain.with(|drain| drain.copies.iter().enumerate().map(counted).collect_view())}
                    </div>
                </Show>
                {move || drain.with(verdict)}
                <p class="sm muted">{tr!("drain-copies-hint")}</p>
            </div>
        </section>
    }
    .into_any()
}

/// So many have so many copies; the bar is filled with the first of these.
fn counted((place, count): (usize, &CopiesCount)) -> impl IntoView + use<> {
    let class = if place == 0 { "k-live" } else { "k-rest" };
    let text = tr!(
        "drain-copies-count",
        datasets = format::number(count.datasets.into()),
        copies = count.copies
    );
    view! {
        <span>
            <i class=class></i>
            {text}
        </span>
    }
}

/// The share of everything that has the most copies.
fn most_percent(counts: &[CopiesCount]) -> u8 {
    let all = counts.iter().map(|count| u64::from(count.datasets)).sum();
    let most = counts.first().map_or(0, |count| count.datasets);
    format::percent(most.into(), all)
}

/// Whether every dataset has the copies that it should have.
fn verdict(drain: &DrainView) -> impl IntoView + use<> {
    let (tone, glyph, text) = match drain.lacking_copies {
        0 => ("ok", Glyph::Check, tr!("drain-copies-whole")),
        // They are being made.
        count if !drain.is_done && !drain.drain.may_lack_copies => (
            "move",
            Glyph::Clock,
            tr!("drain-copies-coming", count = count),
        ),
        count => (
            "warn",
            Glyph::Warning,
            tr!("drain-copies-lacking", count = count),
        ),
    };
    view! {
        <p class="st" data-s=tone>
            <Icon glyph/>
            <span>{text}</span>
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_filled_by_what_has_the_most_copies() {
        let count = |copies, datasets| CopiesCount { copies, datasets };
        assert_eq!(most_percent(&[count(3, 641), count(2, 61)]), 91);
        assert_eq!(most_percent(&[count(1, 9)]), 100);
        assert_eq!(most_percent(&[]), 0);
    }
}
