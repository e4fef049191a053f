//! The brain of one node: routes each event to the datasets it concerns and gathers what they want
//! done. All protocol state is in [`Ownership`]; here are only the peers, the clock of deadlines
//! and the counters.

use crate::action::Action;
use crate::bugs::Bugs;
use crate::event::{DatasetEvent, Event, InventoryItem, RegistryView};
use crate::facts::{ClusterFacts, DatasetFacts};
use crate::moves::{MoveStatus, Refused};
use crate::ownership::{Context, Counters, Ownership};
use crate::peers::Peers;
use crate::status::DatasetStatus;
use crate::time::Millis;
use crate::timers::Timers;
use hwc_api::explanation::{DatasetExplanation, Unfit};
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, SnapshotId, Speaker};
use std::collections::{BTreeMap, BTreeSet};

/// The brain of one node, for all datasets it has heard of. See the crate's page for the contract.
#[derive(Debug, Clone)]
pub struct StateMachine {
    me: Speaker,
    timers: Timers,
    has_booted: bool,
    listening_since: Millis,
    my_join_index: u64,
    peers: Peers,
    datasets: BTreeMap<DatasetId, Ownership>,
    deadlines: BTreeSet<(Millis, DatasetId)>,
    counters: Counters,
    cluster: Option<ClusterFacts>,
    loads: BTreeMap<DatasetId, DatasetFacts>,
    bugs: Bugs,
}

impl StateMachine {
    /// A brain that knows nothing yet; its first event is [`Event::Booted`].
    #[must_use]
    pub fn new(node: NodeId, timers: Timers) -> Self {
        Self {
            me: Speaker {
                node,
                boot: BootId::default(),
            },
            timers,
            has_booted: false,
            listening_since: Millis::default(),
            my_join_index: 0,
            peers: Peers::default(),
            datasets: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            counters: Counters::default(),
            cluster: None,
            loads: BTreeMap::new(),
            bugs: Bugs::default(),
        }
    }

    /// The same brain with some rules switched off.
    #[cfg(any(test, feature = "seeded-bugs"))]
    #[must_use]
    pub fn with_bugs(mut self, bugs: impl IntoIterator<Item = crate::Bug>) -> Self {
        self.bugs = Bugs(bugs.into_iter().collect());
        self
    }

