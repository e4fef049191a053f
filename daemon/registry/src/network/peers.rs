//! Calls to other nodes: a few kept connections per node, one call at a time on each.
//!
//! A call takes an idle connection or dials one; a connection on which a call failed or was given
//! up is thrown away, and with it the node's other idle ones, which are likely dead too. openraft
//! gives calls up after a fraction of a second, a dial may take longer: so dialling goes on
//! without its caller, and the next call finds the connection.

use super::call::{Answer, Call};
use super::frame::Frame;
use hwc_api::ids::NodeId;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Idle connections kept per node: replication, a vote, and six forwarded changes at once.
const IDLE_MAX: usize = 8;
/// Dials under way per node: more would only queue at a node that does not answer.
const DIALS_MAX: usize = 8;

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("reach the other node")]
    Dial(#[from] DialError),
    #[error("dial the other node: earlier dials are still under way")]
    Busy,
    #[error("give up dialling: this node is stopping")]
    Stopping,
    #[error("exchange a message")]
    Exchange(#[from] io::Error),
    #[error("understand a message")]
    Json(#[from] serde_json::Error),
    #[error("the answer is of another kind than the question")]
    OtherKind,
    #[error("there is no node {0}")]
    NoSuchNode(u64),
}

/// The connections to other nodes.
pub(crate) struct Peers {
    dial: Arc<dyn Dial>,
    tasks: Tasks,
    lines: Mutex<BTreeMap<NodeId, Lines>>,
}

#[derive(Default)]
struct Lines {
    idle: Vec<PeerStream>,
    dialling: usize,
}

impl Peers {
    pub fn new(dial: Arc<dyn Dial>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            dial,
            tasks,
            lines: Mutex::default(),
        })
    }

    /// Asks a node and waits for its answer. The question may arrive twice (a kept connection can
    /// break after it): every call must bear that. Cancel-safe: the connection is thrown away.
    pub async fn call(
        self: &Arc<Self>,
        node: NodeId,
        call: &Call,
        body: Vec<u8>,
    ) -> Result<Answer, CallError> {
        let question = Frame {
            text: serde_json::to_vec(call)?,
            body,
        };
        if let Some(stream) = self.take_idle(node) {
            match self.exchange(node, stream, &question).await {
                Ok(answer) => return Ok(answer),
                Err(error) => tracing::debug!(node.id = %node, %error, "kept connection broke"),
            }
        }
        let stream = self.connect(node).await?;
        self.exchange(node, stream, &question).await
    }

    async fn exchange(
        &self,
        node: NodeId,
        mut stream: PeerStream,
        question: &Frame,
    ) -> Result<Answer, CallError> {
        let doubt = Doubt {
            peers: self,
            node: Some(node),
        };
        question.write(&mut stream).await?;
        let answer = Frame::read(&mut stream)
            .await?
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let answer = serde_json::from_slice(&answer.text)?;
        doubt.dispel();
        self.keep(node, stream);
        Ok(answer)
    }

    async fn connect(self: &Arc<Self>, node: NodeId) -> Result<PeerStream, CallError> {
        self.begin_dialling(node)?;
        let (sender, receiver) = oneshot::channel();
        let peers = Arc::clone(self);
        self.tasks
            .spawn_until_stopped(format!("dial registry of node {node}"), async move {
                let _ended = Dialling {
                    peers: &peers,
                    node,
                };
                let dialled = peers.dial.dial(node, Service::Registry).await;
                // The caller has given up: keep what came for the next one.
                if let Err(Ok(stream)) = sender.send(dialled) {
                    peers.keep(node, stream);
                }
            });
        match receiver.await {
            Ok(dialled) => Ok(dialled?),
            Err(_stopped) => Err(CallError::Stopping),
        }
    }

    fn begin_dialling(&self, node: NodeId) -> Result<(), CallError> {
        if self.tasks.token().is_cancelled() {
            return Err(CallError::Stopping);
        }
        let mut lines = self.lock();
        let lines = lines.entry(node).or_default();
        if lines.dialling >= DIALS_MAX {
            return Err(CallError::Busy);
        }
        lines.dialling += 1;
        Ok(())
    }

    fn take_idle(&self, node: NodeId) -> Option<PeerStream> {
        self.lock().get_mut(&node)?.idle.pop()
    }

    fn keep(&self, node: NodeId, stream: PeerStream) {
        let mut lines = self.lock();
        let idle = &mut lines.entry(node).or_default().idle;
        if idle.len() < IDLE_MAX {
            idle.push(stream);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Lines>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, a call is under way; dropped without being dispelled, the call failed or was
/// given up, and the node's idle connections are not trusted any more.
struct Doubt<'a> {
    peers: &'a Peers,
    node: Option<NodeId>,
}

impl Doubt<'_> {
    fn dispel(mut self) {
        self.node = None;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let Some(node) = self.node else { return };
        if let Some(lines) = self.peers.lock().get_mut(&node) {
            lines.idle.clear();
        }
    }
}

/// Counts a dial down when it ends, however it ends.
struct Dialling<'a> {
    peers: &'a Peers,
    node: NodeId,
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        if let Some(lines) = self.peers.lock().get_mut(&self.node) {
            lines.dialling = lines.dialling.saturating_sub(1);
        }
    }
}

impl CallError {
    /// Whether the question may have arrived.
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Dial(_) | Self::Busy | Self::Stopping | Self::NoSuchNode(_) => false,
            Self::Exchange(_) | Self::Json(_) | Self::OtherKind => true,
        }
    }
}
