//! SWIM (foca), fed with bytes and timers, giving bytes and timers back. No socket, no clock.
//!
//! A member is a node id with the life of its daemon; a node that was declared down by mistake
//! raises its `bump` and comes back at once. Where a member listens is the roster's affair, so an
//! identity on the wire is a dozen bytes.

use super::evidence::Sign;
use crate::datagram::CONTENT_LENGTH_MAX;
use crate::identity::Start;
use crate::profile::MembershipTiming;
use bytes::Bytes;
use foca::{
    AccumulatingRuntime, Config, Error, Foca, Header, Identity, Message, NoCustomBroadcast,
    OwnedNotification, PeriodicParams, PostcardCodec, State, Timer,
};
use hwc_api::ids::NodeId;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

/// A down member is remembered for a day, so that late news of it do not revive it.
const REMEMBER_DOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// A life of a node's daemon, as SWIM knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SwimId {
    /// The node.
    pub node: NodeId,
    /// Which life of its daemon.
    pub start: Start,
    /// How often it had to contradict its own death in this life.
    pub bump: u32,
}

impl Identity for SwimId {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        let bump = self.bump.checked_add(1)?;
        Some(Self { bump, ..*self })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.start, self.bump) > (adversary.start, adversary.bump)
    }
}

/// A timer that foca asked for.
pub type SwimTimer = Timer<SwimId>;

/// What is to be done after a step.
#[derive(Debug, PartialEq, Eq)]
pub enum SwimAction {
    /// Send a datagram.
    Send(NodeId, Bytes),
    /// Hand this back after a while.
    Schedule(Duration, SwimTimer),
    /// Something was noticed about a node.
    Notice(NodeId, Sign),
}

/// One node's part in SWIM.
pub struct Swim {
    foca: Foca<SwimId, PostcardCodec, Pcg64Mcg, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<SwimId>,
    timing: MembershipTiming,
    suspects: BTreeSet<NodeId>,
}

/// What stands at the beginning of a content: who says it to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// Who.
    pub from: SwimId,
    /// To whom.
    pub to: SwimId,
    /// Whether it asks to be taken in, which a node may do that knows nothing of us.
    pub is_announcement: bool,
}

impl Heading {
    /// Reads it; none where the content is no message.
    #[must_use]
    pub fn of(content: &[u8]) -> Option<Self> {
        let (header, _rest) = postcard::take_from_bytes::<Header<SwimId>>(content).ok()?;
        Some(Self {
            from: header.src,
            to: header.dst,
            is_announcement: header.message == Message::Announce,
        })
    }
}

/// What came of a content.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// Whether it was a message. One that is not changes nothing.
    pub is_understood: bool,
    /// What is to be done.
    pub actions: Vec<SwimAction>,
}

impl Swim {
    /// A node that knows nobody yet. `seed` feeds its random choices.
    #[must_use]
    pub fn new(me: SwimId, timing: MembershipTiming, cluster_size: usize, seed: u128) -> Self {
        let config = config(&timing, cluster_size);
        Self {
            foca: Foca::new(me, config, Pcg64Mcg::new(seed), PostcardCodec),
            runtime: AccumulatingRuntime::new(),
            timing,
            suspects: BTreeSet::new(),
        }
    }

    /// Adapts to the number of nodes.
    pub fn set_cluster_size(&mut self, cluster_size: usize) {
        if let Err(error) = self.foca.set_config(config(&self.timing, cluster_size)) {
            tracing::error!(%error, "adapt the failure detector to the size of the cluster");
        }
    }

    /// Who this node is for the others: its `bump` grows.
    #[must_use]
    pub fn me(&self) -> SwimId {
        *self.foca.identity()
    }

    /// Takes the content of a datagram.
    pub fn receive(&mut self, content: &[u8]) -> Received {
        let is_understood = match self.foca.handle_data(content, &mut self.runtime) {
            Ok(()) => true,
            Err(
                Error::Decode(_)
                | Error::MalformedPacket
                | Error::DataTooBig
                | Error::DataFromOurselves
                | Error::IndirectForOurselves
                | Error::CustomBroadcast(_),
            ) => false,
            // About our own state, not about the content.
            Err(
                error @ (Error::Encode(_)
                | Error::NotConnected
                | Error::NotUndead
                | Error::SameIdentity
                | Error::IncompleteProbeCycle
                | Error::InvalidConfig),
            ) => {
                tracing::debug!(%error, "take a membership datagram");
                true
            }
        };
        Received {
            is_understood,
            actions: self.actions(),
        }
    }

