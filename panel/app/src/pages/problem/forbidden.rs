//! A page for administrators, asked for by somebody else.

use crate::components::{Crumb, Empty, Glyph, Place, Screen};
use crate::tr;
use leptos::prelude::*;

/// The page.
#[component]
pub fn ForbiddenPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::server::say_status(403);
    let title = tr!("forbidden-title");
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Elsewhere crumbs=vec![Crumb::here(title.clone())]>
            <div class="page-h"><h1>{title}</h1></div>
            <div class="card">
                <Empty glyph=Glyph::Lock title=tr!("forbidden-fact") text=tr!("forbidden-text")>
                    <a class="btn btn-primary" href="/">{tr!("to-first-page")}</a>
                </Empty>
            </div>
        </Screen>
    }
    .into_any()
}
