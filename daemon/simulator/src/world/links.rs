//! The streams of the boards: frames come whole and in order, late where packets were lost, and not
//! at all while the line is cut. A stream ends when either side ends it, when a side's daemon has
//! ended, or by itself in bad weather; what was on its way is lost then.

use super::World;
use super::happening::{ForNode, Happening};
use crate::network::Lane;
use crate::time::{Moment, ms};
use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_group::board::{BoardInput, LinkId, NotDialled};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// TCP sends again what was lost, after this long.
const SENT_AGAIN_AFTER: (Duration, Duration) = (ms(30), ms(200));
/// While a line is cut, what is on its way is tried again this often.
const TRIED_AGAIN_EVERY: Duration = ms(200);
/// Round trips until a stream stands: TCP, TLS.
const ROUND_TRIPS: u32 = 3;

/// All ends of all streams. Both ends of a stream differ in the last bit of their numbers.
#[derive(Debug, Default)]
pub(super) struct Links {
    ends: BTreeMap<LinkId, End>,
    next: u64,
}

/// One node's end of a stream.
#[derive(Debug)]
struct End {
    node: NodeId,
    peer: NodeId,
    /// When what was sent last to this end arrives.
    last_arrival: Moment,
    /// What is kept until the line is mended; none: the stream's end.
    held: VecDeque<Option<Bytes>>,
}

const fn other_end(link: LinkId) -> LinkId {
    LinkId(link.0 ^ 1)
}

impl World {
    /// A node's board wants a stream to another node.
    pub(super) fn dial(&mut self, id: NodeId, to: NodeId) {
        let span = self.network.weather.travel(&mut self.dice) * 2 * ROUND_TRIPS;
        self.tell_later(id, span, ForNode::Dialled(to));
    }

    pub(super) fn dialled(&mut self, id: NodeId, to: NodeId) {
        if let Some(why) = self.what_dialling_proves(id, to) {
            self.tell_board(id, BoardInput::NotDialled { node: to, why });
            return;
        }
        let (mine, theirs) = (LinkId(self.links.next), LinkId(self.links.next + 1));
        self.links.next += 2;
        for (link, node, peer) in [(mine, id, to), (theirs, to, id)] {
            let end = End {
                node,
                peer,
                last_arrival: self.now(),
                held: VecDeque::new(),
            };
            self.links.ends.insert(link, end);
        }
        let accepted = BoardInput::Accepted {
            node: id,
            link: theirs,
        };
        self.tell_board(to, accepted);
        let dialled = BoardInput::Dialled {
            node: to,
            link: mine,
        };
        self.tell_board(id, dialled);
    }

    /// What is learned of a node that can't be dialled; none: it can.
    fn what_dialling_proves(&self, id: NodeId, to: NodeId) -> Option<NotDialled> {
        let unreachable = Some(NotDialled::Unreachable);
        let Some(node) = self.nodes.get(&to) else {
            return unreachable;
        };
        if !self.network.is_linked(id, to, Lane::Streams) || node.is_without_power {
            return unreachable;
        }
        if node.running.is_none() {
            return Some(NotDialled::Refused);
        }
        // Its kernel accepts, and nobody answers.
        node.frozen_since.map(|_| NotDialled::Reached)
    }

    /// Puts a frame, or the end of the stream, on its way from this end to the other one.
    pub(super) fn send_frame(&mut self, from: LinkId, frame: Option<Bytes>) {
        let weather = &self.network.weather;
        let mut travel = weather.travel(&mut self.dice) + self.board_lag;
        while self.dice.happens(self.network.weather.loss) {
            travel += self.dice.span(SENT_AGAIN_AFTER);
        }
        let is_broken = self.dice.happens(self.network.weather.breaks);
        let (now, to) = (self.now(), other_end(from));
        let Some(end) = self.links.ends.get_mut(&to) else {
            // The other side is gone: its kernel says so.
            if self.links.ends.contains_key(&from) {
                self.reset_if_answered(from, now + travel);
            }
            return;
        };
        if is_broken {
            self.reset(from);
            self.reset(to);
            return;
        }
        // Not before what was sent earlier.
        let at = end.last_arrival.max(now + travel);
        end.last_arrival = at;
        self.schedule.at(at, Happening::Frame { link: to, frame });
    }

