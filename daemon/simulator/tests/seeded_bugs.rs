//! Each rule of the protocol, switched off, must turn the simulator red: a check that can't fail
//! proves nothing.

use hwc_api::ids::NodeId;
use hwc_simulator::run_seed;
use hwc_state_machine::{Bug, StateMachine, Timers};

/// A rule that is broken is noticed within this many seeds.
const SEEDS: u64 = 1_000;

macro_rules! notices {
    ($($name:ident: $bug:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                fn brain(node: NodeId, timers: Timers) -> StateMachine {
                    StateMachine::new(node, timers).with_bugs([Bug::$bug])
                }
                let found = (0..SEEDS)
                    .map(|seed| run_seed(seed, brain))
                    .find_map(|outcome| Some((outcome.seed, outcome.failure?)));
                let (seed, failure) = found.expect("the simulator noticed nothing");
                println!("seed {seed}: {failure}");
                let sound = run_seed(seed, StateMachine::new).failure;
                assert_eq!(sound, None, "seed {seed} is red without the bug too");
            }
        )+
    };
}

notices! {
    a_node_that_serves_on_after_a_standstill_is_noticed: NoFenceOnGap,
    a_stream_of_an_old_epoch_is_noticed: EpochNotCompared,
    a_stream_upon_another_parent_is_noticed: ParentNotChecked,
    an_epoch_shown_before_it_is_persisted_is_noticed: SeenNotPersisted,
    a_losing_branch_that_is_not_kept_is_noticed: LoserNotFiled,
    a_claim_without_a_round_is_noticed: NoRound,
    an_acknowledgement_without_a_fence_is_noticed: AcknowledgedWithoutFence,
    a_served_branch_that_gives_in_unheard_is_noticed: NoContest,
}
