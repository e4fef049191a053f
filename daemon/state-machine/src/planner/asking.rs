//! Moves that somebody asked for: whether one can be taken, and its plan. Also how plans are made
//! for every other reason.

use super::advance::closed_to_all;
use super::census::{Census, Subject};
use super::load::{Points, Share};
use super::plan::{Part, Plan};
use super::{Output, Planner, UnitKey, View};
use crate::facts::ClusterFacts;
use crate::moves::{CallOff, MoveStatus, Refused};
use crate::placement::LEAST_FREE_BYTES;
use crate::time::Millis;
use hwc_api::explanation::{Candidate, Decision, Outcome, Unfit};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::MoveReason;
use std::collections::BTreeMap;

/// A move that was decided.
pub(super) struct Wish {
    pub(super) key: UnitKey,
    pub(super) to: NodeId,
    pub(super) reason: MoveReason,
    /// How long it is shown before it begins.
    pub(super) notice_ms: u64,
    /// The nodes that were considered.
    pub(super) candidates: Vec<Candidate>,
}

impl Planner {
    /// Whether the dataset, which is to be live here, can be moved to `to`.
    pub(crate) fn can_move(
        &self,
        dataset: DatasetId,
        to: NodeId,
        view: View<'_>,
    ) -> Result<(), Refused> {
        let ownership = view
            .datasets
            .get(&dataset)
            .filter(|ownership| !ownership.is_gone())
            .ok_or(Refused::UnknownDataset)?;
        let facts = self.facts.as_ref().ok_or(Refused::TooEarly)?;
        let node = facts.nodes.get(&to).ok_or(Refused::UnknownNode)?;
        let live = ownership.live_node(view.me);
        if live == Some(to) {
            return Err(Refused::AlreadyThere);
        }
        if let Some(plan) = self.plans.get(&view.unit(dataset))
            && (plan.is_begun || matches!(plan.reason, MoveReason::Asked(_)))
        {
            return Err(Refused::UnderWay { to: plan.to });
        }
        if let Some(to) = ownership.moving_to() {
            return Err(Refused::UnderWay { to });
        }
        if live != Some(view.me) || !ownership.is_open() {
            return Err(Refused::NotLiveHere { live });
        }
        let pin = ownership.policy().and_then(|policy| policy.pin);
        if let Some(pin) = pin.filter(|pin| *pin != to) {
            return Err(Refused::Pinned { to: pin });
        }
        if let Some(unfit) = closed_to_all(node) {
            return Err(Refused::TargetUnfit(unfit));
        }
        for part in self.parts_here(view.unit(dataset), view) {
            self.can_join(part, to, facts, view)?;
        }
        Ok(())
    }

