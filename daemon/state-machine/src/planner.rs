//! What a brain decides beyond the ownership protocol: planned moves, balance, drains, new homes
//! for copies. It rests on the cluster's facts, and on what the ownership of each dataset knows.
//!
//! The planner changes no ownership. It returns actions for the executor and orders for single
//! datasets ("begin to move", "you may close"), which the machine hands on; what came of them is
//! seen the next time around. It runs in two depths: `advance` moves plans on after every event,
//! `decide` looks for what should be planned, when facts are new or a time has come.
//!
//! Who decides what: the node that serves a site plans its moves (it alone knows what the site
//! takes); the leader of the registry says which nodes hold copies.

mod advance;
mod asking;
mod balance;
mod budget;
mod census;
mod decisions;
mod drain;
mod explaining;
mod load;
mod pins;
mod plan;
mod rehome;
mod reunite;
mod sets;
mod standing;
mod together;
mod traffic;
mod unsettled;

#[cfg(test)]
mod tests;

use crate::action::{Action, Command};
use crate::bugs::Bugs;
use crate::datasets::Datasets;
use crate::event::{DatasetPolicy, PastMove};
use crate::facts::{ClusterFacts, DatasetFacts};
use crate::moves::CallOff;
use crate::peers::Peers;
use crate::size::SizeStep;
use crate::time::Millis;
use crate::timers::Timers;
use decisions::Decisions;
use hwc_api::ids::{DatasetId, MoveId, NodeId, SiteId};
use hwc_api::time::WallTime;
use plan::Plan;
use reunite::Reunion;
use serde::{Deserialize, Serialize};
use standing::Standing;
use std::collections::{BTreeMap, BTreeSet};
use traffic::{Moment, Traffic};
use unsettled::Rehoming;

/// What the planner looks at besides its own state.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) now: Millis,
    pub(crate) me: NodeId,
    pub(crate) timers: &'a Timers,
    pub(crate) peers: &'a Peers,
    pub(crate) datasets: &'a Datasets,
    pub(crate) bugs: &'a Bugs,
}

impl<'a> View<'a> {
    fn policy(&self, dataset: DatasetId) -> Option<&'a DatasetPolicy> {
        self.datasets.get(&dataset)?.policy()
    }

    fn unit(&self, dataset: DatasetId) -> UnitKey {
        self.policy(dataset)
            .and_then(|policy| policy.unit)
            .map_or(UnitKey::Dataset(dataset), |unit| UnitKey::Site(unit.site))
    }

    /// The datasets that are open here, by what moves together.
    fn units_here(&self) -> BTreeMap<UnitKey, Vec<DatasetId>> {
        let mut units: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (dataset, ownership) in self.datasets.iter() {
            if ownership.is_open() && !ownership.is_gone() {
                units.entry(self.unit(*dataset)).or_default().push(*dataset);
            }
        }
        units
    }
}

/// What the planner wants done.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) actions: Vec<Action>,
    pub(crate) orders: Vec<Order>,
}

impl Output {
    fn act(&mut self, dataset: DatasetId, command: Command) {
        self.actions.push(Action { dataset, command });
    }

    fn order(&mut self, dataset: DatasetId, what: MoveOrder) {
        self.orders.push(Order { dataset, what });
    }
}

/// Something for the ownership of one dataset to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) dataset: DatasetId,
    pub(crate) what: MoveOrder,
}

/// What.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MoveOrder {
    Begin { to: NodeId },
    PermitClosing,
    CallOff { cause: CallOff },
}

/// What moves together: a site with its databases, or a dataset that belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum UnitKey {
    Site(SiteId),
    Dataset(DatasetId),
}

/// The planner's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Planner {
    /// None at a start, and after a standstill, until they are given anew.
    facts: Option<ClusterFacts>,
    /// A moment and the wall time then.
    clock: (Millis, WallTime),
    loads: BTreeMap<DatasetId, DatasetFacts>,
    /// Of datasets that are live elsewhere too.
    sizes: BTreeMap<DatasetId, SizeStep>,
    leaving: BTreeSet<NodeId>,
    standing: Standing,
    traffic: Traffic,
    plans: BTreeMap<UnitKey, Plan>,
    /// Moves that were called off, and until when the same is not decided again.
    shunned: BTreeMap<(UnitKey, NodeId), Millis>,
    /// Since when this node is busy.
    busy_since: Option<Millis>,
    rehoming: Rehoming,
    reunion: Reunion,
    decisions: Decisions,
    /// When something is due without any event.
    wake_at: Option<Millis>,
}

