//! The handle that the conductor holds.

use crate::catch_up;
use crate::core::{Core, Parts, Starter};
use crate::error::OpenError;
use crate::membership;
use crate::network::peers::Peers;
use crate::network::raft_network::NetworkFactory;
use crate::raft_types::raft_id;
use crate::rescue::{self, Loss};
use crate::rules;
use crate::serve;
use crate::settings::Settings;
use crate::status::{RegistryStatus, has_quorum};
use crate::store::Database;
use crate::store::state_machine::Published;
use crate::submit;
use crate::timing::Timing;
use hwc_api::change::{Applied, Change, ChangeResult};
use hwc_api::desired::{Cluster, Desired, Node};
use hwc_api::ids::NodeId;
use hwc_api::names::NodeName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, PeerStream};
use hwc_runtime::lifecycle::Tasks;
use hwc_runtime::periodic::{Waker, spawn_periodic};
use hwc_runtime::random;
use openraft::SnapshotPolicy;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// The node that founds a cluster: the first id that is given out.
const FOUNDER: NodeId = NodeId(1);
/// How long the tasks of the registry may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of one chunk of a snapshot on the wire.
const SNAPSHOT_CHUNK_BYTES: u64 = 1 << 20;

/// What the registry needs of its node.
pub struct RegistryConfig {
    /// The SQLite file; its directory is made if it is missing.
    pub path: PathBuf,
    /// The note that the SQLite file exists, in another directory: it tells a node whose disk was
    /// wiped from one that joins.
    pub marker: PathBuf,
    /// This node.
    pub me: NodeId,
    /// The node's clock.
    pub clock: Clock,
    /// How to reach other nodes.
    pub dial: Arc<dyn Dial>,
    /// Who owns the registry's tasks; it makes a group of its own under it.
    pub tasks: Tasks,
    /// How patient it is.
    pub timing: Timing,
}

/// The registry of this node. Cheap to clone: clones are the same registry.
#[derive(Clone)]
pub struct Registry {
    core: Arc<Core>,
    tasks: Tasks,
}

impl Registry {
    /// Opens this node's store, or makes an empty one, and starts. A node with an empty store is
    /// either made the first of a cluster by [`Registry::init_cluster`], or waits until a leader
    /// adds it, which happens by itself once its id is among the settings' nodes.
    ///
    /// # Errors
    /// When the file can't be opened, is in use, belongs to another node, is a new one in the place
    /// of a lost one, or holds what this version does not understand.
    pub async fn open(config: RegistryConfig) -> Result<Self, OpenError> {
        let raft_config = raft_config(&config.timing)?;
        let database = Database::open(&config.path, &config.marker, config.me).await?;
        let tasks = config.tasks.child();
        let timing = config.timing;
        let peers = Peers::new(config.dial, tasks.clone(), timing.call);
        let starter = Starter {
            me: config.me,
            config: Arc::new(raft_config),
            database,
            published: Published::new(),
            network: NetworkFactory::new(Arc::clone(&peers), timing),
            applying: Arc::new(Semaphore::new(1)),
        };
        let parts = Parts {
            clock: config.clock,
            peers,
            forwarding: Semaphore::new(submit::FORWARDS_MAX),
            timing,
        };
        let started = Core::start(starter, parts).await;
        let (core, orders) = started.map_err(OpenError::Raft)?;
        let registry = Self { core, tasks };
        let keeper = Arc::clone(&registry.core).keep_running(orders, registry.tasks.token());
        registry.tasks.spawn("registry keeper", keeper);
        registry.spawn_membership();
        Ok(registry)
    }

    fn spawn_membership(&self) {
        let waker = Waker::new();
        let core = Arc::clone(&self.core);
        spawn_periodic(
            &self.tasks,
            "registry membership",
            membership::RECONCILE_INTERVAL,
            &waker,
            move || {
                let core = Arc::clone(&core);
                async move { membership::reconcile(&core).await }
            },
        );
        let mut desired = self.desired();
        self.tasks
            .spawn_until_stopped("registry membership waker", async move {
                while desired.changed().await.is_ok() {
                    waker.wake();
                }
            });
    }

    /// Founds a cluster with this node as its first and only voter. A founding that was cut by a
    /// crash may be asked for again.
    ///
    /// # Errors
    /// `already-member` when this node belongs to a cluster; `invalid` when the settings are
    /// refused, which leaves the store empty.
    pub async fn init_cluster(
        &self,
        cluster: Cluster,
        name: NodeName,
        address: IpAddr,
    ) -> Result<Node, Problem> {
        let change = Change::InitCluster {
            cluster,
            name,
            address,
        };
        rules::decide(&Settings::default(), &change)?;
        self.found().await?;
        match self.change(change).await? {
            Applied::Node(node) => Ok(node),
            Applied::Done
            | Applied::Account(_)
            | Applied::Site(_)
            | Applied::Database(_)
            | Applied::Token(_)
            | Applied::Job(_)
            | Applied::Move(_) => Err(internal("founding a cluster made no node")),
        }
    }

