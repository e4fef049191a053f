//! What takes time to come about: looked at every second, with bounds.

use super::World;
use crate::network::Lane;
use crate::time::{Moment, seconds};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::time::WallTime;
use hwc_group::profile::Timing;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is kept from one look to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// Nodes that can all reach each other, and since when it is exactly these.
    components: BTreeMap<BTreeSet<(NodeId, u32)>, Moment>,
    /// Since when a dataset is served by nobody in a component that could.
    unserved_since: BTreeMap<(DatasetId, NodeId), Moment>,
    /// Since when two nodes that can reach each other both serve a dataset.
    double_since: BTreeMap<(DatasetId, NodeId, NodeId), Moment>,
    /// Since when nodes are down, draining or otherwise unfit to take datasets.
    pub(super) unfit_since: BTreeMap<NodeId, Moment>,
    /// Moves whose end was told, by their beginning, until the next one of the same dataset begins.
    pub(super) ended_moves: BTreeMap<(NodeId, DatasetId), WallTime>,
    /// The longest time that a dataset was served by nobody though somebody could.
    pub(super) longest_unserved: Duration,
}

impl Watch {
    /// A node forgets its moves when it ends.
    pub(super) fn forget_moves(&mut self, id: NodeId) {
        self.ended_moves.retain(|(node, _), _| *node != id);
    }
}

impl World {
    /// One look at everything that takes time.
    pub(super) fn look(&mut self) {
        self.look_after_waiting();
        self.look_who_is_unfit();
        self.look_at_components();
        self.look_for_two();
        self.look_for_none();
    }

    fn look_who_is_unfit(&mut self) {
        let now = self.now();
        let ids = self.nodes.keys().copied();
        let unfit: Vec<_> = ids.filter(|id| !self.is_fit(*id)).collect();
        let since = &mut self.watch.unfit_since;
        since.retain(|id, _| unfit.contains(id));
        for id in unfit {
            since.entry(id).or_insert(now);
        }
    }

    /// Whether a node may take datasets.
    pub(super) fn is_fit(&self, id: NodeId) -> bool {
        let member = self.registry.newest().nodes.get(&id);
        let takes = member.is_some_and(|member| member.is_hosting && member.drain.is_none());
        takes && self.is_awake(id)
    }

    /// Sets of nodes, each of which reaches each other one, and nobody else by any lane.
    fn look_at_components(&mut self) {
        let now = self.now();
        let awake: Vec<_> = self.node_ids().filter(|id| self.is_awake(*id)).collect();
        let touched = |id: NodeId| -> BTreeSet<NodeId> {
            let touches = |other: &NodeId| *other == id || self.is_touched(id, *other);
            awake.iter().copied().filter(touches).collect()
        };
        let mut found = BTreeMap::new();
        for id in &awake {
            let mine = touched(*id);
            let reaches_all = |one: &NodeId| {
                mine.iter()
                    .all(|other| one == other || self.is_reachable(*one, *other))
            };
            let is_clique = mine.iter().all(|other| touched(*other) == mine);
            if !is_clique || !mine.iter().all(reaches_all) {
                continue;
            }
            let named: BTreeSet<_> = mine
                .iter()
                .map(|id| (*id, self.nodes.get(id).map_or(0, |node| node.start)))
                .collect();
            let since = self.watch.components.get(&named).copied().unwrap_or(now);
            found.insert(named, since);
        }
        self.watch.components = found;
    }

    /// Whether anything at all gets from one of two nodes to the other.
    fn is_touched(&self, one: NodeId, other: NodeId) -> bool {
        [Lane::Streams, Lane::Datagrams].into_iter().any(|lane| {
            self.network.is_open(one, other, lane) || self.network.is_open(other, one, lane)
        })
    }

    fn is_reachable(&self, one: NodeId, other: NodeId) -> bool {
        self.network.is_linked(one, other, Lane::Streams)
            && self.network.is_linked(one, other, Lane::Datagrams)
    }

