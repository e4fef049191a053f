//! Since when each node is up and well, or down.

use crate::facts::ClusterFacts;
use crate::time::Millis;
use hwc_api::ids::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is remembered of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Since {
    is_up: bool,
    is_well: bool,
    /// Since when it is up, or down.
    up_or_down: Millis,
    /// Since when it is up and well, or not both.
    steady: Millis,
}

/// All nodes of the newest facts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Standing(BTreeMap<NodeId, Since>);

impl Standing {
    pub(crate) fn learn(&mut self, facts: &ClusterFacts, now: Millis) {
        self.0.retain(|node, _| facts.nodes.contains_key(node));
        for (node, facts) in &facts.nodes {
            let is_well = facts.is_up && facts.is_well;
            let since = self.0.entry(*node).or_insert(Since {
                is_up: facts.is_up,
                is_well,
                up_or_down: now,
                steady: now,
            });
            if since.is_up != facts.is_up {
                since.is_up = facts.is_up;
                since.up_or_down = now;
            }
            if since.is_well != is_well {
                since.is_well = is_well;
                since.steady = now;
            }
        }
    }

    /// Since when `node` is down; `None` while it is up.
    pub(crate) fn down_since(&self, node: NodeId) -> Option<Millis> {
        let since = self.0.get(&node)?;
        (!since.is_up).then_some(since.up_or_down)
    }

    /// Since when `node` is up and well; `None` while it is not.
    pub(crate) fn steady_since(&self, node: NodeId) -> Option<Millis> {
        let since = self.0.get(&node)?;
        since.is_well.then_some(since.steady)
    }
}
