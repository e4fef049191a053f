//! Moves plans on: from planned to begun when their turn comes, each dataset through its planned
//! move, and to their end. Calling off at any step leaves a dataset where it was.

use super::plan::{Part, Plan, Stage};
use super::together::{have_files_left, keep_together, permit_closing, send_after};
use super::{MoveOrder, Output, Planner, UnitKey, View};
use crate::action::Command;
use crate::bugs::Bug;
use crate::event::DatasetPolicy;
use crate::facts::{ClusterFacts, NodeFacts};
use crate::moves::{CallOff, MoveStage};
use crate::ownership::{Following, MoveEnd, Ownership};
use crate::time::Millis;
use hwc_api::explanation::Unfit;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::{MovePhase, MoveReason};

/// A plan whose time has come, and which has to wait for a budget, is looked at so often.
const RECHECK_MS: u64 = 1_000;

impl Planner {
    /// Moves every plan on.
    pub(crate) fn advance(&mut self, view: View<'_>, output: &mut Output) {
        if self.plans.is_empty() {
            return;
        }
        let facts = self.facts.take();
        let keys: Vec<_> = self.plans.keys().copied().collect();
        for key in keys {
            let Some(mut plan) = self.plans.remove(&key) else {
                continue;
            };
            self.advance_plan(&mut plan, facts.as_ref(), view, output);
            for ended in tell_changes(&mut plan, view, output) {
                self.shun(key, &plan, ended, facts.as_ref(), view);
            }
            let next = if plan.is_over() {
                // There may be room for another one.
                self.wake(view, view.now.plus(RECHECK_MS));
                send_after(&plan, self.moment(view.now).wall, view)
            } else {
                Some(plan)
            };
            if let Some(plan) = next {
                self.plans.insert(key, plan);
            }
            // The next one's turn depends on what became of this one.
            self.show_own(facts.as_ref(), view);
        }
        self.facts = facts;
    }

    /// Ends every plan that was not handed over yet.
    pub(super) fn call_off_all(&mut self, cause: CallOff, view: View<'_>, output: &mut Output) {
        let keys: Vec<_> = self.plans.keys().copied().collect();
        for key in keys {
            self.call_off(key, cause, view, output);
        }
    }

    /// Ends the plan of a unit, as far as it was not handed over yet.
    pub(super) fn call_off(
        &mut self,
        key: UnitKey,
        cause: CallOff,
        view: View<'_>,
        output: &mut Output,
    ) {
        let Some(mut plan) = self.plans.remove(&key) else {
            return;
        };
        for (dataset, part) in &mut plan.parts {
            end(*dataset, part, cause, output);
        }
        tell_changes(&mut plan, view, output);
        if !plan.is_over() {
            self.plans.insert(key, plan);
        }
        let facts = self.facts.take();
        self.show_own(facts.as_ref(), view);
        self.facts = facts;
    }

    fn advance_plan(
        &mut self,
        plan: &mut Plan,
        facts: Option<&ClusterFacts>,
        view: View<'_>,
        output: &mut Output,
    ) {
        if let Some(facts) = facts
            && have_files_left(plan, view) != Some(true)
        {
            if let Some(cause) = self.objection(plan, facts, view) {
                for (dataset, part) in &mut plan.parts {
                    if part.is_gate_open(view.datasets.get(dataset)) {
                        end(*dataset, part, cause, output);
                    }
                }
            } else if !plan.is_begun && self.may_begin(plan, &facts.balancing, view) {
                begin(plan, view.now);
            }
        }
        if !plan.is_begun {
            let recheck_at = view.now.plus(RECHECK_MS);
            self.wake(
                view,
                if plan.due > view.now {
                    plan.due
                } else {
                    recheck_at
                },
            );
            return;
        }
        let datasets: Vec<_> = plan.parts.keys().copied().collect();
        for dataset in datasets {
            self.advance_part(plan, dataset, facts, view, output);
        }
        keep_together(plan, view, output);
        permit_closing(plan, view, output);
    }

