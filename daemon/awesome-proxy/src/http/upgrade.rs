//! WebSockets: after both sides agreed (101), bytes pass untouched until either side ends.
//!
//! Nothing that the visitor sent after the head reaches the upstream before its own 101. When the
//! gate closes, a WebSocket has `Limits::websocket_grace` left; then its visitor is told to come
//! back (close code 1012, where the upstream is not in the middle of a frame), and it ends: the
//! visitor's program connects again, and finds the site at its new place.

use super::source::Reader;
use super::stop::Stop;
use super::upstream::Line;
use super::websocket::{COME_BACK, Frames};
use crate::gates::Pass;
use crate::shared::Shared;
use bytes::BytesMut;
use std::future::{Future, poll_fn};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

/// Copied at a time in each direction.
const COPY_BYTES: usize = 16 * 1024;
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// The upstream's side of a WebSocket.
pub(super) struct Tunnel {
    line: Line,
    stop: Stop,
    pass: Option<Pass>,
}

impl Tunnel {
    pub const fn new(line: Line, stop: Stop, pass: Option<Pass>) -> Self {
        Self { line, stop, pass }
    }

    /// Joins the two sides until one of them ends, or it must end.
    pub async fn run<R, W>(self, shared: &Shared, mut visitor: Reader<R>, mut to_visitor: W)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let Self {
            line,
            mut stop,
            pass,
        } = self;
        let (from_upstream, to_upstream) = tokio::io::split(line);
        let leave = leave(shared, pass.as_ref());
        tokio::select! {
            biased;
            () = poll_fn(|cx| stop.poll(cx)) => {}
            // Either side may end without a word.
            _ended = up(&mut visitor, to_upstream) => {}
            _ended = down(from_upstream, &mut to_visitor, leave) => {}
        }
        drop(pass);
        let goodbye = async {
            to_visitor.shutdown().await?;
            // Closing at once would reset the connection under what was written last.
            tokio::io::copy(&mut visitor.io, &mut tokio::io::sink()).await
        };
        // The visitor may be gone.
        let _gone = tokio::time::timeout(GOODBYE, goodbye).await;
    }
}

/// Ends when the WebSocket is to be ended with a goodbye.
async fn leave(shared: &Shared, pass: Option<&Pass>) {
    let stopping = shared.tasks.token();
    let closing = async {
        match pass {
            Some(pass) => pass.closing().await,
            None => std::future::pending().await,
        }
        tokio::time::sleep(shared.config.limits.websocket_grace).await;
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = closing => {}
    }
}

async fn up<R: AsyncRead + Unpin>(
    visitor: &mut Reader<R>,
    mut to_upstream: WriteHalf<Line>,
) -> io::Result<()> {
    let Reader { io, bytes, .. } = visitor;
    loop {
        to_upstream.write_all_buf(bytes).await?;
        to_upstream.flush().await?;
        bytes.reserve(COPY_BYTES);
        if io.read_buf(bytes).await? == 0 {
            return Ok(());
        }
    }
}

async fn down<W: AsyncWrite + Unpin>(
    mut from_upstream: ReadHalf<Line>,
    to_visitor: &mut W,
    leave: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut bytes = BytesMut::with_capacity(COPY_BYTES);
    let mut leave = std::pin::pin!(leave);
    loop {
        bytes.reserve(COPY_BYTES);
        tokio::select! {
            biased;
            read = from_upstream.read_buf(&mut bytes) => {
                if read? == 0 {
                    return Ok(());
                }
            }
            () = &mut leave => {
                if frames.is_between() {
                    to_visitor.write_all(&COME_BACK).await?;
                    to_visitor.flush().await?;
                }
                return Ok(());
            }
        }
        frames.pass(&bytes);
        to_visitor.write_all_buf(&mut bytes).await?;
        to_visitor.flush().await?;
    }
}
