//! The whole of membership without a socket and without a clock: inputs with their time in, what is
//! to be done out. The same code runs in a node and in a simulator.
//!
//! # Contract
//! - [`MembershipCore::handle`] is called for every datagram, sign and change of the roster, and
//!   with [`Input::Tick`] no later than [`MembershipCore::next_deadline`]; moments never decrease.
//! - Outputs are carried out in their order. Sending may fail: that is what SWIM is there for.
//! - The same inputs with the same seed give the same outputs.
//!
//! # A node's own pauses
//! A call that comes much later than the deadline means that this node stood still (frozen, starved,
//! suspended). Then everything that it waits for is put off by as much, and by a moment in which what
//! waits in its socket can be read: the others' silence in that time was our deafness. So a node
//! that wakes accuses nobody of having been silent while it slept.
//!
//! # What a content is
//! One byte that says what follows, and SWIM's message, or a number to be given back (see
//! `acquaintance`).

use super::acquaintance::{Acquaintances, Announcement};
use super::evidence::{Evidence, Sign};
use super::health::LocalHealth;
use super::knocking::Knocking;
use super::swim::{Heading, Swim, SwimAction, SwimId, SwimTimer};
use super::timers::Timers;
use super::{MembershipEvent, Standing};
use crate::datagram::Refusal;
use crate::identity::{Me, Start};
use crate::profile::MembershipTiming;
use bytes::Bytes;
use foca::Timer;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Later than this, a call was late because the node stood still; less is a busy machine's business.
const LATE: Duration = Duration::from_millis(150);
/// After a standstill, before anything is judged: what waits in the socket is read in this time.
const READING: Duration = Duration::from_millis(100);

/// What membership begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipConfig {
    /// How patient it is: of a [`crate::profile::Profile`].
    pub timing: MembershipTiming,
    /// The other nodes of the cluster.
    pub peers: BTreeSet<NodeId>,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A datagram was opened.
    Datagram {
        /// The node that sealed it.
        from: NodeId,
        /// Its content.
        content: Bytes,
    },
    /// The streams noticed something about a node.
    Sign(NodeId, Sign),
    /// The other nodes of the cluster, from now on.
    Peers(BTreeSet<NodeId>),
    /// Time has passed.
    Tick,
    /// This node stops: the others need not wait for silence.
    Leave,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Seal and send a datagram.
    Send {
        /// To this node.
        to: NodeId,
        /// With this content.
        content: Bytes,
    },
    /// Tell who is up.
    Event(MembershipEvent),
    /// Count a content that was refused; it has changed nothing.
    Refused(Refusal),
}

/// One node's membership. See the module for the contract.
pub struct MembershipCore {
    me: Me,
    timing: MembershipTiming,
    peers: BTreeSet<NodeId>,
    swim: Swim,
    timers: Timers,
    evidence: Evidence,
    health: LocalHealth,
    knocking: Knocking,
    acquaintances: Acquaintances,
    random: Pcg64Mcg,
    /// Whom SWIM asked last.
    asked: Option<NodeId>,
    last_call: Option<Moment>,
    has_left: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Content {
    /// SWIM's message follows.
    Swim,
    /// Give this number back: are you there?
    AreYou(u64),
    /// The number, given back in this life.
    IAm(u64, Start),
}

impl MembershipCore {
    /// A node that knows nobody yet. `seed` feeds its random choices.
    #[must_use]
    pub fn new(config: MembershipConfig, me: Me, seed: u128) -> Self {
        let MembershipConfig { timing, peers } = config;
        let id = SwimId {
            node: me.node,
            start: me.start,
            bump: 0,
        };
        Self {
            me,
            timing,
            swim: Swim::new(id, timing, peers.len() + 1, seed),
            timers: Timers::default(),
            evidence: Evidence::new(timing.declare_after, timing.suspect_after),
            health: LocalHealth::default(),
            knocking: Knocking::new(timing.knock_first, timing.knock_max),
            acquaintances: Acquaintances::default(),
            random: Pcg64Mcg::new(!seed),
            asked: None,
            last_call: None,
            has_left: false,
            peers,
        }
    }

    /// Takes one input; says what is to be done.
    pub fn handle(&mut self, now: Moment, input: Input) -> Vec<Output> {
        self.notice_standstill(now);
        let mut outputs = Vec::new();
        match input {
            Input::Datagram { from, content } => self.receive(now, from, &content, &mut outputs),
            Input::Sign(node, sign) => {
                if matches!(sign, Sign::Connected(_) | Sign::Reached) {
                    self.knocking.hurry(now);
                }
                self.observe(now, node, sign, &mut outputs);
            }
            Input::Peers(peers) => self.follow_peers(now, peers, &mut outputs),
            Input::Tick => {}
            Input::Leave => {
                self.has_left = true;
                let actions = self.swim.leave();
                self.carry_out(now, None, actions, &mut outputs);
            }
        }
        self.run_due(now, &mut outputs);
        self.last_call = Some(now);
        outputs
    }

