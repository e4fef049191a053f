//! One planned move of what belongs together.

use crate::moves::{MoveStage, MoveStatus};
use crate::ownership::{Ownership, Sent};
use crate::time::Millis;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::{MovePhase, MoveReason};
use hwc_api::ownership::Epoch;
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A site, or a dataset that belongs to none, is to go to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) to: NodeId,
    pub(crate) reason: MoveReason,
    pub(crate) started_at: WallTime,
    /// Not begun before.
    pub(crate) due: Millis,
    /// The same for people, where they can veto it until then.
    pub(crate) due_at: Option<WallTime>,
    pub(crate) is_begun: bool,
    /// How often datasets that stayed behind were sent after their site.
    pub(crate) tries: u8,
    /// The files of the site, if they are among the parts.
    pub(crate) files: Option<DatasetId>,
    pub(crate) parts: BTreeMap<DatasetId, Part>,
}

/// One dataset of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) stage: Stage,
    /// What the target had been sent before, in the same epoch.
    pub(crate) sent_before: Sent,
    /// What the executor was told last.
    pub(crate) shown: Option<MoveStage>,
    /// What it was sent, kept once the epoch is over.
    pub(crate) sent: Sent,
}

/// How far one dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Nothing was done yet.
    Waiting,
    /// The target is made a holder, and gets its first copy if it has none.
    Joining {
        since: Millis,
        proposed_at: Option<Millis>,
    },
    /// The protocol's planned move is under way.
    Moving,
    /// Handed over; the target is to show that it serves.
    Promoting { epoch: Epoch, since: Millis },
    /// Over.
    Ended(MoveStage),
}

impl Plan {
    pub(crate) fn is_over(&self) -> bool {
        self.parts.values().all(Part::is_over)
    }
}

impl Part {
    pub(crate) fn new(ownership: &Ownership, to: NodeId) -> Self {
        Self {
            stage: Stage::Waiting,
            sent_before: ownership.sent_to(to),
            shown: None,
            sent: Sent::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    pub(crate) fn was_called_off(&self) -> bool {
        matches!(self.stage, Stage::Ended(MoveStage::CalledOff(_)))
    }

    /// Whether it could still be called off without anybody having waited: its gate is open.
    pub(crate) fn is_gate_open(&self, ownership: Option<&Ownership>) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Joining { .. } => true,
            Stage::Moving => ownership
                .and_then(Ownership::moving)
                .is_some_and(|moving| moving.phase == MovePhase::Copying),
            Stage::Promoting { .. } | Stage::Ended(_) => false,
        }
    }

    /// How far it is, in the words of the executor.
    pub(crate) fn told(&self, ownership: Option<&Ownership>) -> MoveStage {
        match self.stage {
            Stage::Waiting => MoveStage::UnderWay(MovePhase::Planned),
            Stage::Joining { .. } => MoveStage::UnderWay(MovePhase::Copying),
            Stage::Moving => {
                let phase = ownership
                    .and_then(Ownership::moving)
                    .map_or(MovePhase::Copying, |moving| moving.phase);
                MoveStage::UnderWay(phase)
            }
            Stage::Promoting { .. } => MoveStage::UnderWay(MovePhase::Promoting),
            Stage::Ended(stage) => stage,
        }
    }

    /// What the target has got since the plan was made. After the epoch it is what it was.
    fn sent(&self, ownership: Option<&Ownership>, to: NodeId) -> Sent {
        let total = ownership.map(|own| own.sent_to(to)).unwrap_or_default();
        if total.rounds < self.sent_before.rounds.saturating_add(self.sent.rounds) {
            return self.sent;
        }
        Sent {
            rounds: total.rounds - self.sent_before.rounds,
            bytes: total.bytes.saturating_sub(self.sent_before.bytes),
        }
    }

    /// Keeps count.
    pub(crate) fn count(&mut self, ownership: &Ownership, to: NodeId) {
        self.sent = self.sent(Some(ownership), to);
    }

    pub(crate) fn status(&self, plan: &Plan, ownership: Option<&Ownership>) -> MoveStatus {
        let stage = self.told(ownership);
        let sent = self.sent(ownership, plan.to);
        let behind_bytes = match stage {
            MoveStage::UnderWay(_) => ownership.map_or(0, |own| own.behind_bytes(plan.to)),
            MoveStage::Moved | MoveStage::CalledOff(_) => 0,
        };
        MoveStatus {
            to: plan.to,
            reason: plan.reason,
            stage,
            started_at: plan.started_at,
            due_at: plan.due_at,
            rounds: sent.rounds,
            sent_bytes: sent.bytes,
            behind_bytes,
        }
    }
}
