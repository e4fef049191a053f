//! The conductor's loop: hears what happens, asks the brain, has it done, keeps the picture.

use super::freshness::{self, Served};
use super::hands::{Effect, Hands, OwnRecord, Rooms};
use super::hosts::HostNames;
use super::input::{Input, OwnFact};
use super::keys::{self, Key, Shown};
use super::moves::{MoveBook, News};
use super::{FREEZE_LIMIT, PULSE};
use super::{facts, receipts};
use crate::network;
use crate::picture::Picture;
use crate::recorder::Recorder;
use bytes::Bytes;
use hwc_api::desired::Desired;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::HolderState;
use hwc_api::v1::NodeHealth;
use hwc_awesome_proxy::{LiveRoute, RoutingTable};
use hwc_group::board::BoardEvent;
use hwc_group::membership::MembershipEvent;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::periodic::Waker;
use hwc_state_machine::{
    ClusterFacts, DatasetEvent, Event, Millis, MoveStatus, RegistryView, SizeStep, StateMachine,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Between two tellings of the cluster, at least.
const FACTS_INTERVAL: Duration = Duration::from_secs(1);
/// The brain's dates are never older than this.
const FACTS_AGE_MAX: Duration = Duration::from_secs(10);
/// Between two looks at how far the moves are.
const MOVES_INTERVAL: Duration = Duration::from_millis(250);

/// The conductor.
pub struct Conductor {
    /// This node.
    pub me: NodeId,
    /// Time.
    pub clock: Clock,
    /// The brain; its first event was given.
    pub brain: StateMachine,
    /// What carries actions out.
    pub hands: Hands,
    /// The rooms.
    pub rooms: Arc<Rooms>,
    /// What happens.
    pub inputs: mpsc::UnboundedReceiver<Input>,
    /// Where the picture goes.
    pub picture: watch::Sender<Arc<Picture>>,
    /// Where the list of served datasets goes.
    pub served: watch::Sender<Arc<Vec<Served>>>,
    /// Where what the brain sees is recorded.
    pub recorder: Recorder,
    /// Wakes YakD when what is live here changed, or the settings.
    pub reconcile: Waker,
}

/// What the loop keeps between two inputs.
struct State {
    desired: Arc<Desired>,
    picture: Picture,
    is_picture_new: bool,
    are_routes_new: bool,
    /// The table that the front doors have; the next one shares what did not change.
    table: RoutingTable,
    hosts: HostNames,
    stopping: Option<Stopping>,
    /// The moves that leave this node.
    moves: MoveBook,
    /// When the brain was told of the cluster, and what; none after a freeze.
    told: Option<(Moment, ClusterFacts)>,
    /// The sizes of datasets as the brain was told them.
    sizes_told: BTreeMap<DatasetId, SizeStep>,
    /// When the moves were looked at.
    moves_shown_at: Moment,
    last: Moment,
}

/// The node is to stop.
struct Stopping {
    done: oneshot::Sender<()>,
    /// Datasets whose last change is in a snapshot.
    quiesced: BTreeSet<DatasetId>,
}

impl Conductor {
    /// Runs until the node stops.
    pub async fn run(mut self) {
        let token = self.rooms.tasks.token();
        let mut state = self.begin();
        let mut hosts = self.rooms.yakd.hosts();
        // It may know already.
        hosts.mark_changed();
        while !token.is_cancelled() {
            let pause = self.pause(self.clock.now());
            let input = tokio::select! {
                biased;
                () = token.cancelled() => break,
                input = self.inputs.recv() => input,
                // YakD lives as long as this.
                _changed = hosts.changed() => {
                    hosts.mark_changed();
                    None
                }
                () = tokio::time::sleep(pause) => None,
            };
            self.notice_freeze(&mut state);
            self.rooms.proxy.vouch();
            if let Some(input) = input {
                self.hear(&mut state, input);
                // What waits already is heard before anything is shown, so that a burst is one change.
                while let Ok(input) = self.inputs.try_recv() {
                    self.hear(&mut state, input);
                }
            }
            if hosts.has_changed().unwrap_or_default() {
                state.hosts.read(hosts.borrow_and_update().clone());
                state.are_routes_new = true;
            }
            self.tell_cluster(&mut state);
            self.tick(&mut state);
            self.follow_moves(&mut state);
            self.tell_served(&mut state);
            self.show(&mut state);
            self.notice_all_saved(&mut state);
        }
        self.hands.close_all_gates();
    }

    fn begin(&self) -> State {
        let mut picture = Picture::default();
        picture.health.insert(self.me, NodeHealth::Up);
        let now = self.clock.now();
        State {
            desired: Arc::default(),
            picture,
            is_picture_new: true,
            are_routes_new: true,
            table: RoutingTable::empty(self.me),
            hosts: HostNames::default(),
            stopping: None,
            moves: MoveBook::default(),
            told: None,
            sizes_told: BTreeMap::new(),
            moves_shown_at: now,
            last: now,
        }
    }

    /// Until the brain's next deadline, but no longer than the pulse.
    fn pause(&self, now: Moment) -> Duration {
        let deadline = self
            .brain
            .next_deadline()
            .map(|deadline| Moment(deadline.0).since(now));
        deadline.map_or(PULSE, |pause| pause.min(PULSE))
    }

    /// A pause of this loop that others may have used to take over: close the gates before anything
    /// else, then let the brain fence.
    fn notice_freeze(&mut self, state: &mut State) {
        let now = self.clock.now();
        let length = now.since(state.last);
        state.last = now;
        if length > FREEZE_LIMIT && length > self.freeze_limit(state) {
            let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                length_ms,
                "this node stood still; it asks the others before it serves again"
            );
            self.hands.close_all_gates();
            state.told = None;
            self.think(state, Event::Gap { length_ms });
        }
    }

    /// How long this node may stand still: as long as the least patient of the others allows.
    fn freeze_limit(&self, state: &State) -> Duration {
        let others = state.desired.active_nodes();
        let others = others.filter(|node| node.id != self.me).map(|node| {
            let report = state.picture.nodes.get(&node.id);
            report.map(|report| report.network)
        });
        network::freeze_limit(self.rooms.network, others)
    }

    /// Tells the brain of the cluster where something changed, at most once a second.
    fn tell_cluster(&mut self, state: &mut State) {
        let now = self.clock.now();
        let since = state.told.as_ref().map(|(at, _)| now.since(*at));
        if since.is_some_and(|since| since < FACTS_INTERVAL) {
            return;
        }
        let wall = self.clock.wall();
        let Some(facts) = facts::cluster_facts(&state.desired, &state.picture, self.me, wall)
        else {
            return;
        };
        let is_news = state.told.as_ref().is_none_or(|(_, before)| {
            let before = ClusterFacts {
                now: wall,
                ..before.clone()
            };
            before != facts
        });
        if is_news || since.is_some_and(|since| since >= FACTS_AGE_MAX) {
            state.told = Some((now, facts.clone()));
            self.think(state, Event::Cluster(facts));
        }
    }

    /// Shows how far the moves are, a few times a second while there are any.
    fn follow_moves(&mut self, state: &mut State) {
        let now = self.clock.now();
        if state.moves.is_empty() || now.since(state.moves_shown_at) < MOVES_INTERVAL {
            return;
        }
        state.moves_shown_at = now;
        for (dataset, status) in self.brain.moves() {
            self.move_changed(state, dataset, &status);
        }
    }

    fn move_changed(&self, state: &mut State, dataset: DatasetId, status: &MoveStatus) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let running_bytes = self.rooms.hcfs.sending_bytes(dataset, status.to);
        let moves = &mut state.moves;
        match moves.take_in(self.me, dataset, status, running_bytes, now, wall) {
            None => {}
            Some(News::Progress(progress)) => {
                self.hands.show(Key::Move(dataset), keys::report(&progress));
                state.shown(self.me, Shown::Move(Box::new(progress)));
            }
            Some(News::Ended { report, closed_for }) => {
                let key = Key::Move(dataset);
                self.rooms.group.board.remove(&key.to_string());
                state.withdrawn(self.me, key);
                let in_reach = |(node, health): (&NodeId, &NodeHealth)| {
                    (*node != self.me && *health == NodeHealth::Up).then_some(*node)
                };
                let others = state.picture.health.iter().filter_map(in_reach).collect();
                receipts::write(&self.rooms, &self.clock, report, closed_for, others);
            }
        }
    }

    fn tick(&mut self, state: &mut State) {
        let now = Millis(self.clock.now().0);
        if self
            .brain
            .next_deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.think(state, Event::Tick);
        }
    }

    fn think(&mut self, state: &mut State, event: Event) {
        let (now, wall) = (Millis(self.clock.now().0), self.clock.wall());
        self.recorder.record(&self.brain, now, wall, &event);
        let actions = self.brain.step(now, event);
        for action in actions {
            match self.hands.carry_out(action) {
                Some(Effect::Move(dataset, status)) => self.move_changed(state, dataset, &status),
                Some(Effect::Record(record)) => state.own_record(self.me, record),
                None => {}
            }
        }
    }

    fn think_of(&mut self, state: &mut State, dataset: DatasetId, event: DatasetEvent) {
        let changes_services = matches!(
            event,
            DatasetEvent::Opened { .. } | DatasetEvent::Fenced { .. }
        );
        self.think(state, Event::Dataset { dataset, event });
        if changes_services {
            self.reconcile.wake();
        }
    }

    fn hear(&mut self, state: &mut State, input: Input) {
        match input {
            Input::Dataset(dataset, event) => {
                if let DatasetEvent::StreamCommitted { stream }
                | DatasetEvent::StreamFailed { stream } = &event
                {
                    self.hands.streams.ended(*stream);
                }
                self.think_of(state, dataset, event);
            }
            Input::Desired(desired) => self.learn_desired(state, desired),
            Input::Board(event) => self.hear_board(state, event),
            Input::Membership(event) => self.hear_membership(state, &event),
            Input::Offer {
                stream,
                dataset,
                offer,
                decision,
            } => {
                self.hands.streams.offered(stream, dataset, decision);
                self.think_of(
                    state,
                    dataset,
                    DatasetEvent::StreamOffered { stream, offer },
                );
            }
            Input::Received { stream, decision } => {
                if let Some(dataset) = self.hands.streams.received(stream, decision) {
                    self.think_of(state, dataset, DatasetEvent::StreamReceived { stream });
                }
            }
            Input::Own(fact) => self.show_own(state, fact),
            Input::Stop { done } => {
                self.hands.quiesce_all();
                state.stopping = Some(Stopping {
                    done,
                    quiesced: BTreeSet::new(),
                });
            }
            Input::Quiesced(dataset) => {
                if let Some(stopping) = &mut state.stopping {
                    stopping.quiesced.insert(dataset);
                }
            }
            Input::Loads(loads) => {
                let facts = facts::dataset_facts(&loads, &state.picture, self.me);
                self.think(state, Event::Loads(facts));
                let sizes = facts::new_sizes(&state.picture, self.me, &mut state.sizes_told);
                if !sizes.is_empty() {
                    self.think(state, Event::Sizes(sizes));
                }
            }
            Input::AskMove {
                dataset,
                to,
                reason,
                answer,
            } => {
                let can = self.brain.can_move(dataset, to);
                if can.is_ok() {
                    self.think_of(state, dataset, DatasetEvent::MoveTo { node: to, reason });
                }
                let _gone = answer.send(can);
            }
            Input::Explain { datasets, answer } => {
                let now = Millis(self.clock.now().0);
                let known = datasets
                    .iter()
                    .filter_map(|id| self.brain.explain(*id, now));
                let _gone = answer.send(known.collect());
            }
            Input::RegistryStatus {
                is_writable,
                leader,
            } => {
                let picture = &mut state.picture;
                let is_new = (picture.is_registry_writable, picture.registry_leader)
                    != (is_writable, leader);
                picture.is_registry_writable = is_writable;
                picture.registry_leader = leader;
                state.is_picture_new |= is_new;
            }
        }
    }

    fn learn_desired(&mut self, state: &mut State, desired: Arc<Desired>) {
        state.desired = Arc::clone(&desired);
        state.hosts.learn(&desired);
        state.are_routes_new = true;
        state.is_picture_new = true;
        let view = RegistryView::of(&desired, self.me);
        self.think(state, Event::Registry(view));
        self.reconcile.wake();
    }

    fn hear_membership(&mut self, state: &mut State, event: &MembershipEvent) {
        let (node, health, event) = match *event {
            MembershipEvent::Up { node, .. } => {
                (node, NodeHealth::Up, Some(Event::PeerAlive { node }))
            }
            MembershipEvent::Trusted { node } => (node, NodeHealth::Up, None),
            // The brain acts on declarations only.
            MembershipEvent::Suspect { node } => (node, NodeHealth::Suspect, None),
            MembershipEvent::Down { node, .. } => {
                (node, NodeHealth::Down, Some(Event::PeerSuspect { node }))
            }
        };
        if node == self.me {
            return;
        }
        if state.picture.health.insert(node, health) != Some(health) {
            tracing::info!(node.id = %node, ?health, "node");
            state.is_picture_new = true;
            state.are_routes_new = true;
        }
        if let Some(event) = event {
            self.think(state, event);
        }
    }

    fn hear_board(&mut self, state: &mut State, event: BoardEvent) {
        match event {
            BoardEvent::Changed { node, key, value } => {
                let Some(key) = Key::parse(&key) else { return };
                self.hear_value(state, node, key, value);
            }
            BoardEvent::Synced { node, start } => {
                self.think(
                    state,
                    Event::RecordsHeard {
                        node,
                        boot: start.boot,
                    },
                );
            }
            BoardEvent::Connected { .. } | BoardEvent::Disconnected { .. } => {}
        }
    }

    fn hear_value(&mut self, state: &mut State, node: NodeId, key: Key, value: Option<Bytes>) {
        let Some(value) = value else {
            state.withdrawn(node, key);
            return;
        };
        match Shown::read(key, &value) {
            Ok(Shown::Holder(dataset, record)) => {
                state.holder(dataset, node, (*record).clone());
                self.think_of(
                    state,
                    dataset,
                    DatasetEvent::Record {
                        from: node,
                        record: *record,
                    },
                );
            }
            Ok(shown) => state.shown(node, shown),
            Err(error) => tracing::warn!(node.id = %node, %key, %error, "passed over"),
        }
    }

    fn show_own(&mut self, state: &mut State, fact: OwnFact) {
        match fact {
            OwnFact::Node(report) => {
                self.hands.show(Key::Node, keys::report(&report));
                state.shown(self.me, Shown::Node(report));
            }
            OwnFact::Dataset(observed) => {
                self.hands
                    .show(Key::Dataset(observed.dataset), keys::report(&observed));
                state.shown(self.me, Shown::Dataset(observed));
            }
            OwnFact::Job(job, Some(progress)) => {
                self.hands.show(Key::Job(job), keys::report(&progress));
                state.shown(self.me, Shown::Job(progress));
            }
            OwnFact::Job(job, None) => {
                self.rooms.group.board.remove(&Key::Job(job).to_string());
            }
            OwnFact::RevokedSession(session, expires_at) => {
                self.hands
                    .show(Key::Session(session), keys::record(&expires_at));
                state.shown(self.me, Shown::Session(session, expires_at));
            }
        }
    }

    /// When the node is to stop: says so once every copy in reach has everything.
    fn notice_all_saved(&self, state: &mut State) {
        let Some(stopping) = &state.stopping else {
            return;
        };
        let is_saved = |dataset: DatasetId| {
            stopping.quiesced.contains(&dataset) && self.have_others_all(dataset)
        };
        if !self.hands.live().all(is_saved) {
            return;
        }
        if let Some(stopping) = state.stopping.take() {
            let _gone = stopping.done.send(());
        }
    }

    /// Whether every holder in reach has the head of a dataset that is live here.
    fn have_others_all(&self, dataset: DatasetId) -> bool {
        let Some(status) = self.brain.status(dataset) else {
            return true;
        };
        let Some(lineage) = &status.lineage else {
            return true;
        };
        let in_reach = status
            .views
            .values()
            .filter(|view| view.is_alive && view.record.has_copy);
        in_reach
            .into_iter()
            .all(|view| view.record.lineage.same_branch(lineage))
    }

    /// Says which datasets are served here and what the others have of them.
    fn tell_served(&self, state: &mut State) {
        let status = |dataset| Some((dataset, self.brain.status(dataset)?));
        let live = self.hands.live().filter_map(status);
        let served: Vec<_> = live
            .map(|(dataset, status)| freshness::served(dataset, &status, self.me))
            .collect();
        let before = Arc::clone(&self.served.borrow());
        if *before == served {
            return;
        }
        for gone in before
            .iter()
            .filter(|gone| served.iter().all(|s| s.dataset != gone.dataset))
        {
            self.rooms
                .group
                .board
                .remove(&Key::Dataset(gone.dataset).to_string());
            state.withdrawn(self.me, Key::Dataset(gone.dataset));
        }
        self.served.send_replace(Arc::new(served));
    }

    /// Hands out the picture and the routes where they changed.
    fn show(&mut self, state: &mut State) {
        if std::mem::take(&mut state.are_routes_new) {
            let routes = live_routes(&state.desired, &state.picture);
            let table = state.table.followed_by(&state.desired, routes);
            state.table = table.with_unread(state.hosts.unread());
            self.rooms.proxy.set_routes(state.table.clone());
        }
        if std::mem::take(&mut state.is_picture_new) {
            self.picture.send_replace(Arc::new(state.picture.clone()));
        }
    }
}

