//! What happened: who or what, then why, the time at the end. Told from the sites and their jobs.

use super::icon::{Glyph, Icon};
use super::moment::{Moment, span};
use crate::job_text;
use crate::live::Live;
use crate::move_text;
use crate::refusal::problem_text;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::job::JobKind;
use hwc_api::moves::MoveReceipt;
use hwc_api::time::WallTime;
use hwc_api::v1::{JobView, MoveView, SiteView};
use leptos::prelude::*;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its icon.
    pub glyph: Glyph,
    /// The class of its colour.
    pub class: &'static str,
    /// What happened.
    pub text: String,
    /// Why, or with what result.
    pub detail: Option<String>,
    /// When.
    pub at: WallTime,
    /// To which site.
    pub site: SiteId,
}

/// What happened to these sites, the newest first.
#[must_use]
pub fn feed_entries<'site>(
    sites: impl Iterator<Item = &'site SiteView>,
    most: usize,
) -> Vec<FeedEntry> {
    let mut entries: Vec<FeedEntry> = sites.flat_map(of_site).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(most);
    entries
}

fn of_site(site: &SiteView) -> Vec<FeedEntry> {
    let created = FeedEntry {
        glyph: Glyph::Plus,
        class: "",
        text: tr!("feed-site-created", site = site.title.clone()),
        detail: None,
        at: site.created_at,
        site: site.id,
    };
    let jobs = site.jobs.iter().filter(|view| !is_told_by_receipts(view));
    let jobs = jobs.map(|view| of_job(site, view));
    std::iter::once(created).chain(jobs).collect()
}

/// A move that ended well is told by its receipts.
fn is_told_by_receipts(view: &JobView) -> bool {
    let outcome = view.job.outcome.as_ref();
    let went_well = outcome.is_some_and(|outcome| outcome.problem.is_none());
    went_well && matches!(view.job.kind, JobKind::MoveSite { .. })
}

fn of_job(site: &SiteView, view: &JobView) -> FeedEntry {
    let (glyph, class) = job_text::glyph(&view.job);
    let outcome = view.job.outcome.as_ref();
    FeedEntry {
        glyph,
        class,
        text: job_text::title(&view.job, Some(&site.title)),
        detail: outcome.map(|outcome| match &outcome.problem {
            Some(problem) => problem_text(problem),
            None => tr!(
                "job-took",
                time = span(view.job.started_at, outcome.ended_at)
            ),
        }),
        at: outcome.map_or(view.job.started_at, |outcome| outcome.ended_at),
        site: site.id,
    }
}

/// What the moves of a site came to: who waited, how long at most, what failed.
#[must_use]
pub fn receipt_entries(
    live: Live,
    site: SiteId,
    receipts: &[MoveView<MoveReceipt>],
) -> Vec<FeedEntry> {
    receipts
        .iter()
        .map(|view| {
            let report = &view.of.report;
            let to = view.to.name.to_string();
            let what = move_text::what(live, view, report.dataset);
            let (glyph, class, text) = match &report.problem {
                None => (
                    Glyph::Move,
                    "c-ok",
                    tr!("receipt-done", what = what, node = to),
                ),
                Some(_) => (
                    Glyph::Undo,
                    "c-warn",
                    tr!("receipt-called-off", what = what, node = to),
                ),
            };
            let line = move_text::receipt(&view.of);
            let why = report
                .problem
                .as_ref()
                .map_or_else(|| move_text::reason(live, report.reason), problem_text);
            FeedEntry {
                glyph,
                class,
                text,
                detail: Some(format!("{why} · {line}")),
                at: report.ended_at,
                site,
            }
        })
        .collect()
}

/// The list.
#[component]
pub fn Feed(
    /// What happened.
    #[prop(into)]
    entries: Signal<Vec<FeedEntry>>,
) -> impl IntoView {
    view! {
        <ul class="feed">
            {move || {
                entries
                    .get()
                    .into_iter()
                    .map(|entry| {
                        view! {
                            <li>
                                <Icon glyph=entry.glyph class=entry.class/>
                                <span>{entry.text}</span>
                                <Moment at=entry.at/>
                                {entry.detail.map(|detail| view! { <small>{detail}</small> })}
                            </li>
                        }
                    })
                    .collect_view()
            }}
        </ul>
    }
    .into_any()
}
