//! Switching nodes off and on again, in the ways in which that happens to servers.

use std::time::Duration;

use nix::fcntl::Flock;

use super::{Boot, LOCK_LIMIT, Lab};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::node::{Node, NodeState};

impl Lab {
    /// Ends all processes of a node at once.
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill(&self, name: &str) -> Result<()> {
        let (node, _locks) = self.locked_node(name)?;
        require_life(&node)?;
        node.kill()
    }

    /// Takes the power from a node: what was not on disk is lost.
    ///
    /// # Errors
    /// When it is not running, or its disks can't be copied.
    pub fn powercut(&self, name: &str) -> Result<()> {
        let (node, _locks) = self.locked_node(name)?;
        require_life(&node)?;
        node.cut_power()
    }

    /// Switches a dead node on and waits until it has booted.
    ///
    /// # Errors
    /// When it is running already, or does not boot in time.
    pub fn start(&self, name: &str, limit: Duration) -> Result<Boot> {
        let _lock = self.shared()?;
        let deadline = Deadline::after(limit);
        let node = {
            let (node, _locks) = self.locked_node(name)?;
            node.switch_on(&self.record)?;
            node
        };
        // Not locked here: a node may be killed while it boots.
        let failed_units = node.wait_until_booted(deadline)?;
        Ok(Boot {
            node: name.to_owned(),
            failed_units,
        })
    }

    /// Stops all processes of a node; its kernel still answers pings and accepts connections.
    ///
    /// # Errors
    /// When it is not running.
    pub fn freeze(&self, name: &str) -> Result<()> {
        let (node, _locks) = self.locked_node(name)?;
        require_life(&node)?;
        node.set_frozen(true)
    }

    /// Lets a frozen node go on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn thaw(&self, name: &str) -> Result<()> {
        let (node, _locks) = self.locked_node(name)?;
        require_life(&node)?;
        node.set_frozen(false)
    }

    /// A node with the locks that keep other commands from changing it.
    fn locked_node(&self, name: &str) -> Result<(Node, [Flock<std::fs::File>; 2])> {
        let node = self.node(name)?;
        let shared = self.shared()?;
        let own = self
            .directory
            .lock_part(&format!("node-{name}"), Deadline::after(LOCK_LIMIT))?;
        Ok((node, [shared, own]))
    }
}

fn require_life(node: &Node) -> Result<()> {
    match node.state() {
        NodeState::Running | NodeState::Frozen => Ok(()),
        NodeState::Dead => Err(node.problem("is not running")),
    }
}
