//! The daemon of this node does not answer, or answers with a problem: nothing can be shown.

use crate::components::{Glyph, Icon, Logo};
use crate::page_data::{Page, Visitor};
use crate::tr;
use leptos::prelude::*;
use leptos_meta::Title;

/// The page.
#[component]
pub fn UnreachablePage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::server::say_status(503);
    let text = use_context::<Page>().map_or_else(
        || tr!("refusal-unreachable"),
        |page| match &page.data.visitor {
            Visitor::Unknown(refusal) => refusal.text(),
            Visitor::Stranger | Visitor::SignedIn(_) => tr!("refusal-unreachable"),
        },
    );
    view! {
        <Title text=tr!("unreachable-title")/>
        <main class="gate">
            <div class="gate-c">
                <Logo/>
                <h1>{tr!("unreachable-title")}</h1>
                <p class="banner" data-s="bad">
                    <Icon glyph=Glyph::Failed/>
                    <span>{text}</span>
                </p>
                <p class="ink2 s13">{tr!("unreachable-sites-go-on")}</p>
                <a class="btn btn-primary btn-l btn-w" href="" rel="external">{tr!("try-again")}</a>
            </div>
        </main>
    }
    .into_any()
}
