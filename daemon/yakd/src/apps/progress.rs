//! What a running installation tells: its steps, how far each is, and the end of its log.

use hwc_api::ids::JobId;
use hwc_api::job::{JobProgress, JobStep, StepState};
use hwc_runtime::clock::{Clock, Moment};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// Lines of the log that are kept: enough to see what went wrong, little enough to send often.
const LOG_LINES_MAX: usize = 200;
/// A line is cut here, in characters.
const LINE_LENGTH_MAX: usize = 400;

/// Tells how far an installation is.
#[derive(Debug)]
pub(crate) struct Teller {
    clock: Clock,
    sender: watch::Sender<JobProgress>,
    began: Mutex<Option<Moment>>,
}

impl Teller {
    /// Announces all steps as waiting.
    pub(crate) fn new(
        job: JobId,
        names: &[&str],
        clock: Clock,
        sender: watch::Sender<JobProgress>,
    ) -> Self {
        let waiting = |name: &&str| JobStep {
            name: (*name).to_owned(),
            state: StepState::Waiting,
            percent: None,
            elapsed_ms: 0,
        };
        sender.send_replace(JobProgress {
            job,
            steps: names.iter().map(waiting).collect(),
            log: Vec::new(),
        });
        Self {
            clock,
            sender,
            began: Mutex::new(None),
        }
    }

    /// A step begins; the one before it is done.
    pub(crate) fn begin(&self, name: &str) {
        self.end(StepState::Done);
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clock.now());
        self.sender.send_modify(|progress| {
            for step in progress.steps.iter_mut().filter(|step| step.name == name) {
                step.state = StepState::Running;
            }
        });
    }

    /// How far the running step is, 0 to 100. Watchers are woken only when the number changes.
    pub(crate) fn percent(&self, percent: u8) {
        let elapsed_ms = self.elapsed_ms();
        let percent = Some(percent.min(100));
        self.sender.send_if_modified(|progress| {
            let mut steps = progress.steps.iter_mut();
            let running = steps.find(|step| step.state == StepState::Running);
            let Some(step) = running.filter(|step| step.percent != percent) else {
                return false;
            };
            step.percent = percent;
            step.elapsed_ms = elapsed_ms;
            true
        });
    }

    /// The running step ends, if one runs.
    pub(crate) fn end(&self, state: StepState) {
        let elapsed_ms = self.elapsed_ms();
        self.change_running(|step| {
            step.state = state;
            step.elapsed_ms = elapsed_ms;
            if state == StepState::Done {
                step.percent = Some(100);
            }
        });
    }

    /// Adds lines to the log; control characters are replaced.
    pub(crate) fn log(&self, text: &str) {
        let clean = |line: &str| -> String {
            let shown = line.chars().take(LINE_LENGTH_MAX);
            shown
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect()
        };
        self.sender.send_modify(|progress| {
            progress.log.extend(text.lines().map(clean));
            let surplus = progress.log.len().saturating_sub(LOG_LINES_MAX);
            progress.log.drain(..surplus);
        });
    }

    /// The name of the running step.
    pub(crate) fn running(&self) -> Option<String> {
        let progress = self.sender.borrow();
        let mut steps = progress.steps.iter();
        steps
            .find(|step| step.state == StepState::Running)
            .map(|step| step.name.clone())
    }

    fn elapsed_ms(&self) -> u64 {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        began.map_or(0, |began| {
            u64::try_from(self.clock.now().since(began).as_millis()).unwrap_or(u64::MAX)
        })
    }

    fn change_running(&self, change: impl Fn(&mut JobStep)) {
        self.sender.send_if_modified(|progress| {
            let mut steps = progress.steps.iter_mut();
            let running = steps.find(|step| step.state == StepState::Running);
            running.map(change).is_some()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::time::WallTime;
    use std::time::Duration;

    #[test]
    fn steps_follow_one_another() {
        let clock = Clock::manual(WallTime(0));
        let (sender, receiver) = watch::channel(JobProgress {
            job: JobId(0),
            steps: Vec::new(),
            log: Vec::new(),
        });
        let teller = Teller::new(JobId(3), &["fetch", "unpack"], clock.clone(), sender);
        teller.begin("fetch");
        clock.advance(Duration::from_millis(40));
        teller.percent(50);
        assert_eq!(receiver.borrow().steps[0].percent, Some(50));
        assert_eq!(teller.running().as_deref(), Some("fetch"));
        teller.begin("unpack");
        teller.end(StepState::Failed);
        let progress = receiver.borrow().clone();
        assert_eq!(progress.job, JobId(3));
        assert_eq!(progress.steps[0].state, StepState::Done);
        assert_eq!(progress.steps[0].elapsed_ms, 40);
        assert_eq!(progress.steps[1].state, StepState::Failed);
        assert_eq!(teller.running(), None);
    }

    #[test]
    fn the_log_is_bounded_and_clean() {
        let (sender, receiver) = watch::channel(JobProgress {
            job: JobId(0),
            steps: Vec::new(),
            log: Vec::new(),
        });
        let teller = Teller::new(JobId(1), &[], Clock::manual(WallTime(0)), sender);
        for number in 0..300 {
            teller.log(&format!("line {number}\u{1b}[31m"));
        }
        let log = receiver.borrow().log.clone();
        assert_eq!(log.len(), 200);
        assert_eq!(log[199], "line 299\u{fffd}[31m");
    }
}
