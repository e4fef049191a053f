//! Who is up: SWIM among all nodes, joined with what this node's own streams tell.
//!
//! - [`swim`]: foca, fed with bytes and timers, giving bytes and timers back. Pure.
//! - [`evidence`]: joins SWIM's opinion with the streams' evidence into one verdict. Pure.
//! - `task`: the socket and the timers.
//!
//! A silent node is declared down after about 2.5 to 4 seconds; one whose daemon has ended (the
//! kernel refuses connections) after about 0.6 seconds. A stream that is alive outweighs lost
//! datagrams: nobody is declared down while it talks to us.

pub mod evidence;
pub mod swim;
mod task;

pub use evidence::{DownReason, Sign};

use crate::datagram::Dropped;
use crate::identity::{NodeIdentity, Start};
use crate::roster::SharedRoster;
use crate::transport::BindError;
use evidence::Evidence;
use hwc_api::ids::NodeId;
use hwc_api::v1::NodeHealth;
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// A change in who is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipEvent {
    /// The node is up. Comes again, after a `Down`, when its daemon was started anew.
    Up {
        /// The node.
        node: NodeId,
        /// Which of its daemon's lives.
        start: Start,
    },
    /// The node does not answer; it is not declared down yet.
    Suspect {
        /// The node.
        node: NodeId,
    },
    /// The suspicion was wrong.
    Trusted {
        /// The node.
        node: NodeId,
    },
    /// The node is declared down.
    Down {
        /// The node.
        node: NodeId,
        /// Why.
        reason: DownReason,
    },
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// As people see it.
    pub health: NodeHealth,
    /// The newest life of its daemon that we know of.
    pub start: Option<Start>,
}

/// Who is up, as this node sees it. Clones are the same view.
#[derive(Debug, Clone)]
pub struct Membership(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    view: Mutex<View>,
    signs: mpsc::UnboundedSender<(NodeId, Sign)>,
}

#[derive(Debug, Default)]
struct View {
    evidence: Evidence,
    subscribers: Vec<mpsc::UnboundedSender<MembershipEvent>>,
    dropped: BTreeMap<Dropped, u64>,
}

impl Membership {
    /// Opens the datagram port and begins to talk.
    ///
    /// # Errors
    /// When the port is taken or the address is not ours.
    pub async fn start(
        address: SocketAddr,
        identity: &NodeIdentity,
        start: Start,
        roster: SharedRoster,
        tasks: &Tasks,
        clock: &Clock,
    ) -> Result<Self, BindError> {
        // Unbounded, because signs are sent under a lock; each peer gives a few a second at most.
        let (sender, signs) = mpsc::unbounded_channel();
        let membership = Self(Arc::new(Shared {
            view: Mutex::default(),
            signs: sender,
        }));
        let task =
            task::Task::bind(address, identity, start, roster, clock, membership.clone()).await?;
        let token = tasks.token();
        tasks.spawn("membership", task.run(signs, token));
        Ok(membership)
    }

    /// Changes from now on; first come the nodes that are up already. Unbounded, because a node's
    /// standing changes a few times an hour, and no change may be lost.
    #[must_use]
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<MembershipEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut view = self.view();
        for event in view.evidence.present() {
            // The receiver is in our hands.
            let _delivered = sender.send(event);
        }
        view.subscribers.push(sender);
        receiver
    }

    /// How the other nodes stand; those of which nothing was ever heard are missing.
    #[must_use]
    pub fn members(&self) -> BTreeMap<NodeId, Standing> {
        self.view().evidence.standings()
    }

    /// How one node stands; none for ourselves and for nodes of which nothing was ever heard.
    #[must_use]
    pub fn standing(&self, node: NodeId) -> Option<Standing> {
        self.view().evidence.standing(node)
    }

    /// How many datagrams were dropped since the start, and why.
    #[must_use]
    pub fn dropped(&self) -> BTreeMap<Dropped, u64> {
        self.view().dropped.clone()
    }

    fn count_dropped(&self, why: Dropped) {
        *self.view().dropped.entry(why).or_default() += 1;
    }

    /// Where the streams report what they saw.
    pub(crate) fn signs(&self) -> mpsc::UnboundedSender<(NodeId, Sign)> {
        self.0.signs.clone()
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.0.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a change to the evidence and tells the subscribers what came of it.
    fn judge(&self, change: impl FnOnce(&mut Evidence) -> Vec<MembershipEvent>) {
        let mut view = self.view();
        let events = change(&mut view.evidence);
        for event in events {
            log(&event);
            view.subscribers
                .retain(|subscriber| subscriber.send(event).is_ok());
        }
    }
}

fn log(event: &MembershipEvent) {
    match event {
        MembershipEvent::Up { node, start } => {
            tracing::info!(node.id = %node, start = %start, "node is up");
        }
        MembershipEvent::Suspect { node } => {
            tracing::info!(node.id = %node, "node does not answer");
        }
        MembershipEvent::Trusted { node } => tracing::info!(node.id = %node, "node answers again"),
        MembershipEvent::Down { node, reason } => {
            tracing::warn!(node.id = %node, ?reason, "node is down");
        }
    }
}
