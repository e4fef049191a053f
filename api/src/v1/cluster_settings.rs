//! Settings of the cluster as a whole that are neither load nor nodes.

use super::{NodeRef, call_with_body, call_without_body};
use crate::network::Network;
use serde::{Deserialize, Serialize};

/// `GET /cluster/settings` (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ReadClusterSettings;
call_without_body!(ReadClusterSettings, Get, ClusterSettingsView, |_call| {
    "/cluster/settings".to_owned()
});

/// `PUT /cluster/settings`: change them (administrators).
#[derive(Debug, Clone)]
pub struct SetClusterSettings {
    /// What is sent.
    pub body: SetClusterSettingsBody,
}
call_with_body!(
    SetClusterSettings,
    Put,
    SetClusterSettingsBody,
    ClusterSettingsView,
    |_call| String::from("/cluster/settings")
);

/// What is to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetClusterSettingsBody {
    /// The kind of network between the nodes.
    pub network: Network,
}

/// The settings, and what is in force of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSettingsView {
    /// The kind of network between the nodes. A daemon follows a change at its next start.
    pub network: Network,
    /// What each node's daemon was started for.
    pub in_force: Vec<NetworkInForce>,
}

/// What a node's daemon was started for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInForce {
    /// The node.
    pub node: NodeRef,
    /// The kind of network; none where the node has not been heard yet.
    pub network: Option<Network>,
    /// Whether its daemon must be restarted to follow the settings.
    pub needs_restart: bool,
}
