//! What the parts of the registry share, and the running openraft.
//!
//! openraft stops for good at the first error of its store (a full disk, say). The keeper here
//! tells a person, and starts it again from disk: what was not acknowledged may be missing, what
//! was is there.

use crate::catch_up::CatchUp;
use crate::membership::Absences;
use crate::network::peers::Peers;
use crate::network::raft_network::NetworkFactory;
use crate::raft_types::{Raft, RaftMetrics, raft_id};
use crate::rescue::{Denied, Order};
use crate::status::{LeaderHeard, Standing};
use crate::store::Database;
use crate::store::log::LogStore;
use crate::store::rescue::{become_only_voter, lost_read};
use crate::store::state_machine::{Published, StateMachine};
use crate::timing::Timing;
use arc_swap::ArcSwap;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Clock;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc};
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
    pub timing: Timing,
    /// Held by whoever changes the membership, from the look at it to the end of the step.
    pub steering: AsyncMutex<()>,
    /// See `catch_up`.
    pub catching_up: CatchUp,
    absences: Mutex<Absences>,
    denied: Mutex<Denied>,
    /// Orders to the keeper.
    pub orders: mpsc::Sender<Order>,
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
        self.network.reports.store(Some(Arc::new(raft.metrics())));
        // Its reports are of what is on disk only after its first turn.
        raft.with_raft_state(|_state| ()).await?;
        Ok(raft)
    }
}

/// What the keeper has to do.
enum Event {
    /// openraft has stopped at an error of its store.
    Failed(String),
    /// This node may not take part any more.
    Barred,
    Ordered(Order),
}

/// The shared parts that are made before the core.
pub(crate) struct Parts {
    pub clock: Clock,
    pub peers: Arc<Peers>,
    pub forwarding: Semaphore,
    pub timing: Timing,
}

impl Core {
    /// Starts openraft and shares it. The orders are for [`Core::keep_running`].
    pub async fn start(
        starter: Starter,
        parts: Parts,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Order>), StartError> {
        let lost = lost_read(&starter.database).await?;
        let raft = starter.start().await?;
        let (orders, for_keeper) = mpsc::channel(1);
        let core = Arc::new(Self {
            me: starter.me,
            clock: parts.clock,
            database: starter.database.clone(),
            published: starter.published.clone(),
            peers: parts.peers,
            heard: LeaderHeard::default(),
            forwarding: parts.forwarding,
            timing: parts.timing,
            steering: AsyncMutex::default(),
            catching_up: CatchUp::default(),
            absences: Mutex::default(),
            denied: Mutex::new(Denied::new(lost)),
            orders,
            raft: ArcSwap::from_pointee(raft),
            starter,
        });
        Ok((core, for_keeper))
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

    /// The nodes that are not listened to. Not held across an await.
    pub fn denied(&self) -> MutexGuard<'_, Denied> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether openraft works here.
    pub fn is_running(&self) -> bool {
        self.raft.load().metrics().borrow().running_state.is_ok()
    }

    /// Whether this node may take part.
    pub fn standing(&self) -> Standing {
        *self.published.standing.borrow()
    }

    /// Watches openraft until the registry stops: starts it again when its store has failed, and
    /// carries out orders on a store that stands still. A node that may not take part is left
    /// stopped, and a person told once.
    pub async fn keep_running(
        self: Arc<Self>,
        mut orders: mpsc::Receiver<Order>,
        stop: CancellationToken,
    ) {
        loop {
            let raft = self.raft();
            let watched = self.watch(&raft, &mut orders);
            let Some(event) = stop.run_until_cancelled(watched).await else {
                return;
            };
            if let Err(error) = raft.shutdown().await {
                tracing::warn!(%error, "openraft did not end in order");
            }
            drop(raft);
            match event {
                Event::Barred => {
                    tracing::error!("{}", self.standing().advice());
                    return;
                }
                Event::Failed(error) => {
                    tracing::error!(
                        error,
                        "the registry's store failed; check this node's disk. Its settings are \
                         read-only until the store works again"
                    );
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
                Event::Ordered(order) => self.carry_out(order).await,
            }
            if stop.run_until_cancelled(self.restart()).await.is_none() {
                return;
            }
            tracing::info!("the registry works again");
        }
    }

    /// Returns what there is to do, once there is: openraft runs till then.
    async fn watch(&self, raft: &Raft, orders: &mut mpsc::Receiver<Order>) -> Event {
        let mut metrics = raft.metrics();
        let mut standing = self.published.standing.subscribe();
        tokio::select! {
            biased;
            // `self` keeps the sender of both.
            _barred = standing.wait_for(|standing| *standing != Standing::Member) => Event::Barred,
            Some(order) = orders.recv() => Event::Ordered(order),
            failed = metrics.wait_for(|metrics| metrics.running_state.is_err()) => match failed {
                Ok(metrics) => Event::Failed(format!("{:?}", metrics.running_state)),
                Err(_closed) => Event::Failed("openraft ended".to_owned()),
            },
        }
    }

    async fn carry_out(&self, order: Order) {
        let written = become_only_voter(&self.database, self.me, &order.lost, order.term).await;
        // Whoever asked may have gone; the work is done all the same.
        let _unheard = order.done.send(written.map_err(|error| error.to_string()));
    }

    /// Tries until openraft runs. Cut only while it pauses or reads: nothing is half-written.
    async fn restart(&self) {
        loop {
            match self.starter.start().await {
                Ok(raft) => {
                    self.raft.store(Arc::new(raft));
                    return;
                }
                Err(error) => tracing::warn!(error, "openraft does not start yet"),
            }
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    }
}
