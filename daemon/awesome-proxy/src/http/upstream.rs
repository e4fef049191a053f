//! Connections to upstreams: this node's Apache, panel and API, and the other nodes' front doors.
//!
//! HTTP/1.1 with keep-alive, one request at a time on each connection: a dying node takes with it
//! only what runs on it, and no request waits behind another's window. Unused connections are kept
//! for a few seconds (below Apache's own patience) and never trusted: a request that fails on a
//! kept connection before it was written, or that may be repeated, is sent once more on a new one.

use super::body::RequestBody;
use crate::config::{ApiUpstream, Limits, ProxyConfig};
use crate::shared::Shared;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use hwc_runtime::dial::{DialError, PeerStream, Service};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

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
}

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// It can't be reached on this machine; nothing was sent.
    #[error("connect to {upstream:?}")]
    Connect {
        upstream: Upstream,
        #[source]
        source: io::Error,
    },
    /// Another node can't be reached; nothing was sent.
    #[error("reach the live node")]
    Dial(#[from] DialError),
    /// The connection ended before anything of the request was written.
    #[error("begin to send the request")]
    NotSent(#[source] hyper::Error),
    /// The visitor failed to send the rest of the request.
    #[error("read the rest of the request")]
    Visitor(#[source] hyper::Error),
    /// The connection ended after something was written: whether the request was carried out is
    /// unknown.
    #[error("read the answer")]
    Died(#[source] hyper::Error),
}

/// Kept connections.
pub(crate) struct Upstreams {
    idle_max: Duration,
    idle_per_upstream: usize,
    kept: Mutex<BTreeMap<Upstream, Vec<Kept>>>,
}

struct Kept {
    sender: SendRequest<RequestBody>,
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
    fn forget(&self, upstream: Upstream) {
        self.lock().remove(&upstream);
    }

    /// The connection that was used last: the others may grow old and be closed.
    fn take(&self, upstream: Upstream, now: Moment) -> Option<SendRequest<RequestBody>> {
        let mut kept = self.lock();
        let connections = kept.get_mut(&upstream)?;
        connections.retain(|kept| now.since(kept.since) < self.idle_max && kept.sender.is_ready());
        connections.pop().map(|kept| kept.sender)
    }

    fn keep(&self, upstream: Upstream, sender: SendRequest<RequestBody>, since: Moment) {
        let mut kept = self.lock();
        let connections = kept.entry(upstream).or_default();
        connections.retain(|kept| since.since(kept.since) < self.idle_max);
        if connections.len() < self.idle_per_upstream {
            connections.push(Kept { sender, since });
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Upstream, Vec<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a request, which `make` makes afresh for each try, and waits for the head of the answer.
/// `is_repeatable` says whether it may be carried out twice. Dropping the future closes the
/// connection.
pub(super) async fn send(
    shared: &Arc<Shared>,
    upstream: Upstream,
    is_repeatable: bool,
    make: impl Fn() -> Request<RequestBody>,
) -> Result<Response<Incoming>, SendError> {
    let kept = shared.upstreams.take(upstream, shared.clock.now());
    let (mut sender, is_kept) = match kept {
        Some(sender) => (sender, true),
        None => (connect(shared, upstream).await?, false),
    };
    let result = sender.try_send_request(make()).await;
    let mut error = match result {
        Ok(answer) => {
            keep_when_ready(shared, upstream, sender);
            return Ok(answer);
        }
        Err(error) => error,
    };
    let is_unsent = error.take_message().is_some();
    let error = error.into_error();
    if is_kept && (is_unsent || (is_repeatable && !error.is_user())) {
        shared.upstreams.forget(upstream);
        let mut sender = connect(shared, upstream).await?;
        let answer = sender.send_request(make()).await.map_err(SendError::of)?;
        keep_when_ready(shared, upstream, sender);
        return Ok(answer);
    }
    Err(if is_unsent {
        SendError::NotSent(error)
    } else {
        SendError::of(error)
    })
}

impl SendError {
    fn of(error: hyper::Error) -> Self {
        if error.is_user() {
            Self::Visitor(error)
        } else {
            Self::Died(error)
        }
    }
}

async fn connect(
    shared: &Arc<Shared>,
    upstream: Upstream,
) -> Result<SendRequest<RequestBody>, SendError> {
    let stream: PeerStream = match upstream {
        Upstream::Peer(node) => shared.dial.dial(node, Service::Http).await?,
        Upstream::Apache | Upstream::Panel | Upstream::Api => {
            let patience = shared.config.limits.connect;
            tokio::time::timeout(patience, connect_here(&shared.config, upstream))
                .await
                .unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))
                .map_err(|source| SendError::Connect { upstream, source })?
        }
    };
    let (sender, connection) = http1::Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(SendError::NotSent)?;
    shared.tasks.spawn("upstream connection", async move {
        // Whoever uses the connection learns of its end through its own request.
        if let Err(error) = connection.with_upgrades().await {
            tracing::trace!(?upstream, %error, "upstream connection ended");
        }
    });
    Ok(sender)
}

async fn connect_here(config: &ProxyConfig, upstream: Upstream) -> io::Result<PeerStream> {
    let address = match (upstream, &config.api) {
        (Upstream::Api, ApiUpstream::Unix(path)) => {
            return Ok(Box::new(UnixStream::connect(path).await?));
        }
        (Upstream::Api, ApiUpstream::Tcp(address)) => *address,
        (Upstream::Panel, _) => config.panel_upstream,
        (Upstream::Apache | Upstream::Peer(_), _) => config.apache,
    };
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Keeps a connection once its answer was read to the end.
fn keep_when_ready(shared: &Arc<Shared>, upstream: Upstream, mut sender: SendRequest<RequestBody>) {
    let keeper = Arc::clone(shared);
    shared
        .tasks
        .spawn_until_stopped("keep connection", async move {
            if sender.ready().await.is_ok() {
                let now = keeper.clock.now();
                keeper.upstreams.keep(upstream, sender, now);
            }
        });
}
