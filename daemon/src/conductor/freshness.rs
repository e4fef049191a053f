//! Tells how far the copies of the datasets that this node serves lag behind it.
//!
//! The conductor says what each holder is known to have; HCFS knows which changes that lacks. Beside
//! the conductor's loop, because measuring waits for the disk.

use super::hands::Rooms;
use super::input::{Input, Inputs, OwnFact};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::observed::{DatasetObserved, ReplicaObserved};
use hwc_api::ownership::SnapshotId;
use hwc_api::time::WallTime;
use hwc_state_machine::DatasetStatus;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is told, at most.
const INTERVAL: Duration = Duration::from_millis(500);

/// A dataset that this node serves, with what each other holder is known to have on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Which.
    pub dataset: DatasetId,
    /// The other nodes that hold it or should.
    pub others: BTreeMap<NodeId, Option<SnapshotId>>,
}

/// What the brain knows of the holders of a dataset that this node serves.
#[must_use]
pub fn served(dataset: DatasetId, status: &DatasetStatus, me: NodeId) -> Served {
    let has = |node: &NodeId| {
        let record = status.views.get(node).map(|view| &view.record);
        record
            .filter(|record| record.has_copy)
            .and_then(|record| record.lineage.head())
    };
    let holders = status
        .views
        .iter()
        .filter(|(_, view)| view.record.has_copy)
        .map(|(node, _)| *node);
    let others = status
        .members
        .iter()
        .copied()
        .chain(holders)
        .filter(|node| *node != me);
    Served {
        dataset,
        others: others.map(|node| (node, has(&node))).collect(),
    }
}

/// Begins to tell.
pub fn spawn(rooms: &Arc<Rooms>, served: watch::Receiver<Arc<Vec<Served>>>, inputs: Inputs) {
    let kept = Arc::clone(rooms);
    rooms
        .tasks
        .spawn_until_stopped("freshness of copies", async move {
            let mut told: BTreeMap<DatasetId, DatasetObserved> = BTreeMap::new();
            loop {
                tokio::time::sleep(INTERVAL).await;
                let now = Arc::clone(&served.borrow());
                told.retain(|dataset, _| now.iter().any(|served| served.dataset == *dataset));
                for served in now.iter() {
                    let observed = observe(&kept, served).await;
                    if told.get(&served.dataset) != Some(&observed) {
                        told.insert(served.dataset, observed.clone());
                        let _stopped =
                            inputs.send(Input::Own(OwnFact::Dataset(Box::new(observed))));
                    }
                }
            }
        });
}

async fn observe(rooms: &Rooms, served: &Served) -> DatasetObserved {
    let mut replicas = BTreeMap::new();
    for (node, acknowledged) in &served.others {
        let observed = rooms
            .hcfs
            .replica_observed(served.dataset, *acknowledged)
            .await;
        replicas.insert(*node, without_present(observed));
    }
    DatasetObserved {
        dataset: served.dataset,
        head: rooms.hcfs.freshness(served.dataset).await.head,
        used_bytes: rooms.hcfs.used_bytes(served.dataset).await,
        replicas,
    }
}

/// "Current as of now" would be another report each time, sent to everyone for nothing.
fn without_present(observed: ReplicaObserved) -> ReplicaObserved {
    if observed.is_current {
        ReplicaObserved {
            current_as_of: WallTime::default(),
            ..observed
        }
    } else {
        observed
    }
}