impl Planner {
    pub(crate) fn learn_cluster(&mut self, facts: ClusterFacts, view: View<'_>) {
        self.clock = (view.now, facts.now);
        self.leaving = facts
            .nodes
            .iter()
            .filter(|(_, node)| node.is_draining || !node.is_hosting)
            .map(|(id, _)| *id)
            .collect();
        self.standing.learn(&facts, view.now);
        self.traffic.hear_others(&facts, view);
        let before = self.facts.as_ref();
        if before.is_none_or(|before| unsettled::differs(before, &facts)) {
            self.rehoming.look_at_all();
        }
        self.facts = Some(facts);
    }

    pub(crate) fn learn_loads(&mut self, loads: BTreeMap<DatasetId, DatasetFacts>) {
        self.loads = loads;
    }

    pub(crate) fn learn_sizes(&mut self, sizes: BTreeMap<DatasetId, SizeStep>) {
        self.sizes.extend(sizes);
    }

    /// Bytes in a dataset; 0 where unknown.
    fn bytes_of(&self, dataset: DatasetId) -> u64 {
        match (self.loads.get(&dataset), self.sizes.get(&dataset)) {
            (Some(load), _) => load.used_bytes,
            (None, Some(size)) => size.bytes(),
            (None, None) => 0,
        }
    }

    /// The registry's word; the ownerships have heard it before.
    pub(crate) fn learn_registry(
        &mut self,
        changed: &[DatasetId],
        moves: &BTreeMap<MoveId, PastMove>,
        view: View<'_>,
    ) {
        self.traffic.learn_past(moves, view);
        self.rehoming.look_at(changed);
        for dataset in changed {
            if view.policy(*dataset).is_none() {
                self.sizes.remove(dataset);
            }
        }
    }

    /// This node stood still: what it knew of the cluster is old, what it planned is void.
    pub(crate) fn wake_up(&mut self, view: View<'_>, output: &mut Output) {
        self.facts = None;
        self.loads.clear();
        self.standing = Standing::default();
        self.traffic.forget_shown();
        self.busy_since = None;
        self.rehoming = Rehoming::default();
        self.reunion = Reunion::default();
        self.call_off_all(CallOff::StoodStill, view, output);
    }

    /// Nodes that are to serve nothing.
    pub(crate) fn leaving(&self) -> &BTreeSet<NodeId> {
        &self.leaving
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.facts.as_ref()?.leader
    }

    pub(crate) fn wake_at(&self) -> Option<Millis> {
        self.wake_at
    }

    /// Looks for what should be planned.
    pub(crate) fn decide(&mut self, view: View<'_>, output: &mut Output) {
        self.wake_at = None;
        let Some(facts) = self.facts.take() else {
            return;
        };
        let cool_down_ms = u64::from(facts.balancing.cool_down_s) * 1_000;
        self.traffic.forget_old(self.moment(view.now), cool_down_ms);
        self.shunned.retain(|_, until| *until > view.now);
        self.note_busy(&facts, view);
        self.empty_node(&facts, view, output);
        self.return_to_pins(&facts, view, output);
        self.reunite(&facts, view, output);
        self.balance(&facts, view, output);
        self.rehome(&facts, view, output);
        self.facts = Some(facts);
    }

    /// Now; by the wall as far as that is known.
    fn moment(&self, now: Millis) -> Moment {
        let (at, wall) = self.clock;
        let passed = i64::try_from(now.0.saturating_sub(at.0)).unwrap_or(i64::MAX);
        Moment {
            now,
            wall: wall.plus_ms(passed),
        }
    }

    fn wake(&mut self, view: View<'_>, at: Millis) {
        if at > view.now {
            self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
        }
    }
}
