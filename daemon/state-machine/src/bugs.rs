//! Rules of the protocol that tests can switch off, to prove that the simulator would notice.
//!
//! Without the feature `seeded-bugs` nothing can be switched off and every question costs nothing.

use serde::{Deserialize, Serialize};

/// One rule that is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bug {
    /// A node that stood still goes on serving.
    NoFenceOnGap,
    /// A stream of an epoch lower than the highest seen is accepted.
    EpochNotCompared,
    /// A stream is accepted whatever it builds upon.
    ParentNotChecked,
    /// An epoch is shown without having been persisted.
    SeenNotPersisted,
    /// A losing branch is wound back without being kept.
    LoserNotFiled,
    /// A claim goes live without asking anybody.
    NoRound,
    /// A live node that learns of a higher epoch acknowledges it and goes on serving.
    AcknowledgedWithoutFence,
    /// A live node that was not heard in a winner's round gives in without contesting.
    NoContest,
    /// Whoever contends contests every live node, not the one whose epoch it names.
    ContestNamesNoEpoch,
    /// A node that was heard in a winner's round contests it all the same.
    HeardContests,
    /// Who was heard in a round counts as heard after its restart as well.
    HeardWithoutBoot,
    /// A node that does not contend claims beside one that does.
    ContendersIgnored,
    /// A claim is not judged again on the heads that its round made final.
    JudgedOnce,
    /// A node that lost its disk begins the dataset empty.
    EmptyClaims,
    /// The target of a move is promoted, and takes over, before it holds everything.
    PromotedEarly,
    /// A node that has promoted another one goes on serving.
    ResumedAfterPromotion,
    /// A promotion counts everybody in reach as heard.
    PromotionCountsAsRound,
    /// A copy may be dropped though no lasting one is known to be whole.
    DroppedUnconfirmed,
    /// A grant to drop a copy outlives its epoch.
    StaleGrantObeyed,
    /// A divergent copy stays the only one.
    DivergentNotPushed,
    /// Planned moves begin whatever the budgets of the cluster and of nodes say.
    MoveBudgetIgnored,
    /// What moved not long ago is handed over again.
    CoolDownIgnored,
    /// Moves that spread load begin without waiting to be vetoed, and whatever was held or pinned.
    VetoWindowSkipped,
    /// A set is trimmed to members that are not known to hold a copy.
    SetTrimmedUnconfirmed,
    /// A move goes on to a node that is drained, or hosts nothing, meanwhile.
    TargetNotChecked,
    /// What is being sent may be pruned before it is acknowledged.
    SendingNotKept,
}

/// The rules that are not followed.
#[cfg(any(test, feature = "seeded-bugs"))]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bugs(pub(crate) std::collections::BTreeSet<Bug>);

#[cfg(any(test, feature = "seeded-bugs"))]
impl Bugs {
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.0.contains(&bug)
    }
}

/// The rules that are not followed: none.
#[cfg(not(any(test, feature = "seeded-bugs")))]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bugs(());

#[cfg(not(any(test, feature = "seeded-bugs")))]
impl Bugs {
    #[expect(clippy::unused_self, reason = "the same face as with the feature")]
    pub(crate) const fn has(&self, _bug: Bug) -> bool {
        false
    }
}
