//! Who is up: SWIM among all nodes, joined with what this node's own streams tell.
//!
//! - [`core`]: all of it without socket and clock; what nodes and simulators run. Made of [`swim`]
//!   (foca, fed with bytes and timers, giving bytes and timers back), [`evidence`] (joins SWIM's
//!   opinion with the streams' into one verdict), `timers`, `health` (may this node trust its own
//!   eyes?), `knocking` (finds nodes that are not members) and `acquaintance` (tells records of
//!   announcements from announcements).
//! - `task`: the socket and the clock.
//!
//! # What is declared, and when (LAN; see [`crate::profile`])
//! A silent machine: about 1.9 seconds after it was heard last, and never sooner. A daemon
//! that has ended (the kernel refuses connections): about 0.7 seconds. One that says good-bye: at
//! once. Nobody is declared down while anything of it reaches us; a node that stood still itself
//! accuses nobody of having been silent in that time.
//!
//! # Two nodes
//! There is no third to ask. Each declares the other down after the same silence, on its own word
//! alone: a cut between two nodes and the death of one look the same, to both. Both may then go on
//! alone; what they wrote is merged when they meet again. With three and more nodes a cut between
//! two of them that both reach the third is not taken for a death.

mod acquaintance;
pub mod core;
pub mod evidence;
mod health;
mod knocking;
pub mod swim;
mod task;
mod timers;

pub use self::core::{Input, MembershipConfig, MembershipCore, Output};
pub use evidence::{DownReason, Sign};
pub use hwc_runtime::clock::Moment;

use crate::datagram::Refusal;
use crate::identity::{Me, Start};
use crate::profile::MembershipTiming;
use crate::roster::SharedRoster;
use crate::sealing::Sealing;
use crate::transport::BindError;
use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_api::v1::NodeHealth;
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::fmt;
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
#[derive(Clone)]
pub struct Membership(Arc<Shared>);

/// What membership needs to begin.
pub(crate) struct MembershipSettings {
    pub(crate) address: SocketAddr,
    pub(crate) me: Me,
    pub(crate) timing: MembershipTiming,
    pub(crate) roster: SharedRoster,
    pub(crate) sealing: Sealing,
    pub(crate) clock: Clock,
}

struct Shared {
    view: Mutex<View>,
    signs: mpsc::UnboundedSender<(NodeId, Sign)>,
}

struct View {
    core: MembershipCore,
    subscribers: Vec<mpsc::UnboundedSender<MembershipEvent>>,
    refusals: BTreeMap<Refusal, u64>,
}

impl Membership {
    /// Opens the datagram port and begins to talk.
    pub(crate) async fn start(
        settings: MembershipSettings,
        tasks: &Tasks,
    ) -> Result<Self, BindError> {
        // Unbounded, because signs are sent under a lock; each peer gives a few a second at most.
        let (sender, signs) = mpsc::unbounded_channel();
        let config = MembershipConfig {
            timing: settings.timing,
            peers: settings.roster.get().peers(settings.me.node).collect(),
        };
        let seed = u128::from_le_bytes(hwc_runtime::random::secret_bytes());
        let membership = Self(Arc::new(Shared {
            view: Mutex::new(View {
                core: MembershipCore::new(config, settings.me, seed),
                subscribers: Vec::new(),
                refusals: BTreeMap::new(),
            }),
            signs: sender,
        }));
        let task = task::Task::bind(settings, membership.clone()).await?;
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
        for event in view.core.present() {
            // The receiver is in our hands.
            let _delivered = sender.send(event);
        }
        view.subscribers.push(sender);
        receiver
    }

    /// How the other nodes stand; those of which nothing was ever heard are missing.
    #[must_use]
    pub fn members(&self) -> BTreeMap<NodeId, Standing> {
        self.view().core.standings()
    }

    /// How one node stands; none for ourselves and for nodes of which nothing was ever heard.
    #[must_use]
    pub fn standing(&self, node: NodeId) -> Option<Standing> {
        self.view().core.standing(node)
    }

    /// How many datagrams were refused since the start, and why. None of them changed anything.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<Refusal, u64> {
        self.view().refusals.clone()
    }

    fn count(&self, why: Refusal) {
        *self.view().refusals.entry(why).or_default() += 1;
    }

    /// Where the streams report what they saw.
    pub(crate) fn signs(&self) -> mpsc::UnboundedSender<(NodeId, Sign)> {
        self.0.signs.clone()
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.0.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an input to the core, tells the subscribers what came of it; says what is to be sent.
    fn handle(&self, now: Moment, input: Input) -> Vec<(NodeId, Bytes)> {
        let mut view = self.view();
        let mut sends = Vec::new();
        for output in view.core.handle(now, input) {
            match output {
                Output::Send { to, content } => sends.push((to, content)),
                Output::Event(event) => {
                    log(&event);
                    view.subscribers
                        .retain(|subscriber| subscriber.send(event).is_ok());
                }
                Output::Refused(why) => *view.refusals.entry(why).or_default() += 1,
            }
        }
        sends
    }

    fn next_deadline(&self) -> Moment {
        self.view().core.next_deadline()
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
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
