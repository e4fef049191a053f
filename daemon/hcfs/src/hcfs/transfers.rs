//! Sending and receiving as far as the state of datasets is concerned; the talking itself is in
//! `replication`.

use super::{Cell, Filed, Hcfs, State, lock};
use crate::backend::{self, Expected};
use crate::error::{HcfsError, SendError};
use crate::layout::{Ticket, Volume};
use crate::record::SnapshotRecord;
use crate::replication::{
    Acknowledged, Purpose, RefusalReason, SendRequest, StreamId, StreamOffer, receive, send,
};
use hwc_api::ids::NodeId;
use hwc_api::ownership::SnapshotId;
use hwc_runtime::dial::{PeerStream, Service};
use hwc_runtime::random::number_u64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Why a received snapshot could not be put in its place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It doesn't fit what is there (any more).
    #[error("refused: {0}")]
    Refused(RefusalReason),
    /// The filesystem.
    #[error(transparent)]
    Hcfs(#[from] HcfsError),
}

/// What a transfer sends; keeps it from being thinned while it lives.
struct Source {
    volume: Volume,
    parent: Option<Volume>,
    offer: StreamOffer,
    called_off: CancellationToken,
    _in_use: InUse,
}

/// Snapshots that must stay while this lives.
struct InUse {
    cell: Arc<Cell>,
    snapshots: Vec<SnapshotId>,
}

impl InUse {
    fn new(cell: &Arc<Cell>, snapshots: Vec<SnapshotId>) -> Self {
        let mut in_use = lock(&cell.in_use);
        for snapshot in &snapshots {
            *in_use.entry(*snapshot).or_default() += 1;
        }
        drop(in_use);
        Self {
            cell: Arc::clone(cell),
            snapshots,
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut in_use = lock(&self.cell.in_use);
        for snapshot in &self.snapshots {
            if let Some(count) = in_use.get_mut(snapshot) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    in_use.remove(snapshot);
                }
            }
        }
    }
}

impl Hcfs {
    /// Sends a snapshot to another node; returns when that has it on disk. Waits for its turn
    /// among the transfers of this node; ends early when the dataset is fenced here.
    ///
    /// # Errors
    /// See [`SendError::failure`] for what to do.
    pub async fn send(&self, request: SendRequest) -> Result<Acknowledged, SendError> {
        let source = self.source(&request).await?;
        let called_off = source.called_off.clone();
        let uncounted = Arc::new(AtomicU64::new(0));
        let work = Box::pin(async {
            let _turn = self.turn_to_send(request.to).await?;
            let dial = &self.inner.parts.dial;
            let stream = dial.dial(request.to, Service::Snapshots).await?;
            let volumes = (source.volume, source.parent);
            let running = match request.purpose {
                Purpose::Replica => Some(self.begin_counting(request.dataset, request.to)),
                // Nobody waits for it.
                Purpose::Divergent => None,
            };
            let sent_bytes = running
                .as_ref()
                .map_or(&uncounted, |running| &running.bytes);
            let reading = (self.backend(), volumes);
            send::transfer(stream, reading, &source.offer, self.times(), sent_bytes).await
        });
        let outcome = called_off
            .run_until_cancelled(work)
            .await
            .unwrap_or(Err(SendError::CalledOff));
        if let Ok(done) = &outcome {
            tracing::debug!(
                node.id = %request.to,
                dataset.id = %request.dataset,
                snapshot = %done.snapshot,
                stream_bytes = done.stream_bytes,
                network_bytes = done.network_bytes,
                "snapshot acknowledged"
            );
        }
        outcome
    }

    /// Takes a stream that another node opened; `from` is who TLS proved it to be.
    pub fn accept(&self, from: NodeId, stream: PeerStream) {
        let hcfs = self.clone();
        let name = format!("receive from node {from}");
        // What is cut here is unfinished, and removed at the next start.
        self.inner
            .parts
            .tasks
            .spawn_until_stopped(name, async move {
                receive::serve(&hcfs, from, stream).await;
            });
    }

    async fn source(&self, request: &SendRequest) -> Result<Source, SendError> {
        let SendRequest {
            dataset, parent, ..
        } = *request;
        let snapshot = request.lineage.head().ok_or(SendError::Nothing)?;
        let cell = self.cell(dataset);
        let state = cell.state.lock().await;
        let (volume, guid, taken_at, changed_since) = match request.purpose {
            Purpose::Replica => {
                let kept = state.history.get(snapshot);
                let kept = kept.ok_or(SendError::SnapshotMissing(snapshot))?;
                let volume = Volume::Snapshot(dataset, snapshot);
                (volume, kept.guid, kept.taken_at, kept.changed_since)
            }
            Purpose::Divergent => {
                let filed = state.divergent.get(&snapshot);
                let filed = filed.ok_or(SendError::SnapshotMissing(snapshot))?;
                let volume = Volume::Divergent(dataset, snapshot);
                (volume, filed.guid, filed.taken_at, filed.taken_at)
            }
        };
        if let Some(parent) = parent
            && state.history.get(parent).is_none()
        {
            return Err(SendError::ParentMissing(parent));
        }
        Ok(Source {
            volume,
            parent: parent.map(|parent| Volume::Snapshot(dataset, parent)),
            offer: StreamOffer {
                from: self.inner.me,
                dataset,
                purpose: request.purpose,
                transfer: number_u64(),
                epoch: request.epoch,
                parent,
                guid,
                lineage: request.lineage.clone(),
                taken_at,
                changed_since,
            },
            called_off: state.outgoing.clone(),
            _in_use: InUse::new(&cell, parent.into_iter().chain([snapshot]).collect()),
        })
    }

