//! SWIM (foca), fed with bytes and timers, giving bytes and timers back. No socket, no clock.
//!
//! A member is a node id with the life of its daemon; a node that was declared down by mistake
//! raises its `bump` and comes back at once. Where a member listens is the roster's affair, so an
//! identity on the wire is a dozen bytes.

use super::evidence::Sign;
use crate::datagram::CONTENT_LENGTH_MAX;
use crate::identity::Start;
use bytes::Bytes;
use foca::{
    AccumulatingRuntime, Config, Foca, Identity, NoCustomBroadcast, OwnedNotification,
    PeriodicParams, PostcardCodec, State, Timer,
};
use hwc_api::ids::NodeId;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

/// Every so often one member is asked whether it is there.
const PROBE_PERIOD: Duration = Duration::from_millis(500);
/// Without an answer for so long, others are asked to ask.
const PROBE_RTT: Duration = Duration::from_millis(200);
/// A suspect has so many probe periods to object (times log10 of the number of nodes, from 10 on):
/// two seconds in a small cluster.
const SUSPICION_PERIODS: f64 = 4.0;
/// Changes are spread this often; nothing is sent when nothing changed.
const GOSSIP_EVERY: Duration = Duration::from_millis(200);
/// Members are asked for members they know and we don't.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(30);
/// Down members are asked whether they are back: the end of a netsplit is noticed by this.
const ANNOUNCE_TO_DOWN_EVERY: Duration = Duration::from_secs(5);
/// A down member is remembered for a day, so that late news of it do not revive it.
const REMEMBER_DOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// A life of a node's daemon, as SWIM knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwimId {
    /// The node.
    pub node: NodeId,
    /// Which life of its daemon.
    pub start: Start,
    /// How often it had to contradict its own death in this life.
    pub bump: u16,
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
    suspects: BTreeSet<NodeId>,
}

impl Swim {
    /// A node that knows nobody yet. `seed` feeds its random choices.
    #[must_use]
    pub fn new(me: SwimId, cluster_size: usize, seed: u128) -> Self {
        Self {
            foca: Foca::new(me, config(cluster_size), Pcg64Mcg::new(seed), PostcardCodec),
            runtime: AccumulatingRuntime::new(),
            suspects: BTreeSet::new(),
        }
    }

    /// Adapts to the number of nodes.
    pub fn set_cluster_size(&mut self, cluster_size: usize) {
        if let Err(error) = self.foca.set_config(config(cluster_size)) {
            tracing::error!(%error, "adapt the failure detector to the size of the cluster");
        }
    }

    /// Takes the content of a datagram. Malformed content changes nothing.
    pub fn receive(&mut self, content: &[u8]) -> Vec<SwimAction> {
        if let Err(error) = self.foca.handle_data(content, &mut self.runtime) {
            tracing::debug!(%error, "a membership datagram was not understood");
        }
        self.actions()
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

fn config(cluster_size: usize) -> Config {
    let size = u32::try_from(cluster_size.max(2)).unwrap_or(u32::MAX);
    let magnitude = f64::from(size).log10();
    // Each piece of news is sent on 4 x log10(n) times (memberlist's rule), 4 at least.
    let transmissions = (4.0 * magnitude).clamp(4.0, 40.0);
    Config {
        probe_period: PROBE_PERIOD,
        probe_rtt: PROBE_RTT,
        num_indirect_probes: THREE,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 4..=40"
        )]
        max_transmissions: NonZeroU8::new(transmissions as u8).unwrap_or(NonZeroU8::MIN),
        suspect_to_down_after: PROBE_PERIOD.mul_f64(SUSPICION_PERIODS * magnitude.max(1.0)),
        remove_down_after: Some(REMEMBER_DOWN),
        max_packet_size: NonZeroUsize::new(CONTENT_LENGTH_MAX).unwrap_or(NonZeroUsize::MIN),
        notify_down_members: true,
        periodic_announce: Some(PeriodicParams {
            frequency: ANNOUNCE_EVERY,
            num_members: NonZeroUsize::MIN,
        }),
        periodic_announce_to_down_members: Some(PeriodicParams {
            frequency: ANNOUNCE_TO_DOWN_EVERY,
            num_members: THREE,
        }),
        periodic_gossip: Some(PeriodicParams {
            frequency: GOSSIP_EVERY,
            num_members: THREE,
        }),
    }
}

