//! A fixed number of seeds on every run. More, longer and single ones: `hwc-simulate`.

use hwc_simulator::campaign::replay_command;
use hwc_simulator::truth::Tally;
use hwc_simulator::{Course, run_seed};
use hwc_state_machine::StateMachine;
use std::time::Duration;

/// As many as everybody waits for, unoptimised.
const SEEDS: u64 = 200;
/// Shorter than `make simulate`'s, so that there can be more of them.
const LENGTH: Duration = Duration::from_secs(3 * 60);

/// Runs every second seed from `first` on; two of these run side by side.
fn check(first: u64) {
    let course = Course {
        length: LENGTH,
        ..Course::ordinary(StateMachine::new)
    };
    let mut tally = Tally::default();
    for seed in (first..SEEDS).step_by(2) {
        let outcome = run_seed(seed, &course);
        tally.add(outcome.tally);
        if let Some(failure) = outcome.failure {
            let replay = replay_command(seed, &course, None);
            panic!("seed {seed}: {failure}\nreplay: {replay}");
        }
    }
    // A simulator in which nothing happens proves nothing.
    let has_happened = [
        tally.opened,
        tally.streams,
        tally.filed,
        tally.two_open,
        tally.promotions,
        tally.moved,
        tally.called_off,
        tally.rehomed,
        tally.dropped,
        tally.requests.held,
    ];
    assert!(has_happened.iter().all(|count| *count > 0), "{tally:?}");
}

#[test]
fn a_cluster_keeps_its_promises_whatever_even_seeds_do_to_it() {
    check(0);
}

#[test]
fn a_cluster_keeps_its_promises_whatever_odd_seeds_do_to_it() {
    check(1);
}

#[test]
fn a_seed_runs_the_same_way_twice() {
    let course = Course {
        length: LENGTH,
        ..Course::ordinary(StateMachine::new)
    };
    let run = || {
        let outcome = run_seed(7, &course);
        (outcome.tally, outcome.rest, outcome.longest_unserved)
    };
    assert_eq!(run(), run());
}
