//! The cluster: its nodes, their health, how they join and leave.

use super::{NodeRef, Nothing, SiteView, call_with_body, call_without_body};
use crate::ids::{ClusterId, NodeId};
use crate::observed::NodeObserved;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// How the asked node sees another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeHealth {
    /// Answers.
    Up,
    /// Does not answer, not yet declared dead.
    Suspect,
    /// Declared dead.
    Down,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Id and name.
    #[serde(flatten)]
    pub node: NodeRef,
    /// Its address.
    pub address: IpAddr,
    /// How the asked node sees it.
    pub health: NodeHealth,
    /// Its newest report of itself.
    pub observed: Option<NodeObserved>,
    /// Sites it serves.
    pub live_sites: u32,
    /// Databases it serves.
    pub live_databases: u32,
    /// Datasets of which it holds a copy without serving them.
    pub copies: u32,
}

/// `GET /nodes` (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ListNodes;
call_without_body!(ListNodes, Get, Vec<NodeView>, |_call| "/nodes".to_owned());

/// `DELETE /nodes/{id}`: take a node out for good (administrators).
#[derive(Debug, Clone, Copy)]
pub struct RemoveNode {
    /// Which.
    pub node: NodeId,
}
call_without_body!(RemoveNode, Delete, Nothing, |call| format!(
    "/nodes/{}",
    call.node
));

/// `POST /nodes/tokens`: permit one more node to join (administrators).
#[derive(Debug, Clone)]
pub struct CreateJoinToken {
    /// What is sent.
    pub body: CreateJoinTokenBody,
}
call_with_body!(
    CreateJoinToken,
    Post,
    CreateJoinTokenBody,
    NewJoinToken,
    |_call| String::from("/nodes/tokens")
);

/// A new join token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateJoinTokenBody {
    /// Minutes until it is void, 1 to 1,440.
    pub minutes: u32,
}

/// A join token, shown once.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewJoinToken {
    /// What `hwc node join` takes: secret, address and fingerprint of the cluster's CA in one.
    pub token: String,
    /// After this it is void.
    pub expires_at: WallTime,
}

/// `GET /status`: the cluster as the asked node sees it. Customers see their own sites only, and
/// nodes without their reports.
#[derive(Debug, Clone, Copy)]
pub struct ReadStatus;
call_without_body!(ReadStatus, Get, StatusView, |_call| "/status".to_owned());

/// The cluster at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// The cluster's id.
    pub cluster: ClusterId,
    /// Its name.
    pub name: String,
    /// The node that answered.
    pub answered_by: NodeRef,
    /// When.
    pub at: WallTime,
    /// Whether settings can be changed.
    pub is_writable: bool,
    /// Index of the newest applied change here.
    pub index: u64,
    /// All nodes.
    pub nodes: Vec<NodeView>,
    /// The sites in sight.
    pub sites: Vec<SiteView>,
}
