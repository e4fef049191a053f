//! The drawer of running and recent jobs: a popover over the page, which never pushes it.

use super::bar::Bar;
use super::icon::{Glyph, Icon};
use super::moment::{Moment, span};
use crate::i18n::format;
use crate::job_text;
use crate::live::{Live, job_site, use_live};
use crate::page_data::is_running;
use crate::refusal::problem_text;
use crate::tone::Tone;
use crate::tr;
use hwc_api::v1::JobView;
use leptos::prelude::*;

/// The id by which the button opens the drawer.
const DRAWER_ID: &str = "activity";
/// The most jobs that are listed.
const LISTED: usize = 12;

/// The newest jobs, those that run first.
fn newest(live: Live) -> Vec<JobView> {
    let mut jobs: Vec<JobView> = live.jobs.with(|jobs| jobs.values().cloned().collect());
    jobs.sort_by_key(|job| (!is_running(&job.job), std::cmp::Reverse(job.job.started_at)));
    jobs.truncate(LISTED);
    jobs
}

/// The button with its drawer.
#[component]
pub fn ActivityButton() -> impl IntoView {
    let live = use_live();
    let jobs = Memo::new(move |_| newest(live));
    let running = Memo::new(move |_| {
        jobs.with(|jobs| jobs.iter().filter(|job| is_running(&job.job)).count())
    });
    view! {
        <button
            class="btn btn-quiet btn-i"
            popovertarget=DRAWER_ID
            aria-label=move || tr!("activity-open", running = running.get())
            data-running=move || (running.get() > 0).then_some("yes")
        >
            <Icon glyph=Glyph::Activity/>
        </button>
        <section class="drawer" id=DRAWER_ID popover="auto" aria-labelledby="activity-title">
            <div class="card-h">
                <h2 id="activity-title">{tr!("activity")}</h2>
                <button
                    class="btn btn-quiet btn-i btn-s push"
                    popovertarget=DRAWER_ID
                    popovertargetaction="hide"
                    aria-label=tr!("close")
                >
                    <Icon glyph=Glyph::Close/>
                </button>
            </div>
            <ul class="feed">
                {move || {
                    let jobs = jobs.get();
                    if jobs.is_empty() {
                        view! { <li class="feed-none"><span>{tr!("activity-none")}</span></li> }.into_any()
                    } else {
                        jobs.into_iter().map(|job| entry(live, job)).collect_view().into_any()
                    }
                }}
            </ul>
        </section>
    }
    .into_any()
}

fn entry(live: Live, job: JobView) -> impl IntoView {
    let site = job_site(&job);
    let site_name = live
        .sites
        .with(|sites| sites.get(&site).map(|site| site.title.clone()));
    let title = job_text::title(&job.job, site_name.as_deref());
    let href = format!("/sites/{site}/jobs/{}", job.job.id);
    let (glyph, tone) = job_text::glyph(&job.job);
    let time = match &job.job.outcome {
        None => {
            let elapsed = job_text::elapsed_ms(job.progress.as_ref());
            view! { <time>{format::duration(elapsed)}</time> }.into_any()
        }
        Some(outcome) => view! { <Moment at=outcome.ended_at/> }.into_any(),
    };
    let detail = match (&job.job.outcome, &job.progress) {
        (Some(outcome), _) => match &outcome.problem {
            Some(problem) => Some(view! { <small>{problem_text(problem)}</small> }.into_any()),
            None => {
                let took = tr!(
                    "job-took",
                    time = span(job.job.started_at, outcome.ended_at)
                );
                let asked = job_text::asked_by(live, &job.job);
                let words: Vec<String> = asked.into_iter().chain([took]).collect();
                Some(view! { <small>{words.join(" · ")}</small> }.into_any())
            }
        },
        (None, Some(progress)) => {
            let percent = job_text::percent(progress);
            Some(view! { <small><Bar percent=percent tone=Tone::Move/></small> }.into_any())
        }
        (None, None) => None,
    };
    view! {
        <li>
            <Icon glyph class=tone/>
            <span><a href=href>{title}</a></span>
            {time}
            {detail}
        </li>
    }
}
