//! How far the copies of the datasets that this node serves lag behind it. Pure, but for the list
//! of datasets with changes that are in no snapshot yet, which HCFS hands in.

use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::observed::{DatasetObserved, ReplicaObserved};
use hwc_api::time::WallTime;
use hwc_state_machine::DatasetStatus;

/// What HCFS knows of a live dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveFacts {
    /// Since when there are changes that are in no snapshot.
    pub dirty_since: Option<WallTime>,
    /// Bytes in it.
    pub used_bytes: u64,
}

/// The report about a dataset that this node serves.
#[must_use]
pub fn observe(dataset: DatasetId, status: &DatasetStatus, facts: LiveFacts, me: NodeId, now: WallTime) -> DatasetObserved {
    let head = status.lineage.as_ref().and_then(hwc_api::ownership::Lineage::head);
    let replica = |node: NodeId| {
        let record = status.views.get(&node).map(|view| &view.record);
        let record = record.filter(|record| record.has_copy);
        let acknowledged = record.and_then(|record| record.lineage.head());
        let has_head = acknowledged.is_some() && acknowledged == head;
        let current_as_of = match (has_head, facts.dirty_since) {
            (true, None) => now,
            (true, Some(since)) => since,
            (false, _) => record.map_or(WallTime::default(), |record| record.head_taken_at),
        };
        let is_current = has_head && facts.dirty_since.is_none();
        // A report that only says that time has passed would be sent to everyone for nothing.
        let current_as_of = if is_current { WallTime::default() } else { current_as_of };
        ReplicaObserved { acknowledged, current_as_of, is_current }
    };
    let holders = status.views.iter().filter(|(_, view)| view.record.has_copy).map(|(node, _)| *node);
    let others = status.members.iter().copied().chain(holders).filter(|node| *node != me);
    DatasetObserved {
        dataset,
        head,
        used_bytes: facts.used_bytes,
        replicas: others.map(|node| (node, replica(node))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::BootId;
    use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage, SnapshotId};
    use hwc_state_machine::{Phase, ViewStatus};
    use std::collections::BTreeMap;

    const ME: NodeId = NodeId(1);
    const COPY: NodeId = NodeId(2);
    const EPOCH: Epoch = Epoch { counter: 1, node: ME, boot: BootId(5) };

    fn lineage(sequence: u32) -> Lineage {
        Lineage::genesis().with(SnapshotId { epoch: EPOCH, sequence }, 1).expect("a successor")
    }

    fn status(mine: u32, theirs: u32) -> DatasetStatus {
        let record = HolderRecord {
            boot: BootId(6),
            state: HolderState::Replica,
            is_contending: false,
            has_copy: true,
            is_deleted: false,
            epoch: Epoch::NONE,
            seen: EPOCH,
            lineage: lineage(theirs),
            heard: Vec::new(),
            against: Epoch::NONE,
            divergent: Vec::new(),
            moving_to: None,
            head_taken_at: WallTime(500),
        };
        DatasetStatus {
            phase: Phase::Live,
            is_open: true,
            is_contending: false,
            is_deleted: false,
            epoch: EPOCH,
            seen: EPOCH,
            lineage: Some(lineage(mine)),
            head_taken_at: WallTime(700),
            divergent: Vec::new(),
            members: vec![ME, COPY],
            live: Some(ME),
            moving_to: None,
            views: BTreeMap::from([(COPY, ViewStatus { record, is_known: true, is_alive: true })]),
        }
    }

    fn copy(mine: u32, theirs: u32, dirty_since: Option<i64>) -> (bool, WallTime) {
        let facts = LiveFacts { dirty_since: dirty_since.map(WallTime), used_bytes: 0 };
        let observed = observe(DatasetId(1), &status(mine, theirs), facts, ME, WallTime(1_000));
        let replica = observed.replicas.get(&COPY).expect("a copy");
        (replica.is_current, replica.current_as_of)
    }

    #[test]
    fn a_copy_is_as_old_as_the_oldest_change_it_lacks() {
        assert_eq!(copy(3, 3, None), (true, WallTime(0)));
        assert_eq!(copy(3, 3, Some(900)), (false, WallTime(900)));
        assert_eq!(copy(3, 2, None), (false, WallTime(500)));
    }
}
