//! The simple way in which nodes see each other: a detector that counts seconds of silence, and
//! boards whose changes are delivered late, twice, in another order or not at all.
//!
//! Harsher than the real state exchange, which keeps the order and repeats what was lost: the brain
//! must not depend on either.

use super::board::{Key, Shown};
use super::happening::{ForNode, Parcel};
use super::{Node, World};
use crate::network::Lane;
use crate::time::{Moment, ms};
use hwc_api::ids::NodeId;
use hwc_state_machine::{DatasetEvent, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

/// A node asks this often for boards that it lacks.
const ASK_FOR_BOARDS_EVERY: Duration = ms(500);

/// What was lost is sent again by the transport after this long.
const SENT_AGAIN_AFTER: (Duration, Duration) = (ms(30), ms(200));

/// What a node keeps of boards, its own and the others', and what its detector thinks.
#[derive(Debug, Clone, Default)]
pub(super) struct SimpleSide {
    board: BTreeMap<Key, (u64, Option<Shown>)>,
    newest: u64,
    unsent: BTreeSet<Key>,
    is_flush_due: bool,
    lacks_board: BTreeSet<NodeId>,
    asked_all_at: Moment,
    heard: BTreeMap<NodeId, Heard>,
    detector: BTreeMap<NodeId, Detected>,
}

/// What was taken in of a peer's board: of which start of it, and which version of each key.
#[derive(Debug, Clone, Default)]
struct Heard {
    start: u32,
    versions: BTreeMap<Key, u64>,
}

/// What the detector thinks of a peer.
#[derive(Debug, Clone, Copy, Default)]
struct Detected {
    is_alive: Option<bool>,
    silent_since: Option<Moment>,
    /// Wrongly suspected until this moment.
    mistaken_until: Moment,
}

impl SimpleSide {
    pub(super) fn shown(&self, key: Key) -> Option<&Shown> {
        self.board.get(&key)?.1.as_ref()
    }

    pub(super) fn mistake(&mut self, peer: NodeId, until: Moment) {
        self.detector.entry(peer).or_default().mistaken_until = until;
    }

    /// The node stood still: whatever its detector thought is out of date.
    pub(super) fn forget(&mut self) {
        self.detector.clear();
    }

    pub(super) fn lack(&mut self, peer: NodeId) {
        self.lacks_board.insert(peer);
    }

    fn thinks_alive(&self, peer: NodeId) -> bool {
        self.detector
            .get(&peer)
            .is_some_and(|detected| detected.is_alive == Some(true))
    }
}

impl World {
    /// Sends something over the present connection.
    pub(super) fn send(&mut self, from: NodeId, to: NodeId, parcel: Parcel) {
        let is_lost = self.dice.happens(self.network.weather.loss);
        // While nothing is wrong, the transport sends again what was lost; visitors' requests and
        // answers are on connections that do so in any case.
        let is_late = is_lost && (!self.truth.is_faulty || is_reliable(&parcel));
        if is_lost && !is_late {
            return;
        }
        let connection = self.network.connection(from, to);
        let is_repeated = !is_reliable(&parcel) && self.dice.happens(self.network.weather.repeat);
        if is_repeated {
            self.post(from, to, connection, parcel.clone(), false);
        }
        self.post(from, to, connection, parcel, is_late);
    }

    fn post(&mut self, from: NodeId, to: NodeId, connection: u64, parcel: Parcel, is_late: bool) {
        let mut delay = self.network.weather.travel(&mut self.dice);
        if is_late {
            delay += self.dice.span(SENT_AGAIN_AFTER);
        }
        let what = ForNode::Parcel {
            from,
            connection,
            parcel,
        };
        self.tell_later(to, delay, what);
    }

    pub(super) fn parcel_arrives(
        &mut self,
        id: NodeId,
        from: NodeId,
        connection: u64,
        parcel: Parcel,
    ) {
        let is_present = self.network.connection(from, id) == connection
            && self.network.is_open(from, id, Lane::Streams);
        if is_present {
            self.receive(id, from, parcel);
        }
    }

    /// The connection between two nodes broke: both need each other's board again.
    pub(super) fn reconnect(&mut self, one: NodeId, other: NodeId) {
        self.network.break_connection(one, other);
        for (id, peer) in [(one, other), (other, one)] {
            if let Some(running) = self.running(id) {
                running.side.lack(peer);
            }
        }
    }

    /// This node shows something new; none: nothing any more under this key.
    pub(super) fn show(&mut self, id: NodeId, key: Key, shown: Option<Shown>) {
        let Some(running) = self.running(id) else {
            return;
        };
        let side = &mut running.side;
        if side.board.get(&key).map(|(_, before)| before) == Some(&shown) {
            return;
        }
        if shown.is_none() && !side.board.contains_key(&key) {
            return;
        }
        side.newest += 1;
        side.board.insert(key, (side.newest, shown.clone()));
        side.unsent.insert(key);
        let is_flush_new = !std::mem::replace(&mut side.is_flush_due, true);
        let rerouted = running.picture.learn(id, key, shown.as_ref());
        if is_flush_new {
            let delay = self.dice.span(self.tempo.batch);
            self.tell_later(id, delay, ForNode::Flush);
        }
        if let Some(dataset) = rerouted {
            self.retry_waiting(id, dataset);
        }
    }

    /// What changed goes out, together.
    pub(super) fn flush(&mut self, id: NodeId) {
        let start = self.nodes.get(&id).map_or(0, |node| node.start);
        let Some(running) = self.running(id) else {
            return;
        };
        let side = &mut running.side;
        side.is_flush_due = false;
        let unsent = std::mem::take(&mut side.unsent);
        let changes = unsent.into_iter().filter_map(|key| {
            let (version, shown) = side.board.get(&key)?;
            Some((key, *version, shown.clone()))
        });
        let changes: Rc<Vec<_>> = Rc::new(changes.collect());
        for peer in self.others(id) {
            let changes = Rc::clone(&changes);
            self.send(id, peer, Parcel::Changes { start, changes });
        }
    }

    pub(super) fn ask_for_boards(&mut self, id: NodeId) {
        self.tell_later(id, ASK_FOR_BOARDS_EVERY, ForNode::AskForBoards);
        let (now, anti_entropy) = (self.now(), self.tempo.anti_entropy);
        let others = self.others(id);
        let Some(running) = self.running(id) else {
            return;
        };
        let side = &mut running.side;
        let asks_all = now.since(side.asked_all_at) >= anti_entropy;
        if asks_all {
            side.asked_all_at = now;
        }
        let asked: Vec<_> = others
            .into_iter()
            .filter(|peer| asks_all || side.lacks_board.contains(peer))
            .collect();
        for peer in asked {
            self.send(id, peer, Parcel::AskForBoard);
        }
    }

    pub(super) fn send_board(&mut self, id: NodeId, to: NodeId) {
        let start = self.nodes.get(&id).map_or(0, |node| node.start);
        let Some(running) = self.running(id) else {
            return;
        };
        let boot = running.boot;
        let entries = running.side.board.iter();
        let shown = entries
            .filter_map(|(key, (version, shown))| Some((*key, *version, shown.clone()?)))
            .collect();
        let board = Parcel::Board {
            boot,
            start,
            shown: Rc::new(shown),
            newest: running.side.newest,
        };
        self.send(id, to, board);
    }

    pub(super) fn take_board(
        &mut self,
        id: NodeId,
        from: NodeId,
        (boot, start): (hwc_api::ids::BootId, u32),
        shown: &[(Key, u64, Shown)],
        newest: u64,
    ) {
        let is_alive = self
            .running(id)
            .is_some_and(|running| running.side.thinks_alive(from));
        if !is_alive || !self.begins_or_continues(id, from, start) {
            return;
        }
        for (key, version, shown) in shown {
            self.hear(id, from, start, (*key, *version, Some(shown)));
        }
        let Some(running) = self.running(id) else {
            return;
        };
        let listed: BTreeSet<_> = shown.iter().map(|(key, _, _)| *key).collect();
        let heard = running.side.heard.entry(from).or_default();
        let gone: Vec<_> = heard
            .versions
            .iter()
            .filter(|(key, version)| !listed.contains(key) && **version <= newest)
            .map(|(key, _)| *key)
            .collect();
        running.side.lacks_board.remove(&from);
        for key in gone {
            self.hear(id, from, start, (key, newest, None));
        }
        self.tell(id, Event::RecordsHeard { node: from, boot });
    }

    pub(super) fn take_changes(
        &mut self,
        id: NodeId,
        from: NodeId,
        start: u32,
        changes: &[(Key, u64, Option<Shown>)],
    ) {
        if !self.begins_or_continues(id, from, start) {
            return;
        }
        for (key, version, shown) in changes {
            self.hear(id, from, start, (*key, *version, shown.as_ref()));
        }
    }

    /// Whether what comes from this start of a peer is not older than what was heard. What an
    /// earlier start showed is void.
    fn begins_or_continues(&mut self, id: NodeId, from: NodeId, start: u32) -> bool {
        let Some(running) = self.running(id) else {
            return false;
        };
        let heard = running.side.heard.entry(from).or_default();
        if start > heard.start {
            let before = std::mem::take(&mut heard.versions);
            heard.start = start;
            for key in before.keys() {
                running.picture.learn(from, *key, None);
            }
            return true;
        }
        start == heard.start
    }

    /// Takes one value in, unless a newer one was taken in before.
    fn hear(
        &mut self,
        id: NodeId,
        from: NodeId,
        start: u32,
        (key, version, shown): (Key, u64, Option<&Shown>),
    ) {
        let Some(running) = self.running(id) else {
            return;
        };
        let heard = running.side.heard.entry(from).or_default();
        let newest = heard.versions.entry(key).or_default();
        if heard.start != start || version <= *newest {
            return;
        }
        *newest = version;
        let rerouted = running.picture.learn(from, key, shown);
        if let (Key::Holder(dataset), Some(Shown::Holder(record))) = (key, shown) {
            let record = (**record).clone();
            self.tell_dataset(id, dataset, DatasetEvent::Record { from, record });
        }
        if let Some(dataset) = rerouted {
            self.retry_waiting(id, dataset);
        }
        self.facts_are_due(id);
    }

    /// All detectors look at all peers.
    pub(super) fn detect(&mut self) {
        let ids: Vec<_> = self.node_ids().collect();
        for id in ids
            .iter()
            .copied()
            .filter(|id| self.is_awake(*id))
            .collect::<Vec<_>>()
        {
            for peer in ids.iter().copied().filter(|peer| *peer != id) {
                let is_there = self.network.is_linked(id, peer, Lane::Datagrams)
                    && self.nodes.get(&peer).is_some_and(Node::is_awake);
                self.detect_peer(id, peer, is_there);
            }
        }
    }

    fn detect_peer(&mut self, id: NodeId, peer: NodeId, is_there: bool) {
        let (now, declare) = (self.now(), self.tempo.declare);
        let Some(running) = self.running(id) else {
            return;
        };
        let detected = running.side.detector.entry(peer).or_default();
        if is_there && now >= detected.mistaken_until {
            detected.silent_since = None;
            if detected.is_alive != Some(true) {
                detected.is_alive = Some(true);
                running.side.lack(peer);
                self.peer_is_up(id, peer);
                self.send(id, peer, Parcel::AskForBoard);
            }
            return;
        }
        let silent_since = *detected.silent_since.get_or_insert(now);
        let is_declared = now.since(silent_since) >= declare || now < detected.mistaken_until;
        if is_declared && detected.is_alive == Some(true) {
            detected.is_alive = Some(false);
            self.reconnect(id, peer);
            self.peer_is_down(id, peer);
        }
    }

    /// The detector of a node calls a peer alive.
    pub(super) fn peer_is_up(&mut self, id: NodeId, peer: NodeId) {
        if let Some(running) = self.running(id) {
            running.picture.up.insert(peer);
            running.picture.is_new = true;
        }
        self.tell(id, Event::PeerAlive { node: peer });
        self.facts_are_due(id);
    }

    /// The detector of a node has declared a peer unreachable.
    pub(super) fn peer_is_down(&mut self, id: NodeId, peer: NodeId) {
        if let Some(running) = self.running(id) {
            running.picture.up.remove(&peer);
            running.picture.is_new = true;
        }
        self.tell(id, Event::PeerSuspect { node: peer });
        self.facts_are_due(id);
        self.door_lost_node(id, peer);
    }

    /// Schedules what every start of a node begins with.
    pub(super) fn begin_exchange(&mut self, id: NodeId) {
        for peer in self.others(id) {
            self.reconnect(id, peer);
        }
        self.tell_later(id, ms(1), ForNode::AskForBoards);
    }

    /// Keeps a happening for a node that was taken out from being scheduled again.
    pub(super) fn forget_removed(&mut self, removed: NodeId) {
        for id in self.others(removed) {
            let was_up = self
                .running(id)
                .is_some_and(|running| running.side.detector.remove(&removed).is_some());
            if was_up {
                self.peer_is_down(id, removed);
            }
        }
    }
}

/// Whether something is on a connection that repeats what is lost, and never doubles it.
const fn is_reliable(parcel: &Parcel) -> bool {
    match parcel {
        Parcel::Ask { .. } | Parcel::Answer { .. } => true,
        Parcel::AskForBoard
        | Parcel::Board { .. }
        | Parcel::Changes { .. }
        | Parcel::Message { .. }
        | Parcel::Stream(_)
        | Parcel::StreamEnded { .. }
        | Parcel::Divergent(_) => false,
    }
}