    /// Takes in one event and returns what is to be done about it, in order. `now` never goes back.
    pub fn step(&mut self, now: Millis, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Booted { boot, inventory } => self.boot(now, boot, inventory, &mut actions),
            // A brain that doesn't know what is on its disk must not judge anything.
            _ if !self.has_booted => debug_assert!(false, "{event:?} before Booted"),
            Event::Registry(view) => self.learn_registry(now, view, &mut actions),
            Event::PeerAlive { node } => {
                self.peers.alive(node, now);
                self.settle_all(now, &mut actions);
            }
            Event::PeerSuspect { node } => {
                self.peers.suspect(node);
                for ownership in self.datasets.values_mut() {
                    ownership.forget_peer(node);
                }
                self.settle_all(now, &mut actions);
            }
            Event::RecordsHeard { node, boot } => {
                self.peers.board_heard(node, boot);
                for ownership in self.datasets.values_mut() {
                    ownership.board_heard(node, boot);
                }
                self.settle_all(now, &mut actions);
            }
            Event::Cluster(facts) => self.cluster = Some(facts),
            Event::Loads(loads) => self.loads = loads,
            Event::Tick => self.settle_due(now, &mut actions),
            Event::Gap { length_ms: _ } => self.wake_up(now, &mut actions),
            Event::Dataset {
                dataset,
                event: DatasetEvent::MoveTo { node, .. },
            } if self.can_move(dataset, node).is_err() => {}
            Event::Dataset { dataset, event } => self.tell(now, dataset, event, &mut actions),
        }
        actions
    }

    /// When [`Event::Tick`] is due next; `None` while nothing waits for time to pass.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Which node this is the brain of, and of which start.
    #[must_use]
    pub const fn me(&self) -> Speaker {
        self.me
    }

    /// All datasets ever heard of since the boot.
    pub fn datasets(&self) -> impl Iterator<Item = DatasetId> {
        self.datasets.keys().copied()
    }

    /// One dataset as seen here.
    #[must_use]
    pub fn status(&self, dataset: DatasetId) -> Option<DatasetStatus> {
        let ownership = self.datasets.get(&dataset)?;
        Some(ownership.status(self.me, &self.peers))
    }

    /// The record last shown to the other holders.
    #[must_use]
    pub fn record(&self, dataset: DatasetId) -> Option<&HolderRecord> {
        self.datasets.get(&dataset)?.shown()
    }

    /// The epoch under which this node serves a dataset, its gate open or closed; `None` while it
    /// doesn't, or is being stopped.
    #[must_use]
    pub fn serving(&self, dataset: DatasetId) -> Option<Epoch> {
        self.datasets.get(&dataset)?.serving()
    }

    /// What a peer shows about a dataset, as far as it counts here.
    #[must_use]
    pub fn known_record(&self, dataset: DatasetId, peer: NodeId) -> Option<&HolderRecord> {
        self.datasets.get(&dataset)?.known(peer, &self.peers)
    }

    /// The snapshots that must be kept because another holder's copy builds upon them.
    #[must_use]
    pub fn anchors(&self, dataset: DatasetId) -> Vec<SnapshotId> {
        self.datasets
            .get(&dataset)
            .map(Ownership::retained)
            .unwrap_or_default()
    }

    /// The nodes that should be shown this node's record of a dataset: the other members of its
    /// set and whoever else shows a copy.
    #[must_use]
    pub fn audience(&self, dataset: DatasetId) -> BTreeSet<NodeId> {
        self.datasets
            .get(&dataset)
            .map(|ownership| ownership.audience(self.me.node))
            .unwrap_or_default()
    }

    /// Whether the dataset, which is to be live here, can be moved to `to`.
    ///
    /// # Errors
    /// Why not.
    pub fn can_move(&self, dataset: DatasetId, to: NodeId) -> Result<(), Refused> {
        let status = self.status(dataset).ok_or(Refused::UnknownDataset)?;
        if status.is_deleted {
            return Err(Refused::UnknownDataset);
        }
        let Some(cluster) = &self.cluster else {
            return Err(Refused::TooEarly);
        };
        let Some(node) = cluster.nodes.get(&to) else {
            return Err(Refused::UnknownNode);
        };
        if status.live == Some(to) {
            return Err(Refused::AlreadyThere);
        }
        if status.live != Some(self.me.node) || !status.is_open {
            return Err(Refused::NotLiveHere { live: status.live });
        }
        if let Some(to) = status.moving_to {
            return Err(Refused::UnderWay { to });
        }
        let unfit = match node {
            _ if !node.is_up => Some(Unfit::Down),
            _ if !node.is_hosting => Some(Unfit::NotHosting),
            _ if node.is_draining => Some(Unfit::Draining),
            _ => None,
        };
        unfit.map_or(Ok(()), |unfit| Err(Refused::TargetUnfit(unfit)))
    }

    /// The planned moves from here that are planned or under way, with the newest counts.
    #[must_use]
    pub fn moves(&self) -> BTreeMap<DatasetId, MoveStatus> {
        BTreeMap::new()
    }

    /// Why a dataset is where it is; `None` if it was never heard of.
    #[must_use]
    pub fn explain(&self, dataset: DatasetId, _now: Millis) -> Option<DatasetExplanation> {
        let ownership = self.datasets.get(&dataset)?;
        Some(DatasetExplanation {
            dataset,
            by: self.me.node,
            state: ownership.holder_state(),
            epoch: ownership.status(self.me, &self.peers).seen,
            candidates: Vec::new(),
            obstacle: None,
            decisions: Vec::new(),
        })
    }

    fn boot(
        &mut self,
        now: Millis,
        boot: BootId,
        inventory: Vec<InventoryItem>,
        actions: &mut Vec<Action>,
    ) {
        debug_assert!(!self.has_booted, "a brain boots once");
        self.me.boot = boot;
        self.has_booted = true;
        self.listening_since = now;
        for item in inventory {
            self.datasets
                .insert(item.dataset, Ownership::found_on_disk(item));
        }
        self.settle_all(now, actions);
    }

    fn learn_registry(&mut self, now: Millis, view: RegistryView, actions: &mut Vec<Action>) {
        let has_rejoined = self.my_join_index != view.my_join_index;
        self.my_join_index = view.my_join_index;
        let mut changed = Vec::new();
        for (dataset, ownership) in &mut self.datasets {
            if !view.datasets.contains_key(dataset) && ownership.learn_policy(None) {
                changed.push(*dataset);
            }
        }
        for (dataset, policy) in view.datasets {
            let ownership = self.datasets.entry(dataset).or_default();
            if ownership.learn_policy(Some(policy)) || has_rejoined {
                changed.push(dataset);
            }
        }
        for dataset in changed {
            self.settle(now, dataset, actions);
        }
    }

    fn wake_up(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.cluster = None;
        self.peers.forget(now);
        self.listening_since = now;
        let all: Vec<_> = self.datasets.keys().copied().collect();
        for dataset in all {
            self.with_ownership(now, dataset, actions, |ownership, context| {
                ownership.wake_up(context);
            });
        }
    }

    fn tell(
        &mut self,
        now: Millis,
        dataset: DatasetId,
        event: DatasetEvent,
        actions: &mut Vec<Action>,
    ) {
        self.datasets.entry(dataset).or_default();
        self.with_ownership(now, dataset, actions, |ownership, context| {
            ownership.take_in(event, context);
        });
    }

    fn settle_all(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let all: Vec<_> = self.datasets.keys().copied().collect();
        for dataset in all {
            self.settle(now, dataset, actions);
        }
    }

    fn settle_due(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let due: Vec<_> = self
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, dataset)| *dataset)
            .collect();
        for dataset in due {
            self.settle(now, dataset, actions);
        }
    }

    fn settle(&mut self, now: Millis, dataset: DatasetId, actions: &mut Vec<Action>) {
        self.with_ownership(now, dataset, actions, |_, _| {});
    }

    /// Lets one dataset take in something, then decide all that follows from it.
    fn with_ownership(
        &mut self,
        now: Millis,
        dataset: DatasetId,
        actions: &mut Vec<Action>,
        take_in: impl FnOnce(&mut Ownership, &mut Context<'_>),
    ) {
        let Some(ownership) = self.datasets.get_mut(&dataset) else {
            return;
        };
        if let Some(at) = ownership.wake_at() {
            self.deadlines.remove(&(at, dataset));
        }
        let mut context = Context {
            now,
            me: self.me,
            timers: &self.timers,
            peers: &self.peers,
            listening_since: self.listening_since,
            my_join_index: self.my_join_index,
            bugs: &self.bugs,
            counters: &mut self.counters,
            commands: Vec::new(),
        };
        take_in(ownership, &mut context);
        ownership.settle(&mut context);
        actions.extend(
            context
                .commands
                .into_iter()
                .map(|command| Action { dataset, command }),
        );
        if let Some(at) = ownership.wake_at() {
            self.deadlines.insert((at, dataset));
        }
    }
}
