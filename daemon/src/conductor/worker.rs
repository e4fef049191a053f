//! The queue of one dataset: what takes time, done one after the other, each end reported.
//!
//! Different datasets don't wait for each other. A fence cuts short whatever opening is under way
//! and every stream of the epoch; the front door was closed before the fence came here.

use super::input::{Input, Inputs};
use crate::conductor::hands::Rooms;
use hwc_api::ids::DatasetId;
use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use hwc_hcfs::TakenSnapshot as Taken;
use hwc_state_machine::{DatasetEvent, TakenSnapshot};
use hwc_yakd::StopKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longest time for running requests to end by themselves when the gate closes for a move.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// A fence that fails is tried this often; then the node stops itself, because nobody else can
/// know that its services are silent.
const FENCE_TRIES: u32 = 5;
/// Pause between two tries of a fence.
const FENCE_PAUSE: Duration = Duration::from_millis(500);

/// Work on one dataset.
#[derive(Debug)]
pub enum Work {
    /// Mount, start services, open the gate.
    Open {
        /// The epoch served under.
        epoch: Epoch,
        /// The content to begin from; none for an empty dataset.
        from: Option<SnapshotId>,
        /// Cancelled by the fence of this epoch.
        fenced: CancellationToken,
    },
    /// Stop services, final snapshot.
    Fence {
        /// The epoch that ends.
        epoch: Epoch,
    },
    /// For a move: let requests end, quiesce, snapshot.
    CloseGate {
        /// The epoch served under.
        epoch: Epoch,
    },
    /// The node stops: quiesce and snapshot, so that the copies can have everything.
    Quiesce,
    /// The move was called off.
    ReopenGate {
        /// The epoch served under.
        epoch: Epoch,
        /// Cancelled by the fence of this epoch.
        fenced: CancellationToken,
    },
    /// Keep the copy as a divergent one.
    FileDivergent {
        /// Its history.
        lineage: Lineage,
    },
    /// Wind the copy back.
    RollBack {
        /// To the newest retained snapshot at or before this one.
        to: Option<SnapshotId>,
    },
    /// Remove the copy.
    DropCopy,
    /// Keep these snapshots whatever the retention policy says.
    Retain {
        /// All of them, in place of those before.
        snapshots: Vec<SnapshotId>,
    },
}

/// One dataset's queue.
pub struct Worker {
    dataset: DatasetId,
    rooms: Arc<Rooms>,
    inputs: Inputs,
}

impl Worker {
    /// Begins to work off a dataset's queue.
    pub fn spawn(
        dataset: DatasetId,
        rooms: &Arc<Rooms>,
        inputs: &Inputs,
    ) -> mpsc::UnboundedSender<Work> {
        // Unbounded: the brain waits for the report of each piece before it orders the next.
        let (queue, mut waiting) = mpsc::unbounded_channel();
        let worker = Self {
            dataset,
            rooms: Arc::clone(rooms),
            inputs: inputs.clone(),
        };
        let token = rooms.tasks.token();
        rooms.tasks.spawn(format!("dataset {dataset}"), async move {
            while let Some(Some(work)) = token.run_until_cancelled(waiting.recv()).await {
                worker.do_work(work).await;
            }
        });
        queue
    }

    async fn do_work(&self, work: Work) {
        match work {
            Work::Open {
                epoch,
                from,
                fenced,
            } => self.open(epoch, from, fenced).await,
            Work::Fence { epoch } => self.fence(epoch).await,
            Work::CloseGate { epoch } => self.close_gate(epoch).await,
            Work::Quiesce => self.quiesce().await,
            Work::ReopenGate { epoch, fenced } => self.reopen_gate(epoch, fenced).await,
            Work::FileDivergent { lineage } => self.file_divergent(lineage).await,
            Work::RollBack { to } => self.roll_back(to).await,
            Work::DropCopy => self.drop_copy().await,
            Work::Retain { snapshots } => {
                self.rooms
                    .hcfs
                    .retain(self.dataset, snapshots.into_iter().collect())
                    .await;
            }
        }
    }

    async fn open(&self, epoch: Epoch, from: Option<SnapshotId>, fenced: CancellationToken) {
        let opening = async {
            self.rooms.hcfs.go_live(self.dataset, epoch, from).await?;
            self.start_services().await
        };
        match fenced.run_until_cancelled(opening).await {
            Some(Ok(())) => self.open_gate(epoch, &fenced),
            Some(Err(error)) => {
                tracing::error!(dataset.id = %self.dataset, %epoch, error = format!("{error:#}"), "could not open");
                self.report(DatasetEvent::OpenFailed { epoch });
            }
            // The fence that follows in the queue cleans up and reports.
            None => {}
        }
    }

    /// Opens the gate, unless a fence came meanwhile: the conductor cancels before it closes the gate,
    /// so either this sees the cancelling, or the conductor's closing comes after this opening.
    fn open_gate(&self, epoch: Epoch, fenced: &CancellationToken) {
        self.rooms.proxy.open_gate(self.dataset, epoch);
        if fenced.is_cancelled() {
            self.rooms.proxy.fence(self.dataset);
            return;
        }
        tracing::info!(dataset.id = %self.dataset, %epoch, "serving");
        self.report(DatasetEvent::Opened { epoch });
    }

