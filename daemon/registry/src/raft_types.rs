//! The types that openraft is instantiated with: what an entry carries, and what applying it gives.

use crate::proposed::Proposed;
use hwc_api::change::{Change, ChangeResult};
use hwc_api::ids::NodeId;
use openraft::EmptyNode;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Cursor;

openraft::declare_raft_types!(
    /// openraft as the registry uses it.
    pub(crate) TypeConfig:
        D = Request,
        R = Reply,
        NodeId = u64,
        Node = EmptyNode,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type Entry = openraft::Entry<TypeConfig>;
pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type Membership = openraft::Membership<u64, EmptyNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<u64, EmptyNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<u64, EmptyNode>;
pub(crate) type Snapshot = openraft::Snapshot<TypeConfig>;
pub(crate) type StorageError = openraft::StorageError<u64>;
pub(crate) type RaftMetrics = openraft::RaftMetrics<u64, EmptyNode>;

/// A random number that names one request for a change: the same request, told twice, is done once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RequestId(pub [u8; 16]);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// What an entry of the log carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub id: RequestId,
    pub change: Proposed,
}

impl Request {
    /// A request for a change of this version.
    pub fn new(id: RequestId, change: Change) -> Self {
        Self {
            id,
            change: Proposed::Understood(change),
        }
    }
}

/// What applying an entry gave: a change's result; none for openraft's own entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply(pub Option<ChangeResult>);

/// openraft's number of a node.
pub(crate) const fn raft_id(node: NodeId) -> u64 {
    node.0 as u64
}

/// The node of openraft's number; none for a number that no node can have.
pub(crate) fn node_id(raft_id: u64) -> Option<NodeId> {
    u16::try_from(raft_id).ok().map(NodeId)
}
