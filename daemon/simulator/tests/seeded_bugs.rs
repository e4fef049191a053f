//! Each rule of the protocol, switched off, must turn the simulator red: a check that can't fail
//! proves nothing.

use hwc_api::ids::NodeId;
use hwc_simulator::run_seed;
use hwc_state_machine::{Bug, StateMachine, Timers};

/// A rule that is broken is noticed within this many seeds. The search begins a little before the
/// seed that noticed it last, to save time: any range of this length would do.
const SEEDS: u64 = 1_000;

macro_rules! notices {
    ($($name:ident: $bug:ident from $first:literal),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                fn brain(node: NodeId, timers: Timers) -> StateMachine {
                    StateMachine::new(node, timers).with_bugs([Bug::$bug])
                }
                let found = ($first..$first + SEEDS)
                    .map(|seed| run_seed(seed, brain))
                    .find_map(|outcome| Some((outcome.seed, outcome.failure?)));
                let (seed, failure) = found.expect("the simulator noticed nothing");
                eprintln!("seed {seed}: {failure}");
                let sound = run_seed(seed, StateMachine::new).failure;
                assert_eq!(sound, None, "seed {seed} is red without the bug too");
            }
        )+
    };
}

notices! {
    a_node_that_serves_on_after_a_standstill_is_noticed: NoFenceOnGap from 0,
    a_stream_of_an_old_epoch_is_noticed: EpochNotCompared from 0,
    a_stream_upon_another_parent_is_noticed: ParentNotChecked from 570,
    an_epoch_shown_before_it_is_persisted_is_noticed: SeenNotPersisted from 0,
    a_losing_branch_that_is_not_kept_is_noticed: LoserNotFiled from 0,
    a_claim_without_a_round_is_noticed: NoRound from 140,
    an_acknowledgement_without_a_fence_is_noticed: AcknowledgedWithoutFence from 0,
    a_served_branch_that_gives_in_unheard_is_noticed: NoContest from 60,
}
