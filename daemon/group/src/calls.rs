//! Small questions and answers between the nodes' conductors.
//!
//! One call is one stream (TLS sessions are resumed, so a call costs a round trip or two): the
//! asker sends a name and a body, gets an answer or a problem. The other side knows who asks from
//! the certificate. A call that fails after it was sent may have been carried out:
//! [`CallError::may_have_happened`].

use crate::transport::{Incoming, Transport};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Longest question and longest answer, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Who opens a stream asks at once.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// An asker that does not take its answer is gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls answered at once; more wait their turn. A call may hold 1 MiB.
const PARALLEL_MAX: usize = 128;
const ANSWERED: u8 = 0;
const REFUSED: u8 = 1;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The node could not be reached: nothing happened.
    #[error("reach the node")]
    Dial(#[from] DialError),
    /// The question is too long: nothing happened.
    #[error("the question is longer than {BODY_BYTES_MAX} bytes")]
    TooLong,
    /// No answer came in time.
    #[error("no answer in time")]
    Deadline,
    /// The stream broke before the answer came.
    #[error("the stream broke")]
    Broken(#[source] io::Error),
    /// The other node said no.
    #[error("the node refused: {0}")]
    Problem(Problem),
    /// The answer, or the question, is not of the expected form.
    #[error("understand the answer")]
    Form(#[source] serde_json::Error),
}

impl CallError {
    /// Whether the other node may have done what it was asked.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        match self {
            Self::Dial(_) | Self::TooLong => false,
            Self::Deadline | Self::Broken(_) | Self::Problem(_) | Self::Form(_) => true,
        }
    }
}

type Handler =
    Arc<dyn Fn(NodeId, Bytes) -> BoxFuture<'static, Result<Bytes, Problem>> + Send + Sync>;

/// Asks other nodes, and answers them. Clones are the same.
#[derive(Clone)]
pub struct Calls(Arc<Shared>);

struct Shared {
    dial: Arc<dyn Dial>,
    handlers: RwLock<BTreeMap<String, Handler>>,
}

impl Calls {
    /// Begins to answer (with "not found", until [`Calls::answer`] adds something).
    #[must_use]
    pub fn start(transport: &Transport, tasks: &Tasks) -> Self {
        let calls = Self(Arc::new(Shared {
            dial: Arc::new(transport.clone()),
            handlers: RwLock::default(),
        }));
        let mut incoming = transport.incoming(Service::Calls);
        let places = Arc::new(Semaphore::new(PARALLEL_MAX));
        let (desk, workers) = (calls.clone(), tasks.clone());
        tasks.spawn_until_stopped("calls", async move {
            while let Some(Incoming { peer, stream }) = incoming.recv().await {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let desk = desk.clone();
                workers.spawn_until_stopped("answer a call", async move {
                    if let Err(error) = desk.serve(peer, stream).await {
                        tracing::debug!(node.id = %peer, %error, "a call broke");
                    }
                    drop(place);
                });
            }
        });
        calls
    }

