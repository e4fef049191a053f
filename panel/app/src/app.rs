//! The root of the panel: language, live things, routes.

use crate::components::SeenBefore;
use crate::i18n::provide_locale;
use crate::live::{Live, keep_fresh, use_live};
use crate::page_data::{Page, Visitor};
use crate::pages::accounts::{AccountsPage, CreateAccountPage, DeleteAccountPage};
use crate::pages::cluster::{
    AddNodePage, BalancingPage, DrainPage, LostPage, MovesPage, NetworkPage, NodeSettingsPage,
    NodesPage, VotersPage,
};
use crate::pages::problem::{ForbiddenPage, NotFoundPage, UnreachablePage};
use crate::pages::session::SignInPage;
use crate::pages::sites::{
    AppsPage, CreateSitePage, DeleteSitePage, InstallPage, JobPage, MoveSitePage, SitePage,
    SitesPage,
};
use crate::tr;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

/// The panel. Draws from the [`Page`] in context, which the server or the browser provides.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    // Without a page there is nobody to draw for: the server is only asking for the routes.
    if let Some(page) = use_context::<Page>() {
        provide_locale(page.locale.clone());
        if let Visitor::SignedIn(frame) = &page.data.visitor {
            let live = Live::new(frame);
            provide_context(live);
            keep_fresh(live);
            provide_context(SeenBefore::nothing());
        }
    }
    let product = tr!("product-name");
    let formatter = move |title: String| format!("{title} · {product}");
    view! {
        <Title formatter/>
        <Router>
            // Whole pages: without JavaScript nothing could put late parts in their places.
            <Routes fallback=|| view! { <NotFoundPage/> }>
                <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async/>
                <Route path=path!("/") view=|| framed(first_page) ssr=SsrMode::Async/>
                <Route path=path!("/sites") view=|| framed(|| view! { <SitesPage/> }) ssr=SsrMode::Async/>
                <Route path=path!("/sites/new") view=|| framed(|| view! { <CreateSitePage/> }) ssr=SsrMode::Async/>
                <Route path=path!("/sites/:site") view=|| framed(|| view! { <SitePage/> }) ssr=SsrMode::Async/>
                <Route
                    path=path!("/sites/:site/delete")
                    view=|| framed(|| view! { <DeleteSitePage/> })
                    ssr=SsrMode::Async
                />
                <Route path=path!("/sites/:site/apps") view=|| framed(|| view! { <AppsPage/> }) ssr=SsrMode::Async/>
                <Route
                    path=path!("/sites/:site/apps/:app")
                    view=|| framed(|| view! { <InstallPage/> })
                    ssr=SsrMode::Async
                />
                <Route
                    path=path!("/sites/:site/jobs/:job")
                    view=|| framed(|| view! { <JobPage/> })
                    ssr=SsrMode::Async
                />
                <Route
                    path=path!("/sites/:site/move")
                    view=|| for_administrators(|| view! { <MoveSitePage/> })
                    ssr=SsrMode::Async
                />
                <Route path=path!("/nodes") view=|| for_administrators(|| view! { <NodesPage/> }) ssr=SsrMode::Async/>
                <Route
                    path=path!("/nodes/new")
                    view=|| for_administrators(|| view! { <AddNodePage/> })
                    ssr=SsrMode::Async
                />
                <Route
                    path=path!("/nodes/:node/drain")
                    view=|| for_administrators(|| view! { <DrainPage/> })
                    ssr=SsrMode::Async
                />
                <Route
                    path=path!("/nodes/:node/settings")
                    view=|| for_administrators(|| view! { <NodeSettingsPage/> })
                    ssr=SsrMode::Async
                />
                <Route path=path!("/moves") view=|| for_administrators(|| view! { <MovesPage/> }) ssr=SsrMode::Async/>
                <Route path=path!("/balancing") view=|| for_administrators(|| view! { <BalancingPage/> }) ssr=SsrMode::Async/>
                <Route path=path!("/voters") view=|| for_administrators(|| view! { <VotersPage/> }) ssr=SsrMode::Async/>
                <Route path=path!("/voters/lost") view=|| for_administrators(|| view! { <LostPage/> }) ssr=SsrMode::Async/>
                <Route path=path!("/network") view=|| for_administrators(|| view! { <NetworkPage/> }) ssr=SsrMode::Async/>
                <Route
                    path=path!("/accounts")
                    view=|| for_administrators(|| view! { <AccountsPage/> })
                    ssr=SsrMode::Async
                />
                <Route
                    path=path!("/accounts/new")
                    view=|| for_administrators(|| view! { <CreateAccountPage/> })
                    ssr=SsrMode::Async
                />
                <Route
                    path=path!("/accounts/:account/delete")
                    view=|| for_administrators(|| view! { <DeleteAccountPage/> })
                    ssr=SsrMode::Async
                />
            </Routes>
        </Router>
    }
}

/// Draws a page for somebody who is signed in. Strangers never get here: the server sends them to
/// the sign-in page; what is left is a daemon that did not answer.
fn framed<V: IntoView + 'static>(page: impl FnOnce() -> V) -> AnyView {
    if use_context::<Live>().is_some() {
        page().into_any()
    } else {
        view! { <UnreachablePage/> }.into_any()
    }
}

/// Draws a page for administrators; others are told so. What it shows and does is the API's to
/// allow: this only keeps customers from pages that would be empty.
fn for_administrators<V: IntoView + 'static>(page: impl FnOnce() -> V) -> AnyView {
    framed(|| {
        if use_live().is_administrator() {
            page().into_any()
        } else {
            view! { <ForbiddenPage/> }.into_any()
        }
    })
}

/// Where everybody begins.
fn first_page() -> AnyView {
    if use_live().is_administrator() {
        view! { <NodesPage/> }.into_any()
    } else {
        view! { <SitesPage/> }.into_any()
    }
}
