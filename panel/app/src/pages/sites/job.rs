//! How an installation goes, live, and how it went.

use super::move_job::MoveJob;
use super::{job_in_address, with_site};
use crate::components::{
    Bar, CopyButton, Crumb, Glyph, Icon, LiveLog, Place, ProtectionLine, Screen, Steps,
};
use crate::i18n::format;
use crate::job_text;
use crate::live::{job_site, use_live};
use crate::page_data::is_running;
use crate::pages::problem::NotFoundPage;
use crate::protection::Protection;
use crate::refusal::problem_text;
use crate::site_text;
use crate::tone::Tone;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::job::{JobKind, JobProgress};
use hwc_api::v1::{JobView, SiteView};
use leptos::prelude::*;

/// The page.
#[component]
pub fn JobPage() -> impl IntoView {
    let id = job_in_address();
    let live = use_live();
    with_site(move |site_id, site| {
        let job = Memo::new(move |_| {
            let id = id.get()?;
            live.jobs
                .with(|jobs| jobs.get(&id).cloned())
                .filter(|job| job_site(job) == site_id)
        });
        let is_there = Memo::new(move |_| job.with(Option::is_some));
        move || match (is_there.get(), job.get_untracked()) {
            (true, Some(first)) => {
                let job = Signal::derive(move || job.get().unwrap_or_else(|| first.clone()));
                if job.with_untracked(|job| matches!(job.job.kind, JobKind::MoveSite { .. })) {
                    view! { <MoveJob id=site_id site job/> }.into_any()
                } else {
                    view! { <Progress id=site_id site job/> }.into_any()
                }
            }
            (true, None) | (false, _) => view! { <NotFoundPage/> }.into_any(),
        }
    })
}

#[component]
fn Progress(id: SiteId, site: Signal<SiteView>, job: Signal<JobView>) -> impl IntoView {
    let app = job.with_untracked(app_of);
    let name = job_text::app_name(&app);
    let running = Memo::new(move |_| job.with(|job| is_running(&job.job)));
    let problem = Memo::new(move |_| job.with(|job| job.job.outcome.as_ref()?.problem.clone()));
    let title = {
        let name = name.clone();
        Signal::derive(
            move || match (running.get(), problem.with(Option::is_some)) {
                (true, _) => tr!("job-title-running", app = name.clone()),
                (false, false) => tr!("job-title-done", app = name.clone()),
                (false, true) => tr!("job-title-failed", app = name.clone()),
            },
        )
    };
    let crumbs = vec![
        Crumb::link(
            site.with_untracked(|site| site.title.clone()),
            format!("/sites/{id}"),
        ),
        Crumb::link(tr!("apps-title"), format!("/sites/{id}/apps")),
        Crumb::here(tr!("install-title", app = name.clone())),
    ];
    let progress = Signal::derive(move || job.with(progress_of));
    let again = format!("/sites/{id}/apps/{app}");
    let steps_app = app.clone();
    view! {
        <Screen title place=Place::SiteApps(id) crumbs>
            <div class="page-h"><h1>{move || title.get()}</h1></div>
            <div class="stackv" role="status">
                {move || {
                    match (running.get(), problem.get()) {
                        (true, _) => ().into_any(),
                        (false, None) => view! { <Ready site app=app.clone() name=name.clone() job/> }.into_any(),
                        (false, Some(problem)) => {
                            view! {
                                <div class="card card-b stackv gap-3">
                                    <p class="st big" data-s="bad">
                                        <Icon glyph=Glyph::Failed/>
                                        <span>{problem_text(&problem)}</span>
                                    </p>
                                    <div class="row wrap">
                                        <a class="btn btn-primary" href=again.clone()>{tr!("try-again")}</a>
                                        <a class="btn" href=format!("/sites/{id}")>{tr!("job-to-site")}</a>
                                    </div>
                                </div>
                            }
                                .into_any()
                        }
                    }
                }}
            </div>
            <Show when=move || running.get() || progress.with(|progress| !progress.steps.is_empty())>
                <StepsAndLog job title progress running app=steps_app.clone()/>
            </Show>
        </Screen>
    }
    .into_any()
}

