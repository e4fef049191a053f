//! The receiving side of a transfer.

use super::frame::{self, Kind, WireError};
use super::{
    Answer, End, FailedStage, Purpose, Refusal, RefusalReason, StreamId, StreamOffer, TransferTimes,
};
use crate::backend::{BackendError, Expected, Incoming};
use crate::hcfs::{Hcfs, StoreError};
use crate::layout::Ticket;
use async_compression::tokio::write::ZstdDecoder;
use hwc_api::ids::NodeId;
use hwc_runtime::dial::PeerStream;
use hwc_runtime::random::number_u64;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tracing::Instrument;

/// How long a stream waits for its turn before it is told to come again.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// How long a refused sender has to hear it and close.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why a stream was not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("refused: {0}")]
    Refused(RefusalReason),
    #[error("the connection failed")]
    Wire(#[from] WireError),
    #[error("the stream could not be stored")]
    Backend(#[from] BackendError),
    #[error("the snapshot could not be put in its place")]
    Store(#[from] StoreError),
    #[error("the own disk took nothing for too long")]
    Stalled,
}

impl NotTaken {
    fn reason(&self) -> RefusalReason {
        match self {
            Self::Refused(reason) => *reason,
            Self::Wire(_) => RefusalReason::Damaged,
            Self::Backend(error) if error.is_out_of_space() => RefusalReason::NoSpace,
            Self::Backend(BackendError::Unexpected { .. }) => RefusalReason::Damaged,
            Self::Store(StoreError::Refused(reason)) => *reason,
            Self::Backend(_) | Self::Store(StoreError::Hcfs(_)) | Self::Stalled => {
                RefusalReason::Failed
            }
        }
    }
}

/// Serves one stream that another node opened, to its end.
pub(crate) async fn serve(hcfs: &Hcfs, from: NodeId, mut stream: PeerStream) {
    let times = *hcfs.times();
    let offer = match read_offer(&mut stream, &times).await {
        Ok(offer) => offer,
        Err(error) => {
            let error = &error as &dyn Error;
            tracing::debug!(error, node.id = %from, "a stream without an offer");
            return;
        }
    };
    let span = tracing::info_span!(
        "receive",
        node.id = %from,
        dataset.id = %offer.dataset,
        snapshot = %offer.lineage.branch_name(),
        transfer = offer.transfer,
    );
    async {
        match take(hcfs, from, &offer, &mut stream).await {
            Ok(()) => tracing::debug!("snapshot received"),
            Err(error) => {
                let reason = error.reason();
                if matches!(error, NotTaken::Refused(_)) {
                    tracing::debug!(%reason, "stream refused");
                } else {
                    let error = &error as &dyn Error;
                    tracing::warn!(error, %reason, "stream not taken; the copy is as before");
                }
                let has = hcfs.lineage(offer.dataset).await;
                let answer = Answer::Refused(Refusal { reason, has });
                let said =
                    frame::write_message(&mut stream, Kind::Answer, &answer, times.idle).await;
                if said.is_err() {
                    tracing::debug!("the sender is gone");
                }
                // Closing with unread bytes would reset the connection, and the answer with it.
                let mut nowhere = tokio::io::sink();
                let unread = tokio::io::copy(&mut stream, &mut nowhere);
                let _closed = tokio::time::timeout(FAREWELL, Box::pin(unread)).await;
            }
        }
    }
    .instrument(span)
    .await;
}

async fn read_offer(
    stream: &mut PeerStream,
    times: &TransferTimes,
) -> Result<StreamOffer, WireError> {
    frame::read_message(stream, Kind::Offer, times.idle).await
}

async fn take(
    hcfs: &Hcfs,
    from: NodeId,
    offer: &StreamOffer,
    stream: &mut PeerStream,
) -> Result<(), NotTaken> {
    let times = *hcfs.times();
    let expected = check_header(from, offer).map_err(NotTaken::Refused)?;
    let stored = Answer::Stored(expected.snapshot);
    if hcfs.holds(offer, expected).await {
        frame::write_message(stream, Kind::Answer, &stored, times.idle).await?;
        return Ok(());
    }
    let turn = tokio::time::timeout(TURN_WAIT, hcfs.turn_to_receive());
    let Ok(_turn) = while_working(stream, &times, turn).await else {
        return Err(NotTaken::Refused(RefusalReason::Busy));
    };
    if !hcfs.has_room().await? {
        return Err(NotTaken::Refused(RefusalReason::NoSpace));
    }
    let id = hcfs.next_stream();
    let gate = hcfs.gate();
    while_working(stream, &times, gate.offered(id, offer))
        .await
        .map_err(NotTaken::Refused)?;
    let ticket = Ticket(number_u64());
    let received = receive(hcfs, offer, expected, ticket, stream).await;
    if let Err(error) = received {
        gate.failed(id, offer, FailedStage::Transfer);
        return Err(error);
    }
    commit(hcfs, id, offer, ticket, stream).await?;
    frame::write_message(stream, Kind::Answer, &stored, times.idle).await?;
    Ok(())
}

/// A header that is whole may still make no sense.
fn check_header(from: NodeId, offer: &StreamOffer) -> Result<Expected, RefusalReason> {
    let snapshot = offer.snapshot().ok_or(RefusalReason::Nonsense)?;
    let is_parent_sound = offer
        .parent
        .is_none_or(|parent| parent != snapshot && offer.lineage.contains(parent));
    // A parent of a divergent copy is a snapshot of the main history; all are of one history.
    if !is_parent_sound || snapshot.sequence == 0 {
        return Err(RefusalReason::Nonsense);
    }
    let is_writer = match offer.purpose {
        Purpose::Replica => offer.epoch.node == from && offer.epoch.counter > 0,
        Purpose::Divergent => true,
    };
    if offer.from != from || !is_writer {
        return Err(RefusalReason::NotTheWriter);
    }
    Ok(Expected {
        snapshot,
        guid: offer.guid,
    })
}

/// Takes the stream into a hidden place. After an error nothing is left of it.
async fn receive(
    hcfs: &Hcfs,
    offer: &StreamOffer,
    expected: Expected,
    ticket: Ticket,
    stream: &mut PeerStream,
) -> Result<(), NotTaken> {
    hcfs.fits(offer).await.map_err(NotTaken::Refused)?;
    let times = *hcfs.times();
    let backend = hcfs.backend();
    let received = async {
        let incoming = backend.receive(ticket, expected).await?;
        frame::write_message(stream, Kind::Answer, &Answer::Go, times.idle)
            .await
            .map_err(NotTaken::from)?;
        pull(incoming, stream, &times).await
    };
    let received = Box::pin(received).await;
    if received.is_err() {
        abandon(hcfs, ticket).await;
    }
    received
}

async fn abandon(hcfs: &Hcfs, ticket: Ticket) {
    if let Err(error) = hcfs.backend().abandon(ticket).await {
        let error = &error as &dyn Error;
        tracing::warn!(error, "an unfinished receive is left until the next start");
    }
}

async fn pull(
    incoming: Box<dyn Incoming>,
    stream: &mut PeerStream,
    times: &TransferTimes,
) -> Result<(), NotTaken> {
    let mut decoder = ZstdDecoder::new(Counting {
        incoming,
        hasher: blake3::Hasher::new(),
        bytes: 0,
    });
    let pulled = pull_chunks(&mut decoder, stream, times).await;
    let counted = decoder.into_inner();
    match pulled {
        Ok(end) if end == counted.end() => {
            while_working(stream, times, counted.incoming.finish()).await?;
            Ok(())
        }
        Ok(_other) => {
            counted.incoming.abort().await;
            Err(WireError::Damaged("a stream that is not what was sent").into())
        }
        // The program behind it ended; it says why.
        Err(NotTaken::Backend(error)) if is_broken_pipe(&error) => Err(counted
            .incoming
            .finish()
            .await
            .err()
            .unwrap_or(error)
            .into()),
        Err(error) => {
            counted.incoming.abort().await;
            Err(error)
        }
    }
}

fn is_broken_pipe(error: &BackendError) -> bool {
    matches!(error, BackendError::Filesystem { source, .. }
        if source.kind() == io::ErrorKind::BrokenPipe)
}

async fn pull_chunks(
    decoder: &mut ZstdDecoder<Counting>,
    stream: &mut PeerStream,
    times: &TransferTimes,
) -> Result<End, NotTaken> {
    loop {
        let (kind, content) = frame::read(stream, times.idle).await?;
        match kind {
            Kind::Working => {}
            Kind::Chunk => {
                let store = async {
                    decoder.write_all(&content).await?;
                    decoder.flush().await
                };
                tokio::time::timeout(times.disk_stall, store)
                    .await
                    .map_err(|_elapsed| NotTaken::Stalled)?
                    .map_err(store_error)?;
            }
            Kind::End => return Ok(frame::decode(&content)?),
            Kind::Offer | Kind::Answer => {
                return Err(WireError::Damaged("a frame out of turn").into());
            }
        }
    }
}

fn store_error(source: io::Error) -> NotTaken {
    NotTaken::Backend(BackendError::Filesystem {
        doing: "store",
        what: "a stream".to_owned(),
        source,
    })
}

/// Asks a last time, and puts the snapshot in its place.
async fn commit(
    hcfs: &Hcfs,
    id: StreamId,
    offer: &StreamOffer,
    ticket: Ticket,
    stream: &mut PeerStream,
) -> Result<(), NotTaken> {
    let times = *hcfs.times();
    let gate = hcfs.gate();
    if let Err(reason) = while_working(stream, &times, gate.received(id, offer)).await {
        abandon(hcfs, ticket).await;
        return Err(NotTaken::Refused(reason));
    }
    match while_working(stream, &times, hcfs.store(offer, ticket)).await {
        Ok(()) => {
            gate.committed(id, offer);
            Ok(())
        }
        Err(error) => {
            abandon(hcfs, ticket).await;
            gate.failed(id, offer, FailedStage::Commit);
            Err(error.into())
        }
    }
}

/// Waits for something, and lets the sender know every while that it is being worked on.
async fn while_working<T>(
    stream: &mut PeerStream,
    times: &TransferTimes,
    work: impl Future<Output = T>,
) -> T {
    let mut work = Box::pin(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(times.working_interval) => {
                // A sender that is gone shows when it is answered.
                let _gone = frame::write(stream, Kind::Working, &[], times.idle).await;
            }
        }
    }
}

/// Counts and hashes what goes into a snapshot.
struct Counting {
    incoming: Box<dyn Incoming>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Counting {
    fn end(&self) -> End {
        End {
            stream_bytes: self.bytes,
            digest: *self.hasher.finalize().as_bytes(),
        }
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.incoming).poll_write(context, data))?;
        self.hasher.update(data.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_shutdown(context)
    }
}
