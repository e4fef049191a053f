//! The whole state exchange without streams and without a clock: inputs with their time in, what is
//! to be done out. The same code runs in a node and in a simulator.
//!
//! # Contract
//! - [`BoardCore::handle`] is called for everything that happens to streams, and with
//!   [`BoardInput::Tick`] no later than [`BoardCore::next_deadline`]; moments never decrease.
//! - A stream has a number that its end of it chose ([`LinkId`]). It begins with
//!   [`BoardInput::Dialled`] (this node asked for it, and shows itself on it) or
//!   [`BoardInput::Accepted`] (the other one shows itself). It ends with [`BoardInput::Closed`], or
//!   with [`BoardOutput::Close`], after which nothing is said about it any more.
//! - Frames of one stream arrive whole and in order, or the stream ends. Each
//!   [`BoardOutput::Send`] is answered with [`BoardInput::Written`] once it is on its way: until then
//!   nothing more is sent on that stream, so that a slow reader costs no memory.
//! - Each [`BoardOutput::Dial`] is answered with [`BoardInput::Dialled`] or
//!   [`BoardInput::NotDialled`].
//! - Outputs are carried out in their order. The same inputs with the same seed give the same outputs.
//!
//! `reading` and `showing` hold what is said on either kind of stream.

mod reading;
mod schedule;
mod showing;

use super::own::{OwnSpace, SetError};
use super::peer::{PeerSpace, Skipped};
use super::{Audience, BoardEvent, wire};
use crate::identity::{Me, Start};
use crate::membership::Sign;
use crate::profile::BoardTiming;
use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use reading::Reading;
use schedule::Schedule;
use serde::Serialize;
use showing::Showing;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Streams of one node that have not said which life they show: more are turned away.
const STREAMS_OF_A_NODE_MAX: usize = 4;
/// Signs of life of one node are told this often at most.
const HEARD_EVERY: Duration = Duration::from_millis(100);
/// Dials are spread by so much, so that nodes that lost each other do not dial in step.
const REDIAL_SPREAD_MS: u64 = 50;

/// A stream, by the number that its end of it gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What the exchange begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardConfig {
    /// How patient it is: of a [`crate::profile::Profile`].
    pub timing: BoardTiming,
    /// The other nodes of the cluster.
    pub peers: BTreeSet<NodeId>,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardInput {
    /// The other nodes of the cluster, from now on.
    Peers(BTreeSet<NodeId>),
    /// A dial succeeded.
    Dialled {
        /// The node.
        node: NodeId,
        /// The stream.
        link: LinkId,
    },
    /// A dial did not succeed.
    NotDialled {
        /// The node.
        node: NodeId,
        /// What it proves.
        why: NotDialled,
    },
    /// Another node's stream has come.
    Accepted {
        /// The node, proved.
        node: NodeId,
        /// The stream.
        link: LinkId,
    },
    /// A frame has come.
    Frame {
        /// On this stream.
        link: LinkId,
        /// Its bytes.
        frame: Bytes,
    },
    /// A frame has come that is too long; it was passed over.
    LongFrame {
        /// On this stream.
        link: LinkId,
    },
    /// The last frame is on its way.
    Written {
        /// On this stream.
        link: LinkId,
    },
    /// A stream has ended.
    Closed {
        /// The stream.
        link: LinkId,
    },
    /// Time has passed.
    Tick,
}

/// Why a dial did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDialled {
    /// The kernel refused: nothing listens there.
    Refused,
    /// Somebody listens, and does not want us.
    Reached,
    /// Nothing was heard.
    Unreachable,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardOutput {
    /// Open a stream.
    Dial {
        /// To this node.
        node: NodeId,
    },
    /// Send a frame.
    Send {
        /// On this stream.
        link: LinkId,
        /// Its bytes.
        frame: Bytes,
    },
    /// End a stream, after what is to be sent was sent.
    Close {
        /// The stream.
        link: LinkId,
        /// Why.
        why: Closing,
    },
    /// Tell membership what was noticed about a node.
    Sign(NodeId, Sign),
    /// Tell the subscribers.
    Event(BoardEvent),
}

/// Why a stream is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closing {
    /// Nothing was heard on it.
    #[error("nothing was heard")]
    Silent,
    /// The other side does not take what is sent.
    #[error("the other side takes nothing")]
    Stuck,
    /// This node stood still: what waits in the stream may be old.
    #[error("this node stood still")]
    StoodStill,
    /// A newer stream of the node has taken over.
    #[error("a newer stream of the node has taken over")]
    Replaced,
    /// The node opens too many.
    #[error("the node opens too many streams")]
    TooMany,
    /// The node is not, or no longer, in the cluster.
    #[error("the node is not in the cluster")]
    Stranger,
    /// It shows a life of the node that is over.
    #[error("a later life of the node's daemon is known")]
    Outdated,
    /// It did not begin as a board's stream does.
    #[error("it began with something else")]
    Nonsense,
}

