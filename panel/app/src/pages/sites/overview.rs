//! A site's first page: is it live, is it protected, is something moving, what does it run.

use super::delete_form::DeleteSiteForm;
use super::facts::{Domains, RunsOn, databases};
use super::with_site;
use crate::components::{
    Bar, Crumb, Dialog, Empty, Feed, Glyph, Icon, MoveCard, Place, ProtectionLine, Screen,
    StateBadge, WhereDiagram, WhyHere, feed_entries, receipt_entries,
};
use crate::i18n::format;
use crate::job_text;
use crate::live::use_live;
use crate::move_text;
use crate::page_data::is_running;
use crate::protection::Protection;
use crate::site_text;
use crate::tone::Tone;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::job::JobKind;
use hwc_api::v1::{JobView, SiteView};
use leptos::prelude::*;

/// The most lines of what happened.
const FEED_LINES: usize = 8;

/// The page.
#[component]
pub fn SitePage() -> impl IntoView {
    with_site(|id, site| view! { <Overview id site/> })
}

#[component]
fn Overview(id: SiteId, site: Signal<SiteView>) -> impl IntoView {
    let live = use_live();
    let title = Signal::derive(move || site.with(|site| site.title.clone()));
    let state = Signal::derive(move || site.with(|site| site.state));
    let protection = Signal::derive(move || site.with(Protection::of_site));
    let files = Signal::derive(move || site.with(|site| site.files.clone()));
    let job = Memo::new(move |_| site.with(running_job));
    let is_fresh =
        Memo::new(move |_| job.with(Option::is_none) && site.with(|site| site.app.is_none()));
    let entries = Memo::new(move |_| {
        let mut entries = receipt_entries(live, id, &move_text::receipts(live, id));
        entries.extend(site.with(|site| feed_entries(std::iter::once(site), FEED_LINES)));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(FEED_LINES);
        entries
    });
    let parent = if live.is_administrator() {
        tr!("sites-all-title")
    } else {
        tr!("sites-my-title")
    };
    let crumbs = vec![
        Crumb::link(parent, "/sites"),
        Crumb::here(title.get_untracked()),
    ];
    view! {
        <Screen title place=Place::SiteOverview(id) crumbs>
            <div class="page-h">
                <h1><bdi>{move || title.get()}</bdi></h1>
                <StateBadge state/>
                <ProtectionLine protection/>
                <span class="push"></span>
                <Actions id site/>
            </div>
            <div class="grid cols-main">
                <div class="stackv">
                    {move || {
                        job.get()
                            .filter(|job| matches!(job.job.kind, JobKind::InstallApp { .. }))
                            .map(|job| view! { <RunningJob id job/> })
                    }}
                    <MoveCard site/>
                    <section class="card">
                        <div class="card-h">
                            <h2>{tr!("where-title")}</h2>
                            <span class="muted">{tr!("where-updates-live")}</span>
                        </div>
                        <WhereDiagram dataset=files/>
                        <div class="card-f">
                            <Icon glyph=Glyph::Info/>
                            <span>{move || site.with(what_if)}</span>
                        </div>
                    </section>
                    {move || is_fresh.get().then(|| view! { <StartWithApp id/> })}
                    <section class="card">
                        <div class="card-h"><h2>{tr!("feed-title")}</h2></div>
                        <Feed entries/>
                    </section>
                </div>
                <div class="stackv">
                    <Domains site/>
                    {move || site.with(|site| databases(&site.databases))}
                    <RunsOn site/>
                    <WhyHere site/>
                </div>
            </div>
        </Screen>
    }
    .into_any()
}

/// The job that runs on the site.
fn running_job(site: &SiteView) -> Option<JobView> {
    let mut jobs = site.jobs.iter();
    jobs.find(|view| is_running(&view.job)).cloned()
}

