//! Connections to upstreams: this node's Apache, panel and API, the other nodes' front doors, and the
//! process that follows this one.
//!
//! HTTP/1.1 with keep-alive, one request at a time on each connection: a dying node takes with it
//! only what runs on it, and no request waits behind another's window. Unused connections are kept
//! for a while and never trusted: only what may be carried out twice, or what the other side must
//! ask for before it counts (see [`super::headers::Hold`]), goes over a kept one.

use super::timer::Timer;
use crate::config::{ApiUpstream, Limits};
use crate::shared::Shared;
use bytes::BytesMut;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use hwc_runtime::dial::{DialError, PeerStream, Service};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Unused connections to other nodes are closed after this, half of what the other side grants.
/// Opening one costs a handshake.
const PEER_IDLE: Duration = Duration::from_secs(30);
/// A kept connection that was used within this is likely to be used again at once.
const BUSY: Duration = Duration::from_secs(1);
/// Room for the head of an answer and, with most, its body.
const READ_MIN: usize = 16 * 1024;
/// Room for what is read at a time of a long body.
const READ_MAX: usize = 64 * 1024;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Upstream {
    /// This node's web server.
    Apache,
    /// This node's panel.
    Panel,
    /// This node's API.
    Api,
    /// Another node's front door.
    Peer(NodeId),
    /// The process that follows this one.
    Successor,
}

/// Why an upstream can't be reached; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// On this machine.
    #[error("connect to {upstream:?}")]
    Here {
        upstream: Upstream,
        #[source]
        source: io::Error,
    },
    /// Another node.
    #[error("reach the live node")]
    Dial(#[from] DialError),
}

/// One connection, and what was read ahead of it.
pub(super) struct Line {
    pub upstream: Upstream,
    /// Whether it carried requests before.
    pub is_kept: bool,
    pub bytes: BytesMut,
    pub timer: Timer,
    io: Io,
}

enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
    Peer(PeerStream),
}

impl Line {
    fn new(upstream: Upstream, io: Io) -> Self {
        Self {
            upstream,
            is_kept: false,
            bytes: BytesMut::new(),
            timer: Timer::NONE,
            io,
        }
    }

    /// Reads once; 0 at the end. `hint`: so many bytes are sure to come.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, hint: u64) -> Poll<io::Result<usize>> {
        let room = usize::try_from(hint).unwrap_or(READ_MAX);
        self.bytes.reserve(room.clamp(READ_MIN, READ_MAX));
        tokio_util::io::poll_read_buf(Pin::new(&mut self.io), cx, &mut self.bytes)
    }

    /// Writes once.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    /// Pushes out what a stream of layers may hold back.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
}

/// Reading and writing it as it is, for a connection that is not HTTP any more. What was read ahead
/// comes first.
impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.bytes.is_empty() {
            return Pin::new(&mut line.io).poll_read(cx, buf);
        }
        let amount = line.bytes.len().min(buf.remaining());
        buf.put_slice(&line.bytes.split_to(amount));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Peer(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Peer(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Peer(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Peer(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Peer(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Peer(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Kept connections.
pub(crate) struct Upstreams {
    idle_max: Duration,
    idle_per_upstream: usize,
    kept: Mutex<BTreeMap<Upstream, Vec<Kept>>>,
}

struct Kept {
    line: Line,
    since: Moment,
}

impl Upstreams {
    pub fn new(limits: &Limits) -> Self {
        Self {
            idle_max: limits.idle,
            idle_per_upstream: limits.idle_per_upstream,
            kept: Mutex::default(),
        }
    }

    /// Closes all unused connections.
    pub fn forget_idle(&self) {
        self.lock().clear();
    }

    /// Closes the unused connections to one upstream: one of them turned out to be dead.
    pub(super) fn forget(&self, upstream: Upstream) {
        self.lock().remove(&upstream);
    }

    /// The connection that was used last: the others may grow old and be closed.
    pub(super) fn take(&self, upstream: Upstream, now: Moment) -> Option<Line> {
        let mut kept = self.lock();
        let last = kept.get_mut(&upstream)?.pop()?;
        (now.since(last.since) < self.idle_max(upstream)).then_some(last.line)
    }

    /// Keeps a connection whose request is over.
    pub(super) fn keep(&self, mut line: Line, since: Moment) {
        line.is_kept = true;
        line.timer.clear();
        let mut kept = self.lock();
        let lines = kept.entry(line.upstream).or_default();
        if lines.len() < self.idle_per_upstream {
            lines.push(Kept { line, since });
        }
    }

    /// Closes what was unused for too long.
    fn sweep(&self, now: Moment) {
        self.lock().retain(|upstream, lines| {
            lines.retain(|kept| now.since(kept.since) < self.idle_max(*upstream));
            // Those that rest need no room to read into.
            let resting = lines.iter_mut().filter(|kept| now.since(kept.since) > BUSY);
            resting.for_each(|kept| kept.line.bytes = BytesMut::new());
            !lines.is_empty()
        });
    }

    const fn idle_max(&self, upstream: Upstream) -> Duration {
        match upstream {
            Upstream::Apache | Upstream::Panel | Upstream::Api => self.idle_max,
            Upstream::Peer(_) | Upstream::Successor => PEER_IDLE,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Upstream, Vec<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that nobody uses, until the daemon stops.
pub(crate) fn sweep(shared: &Arc<Shared>) {
    let sweeping = Arc::clone(shared);
    shared
        .tasks
        .spawn_until_stopped("close unused connections", async move {
            loop {
                tokio::time::sleep(sweeping.config.limits.idle).await;
                sweeping.upstreams.sweep(sweeping.clock.now());
            }
        });
}

/// Opens a connection.
pub(super) async fn connect(shared: &Shared, upstream: Upstream) -> Result<Line, ConnectError> {
    let io = match upstream {
        Upstream::Peer(node) => Io::Peer(shared.dial.dial(node, Service::Http).await?),
        Upstream::Apache | Upstream::Panel | Upstream::Api | Upstream::Successor => {
            let patience = shared.config.limits.connect;
            tokio::time::timeout(patience, connect_here(shared, upstream))
                .await
                .unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))
                .map_err(|source| ConnectError::Here { upstream, source })?
        }
    };
    Ok(Line::new(upstream, io))
}

async fn connect_here(shared: &Shared, upstream: Upstream) -> io::Result<Io> {
    let config = &shared.config;
    let address = match (upstream, &config.api) {
        (Upstream::Api, ApiUpstream::Unix(path)) => {
            return Ok(Io::Unix(UnixStream::connect(path).await?));
        }
        (Upstream::Successor, _) => return Ok(Io::Unix(shared.succession.connect().await?)),
        (Upstream::Api, ApiUpstream::Tcp(address)) => *address,
        (Upstream::Panel, _) => config.panel_upstream,
        (Upstream::Apache | Upstream::Peer(_), _) => config.apache,
    };
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Io::Tcp(stream))
}
