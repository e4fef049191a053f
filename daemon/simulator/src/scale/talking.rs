//! What nodes say to each other: datagrams, streams, and what comes of them.

use super::network::{self, End, RETRANSMIT_MS};
use super::node::Node;
use super::queue::Happening;
use super::shown;
use super::world::World;
use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_group::board::{BoardEvent, BoardInput, BoardOutput, LinkId, NotDialled};
use hwc_group::membership::{DownReason, Input, MembershipEvent, Output};
use hwc_runtime::clock::Moment;
use hwc_state_machine::{DatasetEvent, Event};
use std::collections::VecDeque;

impl World {
    pub(super) fn membership(&mut self, id: NodeId, input: Input) {
        let now = Moment(self.now);
        let Some(node) = self.node_mut(id) else {
            return;
        };
        let Some(running) = node.running.as_mut() else {
            return;
        };
        let outputs = running.membership.handle(now, input);
        for output in outputs {
            match output {
                Output::Send { to, content } => {
                    if let Some(node) = self.node_mut(id) {
                        node.sent.datagrams += network::datagram_bytes(&content);
                    }
                    if !self.is_lost() {
                        let at = self.now + self.travel();
                        let from = id;
                        self.queue
                            .push(at, Happening::Datagram { to, from, content });
                    }
                }
                Output::Event(event) => self.hear_membership(id, event),
                Output::Refused(_) => {}
            }
        }
    }

    fn hear_membership(&mut self, id: NodeId, event: MembershipEvent) {
        let (node, event) = match event {
            MembershipEvent::Up { node, start } => {
                self.note_alive(id, node, start.number);
                (node, Event::PeerAlive { node })
            }
            MembershipEvent::Down { node, reason } => {
                let life = self.note_dead(id, node);
                let is_it = self.node(node).map(|node| node.life) == life;
                match reason {
                    DownReason::Silent | DownReason::Refused => {
                        let is_false = is_it && self.is_running(node);
                        self.meter.false_deaths += u64::from(is_false);
                    }
                    DownReason::Restarted | DownReason::Removed => {}
                }
                (node, Event::PeerSuspect { node })
            }
            MembershipEvent::Suspect { .. } | MembershipEvent::Trusted { .. } => return,
        };
        if self.knows(id, node) {
            if let Some(rooms) = self.node_mut(id).and_then(Node::rooms_mut) {
                rooms.are_facts_new = true;
            }
            self.think(id, event);
        }
    }

    fn note_alive(&mut self, id: NodeId, other: NodeId, life: u64) {
        let running = self.node_mut(id).and_then(|node| node.running.as_mut());
        if let Some(running) = running {
            running.alive.insert(other, life);
        }
    }

    /// The life of the other node that this one took for alive.
    fn note_dead(&mut self, id: NodeId, other: NodeId) -> Option<u64> {
        let running = self.node_mut(id).and_then(|node| node.running.as_mut());
        running.and_then(|running| running.alive.remove(&other))
    }

    fn knows(&self, id: NodeId, other: NodeId) -> bool {
        let running = self.node(id).and_then(|node| node.running.as_ref());
        running.is_some_and(|running| running.known.contains(&other))
    }

    pub(super) fn board(&mut self, id: NodeId, input: BoardInput) {
        let now = Moment(self.now);
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(rooms) = self.node_mut(id).and_then(Node::rooms_mut) else {
                return;
            };
            for output in rooms.board.handle(now, input) {
                match output {
                    BoardOutput::Dial { node: to } => {
                        let at = self.now + 3 * self.travel();
                        let from = self.end(id);
                        self.queue.push(at, Happening::Dialled { from, to });
                    }
                    BoardOutput::Send { link, frame } => {
                        self.send(id, link, Some(frame));
                        inputs.push_back(BoardInput::Written { link });
                    }
                    BoardOutput::Close { link, .. } => {
                        self.send(id, link, None);
                        self.pipes.close(link);
                    }
                    BoardOutput::Sign(about, sign) => {
                        self.membership(id, Input::Sign(about, sign));
                    }
                    BoardOutput::Event(event) => self.hear_board(id, event),
                }
            }
        }
    }

    fn hear_board(&mut self, id: NodeId, event: BoardEvent) {
        match event {
            BoardEvent::Changed {
                node, key, value, ..
            } => {
                let record = value.as_deref().and_then(shown::read_record);
                let about = shown::holder_of(&key).filter(|_| self.knows(id, node));
                if let (Some(dataset), Some(record)) = (about, record) {
                    let event = DatasetEvent::Record { from: node, record };
                    self.think(id, Event::Dataset { dataset, event });
                }
            }
            BoardEvent::Synced { node, start } => {
                if self.knows(id, node) {
                    let boot = start.boot;
                    self.think(id, Event::RecordsHeard { node, boot });
                }
            }
            BoardEvent::Connected { .. } | BoardEvent::Disconnected { .. } => {}
        }
    }

    /// Puts a frame, or the end, on its way.
    fn send(&mut self, id: NodeId, link: LinkId, frame: Option<Bytes>) {
        if let (Some(node), Some(frame)) = (self.node_mut(id), &frame) {
            node.sent.board += network::frame_bytes(frame);
        }
        let mut at = self.now + self.travel();
        let mut pause = RETRANSMIT_MS;
        while self.is_lost() {
            at += pause;
            pause *= 2;
        }
        if let Some(arrival) = self.pipes.send(link, at) {
            let frame = Happening::Frame(arrival.link, frame);
            self.queue.push(arrival.at, frame);
        }
    }

    pub(super) fn arrive(&mut self, link: LinkId, frame: Option<Bytes>) {
        let Some(end) = self.pipes.end(link) else {
            return;
        };
        if !self.is_alive(end) {
            // A machine without power says nothing; the kernel of the next life knows of no stream.
            if self.is_running(end.node) && frame.is_some() {
                self.pipes.close(link);
                self.send(end.node, link, None);
            }
            return;
        }
        let input = match frame {
            Some(frame) => BoardInput::Frame { link, frame },
            None => {
                self.pipes.close(link);
                BoardInput::Closed { link }
            }
        };
        self.board(end.node, input);
        self.set_alarm(end.node);
    }

    pub(super) fn dialled(&mut self, from: End, to: NodeId) {
        if !self.is_alive(from) {
            return;
        }
        let node = from.node;
        if self.is_running(to) {
            let [mine, theirs] = self.pipes.open(from, self.end(to));
            let accepted = BoardInput::Accepted { node, link: theirs };
            self.board(to, accepted);
            self.set_alarm(to);
            let link = mine;
            self.board(node, BoardInput::Dialled { node: to, link });
        } else {
            let why = NotDialled::Unreachable;
            self.board(node, BoardInput::NotDialled { node: to, why });
        }
        self.set_alarm(node);
    }
}