impl State {
    fn own_record(&mut self, me: NodeId, record: OwnRecord) {
        match record {
            OwnRecord::Holder(dataset, record) => self.holder(dataset, me, *record),
            OwnRecord::Route(dataset, Some(record)) => {
                self.shown(me, Shown::Route(dataset, record))
            }
            OwnRecord::Route(dataset, None) => self.withdrawn(me, Key::Route(dataset)),
        }
    }

    fn holder(
        &mut self,
        dataset: DatasetId,
        node: NodeId,
        record: hwc_api::ownership::HolderRecord,
    ) {
        self.picture
            .holders
            .entry(dataset)
            .or_default()
            .insert(node, record);
        self.is_picture_new = true;
    }

    fn shown(&mut self, node: NodeId, shown: Shown) {
        self.is_picture_new = true;
        let picture = &mut self.picture;
        match shown {
            Shown::Node(report) => {
                picture.nodes.insert(node, *report);
            }
            Shown::Holder(dataset, record) => self.holder(dataset, node, *record),
            Shown::Route(dataset, route) => {
                picture
                    .routes
                    .entry(dataset)
                    .or_default()
                    .insert(node, route);
                self.are_routes_new = true;
            }
            Shown::Dataset(observed) => {
                picture
                    .datasets
                    .entry(observed.dataset)
                    .or_default()
                    .insert(node, *observed);
            }
            Shown::Job(progress) => {
                picture.jobs.insert(progress.job, progress);
            }
            Shown::Move(progress) => {
                picture
                    .moves
                    .entry(progress.dataset)
                    .or_default()
                    .insert(node, *progress);
            }
            Shown::Session(session, _) => {
                picture.revoked_sessions.insert(session);
            }
        }
    }