    /// When [`MembershipCore::handle`] must be called again, at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Moment {
        let next = self.knocking.next();
        let others = self.timers.next().into_iter();
        let others = others.chain(self.evidence.next_deadline());
        others.fold(next, Moment::min)
    }

    /// As if every node that is up had just come up: for a new subscriber.
    #[must_use]
    pub fn present(&self) -> Vec<MembershipEvent> {
        self.evidence.present()
    }

    /// How the other nodes stand; those of which nothing was ever heard are missing.
    #[must_use]
    pub fn standings(&self) -> BTreeMap<NodeId, Standing> {
        self.evidence.standings()
    }

    /// How one node stands; none for ourselves and for nodes of which nothing was ever heard.
    #[must_use]
    pub fn standing(&self, node: NodeId) -> Option<Standing> {
        self.evidence.standing(node)
    }

    fn notice_standstill(&mut self, now: Moment) {
        let Some(last) = self.last_call else { return };
        let late = now.since(self.next_deadline().max(last));
        if late > LATE {
            let length = late + READING;
            self.timers.put_off(length);
            self.knocking.put_off(length);
            self.evidence.stood_still(now, length);
        }
    }

    fn receive(&mut self, now: Moment, from: NodeId, content: &[u8], outputs: &mut Vec<Output>) {
        if !self.peers.contains(&from) {
            outputs.push(Output::Refused(Refusal::UnknownSender));
            return;
        }
        match postcard::take_from_bytes(content) {
            Ok((Content::Swim, message)) => self.receive_swim(now, from, message, outputs),
            Ok((Content::AreYou(number), [])) => {
                let answer = Content::IAm(number, self.me.start);
                outputs.extend(send(from, &answer, &[]));
                // Now it will take us in.
                let actions = self.swim.announce(from);
                self.carry_out(now, None, actions, outputs);
            }
            Ok((Content::IAm(number, start), [])) => {
                if self.acquaintances.answered(from, start, number) {
                    self.observe(now, from, Sign::Datagram, outputs);
                    self.knocking.hurry(now);
                } else {
                    outputs.push(Output::Refused(Refusal::Replayed));
                }
            }
            Ok((Content::AreYou(_) | Content::IAm(..), [_, ..])) | Err(_) => {
                outputs.push(Output::Refused(Refusal::Malformed));
            }
        }
    }

    fn receive_swim(
        &mut self,
        now: Moment,
        from: NodeId,
        message: &[u8],
        outputs: &mut Vec<Output>,
    ) {
        let Some(heading) = Heading::of(message).filter(|heading| heading.from.node == from) else {
            outputs.push(Output::Refused(Refusal::Malformed));
            return;
        };
        if heading.is_announcement {
            let random = &mut self.random;
            let start = heading.from.start;
            let announced = self
                .acquaintances
                .announced(from, start, now, || random.next_u64());
            if let Announcement::Ask { number, was_record } = announced {
                if was_record {
                    outputs.push(Output::Refused(Refusal::Replayed));
                }
                outputs.extend(send(from, &Content::AreYou(number), &[]));
                return;
            }
        } else if (heading.to.node, heading.to.start) != (self.me.node, self.me.start) {
            // Said to an earlier life of ours: news to nobody, and no sign of the sender's life.
            outputs.push(Output::Refused(Refusal::Replayed));
            return;
        }
        self.observe(now, from, Sign::Datagram, outputs);
        let received = self.swim.receive(message);
        if !received.is_understood {
            outputs.push(Output::Refused(Refusal::Malformed));
        }
        self.carry_out(now, Some(from), received.actions, outputs);
    }

    /// Carries out what SWIM asks for; `speaker` is the member who is speaking.
    fn carry_out(
        &mut self,
        now: Moment,
        speaker: Option<NodeId>,
        actions: Vec<SwimAction>,
        outputs: &mut Vec<Output>,
    ) {
        for action in actions {
            match action {
                SwimAction::Send(node, message) => {
                    outputs.extend(send(node, &Content::Swim, &message));
                }
                SwimAction::Schedule(after, timer) => self.schedule(now, after, timer),
                SwimAction::Notice(node, Sign::SwimDown) if speaker == Some(node) => {
                    self.observe(now, node, Sign::Goodbye, outputs);
                }
                SwimAction::Notice(node, sign) => {
                    if sign == Sign::SwimDown {
                        self.knocking.hurry(now);
                    }
                    self.observe(now, node, sign, outputs);
                }
            }
        }
    }

