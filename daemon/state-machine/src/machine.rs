//! The brain of one node: routes each event to the datasets it concerns and gathers what they want
//! done. All protocol state is in [`Ownership`]; here are only the peers, the clock of deadlines
//! and the counters.

use crate::action::Action;
use crate::bugs::Bugs;
use crate::datasets::Datasets;
use crate::event::{DatasetEvent, Event, InventoryItem, RegistryView};
use crate::moves::{MoveStatus, Refused};
use crate::ownership::{Context, Counters, Ownership};
use crate::peers::Peers;
use crate::planner::{MoveOrder, Order, Output, Planner, View};
use crate::relations::Relations;
use crate::status::DatasetStatus;
use crate::time::Millis;
use crate::timers::Timers;
use hwc_api::explanation::DatasetExplanation;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, SnapshotId, Speaker};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// No plan gives more orders to datasets in one step, each resting on what the one before did;
/// more would be two that undo each other.
const MOST_ROUNDS_PER_STEP: usize = 16;

/// What the planner looks at: all but the planner, which changes meanwhile.
macro_rules! view {
    ($machine:expr, $now:expr) => {
        View {
            now: $now,
            me: $machine.me.node,
            timers: &$machine.timers,
            peers: &$machine.peers,
            datasets: &$machine.datasets,
            bugs: &$machine.bugs,
        }
    };
}

