//! Reads HTTP/1.1 from visitors to the letter, before hyper sees a byte of it.
//!
//! hyper repairs what it can: it drops `Content-Length` beside `Transfer-Encoding`, takes bare line
//! feeds, and folds equal lengths. Behind us stands another server that may repair differently, and
//! that difference is request smuggling. So each head is held until it is whole and judged by
//! [`grammar`]; what passes goes on byte for byte. Instead of what does not pass, hyper is given a
//! request of our own that says which status to answer with, and the rest of the connection is
//! swallowed. After an upgrade ([`RawSwitch`]) bytes pass untouched.

mod framer;
mod grammar;

use bytes::{Buf, BytesMut};
use framer::Framer;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The field in which [`framer`] hands a refusal's status to the service. A visitor who sends it
/// only refuses themselves.
pub(super) const REFUSAL_FIELD: &str = "x-hwc-refuse";

/// Bytes read from the visitor at a time.
const READ_BYTES: usize = 8 * 1024;

/// Turned on by the service before it answers 101: from then on the connection is not HTTP.
#[derive(Debug, Clone, Default)]
pub(super) struct RawSwitch(Arc<AtomicBool>);

impl RawSwitch {
    pub fn turn_on(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A visitor's connection; see the head of this file.
pub(super) struct Strict<T> {
    inner: T,
    raw: RawSwitch,
    framer: Framer,
    /// Read from the visitor, not judged yet.
    received: BytesMut,
    /// Judged, not read by hyper yet.
    passed: BytesMut,
}

impl<T> Strict<T> {
    pub fn new(inner: T, raw: RawSwitch, head_bytes_max: usize) -> Self {
        Self {
            inner,
            raw,
            framer: Framer::new(head_bytes_max),
            received: BytesMut::new(),
            passed: BytesMut::new(),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Strict<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.raw.is_on() && this.passed.is_empty() {
            this.framer.give_back(&mut this.passed);
            this.passed.extend_from_slice(&this.received);
            this.received.clear();
            if this.passed.is_empty() {
                return Pin::new(&mut this.inner).poll_read(cx, buf);
            }
        }
        while this.passed.is_empty() {
            let mut space = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.received.extend_from_slice(read.filled());
            this.framer.feed(&mut this.received, &mut this.passed);
        }
        let amount = this.passed.len().min(buf.remaining());
        if let Some(ready) = this.passed.get(..amount) {
            buf.put_slice(ready);
        }
        this.passed.advance(amount);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Strict<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