    async fn start_services(&self) -> anyhow::Result<()> {
        let desired = Arc::clone(&self.rooms.desired.borrow());
        Ok(self
            .rooms
            .yakd
            .start_dataset(&desired, self.dataset)
            .await?)
    }

    async fn fence(&self, epoch: Epoch) {
        for attempt in 1..=FENCE_TRIES {
            let fencing = async {
                self.rooms
                    .yakd
                    .stop_dataset(self.dataset, StopKind::Fence)
                    .await?;
                anyhow::Ok(self.rooms.hcfs.end_live(self.dataset).await?)
            };
            match fencing.await {
                Ok(taken) => {
                    tracing::info!(dataset.id = %self.dataset, %epoch, "fenced");
                    let final_snapshot = taken.map(taken_snapshot);
                    self.report(DatasetEvent::Fenced {
                        epoch,
                        final_snapshot,
                    });
                    return;
                }
                Err(error) => {
                    tracing::error!(dataset.id = %self.dataset, %epoch, attempt, error = format!("{error:#}"), "could not fence");
                    tokio::time::sleep(FENCE_PAUSE).await;
                }
            }
        }
        tracing::error!(dataset.id = %self.dataset, "the node stops itself: it can't tell whether its services are silent");
        self.rooms.stop_node.cancel();
    }

    async fn close_gate(&self, epoch: Epoch) {
        match self.silence().await {
            Ok(final_snapshot) => self.report(DatasetEvent::GateClosed {
                epoch,
                final_snapshot,
            }),
            // The brain's own limit calls the move off.
            Err(error) => {
                tracing::error!(dataset.id = %self.dataset, error = format!("{error:#}"), "could not close the gate")
            }
        }
    }

    async fn quiesce(&self) {
        match self.silence().await {
            Ok(Some(taken)) => self.report(DatasetEvent::SnapshotTaken(taken)),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(dataset.id = %self.dataset, error = format!("{error:#}"), "could not quiesce")
            }
        }
        let _stopped = self.inputs.send(Input::Quiesced(self.dataset));
    }

    /// Lets running requests end, stops the services, and snapshots what they wrote last.
    async fn silence(&self) -> anyhow::Result<Option<TakenSnapshot>> {
        self.rooms.proxy.close_gate(self.dataset);
        let left = self.rooms.proxy.drain(self.dataset, DRAIN_LIMIT).await;
        if left > 0 {
            tracing::warn!(dataset.id = %self.dataset, left, "requests did not end in time and are cut");
            self.rooms.proxy.fence(self.dataset);
        }
        self.rooms
            .yakd
            .stop_dataset(self.dataset, StopKind::Planned)
            .await?;
        Ok(self
            .rooms
            .hcfs
            .final_snapshot(self.dataset)
            .await?
            .map(taken_snapshot))
    }

    async fn reopen_gate(&self, epoch: Epoch, fenced: CancellationToken) {
        match fenced.run_until_cancelled(self.start_services()).await {
            Some(Ok(())) => self.open_gate(epoch, &fenced),
            Some(Err(error)) => {
                tracing::error!(dataset.id = %self.dataset, error = format!("{error:#}"), "could not open the gate again");
                self.report(DatasetEvent::OpenFailed { epoch });
            }
            None => {}
        }
    }

    async fn file_divergent(&self, lineage: Lineage) {
        let filed = self.rooms.hcfs.file_divergent(self.dataset, &lineage).await;
        self.report_done("file a divergent copy", filed, |()| DatasetEvent::Filed {
            lineage,
        });
    }

    async fn roll_back(&self, to: Option<SnapshotId>) {
        let rolled = self.rooms.hcfs.roll_back(self.dataset, to).await;
        self.report_done("wind the copy back", rolled, |lineage| {
            DatasetEvent::RolledBack { lineage }
        });
    }

    async fn drop_copy(&self) {
        let dropped = self.rooms.hcfs.drop_copy(self.dataset).await;
        self.report_done("drop the copy", dropped, |()| DatasetEvent::CopyDropped);
    }

    fn report_done<T, E: std::error::Error + Send + Sync + 'static>(
        &self,
        doing: &str,
        result: Result<T, E>,
        event: impl FnOnce(T) -> DatasetEvent,
    ) {
        match result {
            Ok(done) => self.report(event(done)),
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!(dataset.id = %self.dataset, error = format!("{error:#}"), "could not {doing}");
                self.report(DatasetEvent::OperationFailed);
            }
        }
    }

    fn report(&self, event: DatasetEvent) {
        // Nobody listens when the daemon stops.
        let _stopped = self.inputs.send(Input::Dataset(self.dataset, event));
    }
}

/// A snapshot as the brain takes it.
#[must_use]
pub fn taken_snapshot(taken: Taken) -> TakenSnapshot {
    TakenSnapshot {
        snapshot: taken.snapshot,
        changed_bytes: taken.changed_bytes,
        taken_at: taken.taken_at,
    }
}
