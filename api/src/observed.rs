//! Observed state: what each node reports of itself, many times a minute, to all others.

use crate::balancing::{DatasetLoad, NodeLoad};
use crate::ids::{BootId, DatasetId, NodeId};
use crate::network::Network;
use crate::ownership::SnapshotId;
use crate::problem::Problem;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A node's report of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeObserved {
    /// Its daemon's version.
    pub version: String,
    /// Its daemon's start.
    pub boot: BootId,
    /// When its daemon started.
    pub started_at: WallTime,
    /// When this report was made, by its own clock.
    pub reported_at: WallTime,
    /// Load average of the last minute.
    pub load_1m: f32,
    /// Number of processors.
    pub cores: u32,
    /// What it does just now.
    pub load: NodeLoad,
    /// The datasets live on it that take most, the heaviest first; at most twenty.
    pub heaviest: Vec<HeavyDataset>,
    /// Memory, bytes.
    pub memory_total_bytes: u64,
    /// Memory that new work could have, bytes.
    pub memory_available_bytes: u64,
    /// Size of the pool that holds the datasets, bytes.
    pub pool_total_bytes: u64,
    /// Free space in it, bytes.
    pub pool_free_bytes: u64,
    /// Index of the last registry change that its services follow.
    pub applied_index: u64,
    /// Whether it can have changes of the registry acknowledged.
    pub is_registry_writable: bool,
    /// The leader of the registry as it knows it.
    pub registry_leader: Option<NodeId>,
    /// Whether it may take part in keeping the registry.
    #[serde(default)]
    pub registry_standing: RegistryStanding,
    /// The kind of network that its daemon was started for.
    #[serde(default)]
    pub network: Network,
    /// What it refused of what came over the network, and of what it was asked.
    #[serde(default)]
    pub refusals: Refusals,
    /// The services that it looks after.
    pub services: Vec<ServiceObserved>,
    /// What its daemon could not bring about, newest first.
    pub problems: Vec<Problem>,
}

/// Whether a node may take part in keeping the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistryStanding {
    /// It takes part.
    #[default]
    Member,
    /// It has lost settings that it had acknowledged: its disk was wiped, or an old state of it
    /// restored. It must be removed and join again.
    LostSettings,
    /// The settings hold what only a newer version of hwcd understands.
    Outdated,
}

/// What a node refused since its daemon's start, by reason; nothing was changed by it. Reasons are
/// machine words such as `replayed`; there are none where nothing was refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refusals {
    /// Datagrams of who is up: `truncated`, `oversized`, `other-version`, `other-cluster`,
    /// `unknown-key`, `unknown-sender`, `unauthenticated`, `replayed`, `malformed`.
    pub datagrams: BTreeMap<String, u64>,
    /// Connections between nodes: `crowded`, `slow`, `handshake`, `other-cluster`, `no-name`,
    /// `unknown-node`, `no-service`.
    pub connections: BTreeMap<String, u64>,
    /// What other nodes showed of themselves: `frame`, `long-frame`, `order`, `change`, `key`,
    /// `value`, `too-much`.
    pub boards: BTreeMap<String, u64>,
    /// Requests of the API, by the code of the problem that was answered: `unknown-node`,
    /// `forbidden`, `malformed`.
    #[serde(default)]
    pub requests: BTreeMap<String, u64>,
}

/// A dataset that takes much of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeavyDataset {
    /// Which.
    pub dataset: DatasetId,
    /// What serving it takes.
    pub load: DatasetLoad,
}

/// One service of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceObserved {
    /// Its name, such as `apache`.
    pub name: String,
    /// How it stands.
    pub state: ServiceState,
}

/// How a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Runs as asked.
    Running,
    /// Stopped, and should be.
    Stopped,
    /// Should run and does not.
    Failed,
}

/// What the live node of a dataset knows about the freshness of the copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetObserved {
    /// Which dataset.
    pub dataset: DatasetId,
    /// The newest snapshot here.
    pub head: Option<SnapshotId>,
    /// Bytes in it.
    pub used_bytes: u64,
    /// The other holders, each with what it is known to hold.
    pub replicas: BTreeMap<NodeId, ReplicaObserved>,
}

/// How fresh one copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaObserved {
    /// The newest snapshot that it confirmed to have on disk.
    pub acknowledged: Option<SnapshotId>,
    /// The moment whose state it holds: now, when nothing changed since its newest snapshot;
    /// otherwise when the oldest change that it lacks was noticed.
    pub current_as_of: WallTime,
    /// Whether it has everything up to this report.
    pub is_current: bool,
}
