//! The job of a move: how it goes, and how it went.

use crate::components::{
    Crumb, Feed, Glyph, Icon, Moment, MoveCard, Place, Screen, receipt_entries,
};
use crate::job_text;
use crate::live::use_live;
use crate::move_text;
use crate::refusal::problem_text;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::v1::{JobView, SiteView};
use leptos::prelude::*;

/// The page of the job.
#[component]
pub fn MoveJob(id: SiteId, site: Signal<SiteView>, job: Signal<JobView>) -> impl IntoView {
    let live = use_live();
    let main = site.with_untracked(|site| site.title.clone());
    let home = format!("/sites/{id}");
    let crumbs = vec![
        Crumb::link(main.clone(), home.clone()),
        Crumb::here(tr!("site-move-crumb")),
    ];
    let title = Signal::derive(move || job.with(|job| job_text::title(&job.job, Some(&main))));
    let problem = Memo::new(move |_| job.with(|job| job.job.outcome.as_ref()?.problem.clone()));
    let began_at = job.with_untracked(|job| job.job.started_at);
    let entries = Memo::new(move |_| {
        let mut receipts = move_text::receipts(live, id);
        receipts.retain(|view| view.of.report.ended_at >= began_at);
        receipt_entries(live, id, &receipts)
    });
    view! {
        <Screen title place=Place::SiteOverview(id) crumbs>
            <div class="page-h">
                <h1>{move || title.get()}</h1>
                <span class="muted s13">
                    {move || job.with(|job| job_text::asked_by(live, &job.job))} " · " <Moment at=began_at/>
                </span>
            </div>
            <div class="stackv narrow">
                <div role="status">
                    {move || {
                        problem
                            .get()
                            .map(|problem| {
                                view! {
                                    <p class="st big" data-s="bad">
                                        <Icon glyph=Glyph::Failed/>
                                        <span>{problem_text(&problem)}</span>
                                    </p>
                                }
                            })
                    }}
                </div>
                <MoveCard site/>
                <section class="card">
                    <div class="card-h"><h2>{tr!("feed-title")}</h2></div>
                    <Feed entries/>
                    <div class="card-f"><a class="btn" href=home>{tr!("job-to-site")}</a></div>
                </section>
            </div>
        </Screen>
    }
    .into_any()
}