    /// Makes this node the only voter, and waits until it leads.
    async fn found(&self) -> Result<(), Problem> {
        let me = raft_id(self.core.me);
        let raft = self.core.raft();
        let voters = raft.with_raft_state(|state| -> BTreeSet<u64> {
            let membership = state.membership_state.effective();
            membership.membership().voter_ids().collect()
        });
        let voters = voters.await.map_err(|error| internal(&error.to_string()))?;
        let is_begun = voters == BTreeSet::from([me]);
        let is_founded = self.core.published.desired.borrow().cluster.is_some();
        if self.core.me != FOUNDER || is_founded || !(voters.is_empty() || is_begun) {
            return Err(Problem::new(
                ProblemCode::AlreadyMember,
                "This node already belongs to a cluster.",
            ));
        }
        if voters.is_empty() {
            let founded = raft.initialize(BTreeSet::from([me])).await;
            founded.map_err(|error| internal(&error.to_string()))?;
        }
        let mut metrics = raft.metrics();
        let leads = metrics.wait_for(|metrics| has_quorum(metrics, self.core.timing));
        match tokio::time::timeout(self.core.timing.change, leads).await {
            Ok(Ok(_metrics)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(internal("this node does not become its own leader")),
        }
    }

    /// Makes a change: on a majority of the voters' disks when it returns, and readable from
    /// [`Registry::desired`] on this node. Tried for a few seconds across changes of the leader;
    /// done at most once. Cancelled, the change may be made or not.
    ///
    /// # Errors
    /// Why it was refused; `settings-read-only` when no majority answered, with a message that
    /// tells whether the change may have been made; `not-member` on a node without a cluster.
    pub async fn change(&self, change: Change) -> ChangeResult {
        submit::change(&self.core, change).await
    }

    /// How long [`Registry::change`] tries before it gives up: whoever asks another node to make one
    /// waits for longer.
    #[must_use]
    pub fn longest_change(&self) -> Duration {
        self.core.timing.change
    }

    /// Waits until this node's copy of the settings shows all that was acknowledged on any node
    /// when this was called; [`Timing::answer`] at most, after which the copy is as new as it could
    /// be made.
    /// Cancel-safe.
    pub async fn catch_up(&self) {
        catch_up::catch_up(&self.core).await;
    }

    /// This node's copy of the settings; told of every applied change.
    #[must_use]
    pub fn desired(&self) -> watch::Receiver<Arc<Desired>> {
        self.core.published.desired.subscribe()
    }

    /// How the registry is doing, seen from this node.
    #[must_use]
    pub fn status(&self) -> RegistryStatus {
        RegistryStatus::of(&self.core)
    }

    /// The voters that do not answer this node. Takes a second where there are some.
    pub async fn out_of_reach(&self) -> BTreeSet<NodeId> {
        membership::silent_voters(&self.core).await
    }

    /// What it would mean to go on without nodes that are gone for good.
    ///
    /// # Errors
    /// As [`Registry::declare_lost`].
    pub async fn declare_lost_preview(&self, lost: &BTreeSet<NodeId>) -> Result<Loss, Problem> {
        rescue::preview(&self.core, lost).await
    }

    /// Goes on without nodes that are gone for good, also when most voters are among them. What
    /// only they had is lost, and they can never return. Asked again after a failure, it ends what
    /// was begun.
    ///
    /// # Errors
    /// `invalid` for nobody, `last-node` for all, `unknown-node`; `node-alive` for a node that
    /// answers; `node-down` when those that answer are too few, and another voter does not answer
    /// and is not declared lost; `settings-read-only` when no majority is found all the same.
    pub async fn declare_lost(&self, lost: &BTreeSet<NodeId>) -> Result<Loss, Problem> {
        rescue::declare(&self.core, lost).await
    }

    /// Returns once this node's copy of the settings names this node: a joiner has arrived. Has no
    /// deadline of its own. Cancel-safe.
    pub async fn joined(&self) {
        let me = self.core.me;
        let mut desired = self.desired();
        // The sender lives as long as `self.core`.
        let _desired = desired
            .wait_for(|desired| desired.nodes.get(&me).is_some_and(|node| !node.is_removed))
            .await;
    }

    /// Answers the calls of another node on a stream for `Service::Registry`. `peer` is who TLS
    /// proved it is.
    pub fn serve(&self, peer: NodeId, stream: PeerStream) {
        let core = Arc::clone(&self.core);
        self.tasks
            .spawn_until_stopped(format!("serve registry to node {peer}"), async move {
                serve::serve(&core, peer, stream).await;
            });
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Stops and closes the store. What was acknowledged is on disk; stopping without this (a
    /// crash) loses nothing either.
    pub async fn shutdown(&self) {
        self.tasks.stop(STOP_DEADLINE).await;
        if let Err(error) = self.core.raft().shutdown().await {
            tracing::warn!(%error, "openraft did not end in order");
        }
        self.core.database.close().await;
    }
}

fn raft_config(timing: &Timing) -> Result<openraft::Config, OpenError> {
    let config = openraft::Config {
        cluster_name: "hwc-registry".to_owned(),
        heartbeat_interval: milliseconds(timing.heartbeat),
        election_timeout_min: milliseconds(timing.election_min),
        election_timeout_max: milliseconds(timing.election_max),
        // Of one chunk; the last one includes installing it.
        install_snapshot_timeout: milliseconds(timing.call),
        snapshot_max_chunk_size: SNAPSHOT_CHUNK_BYTES,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(timing.snapshot_after_entries),
        max_in_snapshot_log_to_keep: timing.snapshot_after_entries / 2,
        // Twice the distance of snapshots: a lagging node gets a snapshot only when one is due.
        replication_lag_threshold: timing.snapshot_after_entries * 2,
        ..openraft::Config::default()
    };
    config
        .validate()
        .map_err(|error| OpenError::Raft(error.into()))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Something that should not be: logged under a number that the problem names.
fn internal(what: &str) -> Problem {
    let incident = format!("{:08x}", random::number_u32());
    tracing::error!(incident, what, "the registry failed");
    Problem::new(
        ProblemCode::Internal,
        format!("Something broke inside; the log has it under incident {incident}."),
    )
    .detail(incident)
}
