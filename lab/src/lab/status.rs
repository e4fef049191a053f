//! What a lab looks like from outside.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::Lab;
use crate::error::Result;
use crate::node::NodeState;
use crate::state::{Faults, Forward};

/// A lab at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct LabStatus {
    /// Its name.
    pub id: String,
    /// Whether it came up completely.
    pub is_up: bool,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    /// Its network.
    pub network: String,
    /// The client's address.
    pub client: Ipv4Addr,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
    /// What is wrong with the network on purpose.
    pub faults: Faults,
    /// Ports of this machine that lead into it.
    pub forwards: Vec<Forward>,
    /// Where its files are.
    pub directory: String,
}

/// A node at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// What it is doing.
    pub state: NodeState,
}

impl Lab {
    /// What it looks like.
    ///
    /// # Errors
    /// When its files can't be read.
    pub fn status(&self) -> Result<LabStatus> {
        let node = |node: &crate::node::Node| NodeStatus {
            name: node.name().to_owned(),
            address: node.address(),
            state: node.state(),
        };
        Ok(LabStatus {
            id: self.id.to_string(),
            is_up: self.directory.is_up(),
            made_at: self.record.made_at,
            network: format!("10.77.{}.0/24", self.record.subnet.0),
            client: self.record.subnet.client(),
            nodes: self.nodes().iter().map(node).collect(),
            faults: self.directory.faults()?,
            forwards: self.running_forwards()?,
            directory: self.directory.path().display().to_string(),
        })
    }
}
