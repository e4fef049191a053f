//! The socket and the clock of membership: hands on, decides nothing.

use super::evidence::Sign;
use super::{Input, Membership, MembershipSettings};
use crate::datagram::DATAGRAM_LENGTH_MAX;
use crate::roster::{Roster, SharedRoster};
use crate::sealing::Sealing;
use crate::transport::BindError;
use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Clock;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(super) struct Task {
    me: NodeId,
    socket: UdpSocket,
    sealing: Sealing,
    roster: watch::Receiver<Arc<Roster>>,
    listed: Arc<Roster>,
    clock: Clock,
    membership: Membership,
}

impl Task {
    pub(super) async fn bind(
        settings: MembershipSettings,
        membership: Membership,
    ) -> Result<Self, BindError> {
        let MembershipSettings {
            address,
            me,
            roster,
            sealing,
            clock,
            timing: _,
        } = settings;
        let socket = UdpSocket::bind(address)
            .await
            .map_err(|source| BindError::new(address, source))?;
        let (roster, listed) = watched(&roster);
        Ok(Self {
            me: me.node,
            socket,
            sealing,
            roster,
            listed,
            clock,
            membership,
        })
    }

    pub(super) async fn run(
        mut self,
        mut signs: mpsc::UnboundedReceiver<(NodeId, Sign)>,
        stop: CancellationToken,
    ) {
        // One byte more than allowed, so that longer ones are noticed.
        let mut buffer = [0; DATAGRAM_LENGTH_MAX + 1];
        loop {
            let pause = self.membership.next_deadline().since(self.clock.now());
            // All of these are cancel-safe; what follows a branch is not cut. What waits in the socket
            // is read before time is looked at.
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.handle(Input::Leave).await;
                    return;
                }
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, _from)) => self.receive(buffer.get(..length).unwrap_or_default()).await,
                    Err(error) => tracing::debug!(%error, "receive a datagram"),
                },
                Some((node, sign)) = signs.recv() => self.handle(Input::Sign(node, sign)).await,
                Ok(()) = self.roster.changed() => {
                    self.listed = Arc::clone(&self.roster.borrow_and_update());
                    let listed = &self.listed;
                    self.sealing.retain(|node| listed.admits(node));
                    self.handle(Input::Peers(self.listed.peers(self.me).collect())).await;
                }
                () = sleep(pause) => self.handle(Input::Tick).await,
            }
        }
    }

    async fn receive(&self, datagram: &[u8]) {
        let listed = &self.listed;
        match self.sealing.open(datagram, |node| listed.admits(node)) {
            Ok((from, content)) => {
                let content = Bytes::from(content);
                self.handle(Input::Datagram { from, content }).await;
            }
            Err(why) => {
                tracing::debug!(%why, "a datagram was refused");
                self.membership.count(why);
            }
        }
    }

    async fn handle(&self, input: Input) {
        for (node, content) in self.membership.handle(self.clock.now(), input) {
            self.send(node, &content).await;
        }
    }

    async fn send(&self, node: NodeId, content: &[u8]) {
        let Some(address) = self.listed.address(node) else {
            return;
        };
        let datagram = match self.sealing.seal(content) {
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
}

fn watched(roster: &SharedRoster) -> (watch::Receiver<Arc<Roster>>, Arc<Roster>) {
    let roster = roster.watch();
    let listed = Arc::clone(&roster.borrow());
    (roster, listed)
}