/// The steps in the visitor's words beside the log in the machine's. Nothing of a job that ended
/// on a node that has restarted since.
#[component]
fn StepsAndLog(
    job: Signal<JobView>,
    title: Signal<String>,
    progress: Signal<JobProgress>,
    #[prop(into)] running: Signal<bool>,
    app: String,
) -> impl IntoView {
    let lines = Memo::new(move |_| progress.with(|progress| progress.log.clone()));
    view! {
        <div class="grid job">
            <section class="card">
                <div class="card-h">
                    <h2>{move || heading(running.get(), &progress.get())}</h2>
                    <span class="muted">
                        {move || job.with(took)}
                    </span>
                </div>
                <div class="card-b">
                    {move || {
                        running
                            .get()
                            .then(|| {
                                let percent = Signal::derive(move || progress.with(job_text::percent));
                                view! {
                                    <div
                                        class="job-bar"
                                        role="progressbar"
                                        aria-label=move || title.get()
                                        aria-valuemin="0"
                                        aria-valuemax="100"
                                        aria-valuenow=move || percent.get().to_string()
                                    >
                                        <Bar percent tone=Tone::Move thick=true/>
                                    </div>
                                }
                            })
                    }}
                    <Steps progress app/>
                </div>
                {move || {
                    running
                        .get()
                        .then(|| view! { <div class="card-f"><span>{tr!("job-leave")}</span></div> })
                }}
            </section>
            <section class="card log-c">
                <div class="card-h">
                    <h2>{move || if running.get() { tr!("job-log") } else { tr!("job-log-kept") }}</h2>
                    <span class="push"></span>
                    <CopyButton text=Signal::derive(move || lines.with(|lines| lines.join("\n")))/>
                </div>
                <LiveLog lines label=tr!("job-log") is_open=running/>
            </section>
        </div>
    }
    .into_any()
}

fn app_of(job: &JobView) -> String {
    match &job.job.kind {
        JobKind::InstallApp { app, .. } => app.clone(),
        JobKind::MoveSite { .. } => String::new(),
    }
}

/// Before the first report there are no steps yet.
fn progress_of(job: &JobView) -> JobProgress {
    job.progress.clone().unwrap_or_else(|| JobProgress {
        job: job.job.id,
        steps: Vec::new(),
        log: Vec::new(),
    })
}

fn heading(running: bool, progress: &JobProgress) -> String {
    if !running {
        tr!("job-how-it-went")
    } else if progress.steps.is_empty() {
        tr!("job-begins")
    } else {
        tr!(
            "job-step-of",
            step = job_text::current_step(progress),
            steps = progress.steps.len()
        )
    }
}

fn took(job: &JobView) -> String {
    match &job.job.outcome {
        Some(outcome) => format::duration(outcome.ended_at.since_ms(job.job.started_at)),
        None => match job_text::elapsed_ms(job.progress.as_ref()) {
            0 => String::new(),
            elapsed => tr!("job-so-far", time = format::duration(elapsed)),
        },
    }
}

/// It works: where it is, and where to go on.
#[component]
fn Ready(site: Signal<SiteView>, app: String, name: String, job: Signal<JobView>) -> impl IntoView {
    let protection = Signal::derive(move || site.with(Protection::of_site));
    let address = Signal::derive(move || site.with(site_text::address));
    let has_admin = app == "wordpress";
    let seconds = job.with_untracked(took);
    view! {
        <section class="card">
            <div class="card-b stackv">
                <div class="row gap-3">
                    <Icon glyph=Glyph::Done class="c-ok i-20"/>
                    <span>
                        {move || site.with(|site| tr!("job-answers", site = site.title.clone(), time = seconds.clone()))}
                    </span>
                </div>
                <div class="row wrap">
                    <a class="btn btn-primary" href=move || address.get() target="_blank" rel="noopener">
                        <Icon glyph=Glyph::External/>
                        {tr!("site-open")}
                    </a>
                    {has_admin
                        .then(|| {
                            view! {
                                <a
                                    class="btn"
                                    href=move || format!("{}wp-admin/", address.get())
                                    target="_blank"
                                    rel="noopener"
                                >
                                    <Icon glyph=Glyph::Key/>
                                    {tr!("app-open-admin")}
                                </a>
                            }
                        })}
                </div>
            </div>
            <div class="card-b part">
                <dl class="kv l">
                    <dt>{tr!("ready-app")}</dt>
                    <dd>{name}</dd>
                    <dt>{tr!("ready-address")}</dt>
                    <dd class="wraps"><bdi>{move || address.get()}</bdi></dd>
                    <dt>{tr!("ready-sign-in")}</dt>
                    <dd>{tr!("ready-sign-in-text")}</dd>
                    <dt>{tr!("column-protection")}</dt>
                    <dd><ProtectionLine protection/></dd>
                    <dt>{tr!("column-state")}</dt>
                    <dd>
                        <span class="st" data-s="ok">
                            <Icon glyph=Glyph::Check/>
                            <span>{tr!("ready-checked")}</span>
                        </span>
                    </dd>
                </dl>
            </div>
        </section>
    }
    .into_any()
}
