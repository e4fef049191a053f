//! The end of a run: everything heals, the cluster must come to rest, stay quiet, and answer.

use super::{DatasetId, NodeId, Temper, World};
use crate::network::Weather;
use crate::registry::Order;
use crate::time::seconds;
use crate::truth::Point;
use hwc_api::balancing::Balancing;
use hwc_state_machine::Phase;
use std::collections::BTreeMap;
use std::time::Duration;

/// The cluster must have come to rest after this long without faults. The longest waits are the
/// back-off and the time of a node that heard nobody, half a minute each (two minutes between data
/// centres), and copies that go elsewhere, one after the other.
const REST_WITHIN: Duration = seconds(900);
/// It is looked at this often.
const LOOK_EVERY: Duration = seconds(1);
/// A fresh write and a fresh read are answered within this time.
const ANSWER_WITHIN: Duration = seconds(5);

/// After this long of peace everything is where it should be: the longest waits are those for nodes
/// to prove steady, for cool-downs, and for members that may have been added for a move.
const SETTLED_WITHIN: Duration = seconds(3_600);

/// What changed hands so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stirs {
    epochs: u64,
    moves: u64,
    proposals: u64,
    settings: u64,
    filed: u64,
    dropped: u64,
}

/// How a cluster came to rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestReport {
    /// How long it took.
    pub took: Duration,
    /// A sum over all copies of all datasets, divergent ones too: two schedules of one run need not
    /// agree on it, two runs of one schedule must.
    pub hash: u64,
}

impl World {
    /// Mends everything and waits until the cluster is at rest, under a schedule of its own; then
    /// everything must answer.
    ///
    /// # Errors
    /// What is still wrong when the time is over, or the invariant that was violated.
    pub fn come_to_rest(&mut self) -> Result<RestReport, String> {
        self.heal();
        let began = self.now();
        let until = began + REST_WITHIN;
        let mut unrest = None;
        while self.now() < until {
            self.run_for(LOOK_EVERY);
            if let Some(violation) = self.violation() {
                return Err(violation.to_owned());
            }
            unrest = self.unrest();
            if unrest.is_none() {
                break;
            }
        }
        if let Some(unrest) = unrest {
            self.describe_all();
            return Err(format!(
                "L3: not at rest long after everything healed: {unrest}"
            ));
        }
        let took = self.now().since(began);
        self.answer_visitors()?;
        let hash = self.audit()?;
        Ok(RestReport { took, hash })
    }

