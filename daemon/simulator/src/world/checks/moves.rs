//! Invariants about moves: told whole, within the budget, not back and forth, to fit nodes only.

use crate::time::seconds;
use crate::truth::Moved;
use crate::world::World;
use hwc_api::explanation::{Decision, Outcome};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::MoveReason;
use hwc_state_machine::{MoveStage, MoveStatus};
use std::collections::BTreeSet;
use std::time::Duration;

/// A brain may act for so long upon what it knew of a node before that node went bad.
const NEWS_TAKE: Duration = seconds(20);

impl World {
    /// A move that was accepted is told of, at once.
    pub(in crate::world) fn check_move_taken(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        to: NodeId,
    ) {
        let told = self.running_ref(id).is_some_and(|running| {
            running
                .moves
                .get(&dataset)
                .is_some_and(|status| status.to == to)
        });
        let ended = self.watch.ended_moves.contains_key(&(id, dataset));
        if !told && !ended {
            self.violate("moves", || {
                format!("{id} accepts to move dataset {dataset} to {to} and says nothing of it")
            });
        }
    }

    /// The phases of a move come in order, and its end once.
    pub(in crate::world) fn check_move_told(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        status: &MoveStatus,
    ) {
        let running = self.running_ref(id);
        let before = running.and_then(|running| running.moves.get(&dataset));
        let was_going = before.map(|before| before.to);
        if let Some(was) = was_going.filter(|was| *was != status.to) {
            let to = status.to;
            self.violate("moves", || {
                format!("{id} moves dataset {dataset} to {was}, and suddenly to {to}")
            });
        }
        match status.stage {
            MoveStage::UnderWay(_) => {
                self.watch.ended_moves.remove(&(id, dataset));
            }
            MoveStage::Moved | MoveStage::CalledOff(_) => {
                let before = self
                    .watch
                    .ended_moves
                    .insert((id, dataset), status.started_at);
                // What stayed behind is sent after the rest under the same beginning, and may come
                // to nothing at once; but it arrives once.
                if before == Some(status.started_at) && status.stage == MoveStage::Moved {
                    self.violate("moves", || {
                        format!("{id} tells the end of a move of dataset {dataset} twice")
                    });
                }
            }
        }
    }

    /// S13: balancing never moves a dataset twice within its cool-down, and nothing by itself goes
    /// to and fro; the whole cluster stays within its budget.
    pub(in crate::world) fn check_moved(&mut self, moved: &Moved) {
        let rules = self.registry.newest().balancing;
        let cool_down = Duration::from_secs(rules.cool_down_s.into());
        let is_by_itself = !matches!(moved.reason, MoveReason::Asked(_));
        let before = self.truth.moves.iter().rev();
        let mut before = before.filter(|other| other.dataset == moved.dataset);
        let last = before.next().copied();
        let is_calm = !self.truth.is_faulty;
        if let Some(last) = last
            && moved.reason == MoveReason::Balance
            && moved.at.since(last.at) < cool_down
            && is_calm
        {
            self.violate("S13", || {
                format!("dataset {} moved twice within its cool-down", moved.dataset)
            });
        }
        let unit = |dataset: DatasetId| {
            let policy = self.registry.newest().datasets.get(&dataset);
            policy
                .and_then(|policy| policy.unit.as_ref())
                .map_or(dataset, |unit| unit.files)
        };
        let in_a_minute: BTreeSet<_> = self
            .truth
            .moves
            .iter()
            .rev()
            .take_while(|other| moved.at.since(other.at) < seconds(60))
            .filter(|other| !matches!(other.reason, MoveReason::Asked(_)))
            .map(|other| unit(other.dataset))
            .collect();
        let in_a_minute = in_a_minute.len();
        // The budget counts beginnings: those that were under way already end within it, too. And
        // two nodes may take its last place at the same moment.
        let most = usize::from(rules.moves_per_minute)
            + usize::from(rules.moves_at_once)
            + self.nodes.len();
        if is_by_itself && is_calm && in_a_minute >= most {
            self.violate("S13", || {
                format!("{} moves within a minute", in_a_minute + 1)
            });
        }
    }

    /// Whether a node has heard of what makes another one unfit: from the registry, which may not
    /// reach it, or from its own detector.
    fn knows_unfit(&self, id: NodeId, other: NodeId) -> bool {
        let settings = self.nodes.get(&id).map(|node| &node.settings);
        let member = settings.and_then(|settings| settings.nodes.get(&other));
        let takes = member.is_some_and(|member| member.is_hosting && member.drain.is_none());
        let is_up = self
            .running_ref(id)
            .is_some_and(|running| running.picture.up.contains(&other));
        !takes || !(is_up || id == other)
    }

    /// S13: nobody decides to move a dataset to a node that has been unfit for a while.
    pub(in crate::world) fn check_decision(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        decision: &Decision,
    ) {
        let Outcome::Move { to, .. } = decision.outcome else {
            return;
        };
        let unfit_since = self.watch.unfit_since.get(&to);
        let is_unfit = unfit_since.is_some_and(|since| self.now().since(*since) > NEWS_TAKE);
        if is_unfit && self.knows_unfit(id, to) {
            self.violate("S13", || {
                format!("{id} decides to move dataset {dataset} to {to}, which is unfit for long")
            });
        }
    }
}
