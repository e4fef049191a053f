//! The sidebar: what the role may see, or, inside a site, the site's own menu. On narrow screens
//! it is a popover, which opens, closes and takes Esc without JavaScript.

use super::icon::{Glyph, Icon};
use super::logo::Mark;
use super::preferences::{LanguageSwitch, ThemeSwitch};
use super::screen::Place;
use crate::actions::SignOut;
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::tr;
use hwc_api::ids::SiteId;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

/// The id by which the top bar's button opens it.
pub const SIDE_BAR_ID: &str = "menu";
/// The id of the menu under the visitor's name.
const WHO_MENU_ID: &str = "who";

/// The sidebar.
#[component]
pub fn SideBar(
    /// Where the page is.
    place: Place,
) -> impl IntoView {
    let live = use_live();
    view! {
        <nav class="side" id=SIDE_BAR_ID popover="auto" aria-label=tr!("nav-main")>
            <a class="side-brand" href="/">
                <Mark size=20/>
                {tr!("product-name")}
            </a>
            {match place.site() {
                Some(site) => site_menu(live, site, place).into_any(),
                None if live.is_administrator() => administrator_menu(live, place).into_any(),
                None => customer_menu(live, place).into_any(),
            }}
            <Who/>
        </nav>
    }
    .into_any()
}

/// One entry.
#[component]
fn Entry(
    /// Where it leads.
    #[prop(into)]
    href: String,
    /// Its icon.
    glyph: Glyph,
    /// What it is called.
    name: String,
    /// Whether the page is there.
    is_here: bool,
    /// How many there are.
    #[prop(optional, into)]
    count: Option<Signal<usize>>,
) -> impl IntoView {
    view! {
        <a class="n" href=href aria-current=is_here.then_some("page")>
            <Icon glyph/>
            {name}
            {count
                .map(|count| {
                    view! { <span class="ct">{move || format::number(count.get() as u64)}</span> }
                })}
        </a>
    }
    .into_any()
}

fn customer_menu(live: Live, place: Place) -> impl IntoView {
    let sites = Signal::derive(move || live.sites.with(|sites| sites.len()));
    let is_here = place == Place::Sites;
    view! { <Entry href="/" glyph=Glyph::Home name=tr!("nav-my-sites") is_here count=sites/> }
}

fn administrator_menu(live: Live, place: Place) -> impl IntoView {
    let nodes = Signal::derive(move || live.nodes.with(|nodes| nodes.len()));
    let sites = Signal::derive(move || live.sites.with(|sites| sites.len()));
    let accounts = Signal::derive(move || live.accounts.with(|accounts| accounts.len()));
    let moves = Signal::derive(move || live.moves.with(|moves| moves.len()));
    let is = move |other| place == other;
    view! {
        <Entry href="/nodes" glyph=Glyph::Map name=tr!("nav-nodes") is_here=is(Place::Nodes) count=nodes/>
        <Entry href="/sites" glyph=Glyph::Site name=tr!("nav-sites") is_here=is(Place::Sites) count=sites/>
        <Entry
            href="/accounts"
            glyph=Glyph::Users
            name=tr!("nav-accounts")
            is_here=is(Place::Accounts)
            count=accounts
        />
        <div class="side-h">{tr!("nav-data")}</div>
        <Entry href="/moves" glyph=Glyph::Move name=tr!("moves-title") is_here=is(Place::Moves) count=moves/>
        <Entry
            href="/balancing"
            glyph=Glyph::Gauge
            name=tr!("balancing-title")
            is_here=is(Place::Balancing)
        />
        <div class="side-h">{tr!("nav-care")}</div>
        <Entry href="/voters" glyph=Glyph::Shield name=tr!("voters-title") is_here=is(Place::Voters)/>
        <Entry href="/network" glyph=Glyph::Lock name=tr!("network-title") is_here=is(Place::Network)/>
    }
}

fn site_menu(live: Live, id: SiteId, place: Place) -> impl IntoView {
    let site = live.site(Some(id));
    let title = move || {
        site.with(|site| {
            site.as_ref()
                .map(|site| site.title.clone())
                .unwrap_or_default()
        })
    };
    let home = format!("/sites/{id}");
    view! {
        <a class="n" href="/sites">
            <Icon glyph=Glyph::Back/>
            {tr!("nav-all-sites")}
        </a>
        <a class="side-ctx" href=home.clone()>
            <span class="row">
                <span class="tile s" aria-hidden="true">{move || format::initials(&title())}</span>
                <bdi class="trunc b">{title}</bdi>
            </span>
        </a>
        <Entry
            href=home.clone()
            glyph=Glyph::Gauge
            name=tr!("nav-overview")
            is_here=place == Place::SiteOverview(id)
        />
        <Entry
            href=format!("{home}/apps")
            glyph=Glyph::Apps
            name=tr!("nav-apps")
            is_here=place == Place::SiteApps(id)
        />
    }
}

/// Who is signed in, with language, theme and the way out.
#[component]
fn Who() -> impl IntoView {
    let live = use_live();
    let name = move || live.me.with(|me| me.name.clone());
    let role = if live.is_administrator() {
        tr!("role-administrator")
    } else {
        tr!("role-customer")
    };
    view! {
        <div class="side-foot">
            <button class="who" popovertarget=WHO_MENU_ID>
                <span class="ava" aria-hidden="true">{move || format::initials(&name())}</span>
                <span class="two">
                    <bdi class="trunc">{name}</bdi>
                    <small>{role}</small>
                </span>
                <span class="vh">{tr!("who-menu")}</span>
            </button>
            <div class="menu" id=WHO_MENU_ID popover="auto">
                <LanguageSwitch/>
                <ThemeSwitch/>
                <form method="post" action=SignOut::url()>
                    <button class="btn btn-w">{tr!("sign-out")}</button>
                </form>
            </div>
        </div>
    }
    .into_any()
}