/// How often something was passed over, or done for the second time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BoardCounts {
    /// What other nodes sent and was passed over.
    pub skipped: BTreeMap<Skipped, u64>,
    /// Full exchanges that this node began, because a reader's sum differed.
    pub full_exchanges: u64,
    /// Times that this node asked an owner to go on from its digest.
    pub resyncs: u64,
}

/// One node's part in the state exchange. See the module for the contract.
#[derive(Debug)]
pub struct BoardCore {
    me: Me,
    timing: BoardTiming,
    own: OwnSpace,
    peers: BTreeMap<NodeId, Peer>,
    links: BTreeMap<LinkId, Link>,
    schedule: Schedule,
    /// Streams that show this node and wait for changes.
    idle: BTreeSet<LinkId>,
    counts: BoardCounts,
    random: Pcg64Mcg,
    last_call: Option<Moment>,
}

/// Another node.
#[derive(Debug)]
struct Peer {
    space: PeerSpace,
    /// The stream that it shows itself on; none while it is not connected.
    reading: Option<LinkId>,
    outgoing: Outgoing,
    failures: u32,
    dialled: Option<Moment>,
    heard_told: Option<Moment>,
}

/// The stream on which this node shows itself to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outgoing {
    /// Dialled when the schedule says so.
    Waiting,
    Dialling,
    Standing(LinkId),
}

#[derive(Debug)]
struct Link {
    node: NodeId,
    opened: Moment,
    heard: Moment,
    /// Since when a frame is on its way.
    writing: Option<Moment>,
    /// When the next sign of life is due.
    beat_due: Moment,
    side: Side,
}

#[derive(Debug)]
enum Side {
    Showing(Showing),
    Reading(Reading),
}

/// What the schedule wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Link(LinkId),
    Dial(NodeId),
}

type Outputs = Vec<BoardOutput>;

impl BoardCore {
    /// A node that shows nothing and knows nobody yet. `seed` feeds its random choices.
    #[must_use]
    pub fn new(config: BoardConfig, me: Me, seed: u128) -> Self {
        let mut core = Self {
            me,
            timing: config.timing,
            own: OwnSpace::default(),
            peers: BTreeMap::new(),
            links: BTreeMap::new(),
            schedule: Schedule::default(),
            idle: BTreeSet::new(),
            counts: BoardCounts::default(),
            random: Pcg64Mcg::new(seed),
            last_call: None,
        };
        core.add_peers(Moment::default(), config.peers);
        core
    }

    /// Shows a value under a key to an audience; replaces what was there. What follows from it is
    /// due at once: see [`BoardCore::next_deadline`].
    ///
    /// # Errors
    /// When the key, the value or the whole space would become too large.
    pub fn set(
        &mut self,
        now: Moment,
        key: String,
        value: Bytes,
        audience: Audience,
    ) -> Result<(), SetError> {
        if let Some(concerned) = self.own.set(key, value, audience)? {
            self.wake_showing(now, &concerned);
        }
        Ok(())
    }

    /// Takes a key off.
    pub fn remove(&mut self, now: Moment, key: &str) {
        if let Some(concerned) = self.own.remove(key) {
            self.wake_showing(now, &concerned);
        }
    }

    /// Takes one input; says what is to be done.
    pub fn handle(&mut self, now: Moment, input: BoardInput) -> Vec<BoardOutput> {
        let mut outputs = Outputs::new();
        self.notice_standstill(now, &mut outputs);
        match input {
            BoardInput::Peers(peers) => self.follow_peers(now, peers, &mut outputs),
            BoardInput::Dialled { node, link } => self.dialled(now, node, link, &mut outputs),
            BoardInput::NotDialled { node, why } => self.not_dialled(now, node, why, &mut outputs),
            BoardInput::Accepted { node, link } => self.accepted(now, node, link, &mut outputs),
            BoardInput::Frame { link, frame } => self.hear(now, link, Some(&frame), &mut outputs),
            BoardInput::LongFrame { link } => self.hear(now, link, None, &mut outputs),
            BoardInput::Written { link } => {
                if let Some(known) = self.links.get_mut(&link) {
                    known.writing = None;
                    self.attend(now, link, &mut outputs);
                }
            }
            BoardInput::Closed { link } => self.forget_link(now, link, &mut outputs),
            BoardInput::Tick => {}
        }
        while let Some(due) = self.schedule.pop_due(now) {
            match due {
                Due::Link(link) => self.attend(now, link, &mut outputs),
                Due::Dial(node) => self.dial(now, node, &mut outputs),
            }
        }
        self.last_call = Some(now);
        outputs
    }