    /// Answers calls of this name; replaces an earlier handler. Who asks is proved by TLS; whether it
    /// may is the handler's to judge.
    pub fn answer<H, F>(&self, name: &str, handler: H)
    where
        H: Fn(NodeId, Bytes) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Bytes, Problem>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |peer, body| Box::pin(handler(peer, body)));
        let mut handlers = self
            .0
            .handlers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        handlers.insert(name.to_owned(), handler);
    }

    /// Answers calls of this name, in JSON.
    pub fn answer_json<Q, A, H, F>(&self, name: &str, handler: H)
    where
        Q: DeserializeOwned + Send,
        A: Serialize,
        H: Fn(NodeId, Q) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        self.answer(name, move |peer, body| {
            let question = serde_json::from_slice(&body)
                .map_err(|error| Problem::new(ProblemCode::Malformed, error.to_string()));
            let answer = question.map(|question| handler(peer, question));
            async move {
                let answer = answer?.await?;
                serde_json::to_vec(&answer)
                    .map(Bytes::from)
                    .map_err(|error| {
                        tracing::error!(%error, "an answer can't be written as JSON");
                        Problem::new(ProblemCode::Internal, "the answer can't be written")
                    })
            }
        });
    }

    /// Asks a node and waits for its answer, at most until the deadline.
    ///
    /// # Errors
    /// Why there is no answer; see [`CallError::may_have_happened`].
    pub async fn call(
        &self,
        node: NodeId,
        name: &str,
        body: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        if body.len() > BODY_BYTES_MAX || name.len() > BODY_BYTES_MAX {
            return Err(CallError::TooLong);
        }
        let stream = match timeout(deadline, self.0.dial.dial(node, Service::Calls)).await {
            Ok(dialled) => dialled?,
            Err(elapsed) => {
                let source = elapsed.into();
                return Err(DialError::Connect { node, source }.into());
            }
        };
        timeout(deadline, ask(stream, name, body))
            .await
            .map_err(|_| CallError::Deadline)?
    }

    /// Asks a node, in JSON.
    ///
    /// # Errors
    /// As [`Calls::call`].
    pub async fn call_json<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        node: NodeId,
        name: &str,
        question: &Q,
        deadline: Duration,
    ) -> Result<A, CallError> {
        let body = serde_json::to_vec(question).map_err(CallError::Form)?;
        let answer = self.call(node, name, body.into(), deadline).await?;
        serde_json::from_slice(&answer).map_err(CallError::Form)
    }

    async fn serve(&self, peer: NodeId, stream: PeerStream) -> io::Result<()> {
        let mut frames = framed(stream);
        let question = timeout(QUESTION_TIMEOUT, async {
            let name = frames.next().await?;
            let body = frames.next().await?;
            Some((name, body))
        });
        let (name, body) = question.await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (name, body) = (name?, body?.freeze());
        let answer = match self.handler(&name) {
            Some(handler) => handler(peer, body).await,
            None => Err(Problem::new(ProblemCode::NotFound, "no such call")),
        };
        let (kind, body) = match answer {
            Ok(body) if body.len() <= BODY_BYTES_MAX => (ANSWERED, body),
            Ok(_too_long) => {
                let problem = Problem::new(ProblemCode::TooLarge, "the answer is too long");
                (REFUSED, serde_json::to_vec(&problem)?.into())
            }
            Err(problem) => (REFUSED, serde_json::to_vec(&problem)?.into()),
        };
        timeout(ANSWER_TIMEOUT, async {
            frames.feed(Bytes::from(vec![kind])).await?;
            frames.send(body).await?;
            frames.get_mut().shutdown().await
        })
        .await?
    }

    fn handler(&self, name: &[u8]) -> Option<Handler> {
        let name = std::str::from_utf8(name).ok()?;
        let handlers = self
            .0
            .handlers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        handlers.get(name).cloned()
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

async fn ask(stream: PeerStream, name: &str, body: Bytes) -> Result<Bytes, CallError> {
    let mut frames = framed(stream);
    let name = Bytes::copy_from_slice(name.as_bytes());
    frames.feed(name).await.map_err(CallError::Broken)?;
    frames.send(body).await.map_err(CallError::Broken)?;
    let kind = answer_frame(&mut frames).await?;
    let body = answer_frame(&mut frames).await?;
    if *kind == [ANSWERED] {
        return Ok(body);
    }
    let problem = serde_json::from_slice(&body).map_err(CallError::Form)?;
    Err(CallError::Problem(problem))
}

type Frames = Framed<PeerStream, LengthDelimitedCodec>;

async fn answer_frame(frames: &mut Frames) -> Result<Bytes, CallError> {
    let frame = frames.next().await;
    let frame = frame.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
    frame
        .map(bytes::BytesMut::freeze)
        .map_err(CallError::Broken)
}

fn framed(stream: PeerStream) -> Frames {
    LengthDelimitedCodec::builder()
        .max_frame_length(BODY_BYTES_MAX)
        .new_framed(stream)
}