    /// Whether the target holds a copy, or can be given one.
    fn can_join(
        &self,
        dataset: DatasetId,
        to: NodeId,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Result<(), Refused> {
        let Some(ownership) = view.datasets.get(&dataset) else {
            return Ok(());
        };
        let is_member = ownership
            .policy()
            .is_some_and(|policy| policy.replicas.contains(&to));
        if !is_member && !facts.is_writable {
            return Err(Refused::NotWritable);
        }
        let used_bytes = self.bytes_of(dataset);
        let has_copy = ownership.copy_holders(view.me, view.peers).contains(&to);
        let free_bytes = facts.nodes.get(&to).map_or(0, |node| node.pool_free_bytes);
        if !has_copy && free_bytes < used_bytes.saturating_add(LEAST_FREE_BYTES) {
            return Err(Refused::TargetUnfit(Unfit::Full));
        }
        Ok(())
    }

    /// Somebody wants the unit of this dataset to move. A move that this brain planned by itself,
    /// and has not begun, gives way.
    pub(crate) fn ask(
        &mut self,
        dataset: DatasetId,
        to: NodeId,
        reason: MoveReason,
        view: View<'_>,
        output: &mut Output,
    ) {
        if self.can_move(dataset, to, view).is_err() {
            return;
        }
        let key = view.unit(dataset);
        self.call_off(key, CallOff::Vetoed, view, output);
        let Some(facts) = self.facts.take() else {
            return;
        };
        let datasets = self.parts_here(key, view);
        let subject = Subject {
            key,
            datasets: &datasets,
            here: view.me,
        };
        let candidates = self.candidates(subject, None, &Census::take(view), &facts, view);
        let wish = Wish {
            key,
            to,
            reason,
            notice_ms: 0,
            candidates,
        };
        self.plan(wish, &facts, view, output);
        self.facts = Some(facts);
    }

    /// Somebody wants the unit of this dataset to stay.
    pub(crate) fn ask_to_stay(&mut self, dataset: DatasetId, view: View<'_>, output: &mut Output) {
        let key = view.unit(dataset);
        let target = self.plans.get(&key).map(|plan| plan.to);
        self.call_off(key, CallOff::Vetoed, view, output);
        if let Some(to) = target {
            let until = view.now.plus(self.cool_down_ms());
            self.shunned.insert((key, to), until);
        }
    }

    /// The planned moves from here, with the newest counts.
    pub(crate) fn moves(&self, view: View<'_>) -> BTreeMap<DatasetId, MoveStatus> {
        let plans = self.plans.values();
        plans
            .flat_map(|plan| plan.parts.iter().map(move |part| (plan, part)))
            .filter(|(_, (_, part))| !part.is_over())
            .map(|(plan, (dataset, part))| {
                (*dataset, part.status(plan, view.datasets.get(dataset)))
            })
            .collect()
    }

    /// Notes a plan, and the decision.
    pub(super) fn plan(
        &mut self,
        wish: Wish,
        facts: &ClusterFacts,
        view: View<'_>,
        output: &mut Output,
    ) {
        let datasets = self.parts_here(wish.key, view);
        let Some(first) = self.speaker_of(&datasets, view) else {
            return;
        };
        let moment = self.moment(view.now);
        let (load_percent, target_load_percent) = self.loads_of(&wish, facts, view);
        let decision = Decision {
            at: moment.wall,
            by: view.me,
            dataset: first,
            outcome: Outcome::Move {
                to: wish.to,
                reason: wish.reason,
                load_percent,
                target_load_percent,
            },
            candidates: wish.candidates,
        };
        self.decided(decision, output);
        let files = view
            .policy(first)
            .and_then(|policy| policy.unit)
            .map(|unit| unit.files);
        let parts: BTreeMap<_, _> = datasets
            .iter()
            .filter_map(|dataset| {
                let ownership = view.datasets.get(dataset)?;
                Some((*dataset, Part::new(ownership, wish.to)))
            })
            .collect();
        let can_veto = matches!(wish.reason, MoveReason::Balance | MoveReason::Reunite);
        let notice_ms = i64::try_from(wish.notice_ms).unwrap_or(i64::MAX);
        let plan = Plan {
            to: wish.to,
            reason: wish.reason,
            started_at: moment.wall,
            due: view.now.plus(wish.notice_ms),
            due_at: can_veto.then(|| moment.wall.plus_ms(notice_ms)),
            is_begun: false,
            tries: 0,
            files: files.filter(|files| parts.contains_key(files)),
            parts,
        };
        self.plans.insert(wish.key, plan);
        self.show_own(Some(facts), view);
    }

    /// The datasets of a unit that are open here and stand still.
    pub(super) fn parts_here(&self, key: UnitKey, view: View<'_>) -> Vec<DatasetId> {
        let is_part = |dataset: &DatasetId| {
            view.datasets.get(dataset).is_some_and(|ownership| {
                ownership.is_open() && !ownership.is_gone() && ownership.moving_to().is_none()
            })
        };
        match key {
            UnitKey::Dataset(dataset) => vec![dataset].into_iter().filter(is_part).collect(),
            UnitKey::Site(_) => view
                .datasets
                .keys()
                .copied()
                .filter(|dataset| view.unit(*dataset) == key && is_part(dataset))
                .collect(),
        }
    }

    /// The dataset under which a unit's decisions are noted: its files, if they are here.
    pub(super) fn speaker_of(&self, datasets: &[DatasetId], view: View<'_>) -> Option<DatasetId> {
        let first = *datasets.first()?;
        let unit = view.policy(first).and_then(|policy| policy.unit);
        let files = unit.map(|unit| unit.files);
        Some(
            files
                .filter(|files| datasets.contains(files))
                .unwrap_or(first),
        )
    }

    pub(super) fn cool_down_ms(&self) -> u64 {
        self.facts
            .as_ref()
            .map_or(0, |facts| u64::from(facts.balancing.cool_down_s) * 1_000)
    }

    /// What the target is to bear, and what this node bears.
    fn loads_of(&self, wish: &Wish, facts: &ClusterFacts, view: View<'_>) -> (u32, u32) {
        let here = facts
            .nodes
            .get(&view.me)
            .map_or(0, |node| Points::of(node).percent());
        let judged = wish
            .candidates
            .iter()
            .find(|candidate| candidate.node == wish.to);
        (here, judged.map_or(0, |candidate| candidate.load_percent))
    }

    /// What a dataset takes of this node.
    pub(super) fn share(&self, dataset: DatasetId, facts: &ClusterFacts, me: NodeId) -> Share {
        match (self.loads.get(&dataset), facts.nodes.get(&me)) {
            (Some(of), Some(node)) => Share::of(&of.load, node),
            (Some(_) | None, _) => Share::default(),
        }
    }

    /// Lets this node's own moves count like everybody's.
    pub(super) fn show_own(&mut self, facts: Option<&ClusterFacts>, view: View<'_>) {
        let me = view.me;
        let own: Vec<_> = self
            .plans
            .iter()
            .flat_map(|(key, plan)| plan.parts.iter().map(move |part| (*key, plan, part)))
            .filter(|(_, _, (_, part))| !part.is_over())
            .map(|(key, plan, (dataset, _))| {
                let share =
                    facts.map_or_else(Share::default, |facts| self.share(*dataset, facts, me));
                (*dataset, key, plan.to, plan.is_begun, share)
            })
            .collect();
        self.traffic.note_own(own.into_iter(), view);
    }

    /// When a plan made at `now` for `reason` may begin.
    pub(super) fn notice_ms(reason: MoveReason, facts: &ClusterFacts, view: View<'_>) -> u64 {
        let veto_ms = u64::from(facts.balancing.veto_s) * 1_000;
        match reason {
            MoveReason::Asked(_) => 0,
            MoveReason::Drain | MoveReason::Pin => view.timers.announce_ms,
            MoveReason::Balance | MoveReason::Reunite => veto_ms.max(view.timers.announce_ms),
        }
    }

    /// Whether the same move was called off not long ago.
    pub(super) fn is_shunned(&self, key: UnitKey, to: NodeId, now: Millis) -> bool {
        self.shunned
            .get(&(key, to))
            .is_some_and(|until| *until > now)
    }
}
