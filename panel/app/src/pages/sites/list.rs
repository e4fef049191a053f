//! My sites, or all sites for administrators: the first page of a customer.

use crate::components::{
    Crumb, Empty, Feed, Glyph, Icon, Meter, Place, Screen, SiteCard, SiteTable, ViewSwitch,
    feed_entries, use_list_view,
};
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::page_data::ListView;
use crate::protection::Protection;
use crate::tone::Tone;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::v1::{LiveState, SiteView};
use leptos::prelude::*;

/// Lines of what happened.
const FEED_LINES: usize = 6;

/// The page.
#[component]
pub fn SitesPage() -> impl IntoView {
    let live = use_live();
    let is_administrator = live.is_administrator();
    let title = if is_administrator {
        tr!("sites-all-title")
    } else {
        tr!("sites-my-title")
    };
    let view = use_list_view();
    let ids = Memo::new(move |_| live.sites.with(|sites| sorted(sites.values())));
    let is_empty = Memo::new(move |_| ids.with(Vec::is_empty));
    let entries = Memo::new(move |_| {
        live.sites
            .with(|sites| feed_entries(sites.values(), FEED_LINES))
    });
    let heading = title.clone();
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Sites crumbs=vec![Crumb::here(title)]>
            <div class="page-h">
                <h1>{heading}</h1>
                <span class="muted s13">{move || format::number(ids.with(Vec::len) as u64)}</span>
                <span class="push"></span>
                <ViewSwitch view/>
                <div class="acts row">
                    <a class="btn btn-primary" href="/sites/new">
                        <Icon glyph=Glyph::Plus/>
                        {tr!("site-new")}
                    </a>
                </div>
            </div>
            {move || {
                if is_empty.get() {
                    view! {
                        <div class="card">
                            <Empty glyph=Glyph::Site title=tr!("sites-none") text=tr!("sites-none-text")>
                                <a class="btn btn-primary" href="/sites/new">{tr!("site-new")}</a>
                            </Empty>
                        </div>
                    }
                        .into_any()
                } else {
                    view! {
                        <Numbers live/>
                        {move || match view.get() {
                            ListView::Cards => {
                                view! { <Cards ids=ids with_owner=is_administrator/> }.into_any()
                            }
                            ListView::Table => {
                                view! { <SiteTable ids=ids with_owner=is_administrator/> }.into_any()
                            }
                        }}
                        <section class="card below">
                            <div class="card-h"><h2>{tr!("feed-title")}</h2></div>
                            <Feed entries/>
                        </section>
                    }
                        .into_any()
                }
            }}
        </Screen>
    }
    .into_any()
}

/// By name, as people look for them.
fn sorted<'site>(sites: impl Iterator<Item = &'site SiteView>) -> Vec<SiteId> {
    let mut named: Vec<(&str, SiteId)> = sites.map(|site| (site.title.as_str(), site.id)).collect();
    named.sort_unstable();
    named.into_iter().map(|(_, id)| id).collect()
}

#[component]
fn Cards(#[prop(into)] ids: Signal<Vec<SiteId>>, with_owner: bool) -> impl IntoView {
    let live = use_live();
    view! {
        <div class="grid cols-3">
            <For each=move || ids.get() key=|id| *id let:id>
                {
                    let site = live.site(Some(id));
                    let first = site.get_untracked();
                    first
                        .map(|first| {
                            let site = Signal::derive(move || site.get().unwrap_or_else(|| first.clone()));
                            view! { <SiteCard site with_owner/> }
                        })
                }
            </For>
        </div>
    }
    .into_any()
}

/// The four numbers of the page.
#[component]
fn Numbers(live: Live) -> impl IntoView {
    let sites = Memo::new(move |_| live.sites.with(|sites| sites.len() as u64));
    let databases = Memo::new(move |_| {
        live.sites.with(|sites| {
            sites
                .values()
                .map(|site| site.databases.len() as u64)
                .sum::<u64>()
        })
    });
    let answering = Memo::new(move |_| {
        live.sites.with(|sites| {
            sites
                .values()
                .filter(|site| site.state == LiveState::Live)
                .count() as u64
        })
    });
    let protected = Memo::new(move |_| {
        live.sites.with(|sites| {
            sites
                .values()
                .filter(|site| Protection::of_site(site).tone() == Tone::Ok)
                .count() as u64
        })
    });
    let used = Memo::new(move |_| {
        live.sites
            .with(|sites| sites.values().map(used_bytes).sum::<u64>())
    });
    let limits = Memo::new(move |_| live.me.with(|me| me.limits));
    let of_all = move |count: u64| {
        view! {
            <div class="stat-v">
                {format::number(count)}
                <small>{tr!("of-all", count = format::number(sites.get()))}</small>
            </div>
        }
    };
    let first = if live.is_administrator() {
        view! {
            <div>
                <div class="stat-l">{tr!("numbers-sites")}</div>
                <div class="stat-v">{move || format::number(sites.get())}</div>
            </div>
        }
        .into_any()
    } else {
        view! {
            <div>
                <Meter
                    label=tr!("numbers-sites")
                    used=Signal::derive(move || format::number(sites.get()))
                    limit=Signal::derive(move || format::number(limits.get().sites.into()))
                    percent=Signal::derive(move || format::percent(sites.get(), limits.get().sites.into()))
                />
                <div class="sm muted strip-n">
                    {move || {
                        let limits = limits.get();
                        tr!(
                            "numbers-databases",
                            used = format::number(databases.get()),
                            limit = format::number(limits.databases.into())
                        )
                    }}
                </div>
            </div>
        }
        .into_any()
    };
    view! {
        <div class="strip">
            {first}
            <div>
                <div class="stat-l">{tr!("numbers-live")}</div>
                {move || of_all(answering.get())}
            </div>
            <div>
                <div class="stat-l">{tr!("numbers-protected")}</div>
                {move || of_all(protected.get())}
            </div>
            <div>
                <div class="stat-l">{tr!("numbers-used")}</div>
                <div class="stat-v">{move || format::bytes(used.get())}</div>
            </div>
        </div>
    }
    .into_any()
}

fn used_bytes(site: &SiteView) -> u64 {
    let databases = site
        .databases
        .iter()
        .map(|database| database.dataset.used_bytes);
    site.files.used_bytes.saturating_add(databases.sum())
}
