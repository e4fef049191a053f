//! Many seeds, on all processors.

use crate::chaos::{Course, Outcome, run_seed};
use crate::truth::Tally;
use crate::world::BrainFactory;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A broken rule must be noticed within so many seeds.
pub const BUG_SEEDS_MAX: u64 = 600;

/// Which seeds, and how.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// How each is run.
    pub course: Course,
    /// The first one.
    pub from: u64,
    /// How many.
    pub seeds: u64,
}

/// What came of them.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Seeds that ran.
    pub seeds: u64,
    /// What went wrong, by seed.
    pub failures: BTreeMap<u64, String>,
    /// What happened in all of them together.
    pub tally: Tally,
    /// The longest time that a dataset was served by nobody though somebody could.
    pub longest_unserved: Duration,
    /// The longest time to come to rest.
    pub longest_rest: Duration,
}

/// Runs all seeds, two or more at a time. `told` is called after each one, with how many are done.
pub fn run(campaign: &Campaign, told: impl FnMut(u64, &Outcome) + Send) -> Found {
    run_some(campaign, false, told)
}

/// The first seed that is red and was green with sound brains, and what was seen in it. (Of those
/// that run side by side the lowest one counts.)
#[must_use]
pub fn first_red(campaign: &Campaign, sound: BrainFactory) -> Option<(u64, String)> {
    let end = campaign.from.saturating_add(campaign.seeds);
    let mut from = campaign.from;
    while from < end {
        let rest = Campaign {
            from,
            seeds: end - from,
            ..*campaign
        };
        let found = run_some(&rest, true, |_, _| {});
        for (seed, failure) in &found.failures {
            let brain = sound;
            let course = Course {
                brain,
                ..campaign.course
            };
            if run_seed(*seed, &course).failure.is_none() {
                return Some((*seed, failure.clone()));
            }
        }
        from = found.failures.last_key_value()?.0 + 1;
    }
    None
}

fn run_some(campaign: &Campaign, until_red: bool, told: impl FnMut(u64, &Outcome) + Send) -> Found {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(campaign.from);
    let end = campaign.from.saturating_add(campaign.seeds);
    let is_red = AtomicBool::new(false);
    let found = Mutex::new((Found::default(), told));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !(until_red && is_red.load(Ordering::Relaxed)) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run_seed(seed, &campaign.course);
                    is_red.fetch_or(outcome.failure.is_some(), Ordering::Relaxed);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    let (found, told) = &mut *found;
                    found.add(&outcome);
                    told(found.seeds, &outcome);
                }
            });
        }
    });
    let (found, _) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found
}

impl Found {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.tally.add(outcome.tally);
        self.longest_unserved = self.longest_unserved.max(outcome.longest_unserved);
        self.longest_rest = self.longest_rest.max(outcome.rest.took);
        if let Some(failure) = &outcome.failure {
            self.failures.insert(outcome.seed, failure.clone());
        }
    }
}

/// The command that runs one seed again, with its log.
#[cfg(feature = "seeded-bugs")]
#[must_use]
pub fn replay_command(seed: u64, course: &Course, bug: Option<&crate::bugs::SeededBug>) -> String {
    let minutes = course.length.as_secs() / 60;
    let nodes = course.nodes.map(|nodes| format!(" --nodes {nodes}"));
    let bug = bug.map(|bug| format!(" --bug {}", bug.name));
    format!(
        "cargo run --release -p hwc-simulator --features seeded-bugs -- --replay {seed} --minutes {minutes}{}{}",
        nodes.unwrap_or_default(),
        bug.unwrap_or_default(),
    )
}