    /// Why a plan that could still be called off unnoticed should be.
    fn objection(&self, plan: &Plan, facts: &ClusterFacts, view: View<'_>) -> Option<CallOff> {
        let Some(target) = facts.nodes.get(&plan.to) else {
            return Some(CallOff::TargetLost);
        };
        if !target.is_up {
            return Some(CallOff::TargetLost);
        }
        if let Some(unfit) = closed_to_all(target).filter(|_| !view.bugs.has(Bug::TargetNotChecked))
        {
            return Some(CallOff::TargetUnfit(unfit));
        }
        let policy = plan.parts.keys().find_map(|dataset| view.policy(*dataset));
        let pin = policy.and_then(|policy| policy.pin);
        match plan.reason {
            MoveReason::Asked(_) => None,
            MoveReason::Drain => {
                let is_leaving = self.leaving.contains(&view.me);
                (!is_leaving).then_some(CallOff::Needless)
            }
            MoveReason::Pin => (pin != Some(plan.to)).then_some(CallOff::Vetoed),
            MoveReason::Reunite => {
                let is_pinned_elsewhere = pin.is_some_and(|pin| {
                    let node = facts.nodes.get(&pin);
                    pin != plan.to && node.is_some_and(|node| closed_to_all(node).is_none())
                });
                let is_held = policy.is_some_and(|policy| self.is_held(policy, view));
                (is_held || is_pinned_elsewhere).then_some(CallOff::Vetoed)
            }
            MoveReason::Balance if !facts.balancing.is_on => Some(CallOff::Needless),
            MoveReason::Balance => {
                let is_held = policy.is_some_and(|policy| self.is_held(policy, view));
                let is_vetoed =
                    (is_held || pin.is_some()) && !view.bugs.has(Bug::VetoWindowSkipped);
                if is_vetoed {
                    return Some(CallOff::Vetoed);
                }
                let still_helps =
                    plan.is_begun || plan.tries > 0 || self.still_helps(plan, facts, view);
                (!still_helps).then_some(CallOff::Needless)
            }
        }
    }

    fn is_held(&self, policy: &DatasetPolicy, view: View<'_>) -> bool {
        let wall = self.moment(view.now).wall;
        policy.hold_until.is_some_and(|until| until > wall)
    }

    fn advance_part(
        &mut self,
        plan: &mut Plan,
        dataset: DatasetId,
        facts: Option<&ClusterFacts>,
        view: View<'_>,
        output: &mut Output,
    ) {
        let to = plan.to;
        let Some(part) = plan.parts.get_mut(&dataset) else {
            return;
        };
        let Some(ownership) = view.datasets.get(&dataset) else {
            return;
        };
        part.stage = match part.stage {
            Stage::Waiting => return,
            Stage::Ended(_) => return,
            Stage::Joining { .. } if !ownership.is_open() => called_off(CallOff::NotLive),
            Stage::Joining { since, proposed_at } => {
                let is_member = ownership
                    .policy()
                    .is_some_and(|policy| policy.replicas.contains(&to));
                if is_member && ownership.following(to, view.peers) == Following::Yes {
                    output.order(dataset, MoveOrder::Begin { to });
                    Stage::Moving
                } else if view.now >= since.plus(view.timers.full_copy_ms) {
                    called_off(CallOff::TooLong(MovePhase::Copying))
                } else if !is_member && view.now >= since.plus(view.timers.precopy_ms) {
                    called_off(CallOff::NoCopy)
                } else {
                    let is_writable = facts.is_some_and(|facts| facts.is_writable);
                    let again_at = proposed_at.map(|at| at.plus(view.timers.propose_again_ms));
                    let is_due = again_at.is_none_or(|at| at <= view.now);
                    let proposes = !is_member && is_writable && is_due;
                    if proposes {
                        propose_member(dataset, ownership, to, output);
                    }
                    let proposed_at = if proposes {
                        Some(view.now)
                    } else {
                        proposed_at
                    };
                    self.wake(view, view.now.plus(view.timers.propose_again_ms));
                    Stage::Joining { since, proposed_at }
                }
            }
            Stage::Moving if ownership.moving().is_some() => Stage::Moving,
            Stage::Moving => match ownership.move_end() {
                Some(MoveEnd::Promoted { epoch }) => Stage::Promoting {
                    epoch,
                    since: view.now,
                },
                Some(MoveEnd::CalledOff(cause)) => called_off(cause),
                None => called_off(CallOff::NotLive),
            },
            Stage::Promoting { epoch, since } => match ownership.successor(epoch) {
                Some(node) if node == to => Stage::Ended(MoveStage::Moved),
                Some(_) => called_off(CallOff::NotTaken),
                None if ownership.serving().is_some() => called_off(CallOff::NotTaken),
                None if ownership.is_gone() => called_off(CallOff::NotLive),
                None if view.now >= since.plus(view.timers.precopy_ms) => {
                    called_off(CallOff::NotTaken)
                }
                None => {
                    self.wake(view, since.plus(view.timers.precopy_ms));
                    Stage::Promoting { epoch, since }
                }
            },
        };
    }

