//! What stands where something is being fetched. Appears after a moment only (style sheet).

use crate::tr;
use leptos::prelude::*;

/// Lines that wait.
#[component]
pub fn Skeleton(
    /// How many.
    #[prop(default = 4)]
    lines: usize,
) -> impl IntoView {
    view! {
        <div class="card skel-c" role="status">
            <span class="vh">{tr!("waiting")}</span>
            <ul class="list" aria-hidden="true">
                {(0..lines)
                    .map(|line| {
                        view! {
                            <li>
                                <span class="skel skel-tile"></span>
                                <span class=format!("skel skel-{}", line % 4)></span>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </div>
    }
    .into_any()
}