    /// When [`BoardCore::handle`] must be called again, at the latest; none while nothing is to be
    /// waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.schedule.next()
    }

    /// What a node shows (to us) under a key; of this node itself, what it shows to anybody. The last
    /// known value where the node is not connected.
    #[must_use]
    pub fn get(&self, node: NodeId, key: &str) -> Option<&Bytes> {
        if node == self.me.node {
            return self.own.get(key);
        }
        self.peers.get(&node)?.space.get(key)
    }

    /// All that a node shows (to us).
    #[must_use]
    pub fn entries(&self, node: NodeId) -> BTreeMap<String, Bytes> {
        if node == self.me.node {
            return self.own.entries();
        }
        let peer = self.peers.get(&node);
        peer.map(|peer| peer.space.entries()).unwrap_or_default()
    }

    /// What a node shows under which keys, without copying the values.
    pub fn keys(&self, node: NodeId) -> impl Iterator<Item = &str> {
        let peer = self.peers.get(&node);
        peer.into_iter().flat_map(|peer| peer.space.keys())
    }

    /// The other nodes of which anything is known.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.peers.keys().copied()
    }

    /// The stream on which a node shows itself, and which life it shows; none while not connected.
    #[must_use]
    pub fn connection(&self, node: NodeId) -> Option<(LinkId, Start)> {
        let peer = self.peers.get(&node)?;
        Some((peer.reading?, peer.space.start()?))
    }

    /// Whether we have everything that a node shows.
    #[must_use]
    pub fn is_complete(&self, node: NodeId) -> bool {
        let peer = self.peers.get(&node);
        peer.is_some_and(|peer| peer.reading.is_some() && peer.space.is_complete())
    }

    /// What was passed over and done again.
    #[must_use]
    pub const fn counts(&self) -> &BoardCounts {
        &self.counts
    }

    fn beat_every(&self) -> Duration {
        self.timing.heartbeat_among(self.peers.len() + 1)
    }

    /// This node stood still: what waits in the streams that it reads may be as old as that, so they
    /// begin anew; what it shows is heard again before the others' silence is judged.
    fn notice_standstill(&mut self, now: Moment, outputs: &mut Outputs) {
        let (Some(last), Some(due)) = (self.last_call, self.schedule.next()) else {
            return;
        };
        let late = now.since(due.max(last));
        if late <= self.timing.standstill {
            return;
        }
        let mut stale = Vec::new();
        for (link, known) in &mut self.links {
            known.heard = now;
            if matches!(known.side, Side::Reading(_)) {
                stale.push(*link);
            }
        }
        for link in stale {
            self.close(now, link, Closing::StoodStill, outputs);
        }
    }

    fn follow_peers(&mut self, now: Moment, peers: BTreeSet<NodeId>, outputs: &mut Outputs) {
        let strangers: Vec<_> = self.peers.keys().copied().collect();
        for node in strangers.into_iter().filter(|node| !peers.contains(node)) {
            let links = self.links.iter().filter(|(_, link)| link.node == node);
            let links: Vec<_> = links.map(|(link, _)| *link).collect();
            for link in links {
                self.close(now, link, Closing::Stranger, outputs);
            }
            self.schedule.remove(Due::Dial(node));
            let Some(peer) = self.peers.remove(&node) else {
                continue;
            };
            outputs.extend(gone(node, peer.space.keys()));
        }
        self.add_peers(now, peers);
    }

    fn add_peers(&mut self, now: Moment, peers: BTreeSet<NodeId>) {
        for node in peers {
            if node == self.me.node || self.peers.contains_key(&node) {
                continue;
            }
            self.peers.insert(
                node,
                Peer {
                    space: PeerSpace::default(),
                    reading: None,
                    outgoing: Outgoing::Waiting,
                    failures: 0,
                    dialled: None,
                    heard_told: None,
                },
            );
            self.schedule.set(Due::Dial(node), now);
        }
    }

    fn dial(&mut self, now: Moment, node: NodeId, outputs: &mut Outputs) {
        if let Some(peer) = self.peers.get_mut(&node)
            && peer.outgoing == Outgoing::Waiting
        {
            peer.outgoing = Outgoing::Dialling;
            peer.dialled = Some(now);
            outputs.push(BoardOutput::Dial { node });
        }
    }

    fn dialled(&mut self, now: Moment, node: NodeId, link: LinkId, outputs: &mut Outputs) {
        let Some(peer) = self.peers.get_mut(&node) else {
            outputs.push(BoardOutput::Close {
                link,
                why: Closing::Stranger,
            });
            return;
        };
        if let Outgoing::Standing(old) = peer.outgoing {
            self.close(now, old, Closing::Replaced, outputs);
        }
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.outgoing = Outgoing::Standing(link);
        }
        outputs.push(BoardOutput::Sign(node, Sign::Reached));
        self.add_link(now, node, link, Side::Showing(Showing::new()));
        self.attend(now, link, outputs);
    }

    fn not_dialled(&mut self, now: Moment, node: NodeId, why: NotDialled, outputs: &mut Outputs) {
        match why {
            NotDialled::Refused => outputs.push(BoardOutput::Sign(node, Sign::Refused)),
            NotDialled::Reached => outputs.push(BoardOutput::Sign(node, Sign::Reached)),
            NotDialled::Unreachable => {}
        }
        self.redial_later(now, node);
    }

    fn redial_later(&mut self, now: Moment, node: NodeId) {
        let spread = Duration::from_millis(self.random.next_u64() % REDIAL_SPREAD_MS);
        let timing = self.timing;
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        peer.outgoing = Outgoing::Waiting;
        peer.failures = peer.failures.saturating_add(1);
        // 200 ms a few times; then twice as long each time, up to the limit.
        let doublings = peer.failures.saturating_sub(timing.redials_soon).min(16);
        let pause = timing.redial_soon * 2u32.saturating_pow(doublings);
        let pause = pause.min(timing.redial_max) + spread;
        self.schedule.set(Due::Dial(node), now.plus(pause));
    }

    /// A node has come: it can be reached, so that this node shows itself to it soon.
    fn redial_soon(&mut self, now: Moment, node: NodeId) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if peer.outgoing == Outgoing::Waiting {
            peer.failures = 0;
            let soonest = peer.dialled.map(|at| at.plus(self.timing.redial_soon));
            let at = soonest.unwrap_or(now).max(now);
            self.schedule.bring_forward(Due::Dial(node), at);
        }
    }

    fn accepted(&mut self, now: Moment, node: NodeId, link: LinkId, outputs: &mut Outputs) {
        let refused = if self.peers.contains_key(&node) {
            let streams = self
                .links
                .values()
                .filter(|known| known.node == node && matches!(known.side, Side::Reading(_)));
            (streams.count() >= STREAMS_OF_A_NODE_MAX).then_some(Closing::TooMany)
        } else {
            Some(Closing::Stranger)
        };
        if let Some(why) = refused {
            outputs.push(BoardOutput::Close { link, why });
            return;
        }
        self.add_link(now, node, link, Side::Reading(Reading::default()));
        self.attend(now, link, outputs);
    }

    fn add_link(&mut self, now: Moment, node: NodeId, link: LinkId, side: Side) {
        let known = Link {
            node,
            opened: now,
            heard: now,
            writing: None,
            beat_due: now.plus(self.beat_every()),
            side,
        };
        self.links.insert(link, known);
    }

    /// Hears a frame, or that one was too long.
    fn hear(&mut self, now: Moment, link: LinkId, frame: Option<&[u8]>, outputs: &mut Outputs) {
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        known.heard = now;
        let node = known.node;
        let is_reading = matches!(known.side, Side::Reading(_));
        self.tell_heard(now, node, outputs);
        let understood = if is_reading {
            frame
                .map(wire::decode)
                .map(|message| message.map(|message| self.hear_owner(now, link, message, outputs)))
        } else {
            frame
                .map(wire::decode)
                .map(|message| message.map(|message| self.hear_reader(now, link, message, outputs)))
        };
        match understood {
            Some(Ok(())) => {}
            Some(Err(wire::Garbage)) => self.pass_over(now, link, Skipped::Frame, outputs),
            None => self.pass_over(now, link, Skipped::LongFrame, outputs),
        }
        self.attend(now, link, outputs);
    }

    fn pass_over(&mut self, now: Moment, link: LinkId, what: Skipped, outputs: &mut Outputs) {
        self.count_skipped(link, what);
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        if let Side::Reading(reading) = &mut known.side
            && reading.ask_to_resync(now)
        {
            // It never said who it is.
            self.close(now, link, Closing::Nonsense, outputs);
        }
    }

    fn count_skipped(&mut self, link: LinkId, what: Skipped) {
        let count = self.counts.skipped.entry(what).or_default();
        *count += 1;
        // The first of each kind, and then ever fewer: what is wrong stays wrong for a while.
        if count.is_power_of_two() {
            let node = self.links.get(&link).map_or(NodeId(0), |link| link.node);
            tracing::warn!(node.id = %node, reason = %what, so_far = *count, "passed over on a node's board");
        }
    }

    fn tell_heard(&mut self, now: Moment, node: NodeId, outputs: &mut Outputs) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        if peer
            .heard_told
            .is_none_or(|at| now.since(at) >= HEARD_EVERY)
        {
            peer.heard_told = Some(now);
            outputs.push(BoardOutput::Sign(node, Sign::Heard));
        }
    }

    /// Does what is due on a stream, and looks when something is due again.
    fn attend(&mut self, now: Moment, link: LinkId, outputs: &mut Outputs) {
        let silence = self.beat_every() * self.timing.heartbeats_missed;
        let Some(known) = self.links.get(&link) else {
            return;
        };
        let silent_at = known.heard.plus(silence);
        if silent_at <= now {
            self.close(now, link, Closing::Silent, outputs);
            return;
        }
        let stuck_at = known.writing.map(|at| at.plus(self.timing.send_timeout));
        if stuck_at.is_some_and(|at| at <= now) {
            self.close(now, link, Closing::Stuck, outputs);
            return;
        }
        if known.writing.is_none() {
            self.speak(now, link, outputs);
        }
        let Some(known) = self.links.get(&link) else {
            return;
        };
        let due = match (known.writing, &known.side) {
            (Some(since), _) => since.plus(self.timing.send_timeout),
            (None, Side::Showing(showing)) => showing.due(known.beat_due),
            (None, Side::Reading(reading)) => reading.due(known.beat_due),
        };
        let silent_at = known.heard.plus(silence);
        self.schedule.set(Due::Link(link), due.min(silent_at));
    }

    /// Says what is due, if anything.
    fn speak(&mut self, now: Moment, link: LinkId, outputs: &mut Outputs) {
        let beat_every = self.beat_every();
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        let is_beat_due = known.beat_due <= now;
        let frame = match &mut known.side {
            Side::Showing(showing) => {
                let said = showing.next(now, is_beat_due, &self.own, known.node, self.me.start);
                if showing.is_idle() {
                    self.idle.insert(link);
                }
                if said.begins_full_exchange {
                    self.counts.full_exchanges += 1;
                }
                said.message.and_then(|message| wire::encode(&message).ok())
            }
            Side::Reading(reading) => {
                let space = self.peers.get(&known.node).map(|peer| &peer.space);
                let digest = space.map(PeerSpace::digest).unwrap_or_default();
                let said = reading.next(now, is_beat_due, digest, self.timing.digest_every);
                if said.is_resync {
                    self.counts.resyncs += 1;
                }
                said.message.and_then(|message| wire::encode(&message).ok())
            }
        };
        if let Some(frame) = frame {
            known.writing = Some(now);
            known.beat_due = now.plus(beat_every);
            outputs.push(BoardOutput::Send { link, frame });
        }
    }

    /// Ends a stream.
    fn close(&mut self, now: Moment, link: LinkId, why: Closing, outputs: &mut Outputs) {
        outputs.push(BoardOutput::Close { link, why });
        self.forget_link(now, link, outputs);
    }

    fn forget_link(&mut self, now: Moment, link: LinkId, outputs: &mut Outputs) {
        let Some(known) = self.links.remove(&link) else {
            return;
        };
        self.schedule.remove(Due::Link(link));
        self.idle.remove(&link);
        let node = known.node;
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        match known.side {
            Side::Reading(_) if peer.reading == Some(link) => {
                peer.reading = None;
                peer.space.lose_touch();
                outputs.push(BoardOutput::Sign(node, Sign::Disconnected));
                outputs.push(BoardOutput::Event(BoardEvent::Disconnected { node }));
            }
            Side::Reading(_) => {}
            Side::Showing(_) if peer.outgoing == Outgoing::Standing(link) => {
                if now.since(known.opened) >= self.timing.stood {
                    peer.failures = 0;
                    peer.outgoing = Outgoing::Waiting;
                    self.schedule.set(Due::Dial(node), now);
                } else {
                    self.redial_later(now, node);
                }
            }
            Side::Showing(_) => {}
        }
    }
}

/// The events of a node whose values are gone.
fn gone<'a>(
    node: NodeId,
    keys: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = BoardOutput> {
    keys.map(move |key| {
        let key = key.to_owned();
        let value = None;
        BoardOutput::Event(BoardEvent::Changed { node, key, value })
    })
}