    /// What came to nothing is not tried again at once.
    fn shun(
        &mut self,
        key: UnitKey,
        plan: &Plan,
        ended: MoveStage,
        facts: Option<&ClusterFacts>,
        view: View<'_>,
    ) {
        let pause_ms = match (ended, plan.reason) {
            (MoveStage::Moved | MoveStage::UnderWay(_), _) => return,
            (MoveStage::CalledOff(_), MoveReason::Asked(_)) => return,
            (MoveStage::CalledOff(CallOff::Needless | CallOff::StoodStill), _) => return,
            (MoveStage::CalledOff(_), MoveReason::Balance | MoveReason::Reunite) => facts
                .map_or(view.timers.retry_move_ms, |facts| {
                    u64::from(facts.balancing.cool_down_s) * 1_000
                }),
            (MoveStage::CalledOff(_), MoveReason::Drain | MoveReason::Pin) => {
                view.timers.retry_move_ms
            }
        };
        self.shunned.insert((key, plan.to), view.now.plus(pause_ms));
    }
}

/// Tells the executor of every part that is in another phase; returns those that just ended.
fn tell_changes(plan: &mut Plan, view: View<'_>, output: &mut Output) -> Vec<MoveStage> {
    let mut ended = Vec::new();
    let to = plan.to;
    let datasets: Vec<_> = plan.parts.keys().copied().collect();
    for dataset in datasets {
        let ownership = view.datasets.get(&dataset);
        let Some(part) = plan.parts.get_mut(&dataset) else {
            continue;
        };
        let told = part.told(ownership);
        if part.shown == Some(told) {
            continue;
        }
        part.shown = Some(told);
        if let Some(ownership) = ownership {
            part.count(ownership, to);
        }
        if let Some(part) = plan.parts.get(&dataset) {
            let status = part.status(plan, ownership);
            output.act(dataset, Command::MoveChanged { status });
            ended.extend(part.is_over().then_some(told));
        }
    }
    ended
}

fn begin(plan: &mut Plan, now: Millis) {
    plan.is_begun = true;
    for part in plan.parts.values_mut() {
        if part.stage == Stage::Waiting {
            part.stage = Stage::Joining {
                since: now,
                proposed_at: None,
            };
        }
    }
}

fn called_off(cause: CallOff) -> Stage {
    Stage::Ended(MoveStage::CalledOff(cause))
}

/// Calls a part off, unless it was handed over.
pub(super) fn end(dataset: DatasetId, part: &mut Part, cause: CallOff, output: &mut Output) {
    match part.stage {
        Stage::Moving => output.order(dataset, MoveOrder::CallOff { cause }),
        Stage::Waiting | Stage::Joining { .. } => {}
        Stage::Promoting { .. } | Stage::Ended(_) => return,
    }
    part.stage = called_off(cause);
}

/// Asks the registry to let the target hold a copy besides the present ones.
fn propose_member(dataset: DatasetId, ownership: &Ownership, to: NodeId, output: &mut Output) {
    let Some(policy) = ownership.policy() else {
        return;
    };
    let expected = policy.replicas.clone();
    let mut replicas = expected.clone();
    replicas.push(to);
    output.act(dataset, Command::SetReplicas { expected, replicas });
}

/// Why nobody's dataset may go to a node, whoever asks.
pub(super) fn closed_to_all(node: &NodeFacts) -> Option<Unfit> {
    if !node.is_up {
        Some(Unfit::Down)
    } else if !node.is_hosting {
        Some(Unfit::NotHosting)
    } else if node.is_draining {
        Some(Unfit::Draining)
    } else {
        None
    }
}
