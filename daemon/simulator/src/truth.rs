//! What nobody in the cluster knows but the simulator does: what was really written, promised and
//! served. It is only compared with, never read by a node.

mod history;
mod tally;

pub use history::{Change, Content, Gone, History, Point};
pub use tally::{RequestTally, Tally};

use crate::time::Moment;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::MoveReason;
use hwc_api::ownership::{Epoch, SnapshotId};
use std::collections::{BTreeMap, BTreeSet};

/// The truth.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Every snapshot ever taken.
    pub histories: BTreeMap<DatasetId, History>,
    /// The last write.
    pub writes: u64,
    /// Whether anything went wrong so far (a crash, a cut, a false suspicion).
    pub is_faulty: bool,
    /// When something last went wrong, or was mended.
    pub last_fault: Moment,
    /// When nodes last lost their disks.
    pub disks_lost: BTreeMap<NodeId, Moment>,
    /// Which gates let requests through.
    pub open: BTreeMap<DatasetId, BTreeMap<NodeId, Epoch>>,
    /// Highest epoch that each node has shown to anybody, while its disk is the same.
    pub shown_seen: BTreeMap<(NodeId, DatasetId), Epoch>,
    /// Epochs that were served when their node stood still for too long.
    pub frozen_epochs: BTreeSet<(DatasetId, Epoch)>,
    /// Nodes that were allowed to drop a copy.
    pub granted: BTreeSet<(DatasetId, NodeId)>,
    /// Divergent copies that came about, by their newest snapshot.
    pub filed: BTreeSet<(DatasetId, SnapshotId)>,
    /// Those that an owner was told of.
    pub told: BTreeSet<(DatasetId, SnapshotId)>,
    /// Planned moves that ended on their target.
    pub moves: Vec<Moved>,
    /// Changes of live node, epoch by epoch.
    pub epochs_begun: u64,
    /// Requests that were carried out.
    pub served: BTreeSet<u64>,
    /// Counts that show that a run did something.
    pub tally: Tally,
}

/// A planned move that ended on its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// When it ended.
    pub at: Moment,
    /// What moved.
    pub dataset: DatasetId,
    /// The node that it left.
    pub from: NodeId,
    /// Where it went.
    pub to: NodeId,
    /// Why.
    pub reason: MoveReason,
}

impl Truth {
    /// The history of a dataset.
    pub fn history(&mut self, dataset: DatasetId) -> &mut History {
        self.histories.entry(dataset).or_default()
    }

    /// The nodes whose gate is open for a dataset.
    pub fn open_nodes(&self, dataset: DatasetId) -> impl Iterator<Item = (NodeId, Epoch)> {
        let open = self.open.get(&dataset);
        open.into_iter()
            .flat_map(|open| open.iter().map(|(node, epoch)| (*node, *epoch)))
    }
}