    fn schedule(&mut self, now: Moment, after: Duration, timer: SwimTimer) {
        let patience = match &timer {
            Timer::ChangeSuspectToDown { member_id, .. } => {
                self.health.patience_with(member_id.node)
            }
            Timer::ProbeRandomMember(_)
            | Timer::SendIndirectProbe { .. }
            | Timer::PeriodicAnnounce(_)
            | Timer::PeriodicGossip(_)
            | Timer::PeriodicAnnounceDown(_)
            | Timer::RemoveDown(_) => 1,
        };
        self.timers.insert(now.plus(after * patience), timer);
    }

    fn run_due(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        while let Some(timer) = self.timers.pop_due(now) {
            if let Some(later) = self.too_soon(now, &timer) {
                self.timers.insert(later, timer);
                continue;
            }
            let is_question = matches!(timer, Timer::ProbeRandomMember(_));
            let actions = self.swim.timer(timer);
            if is_question {
                self.learn_own_health(&actions);
            }
            self.carry_out(now, None, actions, outputs);
        }
        for event in self.evidence.tick(now) {
            outputs.push(Output::Event(event));
        }
        self.knock(now, outputs);
    }

    /// A member is not declared down while it talks to us: when to look again.
    fn too_soon(&self, now: Moment, timer: &SwimTimer) -> Option<Moment> {
        let Timer::ChangeSuspectToDown { member_id, .. } = timer else {
            return None;
        };
        let silent_at = self.evidence.heard(member_id.node)?;
        let silent_at = silent_at.plus(self.timing.declare_after);
        (silent_at > now).then_some(silent_at)
    }

    /// The last question failed where SWIM begins a suspicion now; and whom it asks next.
    fn learn_own_health(&mut self, actions: &[SwimAction]) {
        let timers = || {
            actions.iter().filter_map(|action| match action {
                SwimAction::Schedule(_after, timer) => Some(timer),
                SwimAction::Send(..) | SwimAction::Notice(..) => None,
            })
        };
        if let Some(asked) = self.asked.take() {
            let has_failed = timers()
                .any(|timer| matches!(timer, Timer::ChangeSuspectToDown { member_id, .. } if member_id.node == asked));
            self.health.asked(asked, !has_failed);
        }
        self.asked = timers().find_map(|timer| match timer {
            Timer::SendIndirectProbe { probed_id, .. } => Some(probed_id.node),
            Timer::ProbeRandomMember(_)
            | Timer::ChangeSuspectToDown { .. }
            | Timer::PeriodicAnnounce(_)
            | Timer::PeriodicGossip(_)
            | Timer::PeriodicAnnounceDown(_)
            | Timer::RemoveDown(_) => None,
        });
    }

    fn knock(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        if self.knocking.next() > now {
            return;
        }
        let members: BTreeSet<_> = self.swim.members().map(|member| member.node).collect();
        self.health.retain(|node| members.contains(&node));
        let missing = self.peers.difference(&members).copied().collect();
        let has_members = !members.is_empty();
        for node in self.knocking.round(now, &missing, has_members) {
            if !self.has_left {
                let actions = self.swim.announce(node);
                self.carry_out(now, None, actions, outputs);
            }
        }
    }

    fn observe(&mut self, now: Moment, node: NodeId, sign: Sign, outputs: &mut Vec<Output>) {
        if self.peers.contains(&node) {
            let events = self.evidence.observe(node, sign, now);
            outputs.extend(events.into_iter().map(Output::Event));
        }
    }

    fn follow_peers(&mut self, now: Moment, peers: BTreeSet<NodeId>, outputs: &mut Vec<Output>) {
        let before = std::mem::replace(&mut self.peers, peers);
        self.swim.set_cluster_size(self.peers.len() + 1);
        let peers = &self.peers;
        self.acquaintances.retain(|node| peers.contains(&node));
        self.health.retain(|node| peers.contains(&node));
        for node in before.difference(&self.peers) {
            let events = self.evidence.observe(*node, Sign::Removed, now);
            outputs.extend(events.into_iter().map(Output::Event));
        }
        // Members whom SWIM met before the registry told us of them.
        let members: Vec<_> = self.swim.members().collect();
        for member in members {
            if !before.contains(&member.node) {
                self.observe(now, member.node, Sign::SwimUp(member.start), outputs);
            }
        }
        self.knocking.hurry(now);
    }
}

fn send(to: NodeId, content: &Content, message: &[u8]) -> Option<Output> {
    // Our own types are always encoded; postcard's signature allows for more.
    let mut bytes = postcard::to_stdvec(content).ok()?;
    bytes.extend_from_slice(message);
    let content = Bytes::from(bytes);
    Some(Output::Send { to, content })
}