/// What can be done with the site.
#[component]
fn Actions(id: SiteId, site: Signal<SiteView>) -> impl IntoView {
    let is_administrator = use_live().is_administrator();
    let is_open = RwSignal::new(false);
    let question = Signal::derive(move || {
        site.with(|site| tr!("site-delete-title", site = site.title.clone()))
    });
    view! {
        <div class="acts row">
            <a class="btn" href=move || site.with(site_text::address) target="_blank" rel="noopener">
                <Icon glyph=Glyph::External/>
                {tr!("site-open")}
                <span class="vh">{tr!("opens-new-tab")}</span>
            </a>
            {is_administrator
                .then(|| {
                    view! {
                        <a class="btn" href=format!("/sites/{id}/move")>
                            <Icon glyph=Glyph::Move/>
                            {tr!("site-move")}
                        </a>
                    }
                })}
            <a
                class="btn btn-danger"
                href=format!("/sites/{id}/delete")
                on:click=move |event| {
                    event.prevent_default();
                    event.stop_propagation();
                    is_open.set(true);
                }
            >
                <Icon glyph=Glyph::Trash/>
                {tr!("site-delete")}
            </a>
        </div>
        <Dialog id="delete-site" title=question is_open>
            {
                let first = site.get_untracked();
                view! {
                    <DeleteSiteForm site=first>
                        <button type="button" class="btn" autofocus on:click=move |_| is_open.set(false)>
                            {tr!("keep-it")}
                        </button>
                    </DeleteSiteForm>
                }
            }
        </Dialog>
    }
    .into_any()
}

/// What runs on the site just now.
#[component]
fn RunningJob(id: SiteId, job: JobView) -> impl IntoView {
    let percent = job
        .progress
        .as_ref()
        .map(job_text::percent)
        .unwrap_or_default();
    let href = format!("/sites/{id}/jobs/{}", job.job.id);
    view! {
        <section class="card">
            <div class="card-b stackv gap-3">
                <div class="row">
                    <Icon glyph=Glyph::Working class="c-move spin"/>
                    <span class="grow b">{job_text::title(&job.job, None)}</span>
                    <a class="btn btn-s" href=href>{tr!("job-watch")}</a>
                </div>
                <Bar percent=percent tone=Tone::Move thick=true/>
            </div>
        </section>
    }
    .into_any()
}

/// What happens when the live node fails; how much is at risk.
fn what_if(site: &SiteView) -> String {
    let node = site
        .files
        .live_node
        .as_ref()
        .map(|node| node.name.to_string());
    let kept = site.files.divergent_copies
        + site
            .databases
            .iter()
            .map(|database| database.dataset.divergent_copies)
            .sum::<u32>();
    let risk = match (node, Protection::of_site(site)) {
        (
            Some(node),
            Protection::Whole {
                oldest_ms: Some(0), ..
            },
        ) => {
            tr!("what-if-nothing", node = node)
        }
        (
            Some(node),
            Protection::Whole {
                oldest_ms: Some(age),
                ..
            },
        ) => {
            tr!("what-if-age", node = node, age = format::duration(age))
        }
        (
            Some(node),
            Protection::Whole {
                oldest_ms: None, ..
            }
            | Protection::Partial { .. },
        ) => {
            tr!("what-if-takeover", node = node)
        }
        (Some(node), Protection::Begun | Protection::None) => {
            tr!("what-if-unprotected", node = node)
        }
        (None, _) => tr!("what-if-down"),
    };
    if kept > 0 {
        format!("{risk} {}", tr!("what-if-kept", count = kept))
    } else {
        risk
    }
}

/// An empty site: what to do next.
#[component]
fn StartWithApp(id: SiteId) -> impl IntoView {
    view! {
        <section class="card">
            <Empty glyph=Glyph::Apps title=tr!("site-empty") text=tr!("site-empty-text")>
                <a class="btn btn-primary" href=format!("/sites/{id}/apps/wordpress")>{tr!("site-empty-wordpress")}</a>
                <a class="btn btn-quiet" href=format!("/sites/{id}/apps")>{tr!("site-empty-other")}</a>
            </Empty>
        </section>
    }
    .into_any()
}
