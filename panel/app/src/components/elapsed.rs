//! Time that goes by: how long something lasts so far, counted by the browser's clock. Says
//! nothing on the server, whose page would be old at once.

use crate::i18n::format;
use hwc_api::time::WallTime;
use leptos::prelude::*;

/// How often it is drawn anew: waits of visitors are tenths of a second.
#[cfg(feature = "hydrate")]
const TICK: std::time::Duration = std::time::Duration::from_millis(100);

/// How long ago `since` is.
#[component]
pub fn Elapsed(
    /// From when on.
    since: WallTime,
) -> impl IntoView {
    let elapsed_ms = RwSignal::new(None::<u64>);
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        let tick = move || elapsed_ms.set(Some(crate::browser::now().since_ms(since)));
        if let Ok(timer) = set_interval_with_handle(tick, TICK) {
            on_cleanup(move || timer.clear());
        }
    });
    #[cfg(not(feature = "hydrate"))]
    let _only_a_browser_counts = since;
    view! { <span class="num">{move || elapsed_ms.get().map(format::duration)}</span> }
}
