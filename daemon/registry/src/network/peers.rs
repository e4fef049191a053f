//! Calls to other nodes: a few kept connections per node, one call at a time on each.
//!
//! openraft gives a call up after a fraction of a second, while a dial or a write to a busy disk
//! may take longer. So a call goes on without its caller: the connection is not wasted, and a
//! repeated question meets work that is done. A call that fails takes the node's idle connections
//! with it: they are likely dead too.

use super::call::{Answer, Call};
use super::frame::Frame;
use hwc_api::ids::NodeId;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Idle connections kept per node: replication, a vote, and six forwarded changes at once.
const IDLE_MAX: usize = 8;
/// Calls under way per node, given up ones included: twice the above, so that a node that has
/// stopped answering does not gather them without end.
const CALLS_MAX: usize = 16;

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("reach the other node")]
    Dial(#[from] DialError),
    #[error("call the other node: earlier calls are still under way")]
    Busy,
    #[error("give up the call: this node is stopping")]
    Stopping,
    #[error("give up the call: the caller has gone")]
    CallerGone,
    #[error("exchange a message")]
    Exchange(#[from] io::Error),
    #[error("wait for an answer longer than {0:?}")]
    Deadline(Duration),
    #[error("understand a message")]
    Json(#[from] serde_json::Error),
    #[error("the answer is of another kind than the question")]
    OtherKind,
    #[error("there is no node {0}")]
    NoSuchNode(u64),
}

impl CallError {
    /// Whether the question may have arrived.
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Dial(_) | Self::Busy | Self::CallerGone | Self::NoSuchNode(_) => false,
            Self::Exchange(_)
            | Self::Deadline(_)
            | Self::Json(_)
            | Self::OtherKind
            | Self::Stopping => true,
        }
    }
}

/// The connections to other nodes.
pub(crate) struct Peers {
    dial: Arc<dyn Dial>,
    tasks: Tasks,
    /// How long a call may take in all.
    deadline: Duration,
    lines: Mutex<BTreeMap<NodeId, Lines>>,
}

#[derive(Default)]
struct Lines {
    idle: Vec<PeerStream>,
    calls: usize,
}

type Answered = oneshot::Sender<Result<Answer, CallError>>;

impl Peers {
    pub fn new(dial: Arc<dyn Dial>, tasks: Tasks, deadline: Duration) -> Arc<Self> {
        Arc::new(Self {
            dial,
            tasks,
            deadline,
            lines: Mutex::default(),
        })
    }