    /// S1: two nodes that reach each other do not both serve for longer than it takes to notice.
    fn look_for_two(&mut self) {
        let (now, bound) = (self.now(), self.tempo.fencing_bound());
        let mut found = BTreeMap::new();
        for (dataset, open) in &self.truth.open {
            for one in open.keys() {
                for (other, _) in
                    open.range((std::ops::Bound::Excluded(*one), std::ops::Bound::Unbounded))
                {
                    let reach = self.is_awake(*one)
                        && self.is_awake(*other)
                        && self.is_reachable(*one, *other);
                    if reach {
                        let key = (*dataset, *one, *other);
                        let since = self.watch.double_since.get(&key).copied().unwrap_or(now);
                        found.insert(key, since);
                    }
                }
            }
        }
        let is_long = |since: &Moment| now.since(*since) > bound;
        let long = found
            .iter()
            .find(|(_, since)| is_long(since))
            .map(|(key, _)| *key);
        self.watch.double_since = found;
        if let Some((dataset, one, other)) = long {
            self.violate("S1", || {
                format!(
                    "{one} and {other} reach each other and both serve dataset {dataset} for long"
                )
            });
        }
    }

    /// L2: nodes that reach each other and hold a copy serve it before long, whatever is wrong
    /// elsewhere.
    fn look_for_none(&mut self) {
        let (now, bound) = (self.now(), self.tempo.serving_bound());
        let mut found = BTreeMap::new();
        let datasets: Vec<_> = self.dataset_ids().collect();
        for (component, since) in &self.watch.components {
            let Some((first, _)) = component.first() else {
                continue;
            };
            for dataset in &datasets {
                let is_served = component.iter().any(|(id, _)| {
                    self.truth
                        .open
                        .get(dataset)
                        .is_some_and(|open| open.contains_key(id))
                });
                let could = component
                    .iter()
                    .any(|(id, _)| self.could_serve(*id, *dataset));
                let is_switching = component.iter().any(|(id, _)| {
                    let running = self.running_ref(*id);
                    running.is_some_and(|running| running.is_switching(*dataset))
                });
                if is_served || !could || is_switching {
                    continue;
                }
                let key = (*dataset, *first);
                let unserved = self.watch.unserved_since.get(&key).copied().unwrap_or(now);
                found.insert(key, unserved.max(*since));
            }
        }
        let longest = found.values().map(|since| now.since(*since)).max();
        self.watch.longest_unserved = self.watch.longest_unserved.max(longest.unwrap_or_default());
        let is_long = |since: &Moment| now.since(*since) > bound;
        let long = found
            .iter()
            .find(|(_, since)| is_long(since))
            .map(|(key, _)| *key);
        self.watch.unserved_since = found;
        if let Some((dataset, near)) = long {
            self.describe(dataset);
            self.violate("L2", || {
                format!("nobody around {near} serves dataset {dataset} though somebody could")
            });
        }
    }

    /// Whether a node holds a whole copy, on a disk that works.
    fn could_serve(&self, id: NodeId, dataset: DatasetId) -> bool {
        let is_good = self
            .nodes
            .get(&id)
            .is_some_and(|node| node.hardware.slowness <= 2 && !node.hardware.is_full);
        let is_kept = self
            .disk(id)
            .and_then(|disk| disk.datasets.get(&dataset)?.row.as_ref())
            .is_none_or(|row| !row.is_dropped && !row.is_deleted);
        is_good && is_kept && self.copy(id, dataset).is_some()
    }

    /// The longest time that a dataset was served by nobody though somebody could.
    #[must_use]
    pub const fn longest_unserved(&self) -> Duration {
        self.watch.longest_unserved
    }
}

impl super::Tempo {
    /// Two nodes that reach each other again notice, hear what the other shows, and one stops.
    #[must_use]
    pub fn fencing_bound(&self) -> Duration {
        self.meeting_bound() + seconds(20)
    }

    /// Nodes that reach each other again know each other's boards: what is cut is noticed, whoever
    /// is missing is knocked at and dialled ever more rarely, and what was lost is asked for.
    fn meeting_bound(&self) -> Duration {
        let Timing {
            membership, board, ..
        } = self.timing;
        membership.declare_after + membership.knock_max + board.redial_max + board.digest_every
    }

    /// The slowest takeover: the detector declares, a node that met nobody listens for long, it
    /// backs off after claims that came to nothing, and asks silent holders in vain.
    #[must_use]
    pub fn serving_bound(&self) -> Duration {
        let timers = &self.timers;
        let brain_ms = timers.alone_ms + timers.backoff_longest_ms + 4 * timers.ask_ms;
        self.meeting_bound() + Duration::from_millis(brain_ms) + seconds(20)
    }
}
