//! The cluster: its nodes, their health, how they join and leave.

use super::{NodeRef, Nothing, RegistryView, SiteView, call_with_body, call_without_body};
use crate::desired::{Drain, NodeService};
use crate::ids::{ClusterId, NodeId};
use crate::names::ZoneName;
use crate::observed::NodeObserved;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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
    /// Where it stands.
    pub zone: ZoneName,
    /// What is switched off on it.
    pub switched_off: BTreeSet<NodeService>,
    /// Set while it is being emptied, and until it is put back to use.
    pub drain: Option<Drain>,
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

/// `PUT /nodes/{id}/zone`: say where a node stands (administrators).
#[derive(Debug, Clone)]
pub struct SetZone {
    /// Which.
    pub node: NodeId,
    /// What is sent.
    pub body: SetZoneBody,
}
call_with_body!(SetZone, Put, SetZoneBody, NodeView, |call| format!(
    "/nodes/{}/zone",
    call.node
));

/// A node's zone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetZoneBody {
    /// The zone's name.
    pub zone: String,
}

/// `PUT /nodes/{id}/services`: switch services of a node off and on (administrators).
#[derive(Debug, Clone)]
pub struct SetServices {
    /// Which.
    pub node: NodeId,
    /// What is sent.
    pub body: SetServicesBody,
}
call_with_body!(SetServices, Put, SetServicesBody, NodeView, |call| format!(
    "/nodes/{}/services",
    call.node
));

/// What is off on a node; everything else is on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetServicesBody {
    /// The services that are off.
    pub switched_off: BTreeSet<NodeService>,
}

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
/// nodes without their reports and drains.
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
    /// Who keeps the settings; for administrators.
    #[serde(default)]
    pub registry: Option<RegistryView>,
    /// All nodes.
    pub nodes: Vec<NodeView>,
    /// The sites in sight.
    pub sites: Vec<SiteView>,
}
