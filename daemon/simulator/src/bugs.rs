//! Brains that break one rule of the protocol each: tests show that every one of them is noticed. A check
//! that can't fail proves nothing.

use crate::world::BrainFactory;
use hwc_api::ids::NodeId;
use hwc_state_machine::{Bug, StateMachine, Timers};

/// A brain that breaks a rule.
#[derive(Debug, Clone, Copy)]
pub struct SeededBug {
    /// What the rule is called in the brain.
    pub name: &'static str,
    /// Makes such a brain.
    pub brain: BrainFactory,
}

macro_rules! seeded {
    ($($bug:ident),+ $(,)?) => {
        /// All rules that can be broken.
        pub const ALL: &[SeededBug] = &[$({
            fn brain(node: NodeId, timers: Timers) -> StateMachine {
                StateMachine::new(node, timers).with_bugs([Bug::$bug])
            }
            SeededBug { name: name(Bug::$bug), brain }
        }),+];

        /// What a rule is called. Not compiled where one of the brain's is missing in the list.
        const fn name(bug: Bug) -> &'static str {
            match bug {
                $(Bug::$bug => stringify!($bug)),+
            }
        }
    };
}

seeded![
    NoFenceOnGap,
    EpochNotCompared,
    ParentNotChecked,
    SeenNotPersisted,
    LoserNotFiled,
    NoRound,
    AcknowledgedWithoutFence,
    NoContest,
    ContestNamesNoEpoch,
    HeardContests,
    HeardWithoutBoot,
    ContendersIgnored,
    JudgedOnce,
    EmptyClaims,
    PromotedEarly,
    ResumedAfterPromotion,
    PromotionCountsAsRound,
    DroppedUnconfirmed,
    StaleGrantObeyed,
    DivergentNotPushed,
    MoveBudgetIgnored,
    CoolDownIgnored,
    VetoWindowSkipped,
    SetTrimmedUnconfirmed,
    TargetNotChecked,
    SendingNotKept,
];

/// The bug of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static SeededBug> {
    ALL.iter().find(|bug| bug.name == name)
}
