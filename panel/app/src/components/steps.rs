//! The steps of a job in the visitor's words, read out as they finish.

use super::icon::{Glyph, Icon};
use crate::i18n::format;
use crate::job_text;
use hwc_api::job::{JobProgress, JobStep, StepState};
use leptos::prelude::*;

/// The steps.
#[component]
pub fn Steps(
    /// How far the job is.
    #[prop(into)]
    progress: Signal<JobProgress>,
    /// The application, by its name in the catalogue.
    #[prop(into)]
    app: String,
) -> impl IntoView {
    view! {
        <ol class="steps" aria-live="polite">
            {move || {
                progress.with(|progress| progress.steps.iter().map(|each| step(each, &app)).collect_view())
            }}
        </ol>
    }
    .into_any()
}

fn step(step: &JobStep, app: &str) -> impl IntoView + use<> {
    let (state, glyph, class) = match step.state {
        StepState::Waiting => ("wait", Glyph::Waiting, ""),
        StepState::Running => ("now", Glyph::Working, "spin"),
        StepState::Done => ("ok", Glyph::Done, ""),
        StepState::Failed => ("bad", Glyph::Failed, ""),
    };
    let time = match step.state {
        StepState::Waiting => String::new(),
        StepState::Running | StepState::Done | StepState::Failed => {
            format::duration(step.elapsed_ms)
        }
    };
    let percent = step
        .percent
        .filter(|_| step.state == StepState::Running)
        .map(|percent| view! { <small aria-hidden="true">{format!("{percent} %")}</small> });
    view! {
        <li data-s=state>
            <Icon glyph class/>
            <b>{job_text::step(&step.name, app)}</b>
            <span class="t" aria-hidden="true">{time}</span>
            {percent}
        </li>
    }
}
