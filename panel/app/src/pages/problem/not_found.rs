//! There is no such page, or what it was about is gone, or it is none of the visitor's.

use crate::components::{Crumb, Empty, Glyph, Place, Screen};
use crate::live::Live;
use crate::tr;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::server::say_status(404);
    let title = tr!("not-found-title");
    let content = || {
        view! {
            <div class="page-h"><h1>{tr!("not-found-title")}</h1></div>
            <div class="card">
                <Empty glyph=Glyph::Search title=tr!("not-found-fact") text=tr!("not-found-text")>
                    <a class="btn btn-primary" href="/">{tr!("to-first-page")}</a>
                </Empty>
            </div>
        }
    };
    if use_context::<Live>().is_some() {
        view! {
            <Screen title=Signal::stored(title.clone()) place=Place::Elsewhere crumbs=vec![Crumb::here(title)]>
                {content()}
            </Screen>
        }
        .into_any()
    } else {
        view! {
            <Title text=title/>
            <main class="main alone">{content()}</main>
        }
        .into_any()
    }
}