const THREE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::BootId;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BinaryHeap};

    fn id(node: u16, life: u64) -> SwimId {
        SwimId {
            node: NodeId(node),
            start: Start {
                number: life,
                boot: BootId(1),
            },
            bump: 0,
        }
    }

    /// Nodes in virtual time: datagrams take 1 ms, the dead neither send nor receive.
    struct World {
        now_ms: u64,
        sequence: u64,
        nodes: BTreeMap<NodeId, Swim>,
        dead: BTreeSet<NodeId>,
        queue: BinaryHeap<std::cmp::Reverse<(u64, u64, NodeId)>>,
        events: BTreeMap<u64, Event>,
        noticed: Vec<(u64, NodeId, NodeId, Sign)>,
    }

    enum Event {
        Datagram(Bytes),
        Timer(SwimTimer),
    }

    impl World {
        fn new(size: u16) -> Self {
            let mut world = Self {
                now_ms: 0,
                sequence: 0,
                nodes: (1..=size)
                    .map(|n| (NodeId(n), Swim::new(id(n, 1), size.into(), n.into())))
                    .collect(),
                dead: BTreeSet::new(),
                queue: BinaryHeap::new(),
                events: BTreeMap::new(),
                noticed: Vec::new(),
            };
            for n in 2..=size {
                world.act(NodeId(n), |swim| swim.announce(NodeId(1)));
            }
            world
        }

        fn act(&mut self, node: NodeId, step: impl FnOnce(&mut Swim) -> Vec<SwimAction>) {
            let actions = self.nodes.get_mut(&node).map(step).unwrap_or_default();
            for action in actions {
                match action {
                    SwimAction::Send(to, bytes) => self.later(1, to, Event::Datagram(bytes)),
                    SwimAction::Schedule(after, timer) => {
                        self.later(after.as_millis() as u64, node, Event::Timer(timer));
                    }
                    SwimAction::Notice(about, sign) => {
                        self.noticed.push((self.now_ms, node, about, sign));
                    }
                }
            }
        }

        fn later(&mut self, after_ms: u64, node: NodeId, event: Event) {
            self.sequence += 1;
            let at = self.now_ms + after_ms;
            self.queue
                .push(std::cmp::Reverse((at, self.sequence, node)));
            self.events.insert(self.sequence, event);
        }

        fn run_until(&mut self, end_ms: u64) {
            while let Some(std::cmp::Reverse((at, sequence, node))) = self.queue.peek().copied() {
                if at > end_ms {
                    break;
                }
                self.queue.pop();
                self.now_ms = at;
                let event = self.events.remove(&sequence);
                if self.dead.contains(&node) {
                    continue;
                }
                match event {
                    Some(Event::Datagram(bytes)) => self.act(node, |swim| swim.receive(&bytes)),
                    Some(Event::Timer(timer)) => self.act(node, |swim| swim.timer(timer)),
                    None => {}
                }
            }
            self.now_ms = end_ms;
        }

        fn first(&self, by: NodeId, about: NodeId, sign: Sign) -> Option<u64> {
            let mut all = self.noticed.iter();
            all.find(|(_, b, a, s)| (*b, *a, *s) == (by, about, sign))
                .map(|(at, ..)| *at)
        }
    }

    #[test]
    fn a_silent_node_is_declared_down_in_time_and_comes_back() {
        for size in [2, 3, 7] {
            let mut world = World::new(size);
            world.run_until(60_000);
            let deaths = world.noticed.iter().filter(|n| n.3 == Sign::SwimDown);
            assert_eq!(deaths.count(), 0, "nobody died in {size}");

            world.dead.insert(NodeId(2));
            world.run_until(75_000);
            for by in (1..=size).filter(|n| *n != 2) {
                let down = world.first(NodeId(by), NodeId(2), Sign::SwimDown);
                let after = down.expect("declared down") - 60_000;
                // Each member is probed once in two rounds at worst.
                let limit = 2_700 + 500 * 2 * u64::from(size);
                assert!((2_000..limit).contains(&after), "{after} ms of {size}");
            }

            world.dead.clear();
            world
                .nodes
                .insert(NodeId(2), Swim::new(id(2, 2), size.into(), 77));
            world.act(NodeId(2), |swim| swim.announce(NodeId(1)));
            world.run_until(80_000);
            for by in (1..=size).filter(|n| *n != 2) {
                let back = world.first(NodeId(by), NodeId(2), Sign::SwimUp(id(2, 2).start));
                assert!(back.is_some(), "{by} of {size} sees it back");
            }
        }
    }

    #[test]
    fn a_frozen_node_returns_by_itself() {
        let mut world = World::new(3);
        world.run_until(10_000);
        // Its timers are lost, too: like a machine whose daemon hung for a while.
        world.dead.insert(NodeId(3));
        world.run_until(20_000);
        world.dead.clear();
        world.noticed.clear();
        world.act(NodeId(3), |swim| swim.announce(NodeId(1)));
        world.run_until(30_000);
        let back = world.first(NodeId(1), NodeId(3), Sign::SwimUp(id(3, 1).start));
        assert!(back.is_some_and(|at| at < 22_000), "{back:?}");
    }

    #[test]
    fn good_bye_is_heard_at_once() {
        let mut world = World::new(3);
        world.run_until(10_000);
        world.act(NodeId(3), Swim::leave);
        world.dead.insert(NodeId(3));
        world.run_until(10_500);
        for by in [1, 2] {
            assert!(world.first(NodeId(by), NodeId(3), Sign::SwimDown).is_some());
        }
    }

    proptest! {
        #[test]
        fn garbage_changes_nothing(garbage in proptest::collection::vec(any::<u8>(), 0..1500)) {
            let mut swim = Swim::new(id(1, 1), 3, 1);
            // A short datagram may happen to be a message; it can't make the dead into members
            // of which nobody spoke.
            let _actions = swim.receive(&garbage);
            prop_assert!(swim.members().count() <= 1 + garbage.len() / 4);
        }
    }
}
