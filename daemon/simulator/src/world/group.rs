//! How nodes see each other: the group's own cores, those that run in a node, in virtual time.
//!
//! Membership (SWIM, foca) talks by datagrams, which the network loses, doubles, delays and
//! reorders; the board by streams, see `links`. What they tell goes to the brain as the conductor
//! gives it. Left out is what lies below the cores: sealing, TLS and sockets.

use super::World;
use super::board::{Key, Picture, Shown};
use super::happening::ForNode;
use crate::network::Lane;
use crate::time::{Moment, ms};
use bytes::Bytes;
use hwc_api::ids::{BootId, NodeId};
use hwc_api::v1::NodeHealth;
use hwc_group::board::{Audience, BoardConfig, BoardCore, BoardEvent, BoardInput, BoardOutput};
use hwc_group::identity::{Me, Start};
use hwc_group::membership::{
    self, Input, MembershipConfig, MembershipCore, MembershipEvent, Output,
};
use hwc_group::profile::Timing;
use hwc_state_machine::{DatasetEvent, Event};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// A running node's part in the group.
pub(super) struct GroupSide {
    membership: MembershipCore,
    board: BoardCore,
    /// What is on this node's board, as it was before it was encoded.
    shown: BTreeMap<Key, Shown>,
    /// When the cores are called next.
    tick_at: Option<Moment>,
    /// Peers whom this node wrongly calls unreachable, and until when.
    mistaken: BTreeMap<NodeId, Moment>,
}

impl GroupSide {
    pub(super) fn new(
        me: (NodeId, u32, BootId),
        peers: BTreeSet<NodeId>,
        timing: &Timing,
        seed: u64,
    ) -> Self {
        let (node, number, boot) = me;
        let start = Start {
            number: number.into(),
            boot,
        };
        let me = Me { node, start };
        let membership = MembershipConfig {
            timing: timing.membership,
            peers: peers.clone(),
        };
        let board = BoardConfig {
            timing: timing.board,
            peers,
        };
        let seed = u128::from(seed);
        Self {
            membership: MembershipCore::new(membership, me, seed),
            board: BoardCore::new(board, me, !seed),
            shown: BTreeMap::new(),
            tick_at: None,
            mistaken: BTreeMap::new(),
        }
    }

    pub(super) fn shown(&self, key: Key) -> Option<&Shown> {
        self.shown.get(&key)
    }

    fn next_deadline(&self) -> membership::Moment {
        let membership = self.membership.next_deadline();
        let board = self.board.next_deadline();
        board.map_or(membership, |board| board.min(membership))
    }
}

impl World {
    /// What this node's clock shows, as the group takes it.
    fn group_now(&self, id: NodeId) -> Option<membership::Moment> {
        let node = self.nodes.get(&id)?;
        Some(membership::Moment(node.clock.millis(self.now()).0))
    }

    /// This node shows something new; none: nothing any more under this key.
    pub(super) fn show(&mut self, id: NodeId, key: Key, shown: Option<Shown>) {
        let Some(now) = self.group_now(id) else {
            return;
        };
        let Some(running) = self.running(id) else {
            return;
        };
        let side = &mut running.side;
        if side.shown.get(&key) == shown.as_ref() {
            return;
        }
        let rerouted = running.picture.learn(id, key, shown.as_ref());
        let is_set = match shown {
            Some(shown) => {
                let value = shown.write().unwrap_or_default();
                side.shown.insert(key, shown);
                side.board.set(now, key.to_string(), value, Audience::All)
            }
            None => {
                side.shown.remove(&key);
                side.board.remove(now, &key.to_string());
                Ok(())
            }
        };
        if let Err(error) = is_set {
            self.violate("contract", || format!("{id} shows too much: {error}"));
        }
        self.schedule_group(id);
        if let Some(dataset) = rerouted {
            self.retry_waiting(id, dataset);
        }
    }

