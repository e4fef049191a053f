//! A fixed number of seeds on every run; more with HWC_SIMULATOR_SEEDS; one with HWC_SIMULATOR_SEED.

use hwc_simulator::ghost::Tally;
use hwc_simulator::run_seed;
use hwc_state_machine::StateMachine;

/// As many as fit into a few seconds unoptimised.
const SEEDS: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn a_cluster_keeps_its_promises_whatever_a_seed_does_to_it() {
    let seeds = match number("HWC_SIMULATOR_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HWC_SIMULATOR_SEEDS").unwrap_or(SEEDS),
    };
    let is_many = seeds.end - seeds.start > 1;
    let mut tally = Tally::default();
    for seed in seeds {
        let outcome = run_seed(seed, StateMachine::new);
        tally.add(outcome.tally);
        if let Some(failure) = outcome.failure {
            panic!(
                "seed {seed}: {failure}\n{}\nreplay: HWC_SIMULATOR_SEED={seed} cargo test -p hwc-simulator --test seeds",
                outcome.log.join("\n")
            );
        }
    }
    eprintln!("{tally:?}");
    if is_many {
        // A simulator in which nothing happens proves nothing.
        assert!(
            tally.opened > 0 && tally.streams > 0 && tally.filed > 0,
            "{tally:?}"
        );
        assert!(
            tally.two_open > 0 && tally.promotions > 0 && tally.dropped > 0,
            "{tally:?}"
        );
    }
}
