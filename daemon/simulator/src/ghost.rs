//! What nobody in the cluster knows but the simulator does: the truth about writes and snapshots.
//! It is only compared with, never read by a node.

use crate::disk::Content;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use std::collections::{BTreeMap, BTreeSet};

/// A history without its weights.
pub type Labels = Vec<(Epoch, u32)>;

/// The truth.
#[derive(Debug, Clone, Default)]
pub struct Ghost {
    /// Content of every snapshot ever taken.
    pub contents: BTreeMap<(DatasetId, SnapshotId), Content>,
    /// The history before the first snapshot of each epoch.
    pub base: BTreeMap<(DatasetId, Epoch), Labels>,
    /// Writes that were acknowledged and were never lost with the last disk that held them.
    pub acknowledged: BTreeSet<(DatasetId, u32)>,
    /// Number of the last write.
    pub writes: u32,
    /// Whether anything went wrong so far (a crash, a cut, a false suspicion).
    pub is_faulty: bool,
    /// Highest epoch that each node has shown to anybody, while its disk is the same.
    pub shown_seen: BTreeMap<(NodeId, DatasetId), Epoch>,
    /// Epochs that were served when their node stood still for too long.
    pub frozen_epochs: BTreeSet<(DatasetId, Epoch)>,
    /// Nodes that were allowed to drop a copy: in the same epoch they are never counted on again.
    pub granted: BTreeSet<(DatasetId, NodeId)>,
    /// Counts that show that a run did something.
    pub tally: Tally,
}

/// What happened in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps of brains.
    pub steps: u64,
    /// Datasets opened.
    pub opened: u64,
    /// Divergent copies filed.
    pub filed: u64,
    /// Streams committed.
    pub streams: u64,
    /// Promotions sent.
    pub promotions: u64,
    /// Moments at which two nodes let requests through for one dataset.
    pub two_open: u64,
    /// Copies dropped.
    pub dropped: u64,
}

impl Tally {
    /// Adds another run's counts.
    pub const fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.opened += other.opened;
        self.filed += other.filed;
        self.streams += other.streams;
        self.promotions += other.promotions;
        self.two_open += other.two_open;
        self.dropped += other.dropped;
    }
}

impl Ghost {
    /// A snapshot is taken upon `before`.
    ///
    /// # Errors
    /// If its label was used before, or its epoch forks.
    pub fn snapshot(
        &mut self,
        dataset: DatasetId,
        snapshot: SnapshotId,
        before: &Lineage,
        content: Content,
    ) -> Result<(), String> {
        if self.contents.insert((dataset, snapshot), content).is_some() {
            return Err(format!("label {snapshot} is used twice"));
        }
        let before_epoch: Labels = labels(before)
            .into_iter()
            .filter(|(epoch, _)| *epoch != snapshot.epoch)
            .collect();
        let base = self
            .base
            .entry((dataset, snapshot.epoch))
            .or_insert_with(|| before_epoch.clone());
        if *base != before_epoch {
            return Err(format!("epoch {} forks", snapshot.epoch));
        }
        Ok(())
    }

    /// A node now holds a copy with this history and content.
    ///
    /// # Errors
    /// If the history was never written that way, or the content is another.
    pub fn check_copy(
        &self,
        dataset: DatasetId,
        lineage: &Lineage,
        content: &Content,
    ) -> Result<(), String> {
        let labels = labels(lineage);
        for (index, (epoch, _)) in labels.iter().enumerate() {
            let before = labels.get(..index).unwrap_or_default();
            if self.base.get(&(dataset, *epoch)).map(Vec::as_slice) != Some(before) {
                return Err(format!("history {labels:?} was never written"));
            }
        }
        let Some(head) = lineage.head() else {
            return Ok(());
        };
        match self.contents.get(&(dataset, head)) {
            Some(truth) if truth == content => Ok(()),
            Some(_) => Err(format!("content under {head} is not what was written")),
            None => Err(format!("snapshot {head} was never taken")),
        }
    }
}

/// A history without its weights.
#[must_use]
pub fn labels(lineage: &Lineage) -> Labels {
    lineage
        .entries()
        .iter()
        .map(|entry| (entry.epoch, entry.last_sequence))
        .collect()
}
