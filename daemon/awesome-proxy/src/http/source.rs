//! Where a request's body comes from: a visitor's connection, or a stream of HTTP/2.
//!
//! It stays where it is, unread, until somebody wants it; as long as nothing was taken the request
//! can still go elsewhere.

use super::errand::BodySize;
use super::framing::{Decoder, Piece};
use super::timer::Timer;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncRead;

/// Room for what is read at a time: most heads fit, and bodies come in few pieces.
const READ_MIN: usize = 4 * 1024;
const READ_MAX: usize = 64 * 1024;
/// What a visitor may send ahead of an answer.
const AHEAD_MAX: usize = 64 * 1024;

/// What a visitor may send ahead on one stream of HTTP/2.
pub(super) const STREAM_WINDOW: u32 = 128 * 1024;

/// Why a body broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// The visitor's connection failed.
    #[error("the visitor went away")]
    Gone,
    /// What they sent is no body.
    #[error("the request's body is not well-formed")]
    Malformed,
    /// They paused too long.
    #[error("the request's body stopped coming")]
    Stalled,
    /// They sent more than allowed.
    #[error("the request's body is too large")]
    TooLarge,
}

/// Bounds of a request's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Most bytes.
    pub bytes: u64,
    /// Longest pause.
    pub stall: Duration,
}

/// See the head of this file.
pub(super) trait Source: Send {
    /// The next piece of the body; asking for the first is what `Expect: 100-continue` waits for.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>>;

    /// Ready when the visitor has gone. Tells only where nothing of the body is to come: one that
    /// is unread hides it.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Bytes of the body that may be in memory while nobody wants it.
    fn waiting_bytes(&self, size: BodySize) -> usize;
}

/// The half of a connection that is read, with what was read ahead.
#[derive(Debug)]
pub(super) struct Reader<R> {
    pub io: R,
    pub bytes: BytesMut,
    pub timer: Timer,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(io: R) -> Self {
        Self {
            io,
            bytes: BytesMut::new(),
            timer: Timer::NONE,
        }
    }

    /// Reads once; 0 at the connection's end.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, hint: u64) -> Poll<io::Result<usize>> {
        let room = usize::try_from(hint).unwrap_or(READ_MAX);
        self.bytes.reserve(room.clamp(READ_MIN, READ_MAX));
        tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut self.bytes)
    }
}

/// The body of the request that is being read from a connection.
pub(super) struct ReaderBody<'a, R> {
    pub reader: &'a mut Reader<R>,
    pub decoder: &'a mut Decoder,
    pub limits: BodyLimits,
    /// Set when the body is wanted: then whoever holds the other half says 100 (Continue).
    pub is_wanted: &'a AtomicBool,
    pub read_bytes: u64,
}

impl<R: AsyncRead + Unpin + Send> Source for ReaderBody<'_, R> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        self.is_wanted.store(true, Ordering::Relaxed);
        loop {
            let taken = self.decoder.take(&mut self.reader.bytes);
            if let Some(piece) = taken.map_err(|_| BodyError::Malformed)? {
                self.reader.timer.clear();
                count(&mut self.read_bytes, &piece, self.limits.bytes)?;
                return Poll::Ready(Ok(piece));
            }
            match self.reader.poll_fill(cx, self.decoder.remaining()) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(BodyError::Gone)),
                Poll::Ready(Ok(_)) => self.reader.timer.clear(),
                Poll::Pending => {
                    self.reader.timer.set_once(self.limits.stall);
                    ready!(self.reader.timer.poll(cx));
                    return Poll::Ready(Err(BodyError::Stalled));
                }
            }
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.decoder.is_over() {
            return Poll::Pending;
        }
        while self.reader.bytes.len() < AHEAD_MAX {
            match ready!(self.reader.poll_fill(cx, 0)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    fn waiting_bytes(&self, _: BodySize) -> usize {
        self.reader.bytes.len()
    }
}

/// The body of a request of HTTP/2.
pub(super) struct StreamBody {
    body: Incoming,
    limits: BodyLimits,
    read_bytes: u64,
    timer: Timer,
}

impl StreamBody {
    pub fn new(body: Incoming, limits: BodyLimits) -> Self {
        Self {
            body,
            limits,
            read_bytes: 0,
            timer: Timer::NONE,
        }
    }
}

impl Source for StreamBody {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            self.timer.set_once(self.limits.stall);
            ready!(self.timer.poll(cx));
            return Poll::Ready(Err(BodyError::Stalled));
        };
        self.timer.clear();
        let piece = match frame {
            None => Piece::End,
            Some(Err(_)) => return Poll::Ready(Err(BodyError::Gone)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Piece::Data(data),
                Err(other) => other
                    .into_trailers()
                    .map_or(Piece::End, |fields| Piece::Trailer(lines(&fields))),
            },
        };
        count(&mut self.read_bytes, &piece, self.limits.bytes)?;
        Poll::Ready(Ok(piece))
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        // hyper drops the whole request when its stream ends.
        Poll::Pending
    }

    fn waiting_bytes(&self, size: BodySize) -> usize {
        let window = STREAM_WINDOW as usize;
        match size {
            BodySize::None => 0,
            BodySize::Sized(length) => usize::try_from(length).unwrap_or(window).min(window),
            BodySize::Unknown => window,
        }
    }
}

fn lines(fields: &http::HeaderMap) -> Bytes {
    let mut lines = Vec::new();
    for (name, value) in fields {
        super::headers::line(&mut lines, name.as_str().as_bytes(), value.as_bytes());
    }
    lines.into()
}

fn count(read_bytes: &mut u64, piece: &Piece, max: u64) -> Result<(), BodyError> {
    if let Piece::Data(data) = piece {
        *read_bytes = read_bytes.saturating_add(data.len() as u64);
        if *read_bytes > max {
            return Err(BodyError::TooLarge);
        }
    }
    Ok(())
}