    /// A turn among the transfers to one node, then among all.
    async fn turn_to_send(
        &self,
        to: NodeId,
    ) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), SendError> {
        let limit = self.inner.parts.config.sending_to_one_max;
        let to_one = {
            let mut all = lock(&self.inner.sending_to);
            let semaphore = all
                .entry(to)
                .or_insert_with(|| Arc::new(Semaphore::new(limit)));
            Arc::clone(semaphore)
        };
        let closed = |_closed| SendError::CalledOff;
        let to_one = to_one.acquire_owned().await.map_err(closed)?;
        let any = Arc::clone(&self.inner.sending).acquire_owned().await;
        Ok((to_one, any.map_err(closed)?))
    }

    pub(crate) async fn turn_to_receive(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inner.receiving).acquire_owned().await.ok()
    }

    pub(crate) fn next_stream(&self) -> StreamId {
        StreamId(self.inner.next_stream.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether there is room for what others send.
    pub(crate) async fn has_room(&self) -> backend::Result<bool> {
        let space = self.backend().space().await?;
        let config = &self.inner.parts.config;
        let share = space.total_bytes / 100 * config.reserve_percent;
        Ok(space.free_bytes >= share.min(config.reserve_bytes))
    }

    /// Whether what is offered is here already, exactly.
    pub(crate) async fn holds(&self, offer: &StreamOffer, expected: Expected) -> bool {
        let cell = self.cell(offer.dataset);
        let state = cell.state.lock().await;
        match offer.purpose {
            Purpose::Replica => state.history.head().is_some_and(|head| {
                head.snapshot == expected.snapshot
                    && head.guid == expected.guid
                    && state.live.is_none()
            }),
            Purpose::Divergent => state
                .divergent
                .get(&expected.snapshot)
                .is_some_and(|filed| filed.guid == expected.guid),
        }
    }

    /// Whether the offered stream can be received upon what is here.
    pub(crate) async fn fits(&self, offer: &StreamOffer) -> Result<(), RefusalReason> {
        let cell = self.cell(offer.dataset);
        let state = cell.state.lock().await;
        fits(&state, offer)
    }

    /// Puts a received snapshot in its place, complete.
    pub(crate) async fn store(
        &self,
        offer: &StreamOffer,
        ticket: Ticket,
    ) -> Result<(), StoreError> {
        let dataset = offer.dataset;
        let cell = self.cell(dataset);
        let mut state = cell.state.lock().await;
        fits(&state, offer).map_err(StoreError::Refused)?;
        let nonsense = StoreError::Refused(RefusalReason::Nonsense);
        let snapshot = offer.snapshot().ok_or(nonsense)?;
        let record = SnapshotRecord {
            guid: offer.guid,
            lineage: offer.lineage.clone(),
            arrival: state.history.next_arrival(),
            taken_at: offer.taken_at,
            changed_since: offer.changed_since,
        };
        let volume = match offer.purpose {
            Purpose::Replica => Volume::Snapshot(dataset, snapshot),
            Purpose::Divergent => Volume::Divergent(dataset, snapshot),
        };
        // The same snapshot, when it is not the newest, is replaced: it must not look complete
        // meanwhile.
        self.destroy(volume).await?;
        if offer.purpose == Purpose::Replica {
            state.history.forget(snapshot);
        }
        let published = self.backend().publish(ticket, snapshot, volume).await;
        published.map_err(HcfsError::from)?;
        self.complete(volume, &record).await?;
        match offer.purpose {
            Purpose::Divergent => {
                state.divergent.insert(snapshot, Filed::of(&record));
            }
            Purpose::Replica => {
                // Kept by the record's order of arrival should this be cut short.
                for superseded in state.history.push(&record) {
                    self.destroy(Volume::Snapshot(dataset, superseded)).await?;
                }
            }
        }
        Ok(())
    }
}

fn fits(state: &State, offer: &StreamOffer) -> Result<(), RefusalReason> {
    match (offer.purpose, offer.parent) {
        (Purpose::Divergent, None) => Ok(()),
        (Purpose::Divergent, Some(parent)) => state
            .history
            .get(parent)
            .map(|_| ())
            .ok_or(RefusalReason::ParentMissing),
        (Purpose::Replica, _) if state.live.is_some() || state.has_left_over => {
            Err(RefusalReason::NotFollowing)
        }
        (Purpose::Replica, Some(parent)) => {
            if state.history.is_empty() {
                return Err(RefusalReason::ParentMissing);
            }
            let is_head = state.history.head_id() == Some(parent);
            is_head.then_some(()).ok_or(RefusalReason::OtherParent)
        }
        // A whole content may only replace what it contains, or what is kept beside; and never a
        // snapshot of the same name with other content.
        (Purpose::Replica, None) => {
            let is_lost = state.history.kept().iter().any(|kept| {
                let is_other = Some(kept.snapshot) == offer.snapshot() && kept.guid != offer.guid;
                let is_contained = offer.lineage.contains(kept.snapshot) && !is_other;
                !is_contained && !state.is_filed(kept.snapshot)
            });
            if is_lost {
                return Err(RefusalReason::OtherParent);
            }
            Ok(())
        }
    }
}