    /// Time has passed for a node's cores.
    pub(super) fn tick_group(&mut self, id: NodeId) {
        let moment = self.now();
        let Some(now) = self.group_now(id) else {
            return;
        };
        let Some(running) = self.running(id) else {
            return;
        };
        // Otherwise an earlier deadline has come up, and its tick was this one's, too.
        if running.side.tick_at.is_none_or(|at| at > moment) {
            return;
        }
        running.side.tick_at = None;
        let is_board_due = running
            .side
            .board
            .next_deadline()
            .is_some_and(|at| at <= now);
        let is_membership_due = running.side.membership.next_deadline() <= now;
        if is_membership_due {
            self.tell_membership(id, Input::Tick);
        }
        if is_board_due {
            self.tell_board(id, BoardInput::Tick);
        }
        self.schedule_group(id);
    }

    pub(super) fn schedule_group(&mut self, id: NodeId) {
        let now = self.now();
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let clock = node.clock;
        let Some(running) = &mut node.running else {
            return;
        };
        let deadline = running.side.next_deadline();
        let at = clock.moment_of(hwc_state_machine::Millis(deadline.0));
        let at = at.max(now + ms(1));
        if running.side.tick_at.is_none_or(|scheduled| at < scheduled) {
            running.side.tick_at = Some(at);
            self.tell_later(id, at.since(now), ForNode::GroupTick);
        }
    }

    /// Which nodes there are, as this node knows it.
    pub(super) fn peers_known_to(&self, id: NodeId) -> BTreeSet<NodeId> {
        let settings = self.nodes.get(&id).map(|node| &node.settings);
        let nodes = settings
            .into_iter()
            .flat_map(|settings| settings.nodes.keys());
        nodes.copied().filter(|node| *node != id).collect()
    }

    /// This node has learned which nodes there are.
    pub(super) fn follow_peers(&mut self, id: NodeId) {
        let peers = self.peers_known_to(id);
        self.tell_membership(id, Input::Peers(peers.clone()));
        self.tell_board(id, BoardInput::Peers(peers));
        self.schedule_group(id);
    }

    /// Gives membership an input and does what follows.
    fn tell_membership(&mut self, id: NodeId, input: Input) {
        let Some(now) = self.group_now(id) else {
            return;
        };
        let Some(running) = self.running(id) else {
            return;
        };
        for output in running.side.membership.handle(now, input) {
            match output {
                Output::Send { to, content } => self.send_datagram(id, to, content),
                Output::Event(event) => self.membership_tells(id, event),
                // What comes late or twice from an earlier life.
                Output::Refused(_) => {}
            }
        }
    }