    /// What was sent to an end that is gone is answered by its kernel, if that is there.
    fn reset_if_answered(&mut self, link: LinkId, at: Moment) {
        let Some(end) = self.links.ends.get(&link) else {
            return;
        };
        let is_there = self
            .nodes
            .get(&end.peer)
            .is_some_and(|peer| !peer.is_without_power);
        if is_there && self.network.is_linked(end.node, end.peer, Lane::Streams) {
            self.schedule.at(at, Happening::Frame { link, frame: None });
        }
    }

    /// A frame, or the end of the stream, arrives at one end, if the line is not cut.
    pub(super) fn frame_arrives(&mut self, link: LinkId, frame: Option<Bytes>) {
        let Some(end) = self.links.ends.get_mut(&link) else {
            return;
        };
        let is_linked = self.network.is_linked(end.node, end.peer, Lane::Streams);
        if !is_linked || !end.held.is_empty() {
            if end.held.is_empty() {
                let again = Happening::HeldFrames(link);
                self.schedule.after(TRIED_AGAIN_EVERY, again);
            }
            end.held.push_back(frame);
            return;
        }
        self.take_frame(link, frame);
    }

    /// What was kept while the line was cut arrives, once it is mended.
    pub(super) fn held_frames(&mut self, link: LinkId) {
        let Some(end) = self.links.ends.get_mut(&link) else {
            return;
        };
        if !self.network.is_linked(end.node, end.peer, Lane::Streams) {
            let again = Happening::HeldFrames(link);
            self.schedule.after(TRIED_AGAIN_EVERY, again);
            return;
        }
        for frame in std::mem::take(&mut end.held) {
            self.take_frame(link, frame);
        }
    }

    fn take_frame(&mut self, link: LinkId, frame: Option<Bytes>) {
        let Some(end) = self.links.ends.get(&link) else {
            return;
        };
        let id = end.node;
        let input = match frame {
            Some(frame) => BoardInput::Frame { link, frame },
            None => {
                self.links.ends.remove(&link);
                BoardInput::Closed { link }
            }
        };
        let start = self.nodes.get(&id).map_or(0, |node| node.start);
        self.happen_to_node(id, start, ForNode::Board(input));
    }

    /// A board ends a stream, after what it sent.
    pub(super) fn hang_up(&mut self, link: LinkId) {
        self.send_frame(link, None);
        self.links.ends.remove(&link);
    }

    /// A stream breaks, as this end notices.
    fn reset(&mut self, link: LinkId) {
        self.schedule
            .after(ms(1), Happening::Frame { link, frame: None });
    }

    /// All streams between two nodes break.
    pub(super) fn break_streams(&mut self, one: NodeId, other: NodeId) {
        let is_between = |end: &End| {
            (end.node, end.peer) == (one, other) || (end.node, end.peer) == (other, one)
        };
        let ends = self.links.ends.iter();
        let broken: Vec<_> = ends
            .filter(|(_, end)| is_between(end))
            .map(|(link, _)| *link)
            .collect();
        for link in broken {
            self.reset(link);
        }
    }

    /// A daemon has ended: its kernel ends all of its streams, unless the machine is off.
    pub(super) fn end_links(&mut self, id: NodeId) {
        let is_told = self
            .nodes
            .get(&id)
            .is_some_and(|node| !node.is_without_power);
        let ends = self.links.ends.iter();
        let ended = ends
            .filter(|(_, end)| end.node == id)
            .map(|(link, _)| *link);
        for link in ended.collect::<Vec<_>>() {
            if is_told {
                self.send_frame(link, None);
            }
            self.links.ends.remove(&link);
        }
    }
}