    fn withdrawn(&mut self, node: NodeId, key: Key) {
        self.is_picture_new = true;
        let picture = &mut self.picture;
        match key {
            Key::Node => {
                picture.nodes.remove(&node);
            }
            Key::Holder(dataset) => remove_inner(&mut picture.holders, dataset, node),
            Key::Route(dataset) => {
                remove_inner(&mut picture.routes, dataset, node);
                self.are_routes_new = true;
            }
            Key::Dataset(dataset) => remove_inner(&mut picture.datasets, dataset, node),
            // The end of a job is in the registry; its last progress stays to be looked at.
            Key::Job(_) => {}
            Key::Move(dataset) => remove_inner(&mut picture.moves, dataset, node),
            // Denial wins: a session that ended once does not come back.
            Key::Session(_) => {}
        }
    }
}

fn remove_inner<V>(
    map: &mut BTreeMap<DatasetId, BTreeMap<NodeId, V>>,
    dataset: DatasetId,
    node: NodeId,
) {
    if let Some(inner) = map.get_mut(&dataset) {
        inner.remove(&node);
        if inner.is_empty() {
            map.remove(&dataset);
        }
    }
}

/// Where requests for each dataset go.
fn live_routes(desired: &Desired, picture: &Picture) -> BTreeMap<DatasetId, LiveRoute> {
    let route = |dataset: &DatasetId| {
        let live = picture.live_node(*dataset)?;
        let is_open = live.route.is_open && live.route.state == HolderState::Live;
        Some((
            *dataset,
            LiveRoute {
                node: live.node,
                epoch: live.route.epoch,
                is_open,
            },
        ))
    };
    desired.datasets.keys().filter_map(route).collect()
}
