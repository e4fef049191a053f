//! Faults drawn from a seed: what kinds, how many, how bad is drawn for each run anew, so that
//! each kind is met alone and in company.

mod plan;
mod strikes;

pub use plan::{Kind, Plan};

use crate::chronicle::Verbosity;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::time::{Moment, seconds};
use crate::truth::Tally;
use crate::world::{BrainFactory, RestReport, Setup, World};
use hwc_api::ids::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;
use strikes::Relief;

/// How a seed is run.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// How long a run lasts in all; the last third of it, ten minutes at most, in peace.
    pub length: Duration,
    /// So many different fair schedules are tried at the end.
    pub schedules: u64,
    /// So many nodes; none: drawn.
    pub nodes: Option<u16>,
    /// How much is logged.
    pub verbosity: Verbosity,
    /// How a brain is made.
    pub brain: BrainFactory,
}

impl Course {
    /// Half an hour, three schedules, nothing logged.
    #[must_use]
    pub const fn ordinary(brain: BrainFactory) -> Self {
        Self {
            length: seconds(1_800),
            schedules: 3,
            nodes: None,
            verbosity: Verbosity::Silent,
            brain,
        }
    }

    /// How long nothing is to happen at the end.
    fn quiet(&self) -> Duration {
        (self.length / 3).min(seconds(600))
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed, to replay it.
    pub seed: u64,
    /// What went wrong.
    pub failure: Option<String>,
    /// What happened, a line each, if it was logged.
    pub log: Vec<String>,
    /// Counts.
    pub tally: Tally,
    /// How the cluster came to rest, under the first schedule.
    pub rest: RestReport,
    /// The longest time that a dataset was served by nobody though somebody could.
    pub longest_unserved: Duration,
}

/// Runs one seed to its end.
#[must_use]
pub fn run_seed(seed: u64, course: &Course) -> Outcome {
    let mut chaos = Chaos::new(seed, course);
    chaos.create_sites();
    chaos.rage(course.length.saturating_sub(course.quiet()));
    chaos.end(course)
}

struct Chaos {
    seed: u64,
    world: World,
    dice: Dice,
    plan: Plan,
    /// What is mended, and when.
    agenda: BTreeMap<(Moment, u64), Relief>,
    agreed: u64,
    image: Option<(NodeId, Disk)>,
    last_dataset: u32,
}

impl Chaos {
    fn new(seed: u64, course: &Course) -> Self {
        let mut dice = Dice::new(seed, 2);
        let plan = Plan::draw(seed, course.nodes, &mut dice);
        let world = World::new(Setup {
            nodes: plan.nodes,
            seed,
            tempo: plan.tempo.clone(),
            weather: plan.weather.clone(),
            temper: plan.temper.clone(),
            brain: course.brain,
            verbosity: course.verbosity,
        });
        let mut chaos = Self {
            seed,
            world,
            dice,
            plan,
            agenda: BTreeMap::new(),
            agreed: 0,
            image: None,
            last_dataset: 0,
        };
        chaos.set_clocks();
        chaos
    }

    fn set_clocks(&mut self) {
        for node in self.world.node_ids().collect::<Vec<_>>() {
            let drift = self.dice.number(0..=400);
            let offset_ms = self.dice.number(0..=1_200_000);
            let signed = |number: u64, middle: i64| i64::try_from(number).unwrap_or(0) - middle;
            if self.plan.are_clocks_wrong {
                self.world
                    .set_clock(node, signed(drift, 200), signed(offset_ms, 600_000));
            }
        }
    }

    /// Strikes and reliefs, until the time is over or something is violated.
    fn rage(&mut self, span: Duration) {
        let end = self.world.now() + span;
        let mut next_strike = self.world.now() + self.dice.span(self.plan.pause);
        while self.world.violation().is_none() && self.world.now() < end {
            let next_relief = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let next = next_relief.map_or(next_strike, |relief| relief.min(next_strike));
            self.world.run_until(next.min(end));
            let now = self.world.now();
            if now >= end || self.world.violation().is_some() {
                return;
            }
            if next_relief.is_some_and(|relief| relief <= now) {
                if let Some((_, relief)) = self.agenda.pop_first() {
                    self.relieve(relief);
                }
            } else {
                self.strike();
                next_strike = now + self.dice.span(self.plan.pause);
            }
        }
    }

    /// Everything heals; under each of several schedules the cluster must come to rest, answer, and
    /// stay quiet.
    fn end(self, course: &Course) -> Outcome {
        let mut outcome = Outcome {
            seed: self.seed,
            failure: self.world.violation().map(ToOwned::to_owned),
            log: Vec::new(),
            tally: self.world.truth().tally,
            rest: RestReport::default(),
            longest_unserved: self.world.longest_unserved(),
        };
        if outcome.failure.is_some() {
            outcome.log = self.world.log().to_vec();
            return outcome;
        }
        for schedule in 0..course.schedules.max(1) {
            let mut end = self.world.fork(self.seed.wrapping_add(schedule << 32));
            let is_first = schedule == 0;
            let rested = end.come_to_rest();
            let quiet = if is_first {
                course.quiet()
            } else {
                course.quiet() / 10
            };
            let ended = rested.and_then(|report| {
                end.stay_quiet(quiet)?;
                Ok(report)
            });
            if is_first {
                outcome.tally = end.truth().tally;
                outcome.longest_unserved = end.longest_unserved();
                outcome.log = end.log().to_vec();
            }
            match ended {
                Ok(report) if is_first => outcome.rest = report,
                Ok(_) => {}
                Err(failure) => {
                    outcome.failure = Some(format!("{failure} (schedule {schedule})"));
                    outcome.log = end.log().to_vec();
                    return outcome;
                }
            }
        }
        outcome.failure = self.plan.judge(&outcome.tally);
        outcome
    }

    fn later(&mut self, after: Duration, relief: Relief) {
        self.agreed += 1;
        let at = self.world.now() + after;
        self.agenda.insert((at, self.agreed), relief);
    }
}