/// The brain of one node, for all datasets it has heard of. See the crate's page for the contract.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StateMachine {
    me: Speaker,
    timers: Timers,
    has_booted: bool,
    listening_since: Millis,
    my_join_index: u64,
    peers: Peers,
    datasets: Datasets,
    /// None: to be gathered.
    #[serde(skip)]
    relations: Option<Relations>,
    deadlines: BTreeSet<(Millis, DatasetId)>,
    counters: Counters,
    planner: Planner,
    #[serde(skip)]
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
            datasets: Datasets::default(),
            relations: None,
            deadlines: BTreeSet::new(),
            counters: Counters::default(),
            planner: Planner::default(),
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
        let mut depth = Depth::Advance;
        match event {
            Event::Booted { boot, inventory } => self.boot(now, boot, inventory, &mut actions),
            // A brain that doesn't know what is on its disk must not judge anything.
            _ if !self.has_booted => debug_assert!(false, "{event:?} before Booted"),
            Event::Registry(view) => {
                self.learn_registry(now, view, &mut actions);
                depth = Depth::Decide;
            }
            Event::PeerAlive { node } => {
                self.peers.alive(node, now);
                self.settle_own(now, &mut actions);
            }
            Event::PeerSuspect { node } => {
                self.peers.suspect(node);
                self.tell_of(node, |ownership| ownership.forget_peer(node));
                self.settle_own(now, &mut actions);
            }
            Event::RecordsHeard { node, boot } => {
                self.peers.board_heard(node, boot);
                self.tell_of(node, |ownership| ownership.board_heard(node, boot));
                self.settle_own(now, &mut actions);
            }
            Event::Cluster(facts) => {
                self.with_planner(now, &mut actions, |planner, view, _| {
                    planner.learn_cluster(facts, view);
                });
                depth = Depth::Decide;
            }
            Event::Loads(loads) => self.planner.learn_loads(loads),
            Event::Sizes(sizes) => self.planner.learn_sizes(sizes),
            Event::Tick => {
                self.settle_due(now, &mut actions);
                if self.planner.wake_at().is_some_and(|at| at <= now) {
                    depth = Depth::Decide;
                }
            }
            Event::Gap { length_ms: _ } => self.wake_up(now, &mut actions),
            Event::Dataset { dataset, event } => self.tell(now, dataset, event, &mut actions),
        }
        self.plan(now, depth, &mut actions);
        actions
    }

    /// When [`Event::Tick`] is due next; `None` while nothing waits for time to pass.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        let dataset = self.deadlines.first().map(|(at, _)| *at);
        let planner = self.planner.wake_at();
        dataset.into_iter().chain(planner).min()
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
    /// set, whoever else shows a copy, and the leader of the registry.
    #[must_use]
    pub fn audience(&self, dataset: DatasetId) -> BTreeSet<NodeId> {
        let ownership = self.datasets.get(&dataset);
        let mut audience = ownership
            .map(|ownership| ownership.audience(self.me.node))
            .unwrap_or_default();
        audience.extend(self.planner.leader().filter(|node| *node != self.me.node));
        audience
    }

    /// Whether the dataset, which is to be live here, can be moved to `to`, with all of its site
    /// that is live here.
    ///
    /// # Errors
    /// Why not.
    pub fn can_move(&self, dataset: DatasetId, to: NodeId) -> Result<(), Refused> {
        self.planner
            .can_move(dataset, to, self.view(Millis::default()))
    }

    /// The moves from here that are planned or under way, with the newest counts.
    #[must_use]
    pub fn moves(&self) -> BTreeMap<DatasetId, MoveStatus> {
        self.planner.moves(self.view(Millis::default()))
    }

    /// Why a dataset is where it is, and where it would go; `None` if it was never heard of.
    #[must_use]
    pub fn explain(&self, dataset: DatasetId, now: Millis) -> Option<DatasetExplanation> {
        self.planner.explain(dataset, self.view(now))
    }

    fn view(&self, now: Millis) -> View<'_> {
        view!(self, now)
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
        self.relations = None;
        self.settle_own(now, actions);
    }

    fn learn_registry(&mut self, now: Millis, view: RegistryView, actions: &mut Vec<Action>) {
        let has_rejoined = self.my_join_index != view.my_join_index;
        self.my_join_index = view.my_join_index;
        let mut changed = Vec::new();
        for (dataset, ownership) in self.datasets.iter_mut() {
            if !view.datasets.contains_key(dataset) && ownership.learn_policy(None) {
                changed.push(*dataset);
            }
        }
        let moves = view.moves;
        for (dataset, policy) in view.datasets {
            let ownership = self.datasets.heard_of(dataset);
            if ownership.learn_policy(Some(policy)) || has_rejoined {
                changed.push(dataset);
            }
        }
        for dataset in &changed {
            self.settle(now, *dataset, actions);
        }
        self.with_planner(now, actions, |planner, planner_view, _| {
            planner.learn_registry(&changed, &moves, planner_view);
        });
    }

    fn wake_up(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.peers.forget(now);
        self.listening_since = now;
        let all: Vec<_> = self.datasets.keys().copied().collect();
        for dataset in all {
            self.with_ownership(now, dataset, actions, |ownership, context| {
                ownership.wake_up(context);
            });
        }
        // Last: nothing may come before the fences.
        self.with_planner(now, actions, |planner, view, output| {
            planner.wake_up(view, output);
        });
    }

    fn tell(
        &mut self,
        now: Millis,
        dataset: DatasetId,
        event: DatasetEvent,
        actions: &mut Vec<Action>,
    ) {
        self.datasets.heard_of(dataset);
        if let (DatasetEvent::Record { from, .. }, Some(relations)) = (&event, &mut self.relations)
        {
            relations.note_shown(*from, dataset);
        }
        if let DatasetEvent::MoveTo { node, reason } = event {
            self.with_planner(now, actions, |planner, view, output| {
                planner.ask(dataset, node, reason, view, output);
            });
        } else if event == DatasetEvent::CallOffMove {
            self.with_planner(now, actions, |planner, view, output| {
                planner.ask_to_stay(dataset, view, output);
            });
        } else {
            self.with_ownership(now, dataset, actions, |ownership, context| {
                ownership.take_in(event, context);
            });
        }
    }

    /// Lets the planner move on, and datasets carry its orders out, until it has none.
    fn plan(&mut self, now: Millis, depth: Depth, actions: &mut Vec<Action>) {
        if depth == Depth::Decide {
            self.with_planner(now, actions, Planner::decide);
        }
        for _ in 0..MOST_ROUNDS_PER_STEP {
            if !self.with_planner(now, actions, Planner::advance) {
                break;
            }
        }
    }

    /// Has the planner do something. Returns whether it gave orders; they are carried out.
    fn with_planner(
        &mut self,
        now: Millis,
        actions: &mut Vec<Action>,
        think: impl FnOnce(&mut Planner, View<'_>, &mut Output),
    ) -> bool {
        let mut output = Output::default();
        let view = view!(self, now);
        think(&mut self.planner, view, &mut output);
        actions.append(&mut output.actions);
        let has_orders = !output.orders.is_empty();
        for Order { dataset, what } in output.orders {
            self.with_ownership(now, dataset, actions, |ownership, context| match what {
                MoveOrder::Begin { to } => ownership.begin_move(to, context),
                MoveOrder::PermitClosing => ownership.permit_closing(),
                MoveOrder::CallOff { cause } => ownership.call_off_move(cause, context),
            });
        }
        has_orders
    }

    fn relations(&mut self) -> &mut Relations {
        let (datasets, me) = (&self.datasets, self.me.node);
        self.relations
            .get_or_insert_with(|| Relations::gather(datasets, me))
    }

    /// Settles whatever this node has a say in, the only datasets that its peers matter to.
    fn settle_own(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for dataset in self.relations().own() {
            self.settle(now, dataset, actions);
        }
    }

    /// Something happened to a peer: every dataset of which it may have shown anything is told.
    fn tell_of(&mut self, node: NodeId, tell: impl Fn(&mut Ownership)) {
        for dataset in self.relations().known_of(node) {
            if let Some(ownership) = self.datasets.get_mut(&dataset) {
                tell(ownership);
            }
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
        let site_home = self.site_home(dataset);
        let Some(ownership) = self.datasets.get_mut(&dataset) else {
            return;
        };
        let served_before = ownership.serving();
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
            leaving: self.planner.leaving(),
            site_home,
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
        if let Some(relations) = &mut self.relations {
            relations.note_own(dataset, !ownership.is_foreign(self.me.node));
        }
        let serves = ownership.serving();
        if let Some(epoch) = serves.filter(|_| serves != served_before) {
            self.note_claim(now, dataset, epoch, actions);
        }
    }

    fn note_claim(
        &mut self,
        now: Millis,
        dataset: DatasetId,
        epoch: Epoch,
        actions: &mut Vec<Action>,
    ) {
        let mut output = Output::default();
        let view = view!(self, now);
        self.planner.note_claim(dataset, epoch, view, &mut output);
        actions.append(&mut output.actions);
    }

    /// For a database: the node that serves the files of its site.
    fn site_home(&self, dataset: DatasetId) -> Option<NodeId> {
        let files = self.datasets.get(&dataset)?.policy()?.unit?.files;
        if files == dataset {
            return None;
        }
        self.datasets.get(&files)?.live_node(self.me.node)
    }
}

/// How far the planner thinks after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Moves that are planned or under way go on.
    Advance,
    /// And it is looked for what should be planned.
    Decide,
}

#[cfg(test)]
mod tests;
