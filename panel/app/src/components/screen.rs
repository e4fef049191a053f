//! The shell around every page of a signed-in visitor: sidebar, top bar, content.

use super::side_bar::SideBar;
use super::toast::DoneToast;
use super::top_bar::TopBar;
use super::{Glyph, Icon};
use crate::browser;
use crate::live::use_live;
use crate::tr;
use hwc_api::ids::SiteId;
use leptos::prelude::*;
use leptos_meta::Title;

/// Where in the panel a page is: what the sidebar marks, and whose menu it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The list of sites.
    Sites,
    /// A site's first page.
    SiteOverview(SiteId),
    /// A site's applications.
    SiteApps(SiteId),
    /// The nodes.
    Nodes,
    /// Moves and their receipts.
    Moves,
    /// How load is spread.
    Balancing,
    /// Who keeps the settings.
    Voters,
    /// The network between the nodes.
    Network,
    /// The accounts.
    Accounts,
    /// Nowhere in particular.
    Elsewhere,
}

impl Place {
    /// The site that the page is about.
    #[must_use]
    pub const fn site(self) -> Option<SiteId> {
        match self {
            Self::SiteOverview(site) | Self::SiteApps(site) => Some(site),
            Self::Sites
            | Self::Nodes
            | Self::Moves
            | Self::Balancing
            | Self::Voters
            | Self::Network
            | Self::Accounts
            | Self::Elsewhere => None,
        }
    }
}

/// One step of the way to a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crumb {
    /// What it is called.
    pub name: String,
    /// Where it leads; none for the page itself.
    pub href: Option<String>,
}

impl Crumb {
    /// A step that leads somewhere.
    pub fn link(name: impl Into<String>, href: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            href: Some(href.into()),
        }
    }

    /// The page itself.
    pub fn here(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            href: None,
        }
    }
}

/// A site's menu on narrow screens, where the sidebar is folded away.
#[component]
fn SiteTabs(site: SiteId, place: Place) -> impl IntoView {
    let home = format!("/sites/{site}");
    let apps = format!("{home}/apps");
    let here = |other| (place == other).then_some("page");
    view! {
        <nav class="tabs-m" aria-label=tr!("nav-site")>
            <a href=home aria-current=here(Place::SiteOverview(site))>{tr!("nav-overview")}</a>
            <a href=apps aria-current=here(Place::SiteApps(site))>{tr!("nav-apps")}</a>
        </nav>
    }
    .into_any()
}

/// Whether a page was drawn before in this browser tab.
#[derive(Clone, Copy)]
pub struct SeenBefore(RwSignal<bool>);

impl SeenBefore {
    /// Nothing was seen yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self(RwSignal::new(false))
    }
}

/// After a link was followed without loading a page, the focus goes where a new page would have it.
fn focus_after_navigation() {
    let Some(SeenBefore(seen)) = use_context::<SeenBefore>() else {
        return;
    };
    Effect::new(move |_| {
        if seen.get_untracked() {
            // By then the router has put the page in its place.
            request_animation_frame(|| browser::focus_page("main"));
        }
        seen.set(true);
    });
}

/// The shell with a page in it.
#[component]
pub fn Screen(
    /// The page's title.
    #[prop(into)]
    title: Signal<String>,
    /// Where it is.
    place: Place,
    /// The way to it.
    crumbs: Vec<Crumb>,
    /// The page.
    children: Children,
) -> impl IntoView {
    let live = use_live();
    focus_after_navigation();
    // The server writes the title last of all, when the page's signals may be gone already.
    let first_title = title.get_untracked();
    let is_read_only = Memo::new(move |_| !live.settings.get().is_writable);
    view! {
        <Title text=move || title.try_get().unwrap_or_else(|| first_title.clone())/>
        // The browser's own jump moves the focus as well; the router's would only scroll.
        <a class="skip" href="#main" rel="external">{tr!("skip-to-content")}</a>
        <div class="app">
            <SideBar place/>
            <div class="column">
                <TopBar crumbs/>
                {place.site().map(|site| view! { <SiteTabs site place/> })}
                <main class="main" id="main" tabindex="-1">
                    {move || {
                        is_read_only
                            .get()
                            .then(|| {
                                view! {
                                    <p class="banner" role="status">
                                        <Icon glyph=Glyph::Warning/>
                                        <span>{tr!("settings-read-only")}</span>
                                    </p>
                                }
                            })
                    }}
                    {children()}
                </main>
            </div>
        </div>
        <DoneToast/>
    }
    .into_any()
}
