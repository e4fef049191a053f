//! Faults drawn from a seed: what kinds, how many, how bad is drawn for each run anew, so that
//! each kind is met alone and in company.
//!
//! One fair schedule is not enough to show that a cluster comes to rest: what loops under one may
//! end under another. A run heals up to three times, each time from another state and with other
//! chance, every third time with all acting upon what the others showed a round ago. (Several
//! schedules from the very same state would need copies of the world; foca can't be copied. Over
//! thousands of seeds as many schedules are tried, from more states.)

mod plan;
mod strikes;

pub use plan::{Kind, Plan};

use crate::chronicle::Verbosity;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::time::{Moment, ms, seconds};
use crate::truth::Tally;
use crate::world::{BrainFactory, RestReport, Setup, World};
use hwc_api::ids::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;
use strikes::Relief;

/// A run heals so many times at most.
const ROUNDS_MAX: u64 = 3;
/// As long as boards and brains take to answer each other.
const A_ROUND: Duration = ms(200);

/// How a seed is run.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// How long a run lasts in all; the last third of it, ten minutes at most, in peace.
    pub length: Duration,
    /// So many nodes; none: drawn.
    pub nodes: Option<u16>,
    /// How much is logged.
    pub verbosity: Verbosity,
    /// How a brain is made.
    pub brain: BrainFactory,
}

impl Course {
    /// Half an hour, nothing logged.
    #[must_use]
    pub const fn ordinary(brain: BrainFactory) -> Self {
        Self {
            length: seconds(1_800),
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
    /// How the cluster came to rest in the end.
    pub rest: RestReport,
    /// The longest time that a dataset was served by nobody though somebody could.
    pub longest_unserved: Duration,
}

/// Runs one seed to its end.
#[must_use]
pub fn run_seed(seed: u64, course: &Course) -> Outcome {
    let mut chaos = Chaos::new(seed, course);
    chaos.create_sites();
    let ended = chaos.rage_and_rest(course);
    chaos.report(ended)
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

    /// Several times the faults rage, then everything heals and the cluster must come to rest and
    /// answer; the last time it must stay quiet, too.
    fn rage_and_rest(&mut self, course: &Course) -> Result<RestReport, String> {
        let rounds = u32::try_from(self.dice.number(1..=ROUNDS_MAX)).unwrap_or(1);
        let rage = course.length.saturating_sub(course.quiet()) / rounds;
        for _ in 1..rounds {
            self.rage(rage);
            self.rest()?;
            self.world.set_board_lag(Duration::ZERO);
            self.world.set_weather(self.plan.weather.clone());
            self.world.set_temper(self.plan.temper.clone());
            self.world.let_visitors_in();
        }
        self.rage(rage);
        let rest = self.rest()?;
        self.world.stay_quiet(course.quiet())?;
        Ok(rest)
    }

    fn rest(&mut self) -> Result<RestReport, String> {
        if let Some(violation) = self.world.violation() {
            return Err(violation.to_owned());
        }
        self.agenda.clear();
        if self.dice.happens(1.0 / 3.0) {
            self.world.set_board_lag(A_ROUND);
        }
        self.world.come_to_rest()
    }

    fn report(&self, ended: Result<RestReport, String>) -> Outcome {
        let tally = self.world.truth().tally;
        let (rest, failure) = match ended {
            Ok(rest) => (rest, self.plan.judge(&tally)),
            Err(failure) => (RestReport::default(), Some(failure)),
        };
        Outcome {
            seed: self.seed,
            failure,
            log: self.world.log().to_vec(),
            tally,
            rest,
            longest_unserved: self.world.longest_unserved(),
        }
    }

    fn later(&mut self, after: Duration, relief: Relief) {
        self.agreed += 1;
        let at = self.world.now() + after;
        self.agenda.insert((at, self.agreed), relief);
    }
}
