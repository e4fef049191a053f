//! The sending side of a transfer.

use super::frame::{self, CHUNK_BYTES, Kind, WireError};
use super::{Acknowledged, Answer, End, StreamOffer, TransferTimes};
use crate::backend::{Backend, Outgoing};
use crate::error::SendError;
use crate::layout::Volume;
use async_compression::Level;
use async_compression::tokio::write::ZstdEncoder;
use hwc_api::ownership::SnapshotId;
use hwc_runtime::dial::PeerStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// While chunks are sent the receiver only speaks to refuse; it may be silent.
const WHILE_SENDING: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long an answer is waited for when the connection broke: the receiver may have said why.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl From<WireError> for SendError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Broken(source) => Self::Connection(source),
            WireError::Idle(limit) => Self::NoProgress(limit),
            WireError::Damaged(_) => Self::Connection(std::io::Error::other(error)),
        }
    }
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    stream_bytes: u64,
    network_bytes: u64,
}

/// Offers a snapshot and, if it is wanted, sends it; `sent_bytes` keeps up. Not cancel-safe; dropping it ends the
/// transfer and the program behind it.
pub(crate) async fn transfer(
    mut stream: PeerStream,
    (backend, (volume, parent)): (&dyn Backend, (Volume, Option<Volume>)),
    offer: &StreamOffer,
    times: &TransferTimes,
    sent_bytes: &AtomicU64,
) -> Result<Acknowledged, SendError> {
    let snapshot = offer.snapshot().ok_or(SendError::Nothing)?;
    frame::write_message(&mut stream, Kind::Offer, offer, times.idle).await?;
    match frame::read_message(&mut stream, Kind::Answer, times.idle).await? {
        Answer::Go => {}
        Answer::Refused(refusal) => return Err(SendError::Refused { refusal }),
        Answer::Stored(stored) => {
            return acknowledged(snapshot, stored, true, Sent::default());
        }
    }
    let outgoing = backend.send(volume, parent).await?;
    let (mut reader, mut writer) = tokio::io::split(stream);
    // Frames are read by one future that is never dropped half-way through a frame.
    let mut heard = Box::pin(frame::read(&mut reader, WHILE_SENDING));
    let pushed = tokio::select! {
        pushed = Box::pin(push(outgoing, &mut writer, times, sent_bytes)) => pushed,
        early = &mut heard => {
            let (kind, content) = early?;
            return Err(refused_early(kind, &content));
        }
    };
    let patience = if pushed.is_ok() {
        times.idle
    } else {
        LAST_WORDS
    };
    let last = tokio::time::timeout(patience, heard).await;
    let sent = match (pushed, last) {
        (Ok(sent), Ok(first)) => {
            let answer = final_answer(first?, &mut reader, times).await?;
            return match answer {
                Answer::Stored(stored) => acknowledged(snapshot, stored, false, sent),
                Answer::Refused(refusal) => Err(SendError::Refused { refusal }),
                Answer::Go => Err(WireError::Damaged("an answer out of turn").into()),
            };
        }
        (Ok(_sent), Err(_elapsed)) => SendError::NoProgress(times.idle),
        (Err(_broken), Ok(Ok((Kind::Answer, content)))) => refused_early(Kind::Answer, &content),
        (Err(error), _) => error,
    };
    Err(sent)
}

fn acknowledged(
    snapshot: SnapshotId,
    stored: SnapshotId,
    was_there: bool,
    sent: Sent,
) -> Result<Acknowledged, SendError> {
    if stored != snapshot {
        return Err(WireError::Damaged("an answer about another snapshot").into());
    }
    Ok(Acknowledged {
        snapshot,
        was_there,
        stream_bytes: sent.stream_bytes,
        network_bytes: sent.network_bytes,
    })
}

async fn final_answer<R: tokio::io::AsyncRead + Unpin>(
    (kind, content): (Kind, Vec<u8>),
    reader: &mut R,
    times: &TransferTimes,
) -> Result<Answer, WireError> {
    match kind {
        Kind::Working => frame::read_message(reader, Kind::Answer, times.idle).await,
        Kind::Answer => frame::decode(&content),
        Kind::Offer | Kind::Chunk | Kind::End => Err(WireError::Damaged("a frame out of turn")),
    }
}

fn refused_early(kind: Kind, content: &[u8]) -> SendError {
    match (kind, frame::decode(content)) {
        (Kind::Answer, Ok(Answer::Refused(refusal))) => SendError::Refused { refusal },
        (_, _) => WireError::Damaged("an answer out of turn").into(),
    }
}

/// Sends the whole stream: chunks, and the end if it was the end.
async fn push<W: AsyncWrite + Unpin>(
    mut outgoing: Box<dyn Outgoing>,
    writer: &mut W,
    times: &TransferTimes,
    sent_bytes: &AtomicU64,
) -> Result<Sent, SendError> {
    let mut sent = Sent::default();
    let mut hasher = blake3::Hasher::new();
    // One compressed stream over all chunks, flushed at each, so that later ones profit.
    let mut encoder = ZstdEncoder::with_quality(Vec::new(), Level::Fastest);
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = fill(outgoing.as_mut(), &mut buffer, writer, times).await?;
        let chunk = buffer.get(..length).unwrap_or_default();
        let is_end = chunk.is_empty();
        if is_end {
            encoder.shutdown().await.map_err(SendError::Connection)?;
        } else {
            hasher.update(chunk);
            sent.stream_bytes += chunk.len() as u64;
            encoder
                .write_all(chunk)
                .await
                .map_err(SendError::Connection)?;
            encoder.flush().await.map_err(SendError::Connection)?;
        }
        let compressed = std::mem::take(encoder.get_mut());
        sent.network_bytes += compressed.len() as u64;
        frame::write(writer, Kind::Chunk, &compressed, times.idle).await?;
        sent_bytes.store(sent.stream_bytes, Ordering::Relaxed);
        if is_end {
            break;
        }
    }
    outgoing.finish().await?;
    let end = End {
        stream_bytes: sent.stream_bytes,
        digest: *hasher.finalize().as_bytes(),
    };
    frame::write_message(writer, Kind::End, &end, times.idle).await?;
    Ok(sent)
}

/// Fills the buffer unless the stream ends before; tells the receiver while the disk is slow.
async fn fill<W: AsyncWrite + Unpin>(
    outgoing: &mut dyn Outgoing,
    buffer: &mut [u8],
    writer: &mut W,
    times: &TransferTimes,
) -> Result<usize, SendError> {
    let mut filled = 0;
    let mut waited = Duration::ZERO;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match tokio::time::timeout(times.working_interval, outgoing.read(rest)).await {
            Ok(Ok(0)) => break,
            Ok(Ok(read)) => {
                filled += read;
                waited = Duration::ZERO;
            }
            Ok(Err(source)) => return Err(SendError::Connection(source)),
            Err(_elapsed) => {
                waited += times.working_interval;
                if waited >= times.disk_stall {
                    return Err(SendError::NoProgress(times.disk_stall));
                }
                frame::write(writer, Kind::Working, &[], times.idle).await?;
            }
        }
    }
    Ok(filled)
}
