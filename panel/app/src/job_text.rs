//! Jobs in words: what they do, how far they are. The words of steps come from the locale, by the
//! step's name; a step that no locale knows is shown by its name.

use crate::components::Glyph;
use crate::i18n;
use crate::live::Live;
use crate::move_text;
use crate::tr;
use hwc_api::job::{Job, JobKind, JobProgress, StepState};

/// What people call an application.
#[must_use]
pub fn app_name(app: &str) -> String {
    i18n::text_if_any(&format!("app-name-{app}"), &[]).unwrap_or_else(|| {
        let mut letters = app.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    })
}

/// What a job does or did, in a line.
#[must_use]
pub fn title(job: &Job, site: Option<&str>) -> String {
    let site = site.unwrap_or_default().to_owned();
    let JobKind::InstallApp { app, version, .. } = &job.kind else {
        return match &job.outcome {
            None => tr!("job-move-running", site = site),
            Some(outcome) if outcome.problem.is_none() => tr!("job-move-done", site = site),
            Some(_) => tr!("job-move-failed", site = site),
        };
    };
    let app = app_name(app);
    match &job.outcome {
        None => tr!("job-install-running", app = app, site = site),
        Some(outcome) if outcome.problem.is_none() => {
            tr!(
                "job-install-done",
                app = app,
                version = version.clone(),
                site = site
            )
        }
        Some(_) => tr!("job-install-failed", app = app, site = site),
    }
}

/// Who asked for a move; nothing of other jobs, which are their owner's.
#[must_use]
pub fn asked_by(live: Live, job: &Job) -> Option<String> {
    match &job.kind {
        JobKind::InstallApp { .. } => None,
        JobKind::MoveSite { by: Some(by), .. } => Some(move_text::asked_by(live, *by)),
        JobKind::MoveSite { by: None, .. } => Some(tr!("move-reason-asked")),
    }
}

/// The icon of a job and the class of its colour.
#[must_use]
pub fn glyph(job: &Job) -> (Glyph, &'static str) {
    match &job.outcome {
        None => (Glyph::Working, "c-move spin"),
        Some(outcome) if outcome.problem.is_none() => (Glyph::Done, "c-ok"),
        Some(_) => (Glyph::Failed, "c-bad"),
    }
}

/// What a step does, in the visitor's words.
#[must_use]
pub fn step(name: &str, app: &str) -> String {
    i18n::text_if_any(
        &format!("job-step-{name}"),
        &[("app", app_name(app).into())],
    )
    .unwrap_or_else(|| name.replace('-', " "))
}

/// How long the steps have taken so far.
#[must_use]
pub fn elapsed_ms(progress: Option<&JobProgress>) -> u64 {
    progress
        .map(|progress| progress.steps.iter().map(|step| step.elapsed_ms).sum())
        .unwrap_or_default()
}

/// How far a job is, 0 to 100: every step counts the same.
#[must_use]
pub fn percent(progress: &JobProgress) -> u8 {
    let steps = progress.steps.len() as u64;
    let done: u64 = progress
        .steps
        .iter()
        .map(|step| match step.state {
            StepState::Done => 100,
            StepState::Running | StepState::Failed => {
                u64::from(step.percent.unwrap_or(30).min(100))
            }
            StepState::Waiting => 0,
        })
        .sum();
    i18n::format::percent(done, steps * 100)
}

/// The number of the step that is at work, from 1.
#[must_use]
pub fn current_step(progress: &JobProgress) -> usize {
    let finished = progress
        .steps
        .iter()
        .filter(|step| step.state == StepState::Done)
        .count();
    (finished + 1).min(progress.steps.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::JobId;
    use hwc_api::job::JobStep;

    fn progress(states: &[(StepState, Option<u8>)]) -> JobProgress {
        JobProgress {
            job: JobId(1),
            steps: states
                .iter()
                .map(|(state, percent)| JobStep {
                    name: "unpack".to_owned(),
                    state: *state,
                    percent: *percent,
                    elapsed_ms: 500,
                })
                .collect(),
            log: Vec::new(),
        }
    }

    #[test]
    fn progress_counts_whole_and_partial_steps() {
        use StepState::{Done, Running, Waiting};
        let half = progress(&[
            (Done, None),
            (Running, Some(0)),
            (Waiting, None),
            (Done, None),
        ]);
        assert_eq!(percent(&half), 50);
        assert_eq!(current_step(&half), 3);
        assert_eq!(elapsed_ms(Some(&half)), 2000);
        let all = progress(&[(Done, None), (Done, None)]);
        assert_eq!(percent(&all), 100);
        assert_eq!(current_step(&all), 2);
        let none = progress(&[]);
        assert_eq!(percent(&none), 0);
        assert_eq!(current_step(&none), 0);
    }
}
