//! The socket and the timers of membership: hands on, decides nothing.

use super::Membership;
use super::evidence::Sign;
use super::swim::{Swim, SwimAction, SwimId, SwimTimer};
use crate::datagram::{DATAGRAM_LENGTH_MAX, Opener, Sealer};
use crate::identity::{NodeIdentity, Start};
use crate::roster::{Roster, SharedRoster};
use crate::transport::BindError;
use futures::StreamExt;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Clock;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

/// How often nodes are knocked at that should be members and are not.
const KNOCK_EVERY: Duration = Duration::from_millis(500);
/// While nobody is known, so many at once: one lost datagram must not leave a node alone.
const KNOCKS_WHILE_ALONE: usize = 3;
/// Otherwise one at every so many knocks: SWIM itself spreads the news.
const KNOCKS_SKIPPED: u64 = 10;

pub(super) struct Task {
    me: NodeId,
    socket: UdpSocket,
    sealer: Sealer,
    opener: Opener,
    swim: Swim,
    timers: DelayQueue<SwimTimer>,
    roster: watch::Receiver<Arc<Roster>>,
    listed: Arc<Roster>,
    knocks: u64,
    clock: Clock,
    membership: Membership,
}

impl Task {
    pub(super) async fn bind(
        address: SocketAddr,
        identity: &NodeIdentity,
        start: Start,
        roster: SharedRoster,
        clock: &Clock,
        membership: Membership,
    ) -> Result<Self, BindError> {
        let socket = UdpSocket::bind(address)
            .await
            .map_err(|source| BindError::new(address, source))?;
        let keys = &identity.authority().secrets.gossip;
        let sealer = Sealer::new(identity.cluster(), keys, identity.node(), start)
            .map_err(|error| BindError::new(address, io::Error::other(error)))?;
        let roster = roster.watch();
        let listed = Arc::clone(&roster.borrow());
        let me = SwimId {
            node: identity.node(),
            start,
            bump: 0,
        };
        let seed = u128::from_le_bytes(hwc_runtime::random::secret_bytes());
        Ok(Self {
            me: identity.node(),
            socket,
            sealer,
            opener: Opener::new(identity.cluster(), keys),
            swim: Swim::new(me, listed.nodes.len(), seed),
            timers: DelayQueue::new(),
            roster,
            listed,
            knocks: 0,
            clock: clock.clone(),
            membership,
        })
    }

    pub(super) async fn run(
        mut self,
        mut signs: mpsc::UnboundedReceiver<(NodeId, Sign)>,
        stop: CancellationToken,
    ) {
        let mut knock = interval(KNOCK_EVERY);
        knock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One byte more than allowed, so that longer ones are noticed.
        let mut buffer = [0; DATAGRAM_LENGTH_MAX + 1];
        loop {
            // All of these are cancel-safe; what follows a branch is not cut.
            tokio::select! {
                () = stop.cancelled() => {
                    let farewell = self.swim.leave();
                    self.carry_out(farewell).await;
                    return;
                }
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, _from)) => self.receive(buffer.get(..length).unwrap_or_default()).await,
                    Err(error) => tracing::debug!(%error, "receive a datagram"),
                },
                Some(expired) = self.timers.next(), if !self.timers.is_empty() => {
                    let actions = self.swim.timer(expired.into_inner());
                    self.carry_out(actions).await;
                }
                _at = knock.tick() => self.knock().await,
                Some((node, sign)) = signs.recv() => self.observe(node, sign),
                Ok(()) = self.roster.changed() => self.follow_roster(),
            }
        }
    }

    async fn receive(&mut self, datagram: &[u8]) {
        let listed = &self.listed;
        match self.opener.open(datagram, |node| listed.admits(node)) {
            Ok((_sender, content)) => {
                let actions = self.swim.receive(&content);
                self.carry_out(actions).await;
            }
            Err(why) => {
                tracing::debug!(%why, "a datagram was dropped");
                self.membership.count_dropped(why);
            }
        }
    }

    /// Knocks at nodes that are listed and not members: a lost announcement, the end of a netsplit,
    /// a node that was down when we began.
    async fn knock(&mut self) {
        let members: BTreeSet<_> = self.swim.members().map(|member| member.node).collect();
        let missing: Vec<_> = self
            .listed
            .peers(self.me)
            .filter(|node| !members.contains(node))
            .collect();
        self.knocks = self.knocks.wrapping_add(1);
        let count = if members.is_empty() {
            KNOCKS_WHILE_ALONE
        } else {
            usize::from(self.knocks.is_multiple_of(KNOCKS_SKIPPED))
        };
        // Another part of the list each time.
        let skipped = usize::try_from(self.knocks).unwrap_or(0) % missing.len().max(1);
        let chosen = missing.iter().cycle().skip(skipped);
        for node in chosen.take(count.min(missing.len())) {
            let actions = self.swim.announce(*node);
            self.carry_out(actions).await;
        }
    }

    async fn carry_out(&mut self, actions: Vec<SwimAction>) {
        for action in actions {
            match action {
                SwimAction::Send(node, content) => self.send(node, &content).await,
                SwimAction::Schedule(after, timer) => {
                    self.timers.insert(timer, after);
                }
                SwimAction::Notice(node, sign) => self.observe(node, sign),
            }
        }
    }

    async fn send(&mut self, node: NodeId, content: &[u8]) {
        let Some(address) = self.listed.address(node) else {
            return;
        };
        let datagram = match self.sealer.seal(content) {
            Ok(datagram) => datagram,
            Err(error) => {
                tracing::error!(%error, "seal a datagram");
                return;
            }
        };
        // A full buffer or an unreachable machine is what SWIM is there to find out.
        if let Err(error) = self.socket.send_to(&datagram, address).await {
            tracing::debug!(%error, node.id = %node, "send a datagram");
        }
    }

    fn observe(&self, node: NodeId, sign: Sign) {
        if node == self.me || !self.listed.admits(node) {
            return;
        }
        let now = self.clock.now();
        self.membership
            .judge(|evidence| evidence.observe(node, sign, now));
    }

    fn follow_roster(&mut self) {
        let listed = Arc::clone(&self.roster.borrow_and_update());
        let before = std::mem::replace(&mut self.listed, listed);
        self.swim.set_cluster_size(self.listed.nodes.len());
        let listed = &self.listed;
        self.opener.retain(|node| listed.admits(node));
        let now = self.clock.now();
        for node in before.nodes.keys().filter(|node| !listed.admits(**node)) {
            self.membership
                .judge(|evidence| evidence.observe(*node, Sign::Removed, now));
        }
        // Members whom SWIM met before the registry told us of them.
        for member in self.swim.members() {
            if !before.admits(member.node) {
                self.observe(member.node, Sign::SwimUp(member.start));
            }
        }
    }
}