    /// Gives the board an input and does what follows.
    pub(super) fn tell_board(&mut self, id: NodeId, input: BoardInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(now) = self.group_now(id) else {
                return;
            };
            let Some(running) = self.running(id) else {
                return;
            };
            for output in running.side.board.handle(now, input) {
                match output {
                    BoardOutput::Dial { node } => self.dial(id, node),
                    BoardOutput::Send { link, frame } => {
                        self.send_frame(link, Some(frame));
                        inputs.push_back(BoardInput::Written { link });
                    }
                    BoardOutput::Close { link, .. } => self.hang_up(link),
                    BoardOutput::Sign(node, sign) => {
                        self.tell_membership(id, Input::Sign(node, sign));
                    }
                    BoardOutput::Event(event) => self.board_tells(id, event),
                }
            }
        }
        self.schedule_group(id);
    }

    fn send_datagram(&mut self, from: NodeId, to: NodeId, content: Bytes) {
        if self.dice.happens(self.network.weather.loss) {
            return;
        }
        if self.dice.happens(self.network.weather.repeat) {
            self.post_datagram(from, to, content.clone());
        }
        self.post_datagram(from, to, content);
    }

    fn post_datagram(&mut self, from: NodeId, to: NodeId, content: Bytes) {
        let travel = self.network.weather.travel(&mut self.dice);
        self.tell_later(to, travel, ForNode::Datagram { from, content });
    }

    pub(super) fn datagram_arrives(&mut self, id: NodeId, from: NodeId, content: Bytes) {
        if self.network.is_open(from, id, Lane::Datagrams) {
            self.tell_membership(id, Input::Datagram { from, content });
            self.schedule_group(id);
        }
    }

    fn membership_tells(&mut self, id: NodeId, event: MembershipEvent) {
        match event {
            MembershipEvent::Up { node, .. } => {
                if !self.is_mistaken(id, node) {
                    self.peer_is_up(id, node);
                }
            }
            MembershipEvent::Down { node, .. } => {
                self.network.break_connection(id, node);
                self.peer_is_down(id, node);
            }
            // The brain acts on declarations only.
            MembershipEvent::Suspect { .. } | MembershipEvent::Trusted { .. } => {}
        }
    }

    fn board_tells(&mut self, id: NodeId, event: BoardEvent) {
        match event {
            BoardEvent::Changed { node, key, value } => {
                if let Some(key) = Key::parse(&key) {
                    let shown = value.and_then(|value| Shown::read(&value));
                    self.hear(id, node, key, shown);
                }
            }
            BoardEvent::Synced { node, start } => {
                let boot = start.boot;
                self.tell(id, Event::RecordsHeard { node, boot });
            }
            BoardEvent::Connected { .. } | BoardEvent::Disconnected { .. } => {}
        }
    }

    /// Takes in what another node shows.
    fn hear(&mut self, id: NodeId, from: NodeId, key: Key, shown: Option<Shown>) {
        let Some(running) = self.running(id) else {
            return;
        };
        let rerouted = running.picture.learn(from, key, shown.as_ref());
        if let (Key::Holder(dataset), Some(Shown::Holder(record))) = (key, shown) {
            let record = *record;
            self.tell_dataset(id, dataset, DatasetEvent::Record { from, record });
        }
        if let Some(dataset) = rerouted {
            self.retry_waiting(id, dataset);
        }
        self.facts_are_due(id);
    }

    /// The detector of a node calls a peer alive.
    fn peer_is_up(&mut self, id: NodeId, peer: NodeId) {
        self.notice_peer(id, |picture| picture.up.insert(peer));
        self.tell(id, Event::PeerAlive { node: peer });
        self.facts_are_due(id);
    }

    /// The detector of a node has declared a peer unreachable.
    fn peer_is_down(&mut self, id: NodeId, peer: NodeId) {
        self.notice_peer(id, |picture| picture.up.remove(&peer));
        self.tell(id, Event::PeerSuspect { node: peer });
        self.facts_are_due(id);
        self.door_lost_node(id, peer);
    }

    fn notice_peer(&mut self, id: NodeId, notice: impl FnOnce(&mut Picture) -> bool) {
        if let Some(running) = self.running(id) {
            notice(&mut running.picture);
            running.picture.is_new = true;
        }
    }

    fn is_mistaken(&self, id: NodeId, peer: NodeId) -> bool {
        let until = self
            .running_ref(id)
            .and_then(|running| running.side.mistaken.get(&peer));
        until.is_some_and(|until| self.now() < *until)
    }

    /// A node's detector wrongly declares another unreachable, for a while: SWIM hardly does so by
    /// itself, and brains must bear it.
    pub fn mistake(&mut self, id: NodeId, peer: NodeId, span: Duration) {
        let until = self.now() + span;
        let Some(running) = self.running(id) else {
            return;
        };
        running.side.mistaken.insert(peer, until);
        let was_up = running.picture.up.contains(&peer);
        self.note_fault();
        self.truth.last_fault = until;
        self.note(|| format!("{id} wrongly suspects {peer}"));
        if was_up {
            self.network.break_connection(id, peer);
            self.peer_is_down(id, peer);
        }
        self.tell_later(id, span, ForNode::MistakeEnds(peer));
    }

    pub(super) fn mistake_ends(&mut self, id: NodeId, peer: NodeId) {
        if self.is_mistaken(id, peer) {
            return;
        }
        let Some(running) = self.running(id) else {
            return;
        };
        running.side.mistaken.remove(&peer);
        let standing = running.side.membership.standing(peer);
        let is_up = standing.is_some_and(|standing| standing.health != NodeHealth::Down);
        if is_up && !running.picture.up.contains(&peer) {
            self.peer_is_up(id, peer);
            // So that everything is heard anew.
            self.break_streams(id, peer);
        }
    }
}