    /// Asks a node and waits for its answer. The question may arrive twice (a kept connection can
    /// break after it), and after the caller has gone: every call must bear that. Cancel-safe.
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
        let under_way = self.begin(node)?;
        let (mut answered, answer) = oneshot::channel();
        self.tasks
            .spawn_until_stopped(format!("registry call to node {node}"), async move {
                let peers = &under_way.peers;
                let asked = peers.ask(node, &question, &mut answered);
                let result = tokio::time::timeout(peers.deadline, asked).await;
                let result = result.unwrap_or(Err(CallError::Deadline(peers.deadline)));
                if result.as_ref().is_err_and(CallError::was_sent) {
                    peers.distrust(node);
                }
                // The caller may have gone.
                let _unheard = answered.send(result);
            });
        answer.await.unwrap_or(Err(CallError::Stopping))
    }

    async fn ask(
        &self,
        node: NodeId,
        question: &Frame,
        answered: &mut Answered,
    ) -> Result<Answer, CallError> {
        if let Some(stream) = self.take_idle(node) {
            match self.exchange(node, stream, question).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    tracing::debug!(node.id = %node, %error, "kept connection broke");
                    self.distrust(node);
                }
            }
        }
        let stream = self.dial.dial(node, Service::Registry).await?;
        if answered.is_closed() {
            // What the caller wanted to say is old; the next one finds the connection.
            self.keep(node, stream);
            return Err(CallError::CallerGone);
        }
        self.exchange(node, stream, question).await
    }

    async fn exchange(
        &self,
        node: NodeId,
        mut stream: PeerStream,
        question: &Frame,
    ) -> Result<Answer, CallError> {
        question.write(&mut stream).await?;
        let answer = Frame::read(&mut stream)
            .await?
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let answer = serde_json::from_slice(&answer.text)?;
        self.keep(node, stream);
        Ok(answer)
    }

    fn begin(self: &Arc<Self>, node: NodeId) -> Result<UnderWay, CallError> {
        if self.tasks.token().is_cancelled() {
            return Err(CallError::Stopping);
        }
        let mut lines = self.lock();
        let lines = lines.entry(node).or_default();
        if lines.calls >= CALLS_MAX {
            return Err(CallError::Busy);
        }
        lines.calls += 1;
        Ok(UnderWay {
            peers: Arc::clone(self),
            node,
        })
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

    fn distrust(&self, node: NodeId) {
        if let Some(lines) = self.lock().get_mut(&node) {
            lines.idle.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Lines>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a call down when it ends, however it ends.
struct UnderWay {
    peers: Arc<Peers>,
    node: NodeId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(lines) = self.peers.lock().get_mut(&self.node) {
            lines.calls = lines.calls.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::BoxFuture;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    const DEADLINE: Duration = Duration::from_secs(15);

    /// Answers pings once it is let, and counts dials.
    struct Slow {
        dials: AtomicUsize,
        may_answer: Arc<Semaphore>,
        tasks: Tasks,
    }

    impl Dial for Slow {
        fn dial(
            &self,
            _node: NodeId,
            _service: Service,
        ) -> BoxFuture<'_, Result<PeerStream, DialError>> {
            self.dials.fetch_add(1, Ordering::SeqCst);
            let (near, mut far) = tokio::io::duplex(1_024);
            let may_answer = Arc::clone(&self.may_answer);
            self.tasks.spawn_until_stopped("answer", async move {
                while let Ok(Some(_question)) = Frame::read(&mut far).await {
                    let _permit = may_answer.acquire().await;
                    let answer = Frame {
                        text: serde_json::to_vec(&Answer::Pong).expect("answer"),
                        body: Vec::new(),
                    };
                    answer.write(&mut far).await.expect("stream");
                }
            });
            Box::pin(async move { Ok(Box::new(near) as PeerStream) })
        }
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_leaves_its_connection_for_the_next() {
        let tasks = Tasks::new();
        let slow = Arc::new(Slow {
            dials: AtomicUsize::new(0),
            may_answer: Arc::new(Semaphore::new(0)),
            tasks: tasks.clone(),
        });
        let peers = Peers::new(Arc::clone(&slow) as Arc<dyn Dial>, tasks.clone(), DEADLINE);
        let node = NodeId(2);
        let brief = Duration::from_millis(20);
        let cut = tokio::time::timeout(brief, peers.call(node, &Call::Ping, Vec::new())).await;
        assert!(cut.is_err(), "nobody answers yet");
        slow.may_answer.add_permits(1);
        let connection_is_kept = async {
            while peers
                .lock()
                .get(&node)
                .is_none_or(|lines| lines.idle.is_empty())
            {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), connection_is_kept).await;
        waited.expect("the call went on without its caller");
        let answer = peers.call(node, &Call::Ping, Vec::new()).await;
        assert!(matches!(answer, Ok(Answer::Pong)), "{answer:?}");
        assert_eq!(slow.dials.load(Ordering::SeqCst), 1);
        tasks.stop(Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn calls_to_a_silent_node_do_not_gather_without_end() {
        let tasks = Tasks::new();
        let slow = Arc::new(Slow {
            dials: AtomicUsize::new(0),
            may_answer: Arc::new(Semaphore::new(0)),
            tasks: tasks.clone(),
        });
        let peers = Peers::new(slow, tasks.clone(), DEADLINE);
        let calls = (0..=CALLS_MAX).map(|_| {
            let call = async { peers.call(NodeId(2), &Call::Ping, Vec::new()).await };
            tokio::time::timeout(Duration::from_millis(50), call)
        });
        let results = futures::future::join_all(calls).await;
        let refused: Vec<_> = results.into_iter().flatten().collect();
        assert!(matches!(refused[..], [Err(CallError::Busy)]), "{refused:?}");
        tasks.stop(Duration::from_secs(5)).await;
    }
}