    /// Everything that is broken works again.
    fn heal(&mut self) {
        self.note(|| "everything heals".to_owned());
        self.set_temper(Temper::calm());
        self.set_weather(Weather {
            latency: self.network.weather.latency,
            ..Weather::calm()
        });
        self.mend_links();
        self.requests.are_visitors_away = true;
        for id in self.node_ids().collect::<Vec<_>>() {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.hardware.slowness = 1;
                node.hardware.is_full = false;
            }
            self.thaw(id);
            self.boot(id);
        }
        self.truth.last_fault = self.now();
    }

    /// Constant load, and nobody orders anything: what is still to be put right is put right, and
    /// then nothing changes hands for `span`.
    ///
    /// # Errors
    /// S14: what happened all the same, or the invariant that was violated.
    pub fn stay_quiet(&mut self, span: Duration) -> Result<(), String> {
        let rules = Balancing {
            is_on: false,
            ..self.registry.newest().balancing
        };
        self.decree(&Order::SetBalancing(rules));
        self.requests.are_visitors_away = false;
        let until = self.now() + SETTLED_WITHIN + span;
        let (mut stirs, mut since) = (self.stirs(), self.now());
        while self.now() < until {
            self.run_for(LOOK_EVERY);
            if let Some(violation) = self.violation() {
                return Err(violation.to_owned());
            }
            if stirs != self.stirs() {
                (stirs, since) = (self.stirs(), self.now());
            }
            if self.now().since(since) >= span {
                return Ok(());
            }
        }
        Err(format!(
            "S14: {stirs:?} and no end, although nothing is wrong"
        ))
    }

    /// Everything that must not happen in peace: counts that only grow.
    fn stirs(&self) -> Stirs {
        let tally = &self.truth.tally;
        Stirs {
            epochs: self.truth.epochs_begun,
            moves: tally.moved + tally.called_off,
            proposals: tally.rehomed,
            settings: self.registry.newest().index,
            filed: tally.filed,
            dropped: tally.dropped,
        }
    }

    /// L8: a fresh write and a fresh read succeed on every dataset, at any door.
    fn answer_visitors(&mut self) -> Result<(), String> {
        let doors: Vec<_> = self.node_ids().collect();
        let mut asked = Vec::new();
        for dataset in self.dataset_ids().collect::<Vec<_>>() {
            if self.open_node(dataset).is_none() {
                continue;
            }
            for writes in [true, false] {
                let door = self.dice.pick(&doors).copied().unwrap_or(NodeId(1));
                asked.push((dataset, self.request(door, dataset, writes)));
            }
        }
        self.run_for(ANSWER_WITHIN);
        if let Some(violation) = self.violation() {
            return Err(violation.to_owned());
        }
        let unanswered = asked
            .iter()
            .find(|(_, request)| !self.is_answered(*request));
        match unanswered {
            Some((dataset, _)) => Err(format!("L8: dataset {dataset} does not answer")),
            None => Ok(()),
        }
    }

    /// What is not as it should be in a healthy cluster; `None` if all is well.
    #[must_use]
    pub fn unrest(&self) -> Option<String> {
        let datasets: Vec<_> = self.registry.newest().datasets.keys().copied().collect();
        datasets
            .into_iter()
            .find_map(|dataset| self.unrest_of(dataset))
            .or_else(|| self.unlike_settings())
    }

    /// L1: all nodes know the same settings.
    fn unlike_settings(&self) -> Option<String> {
        let newest = self.registry.newest().index;
        let behind = self.node_ids().find(|id| {
            let node = self.nodes.get(id);
            node.is_some_and(|node| node.settings.index < newest)
        })?;
        Some(format!("{behind} does not know the newest settings"))
    }

    fn unrest_of(&self, dataset: DatasetId) -> Option<String> {
        let policy = self.registry.newest().datasets.get(&dataset)?;
        let statuses: Vec<_> = self
            .node_ids()
            .filter_map(|id| Some((id, self.brain(id)?.status(dataset)?)))
            .collect();
        let serving: Vec<_> = statuses
            .iter()
            .filter(|(_, status)| status.phase != Phase::Replica)
            .map(|(id, _)| *id)
            .collect();
        if policy.is_deleted {
            return (!serving.is_empty()).then(|| format!("{serving:?} serve a deleted dataset"));
        }
        if statuses.iter().any(|(_, status)| status.is_contending) {
            return Some(format!("dataset {dataset} is undecided"));
        }
        let is_any_left = self.node_ids().any(|id| self.copy(id, dataset).is_some());
        if !is_any_left && serving.is_empty() {
            // The last disk with a copy is gone: nobody may pretend otherwise.
            return None;
        }
        let [live] = serving.as_slice() else {
            return Some(format!("dataset {dataset} is served by {serving:?}"));
        };
        if self.open_node(dataset) != Some(*live) {
            return Some(format!("{live} is live for dataset {dataset} but not open"));
        }
        self.unlike_copies(dataset, *live)
            .or_else(|| self.unlike_routes(dataset, *live))
            .or_else(|| self.too_few_copies(dataset, *live))
            .or_else(|| self.undrained(dataset, *live))
            .or_else(|| self.unkept_branches(dataset, *live))
    }

    /// L1: every door knows where a dataset is live.
    fn unlike_routes(&self, dataset: DatasetId, live: NodeId) -> Option<String> {
        let knows = |id: &NodeId| {
            let route = self
                .running_ref(*id)
                .and_then(|running| running.picture.live_node(*id, dataset));
            route.is_some_and(|(node, _, is_open)| node == live && is_open)
        };
        let lost = self.node_ids().find(|id| !knows(id))?;
        Some(format!(
            "{lost} does not know where dataset {dataset} is live"
        ))
    }

    /// Notes how each brain sees each dataset, for whoever has to find out why something hangs.
    fn describe_all(&mut self) {
        for dataset in self.dataset_ids().collect::<Vec<_>>() {
            self.describe(dataset);
        }
    }

    /// Notes how each brain sees a dataset.
    pub(super) fn describe(&mut self, dataset: DatasetId) {
        for id in self.node_ids().collect::<Vec<_>>() {
            let Some(status) = self.brain(id).and_then(|brain| brain.status(dataset)) else {
                continue;
            };
            let views = status.views.iter().map(|(peer, view)| {
                let known = if view.is_known { "known" } else { "unknown" };
                let alive = if view.is_alive { "alive" } else { "gone" };
                let record = &view.record;
                let (seen, copy) = (super::counter(record.seen), record.has_copy);
                let contends = record.is_contending;
                format!(
                    "{peer} {alive} {known} {:?} seen {seen} copy {copy} contends {contends}",
                    record.state
                )
            });
            let views: Vec<_> = views.collect();
            let seen = super::counter(status.seen);
            let head = status.lineage.map(|lineage| lineage.branch_name());
            let (phase, contends) = (status.phase, status.is_contending);
            self.note(|| {
                format!("{id} on dataset {dataset}: {phase:?} seen {seen} head {head:?} contends {contends}; {}", views.join("; "))
            });
        }
    }

    fn unlike_copies(&self, dataset: DatasetId, live: NodeId) -> Option<String> {
        let policy = self.registry.newest().datasets.get(&dataset)?;
        let tip = |id: NodeId| self.copy(id, dataset).map(|copy| copy.tip);
        let truth = tip(live);
        let unlike = policy.replicas.iter().find(|member| tip(**member) != truth);
        if let Some(member) = unlike {
            return Some(format!(
                "{member}'s copy of dataset {dataset} is not {live}'s"
            ));
        }
        // An outsider's copy goes only where another member can be counted on besides the live one.
        let counts =
            |member: &NodeId| *member != live && !self.truth.granted.contains(&(dataset, *member));
        if !policy.replicas.contains(&live) || !policy.replicas.iter().any(counts) {
            return None;
        }
        self.node_ids()
            .find(|id| !policy.replicas.contains(id) && tip(*id).is_some())
            .map(|id| format!("{id} still has a copy of dataset {dataset}"))
    }

    /// Nodes that may hold datasets and are not being emptied.
    fn takers(&self) -> usize {
        let members = self.registry.newest().nodes.values();
        members
            .filter(|member| member.is_hosting && member.drain.is_none())
            .count()
    }

    fn too_few_copies(&self, dataset: DatasetId, live: NodeId) -> Option<String> {
        let policy = self.registry.newest().datasets.get(&dataset)?;
        let wanted = usize::from(policy.copies).min(self.takers());
        let has = policy.replicas.len();
        let is_live_alone = !policy.replicas.contains(&live) && has <= 1;
        (has < wanted || is_live_alone)
            .then(|| format!("dataset {dataset} has {has} copies of {wanted}"))
    }

    fn undrained(&self, dataset: DatasetId, live: NodeId) -> Option<String> {
        let settings = self.registry.newest();
        let is_draining = |id: &NodeId| {
            let member = settings.nodes.get(id);
            member.is_some_and(|member| member.drain.is_some())
        };
        let policy = settings.datasets.get(&dataset)?;
        let can_leave = self.takers() >= usize::from(policy.copies).max(1);
        let mut stays = policy
            .replicas
            .iter()
            .copied()
            .chain([live])
            .filter(|_| can_leave);
        let stays = stays.find(is_draining)?;
        Some(format!(
            "{stays} is to be emptied and still holds dataset {dataset}"
        ))
    }

    /// S5: every branch that lost is kept by two nodes (or all, if there are fewer), or is part of
    /// what won; S7: its owner was told.
    fn unkept_branches(&self, dataset: DatasetId, live: NodeId) -> Option<String> {
        let policy = self.registry.newest().datasets.get(&dataset)?;
        let history = self.truth.histories.get(&dataset)?;
        let winner = self.copy(live, dataset)?.tip;
        if history.outside([winner]).is_empty() {
            return None;
        }
        let wanted = policy.replicas.len().min(2).min(self.node_ids().count());
        let mut keepers: BTreeMap<Point, usize> = BTreeMap::new();
        for id in self.node_ids() {
            let on_disk = self.disk(id)?.datasets.get(&dataset);
            let tips = on_disk.into_iter().flat_map(|on_disk| &on_disk.divergent);
            let tips: Vec<_> = tips.map(|kept| kept.tip).collect();
            let kept_here: Vec<_> = history.outside([winner]);
            let elsewhere = history.outside(tips.into_iter().chain([winner]));
            for point in kept_here
                .into_iter()
                .filter(|point| !elsewhere.contains(point))
            {
                *keepers.entry(point).or_default() += 1;
            }
        }
        let unkept = history.outside([winner]).into_iter();
        let unkept = unkept.map(|point| keepers.get(&point).copied().unwrap_or_default());
        let least = unkept.min()?;
        (least < wanted)
            .then(|| format!("a branch of dataset {dataset} is kept by {least} nodes only"))
    }

    /// The last judgement: every copy of every dataset is byte for byte what was written, and every
    /// owner of a divergent copy was told.
    fn audit(&mut self) -> Result<u64, String> {
        let mut hash = 0_u64;
        for id in self.node_ids().collect::<Vec<_>>() {
            let Some(disk) = self.disk(id).cloned() else {
                continue;
            };
            for (dataset, on_disk) in &disk.datasets {
                self.check_content(id, *dataset);
                for kept in &on_disk.divergent {
                    let history = self.truth.history(*dataset);
                    let is_true = history.tip_of(&kept.lineage) == Some(kept.tip)
                        && history.content(kept.tip) == kept.content;
                    if !is_true {
                        return Err(format!(
                            "S5: {id}'s divergent copy of dataset {dataset} is not what was written"
                        ));
                    }
                }
                let copy = on_disk.copy.iter().map(|copy| copy.content.fingerprint());
                let divergent = on_disk
                    .divergent
                    .iter()
                    .map(|kept| kept.content.fingerprint());
                let sum = copy
                    .chain(divergent)
                    .fold(u64::from(dataset.0), u64::wrapping_add);
                hash = hash.rotate_left(1) ^ sum;
            }
        }
        if let Some(violation) = self.violation() {
            return Err(violation.to_owned());
        }
        let untold = self.truth.filed.difference(&self.truth.told).next();
        match untold {
            Some((dataset, head)) => Err(format!(
                "S7: nobody told the owner of dataset {dataset} that its branch {head} was put aside"
            )),
            None => Ok(hash),
        }
    }
}
