//! What the parts of the registry share, and the running openraft.
//!
//! openraft stops for good at the first error of its store (a full disk, say). The keeper here
//! tells a person, and starts it again from disk: what was not acknowledged may be missing, what
//! was is there.

use crate::membership::Absences;
use crate::network::peers::Peers;
use crate::network::raft_network::NetworkFactory;
use crate::raft_types::{Raft, RaftMetrics, raft_id};
use crate::status::{LeaderHeard, has_quorum};
use crate::store::Database;
use crate::store::log::LogStore;
use crate::store::state_machine::{Published, StateMachine};
use arc_swap::ArcSwap;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Clock;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The pause between two starts of openraft on a store that fails: long enough not to fill the
/// log, short enough that a node is back soon after somebody has made room on its disk.
const RESTART_PAUSE: Duration = Duration::from_secs(2);

/// Everything that the parts of the registry share.
pub(crate) struct Core {
    pub me: NodeId,
    pub clock: Clock,
    pub database: Database,
    pub published: Published,
    pub peers: Arc<Peers>,
    pub heard: LeaderHeard,
    /// Changes handed on to the leader at once; see `submit`.
    pub forwarding: Semaphore,
    /// How long a voter may be away before another votes in its stead.
    pub replace_voter_after: Duration,
    absences: Mutex<Absences>,
    raft: ArcSwap<Raft>,
    starter: Starter,
}

/// What it takes to start openraft.
#[derive(Clone)]
pub(crate) struct Starter {
    pub me: NodeId,
    pub config: Arc<openraft::Config>,
    pub database: Database,
    pub published: Published,
    pub network: NetworkFactory,
    /// One permit: held by the state machine that may apply. A new one waits until the old one,
    /// whose worker may be in the middle of a batch, is gone.
    pub applying: Arc<Semaphore>,
}

type StartError = Box<dyn Error + Send + Sync>;

impl Starter {
    /// Starts openraft from what is on disk.
    pub async fn start(&self) -> Result<Raft, StartError> {
        let permit = Arc::clone(&self.applying).acquire_owned().await?;
        let state_machine =
            StateMachine::load(self.database.clone(), self.published.clone(), permit).await?;
        let raft = Raft::new(
            raft_id(self.me),
            Arc::clone(&self.config),
            self.network.clone(),
            LogStore::new(self.database.clone()),
            state_machine,
        );
        let raft = raft.await?;
        // Its reports are of what is on disk only after its first turn.
        raft.with_raft_state(|_state| ()).await?;
        Ok(raft)
    }
}

/// The shared parts that are made before the core.
pub(crate) struct Parts {
    pub clock: Clock,
    pub peers: Arc<Peers>,
    pub forwarding: Semaphore,
    pub replace_voter_after: Duration,
}

impl Core {
    /// Starts openraft and shares it.
    pub async fn start(starter: Starter, parts: Parts) -> Result<Arc<Self>, StartError> {
        let raft = starter.start().await?;
        Ok(Arc::new(Self {
            me: starter.me,
            clock: parts.clock,
            database: starter.database.clone(),
            published: starter.published.clone(),
            peers: parts.peers,
            heard: LeaderHeard::default(),
            forwarding: parts.forwarding,
            replace_voter_after: parts.replace_voter_after,
            absences: Mutex::default(),
            raft: ArcSwap::from_pointee(raft),
            starter,
        }))
    }

    /// The openraft that runs now.
    pub fn raft(&self) -> Raft {
        Raft::clone(&self.raft.load())
    }

    /// openraft's newest report of itself.
    pub fn metrics(&self) -> RaftMetrics {
        self.raft.load().metrics().borrow().clone()
    }

    /// The absences of voters. Not held across an await.
    pub fn absences(&self) -> MutexGuard<'_, Absences> {
        self.absences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches openraft until the registry stops: passes on whether it has a majority, and starts
    /// it again when its store has failed.
    pub async fn keep_running(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let raft = self.raft();
            let Some(watched) = stop.run_until_cancelled(self.watch(&raft)).await else {
                return;
            };
            tracing::error!(
                error = %watched,
                "the registry's store failed; check this node's disk. Its settings are read-only \
                 until the store works again"
            );
            if let Err(error) = raft.shutdown().await {
                tracing::warn!(%error, "openraft did not end in order");
            }
            drop(raft);
            if stop.run_until_cancelled(self.restart()).await.is_none() {
                return;
            }
            tracing::info!("the registry's store works again");
        }
    }

    /// Returns why openraft has stopped, once it has.
    async fn watch(&self, raft: &Raft) -> String {
        let mut metrics = raft.metrics();
        loop {
            {
                let metrics = metrics.borrow_and_update();
                let leads = has_quorum(&metrics);
                self.starter
                    .network
                    .has_quorum
                    .store(leads, Ordering::Relaxed);
                if let Err(fatal) = &metrics.running_state {
                    return fatal.to_string();
                }
            }
            if metrics.changed().await.is_err() {
                return "openraft ended".to_owned();
            }
        }
    }

    /// Tries until openraft runs. Cut only while it pauses or reads: nothing is half-written.
    async fn restart(&self) {
        loop {
            tokio::time::sleep(RESTART_PAUSE).await;
            match self.starter.start().await {
                Ok(raft) => {
                    self.raft.store(Arc::new(raft));
                    return;
                }
                Err(error) => tracing::warn!(error, "openraft does not start yet"),
            }
        }
    }
}

impl NetworkFactory {
    /// The clients of a node that leads nobody yet.
    pub fn new(peers: Arc<Peers>) -> Self {
        Self {
            peers,
            has_quorum: Arc::new(AtomicBool::new(false)),
        }
    }
}