    /// Takes back a timer whose time has come.
    pub fn timer(&mut self, timer: SwimTimer) -> Vec<SwimAction> {
        if let Err(error) = self.foca.handle_timer(timer, &mut self.runtime) {
            tracing::debug!(%error, "a membership timer came out of order");
        }
        self.actions()
    }

    /// Knocks at a node that is not known as a member.
    pub fn announce(&mut self, node: NodeId) -> Vec<SwimAction> {
        let unknown = SwimId {
            node,
            start: Start::default(),
            bump: 0,
        };
        if let Err(error) = self.foca.announce(unknown, &mut self.runtime) {
            tracing::debug!(%error, node.id = %node, "announce");
        }
        self.actions()
    }

    /// Says good-bye: the others need not wait for silence.
    pub fn leave(&mut self) -> Vec<SwimAction> {
        if let Err(error) = self.foca.leave_cluster(&mut self.runtime) {
            tracing::debug!(%error, "say good-bye");
        }
        self.actions()
    }

    /// The members that are up, suspects included.
    pub fn members(&self) -> impl Iterator<Item = SwimId> {
        self.foca.iter_members().map(|member| *member.id())
    }

    fn actions(&mut self) -> Vec<SwimAction> {
        let mut actions = Vec::new();
        while let Some((to, content)) = self.runtime.to_send() {
            actions.push(SwimAction::Send(to.node, content));
        }
        while let Some((after, timer)) = self.runtime.to_schedule() {
            actions.push(SwimAction::Schedule(after, timer));
        }
        while let Some(notification) = self.runtime.to_notify() {
            actions.extend(self.notice(notification));
        }
        actions.extend(self.suspicions());
        actions
    }

    fn notice(&self, notification: OwnedNotification<SwimId>) -> Option<SwimAction> {
        match notification {
            OwnedNotification::MemberUp(id) => {
                Some(SwimAction::Notice(id.node, Sign::SwimUp(id.start)))
            }
            OwnedNotification::MemberDown(id) => Some(SwimAction::Notice(id.node, Sign::SwimDown)),
            // A new life of a member that had not been missed yet. Told of the dead, too.
            OwnedNotification::Rename(_, id) => self
                .members()
                .any(|member| member == id)
                .then_some(SwimAction::Notice(id.node, Sign::SwimUp(id.start))),
            OwnedNotification::Rejoin(id) => {
                tracing::info!(bump = id.bump, "the others had declared this node down");
                None
            }
            OwnedNotification::Active | OwnedNotification::Idle | OwnedNotification::Defunct => {
                None
            }
        }
    }

    /// foca does not tell of suspicions; the difference to before does.
    fn suspicions(&mut self) -> Vec<SwimAction> {
        let suspects: BTreeSet<_> = self
            .foca
            .iter_members()
            .filter(|member| member.state() == State::Suspect)
            .map(|member| member.id().node)
            .collect();
        let new = suspects.difference(&self.suspects).copied();
        let new = new.map(|node| SwimAction::Notice(node, Sign::SwimSuspect));
        let over = self.suspects.difference(&suspects).copied();
        let over = over.map(|node| SwimAction::Notice(node, Sign::SwimTrusted));
        let actions = new.chain(over).collect();
        self.suspects = suspects;
        actions
    }
}

fn config(timing: &MembershipTiming, cluster_size: usize) -> Config {
    let size = u32::try_from(cluster_size.max(2)).unwrap_or(u32::MAX);
    let magnitude = f64::from(size).log10();
    // Each piece of news is sent on 4 x log10(n) times (memberlist's rule); more in small clusters,
    // where a suspect would otherwise miss its suspicion with two lost datagrams.
    let transmissions = (4.0 * magnitude).clamp(10.0, 40.0);
    Config {
        probe_period: timing.probe_period,
        probe_rtt: timing.probe_rtt,
        num_indirect_probes: THREE,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 10..=40"
        )]
        max_transmissions: NonZeroU8::new(transmissions as u8).unwrap_or(NonZeroU8::MIN),
        suspect_to_down_after: timing.suspicion.mul_f64(magnitude.max(1.0)),
        remove_down_after: Some(REMEMBER_DOWN),
        max_packet_size: NonZeroUsize::new(CONTENT_LENGTH_MAX).unwrap_or(NonZeroUsize::MIN),
        notify_down_members: true,
        periodic_announce: Some(PeriodicParams {
            frequency: timing.announce_every,
            num_members: NonZeroUsize::MIN,
        }),
        periodic_announce_to_down_members: Some(PeriodicParams {
            frequency: timing.announce_to_down_every,
            num_members: THREE,
        }),
        periodic_gossip: Some(PeriodicParams {
            frequency: timing.gossip_every,
            num_members: THREE,
        }),
    }
}

const THREE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);
