//! The log of a job, in machine words; keeps its end in sight.

use leptos::html;
use leptos::prelude::*;

/// The log.
#[component]
pub fn LiveLog(
    /// Its lines, the oldest first.
    #[prop(into)]
    lines: Signal<Vec<String>>,
    /// What it is called.
    #[prop(into)]
    label: String,
    /// Whether more may come.
    #[prop(into)]
    is_open: Signal<bool>,
) -> impl IntoView {
    let element = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        lines.track();
        if let Some(log) = element.get() {
            log.set_scroll_top(log.scroll_height());
        }
    });
    // Left to right in every language: machine words. Not read out line by line: the steps are.
    view! {
        <div class="log grow" dir="ltr" role="log" aria-live="off" tabindex="0" aria-label=label node_ref=element>
            {move || {
                lines.with(|lines| lines.iter().map(|line| view! { <div>{line.clone()}</div> }).collect_view())
            }}
            {move || is_open.get().then(|| view! { <span class="cur"></span> })}
        </div>
    }
    .into_any()
}
