//! Each rule of the protocol, switched off, must turn a seed or a scenario red: a check that can't
//! fail proves nothing. `hwc-simulate --bugs` tells how many seeds each takes from the first one on.

#![allow(clippy::expect_used, reason = "helpers of tests may stop a test")]

use hwc_simulator::bugs::{self, SeededBug};
use hwc_simulator::scenario::play;
use hwc_simulator::{Course, run_seed};
use hwc_state_machine::StateMachine;
use std::path::Path;
use std::time::Duration;

/// Broken rules that chance meets soon, and a seed shortly before the first that notices.
const BY_SEEDS: &[(&str, u64)] = &[
    ("NoFenceOnGap", 13),
    ("EpochNotCompared", 3),
    ("ParentNotChecked", 3),
    ("SeenNotPersisted", 0),
    ("LoserNotFiled", 1),
    ("NoRound", 6),
    ("AcknowledgedWithoutFence", 1),
    ("NoContest", 3),
    ("ContestNamesNoEpoch", 1),
    ("HeardContests", 1),
    ("ContendersIgnored", 14),
    ("JudgedOnce", 3),
    ("EmptyClaims", 3),
    ("PromotedEarly", 8),
    ("ResumedAfterPromotion", 8),
    ("PromotionCountsAsRound", 619),
    ("DroppedUnconfirmed", 3),
    ("DivergentNotPushed", 1),
    ("SendingNotKept", 3),
    ("SetTrimmedUnconfirmed", 26),
    ("TargetNotChecked", 206),
    ("CoolDownIgnored", 984),
];
/// A rule that is broken is noticed within so many seeds.
const SEEDS: u64 = 60;

/// Broken rules that show in the story of a journey.
const BY_SCENARIOS: &[(&str, &str)] = &[
    (
        "NoFenceOnGap",
        "a-frozen-node-that-wakes-serves-nothing-before-a-new-round",
    ),
    (
        "LoserNotFiled",
        "three-sides-serve-and-every-branch-is-kept",
    ),
    (
        "NoContest",
        "both-sides-of-a-cut-serve-and-most-changed-wins",
    ),
    (
        "VetoWindowSkipped",
        "a-busy-node-hands-a-site-over-unless-somebody-vetoes",
    ),
];

/// Rules that seeds don't find broken: of the first 1,000, of five minutes each, none turned red with
/// any of them (`hwc-simulate --bug NAME --seeds 1000 --minutes 5`). The brain's own tests switch them
/// off one by one. The first two need an old disk and a lost memory of a grant at the right moment
/// (`state-machine/tests/brain`); the third is about how many moves are begun and harms no data
/// (`planner/tests`).
const BY_THE_BRAINS_TABLES: &[&str] =
    &["HeardWithoutBoot", "StaleGrantObeyed", "MoveBudgetIgnored"];

fn named(name: &str) -> &'static SeededBug {
    bugs::named(name).expect("no such rule")
}

#[test]
fn seeds_notice_broken_rules() {
    for (name, first) in BY_SEEDS {
        let run = |seed, brain| {
            let course = Course {
                length: Duration::from_secs(5 * 60),
                ..Course::ordinary(brain)
            };
            run_seed(seed, &course).failure
        };
        let brain = named(name).brain;
        let mut noticed =
            (*first..*first + SEEDS).filter_map(|seed| Some((seed, run(seed, brain)?)));
        let (seed, failure) = noticed.next().expect(name);
        eprintln!("{name}: seed {seed}: {failure}");
        let sound = run(seed, StateMachine::new);
        assert_eq!(sound, None, "seed {seed} is red without {name} too");
    }
}

#[test]
fn journeys_go_another_way_when_a_rule_is_broken() {
    for (name, scenario) in BY_SCENARIOS {
        assert!(differs(named(name), scenario), "{name} in {scenario}");
    }
}

#[test]
fn every_rule_that_can_be_broken_is_listed() {
    let seeds = BY_SEEDS.iter().map(|(name, _)| *name);
    let listed: Vec<_> = seeds
        .chain(BY_SCENARIOS.iter().map(|(name, _)| *name))
        .chain(BY_THE_BRAINS_TABLES.iter().copied())
        .collect();
    for bug in bugs::ALL {
        assert!(listed.contains(&bug.name), "{}", bug.name);
    }
}

/// Whether a scenario, which ends as its log says with sound brains, does not with broken ones.
fn differs(bug: &SeededBug, scenario: &str) -> bool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(scenario);
    let script = std::fs::read_to_string(folder.join("script")).expect("read the script");
    let expected = std::fs::read_to_string(folder.join("log.expect")).expect("read the log");
    play(&script, bug.brain).map_or(true, |log| log != expected)
}
