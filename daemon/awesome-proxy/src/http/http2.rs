//! One visitor's connection that speaks HTTP/2. The protocol is hyper's; what is done with a request
//! is the same as for HTTP/1.1.

use super::delivery::Answer;
use super::errand::BodySize;
use super::exchange::{AnswerBody, AnswerHead, Fault};
use super::framing::Piece;
use super::front::{self, Arrival, Entrance};
use super::headers::{Field, Notes, Visitor, read_lines, write_trailer};
use super::pages::{Page, Reply, Tastes};
use super::relay::Relay;
use super::source::{BodyLimits, STREAM_WINDOW, StreamBody};
use crate::shared::Shared;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hwc_runtime::lifecycle::Tasks;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Requests at one time on one connection; browsers use up to 100.
const STREAMS_MAX: u32 = 100;
/// Streams that a visitor may reset before we look at them (rapid reset).
const PENDING_RESETS_MAX: usize = 20;
/// Streams that we may have to reset (MadeYouReset).
const LOCAL_RESETS_MAX: usize = 128;
/// What a visitor may send ahead on a connection: as much as all its streams may, so that bodies
/// that wait for a closed gate leave room for those of other sites. What waits is bounded by the
/// waiting room (`Limits::waiting_bytes`).
const CONNECTION_WINDOW: u32 = STREAMS_MAX * STREAM_WINDOW;
/// What we hold for one stream of a visitor who reads slowly.
const SEND_BUFFER: usize = 64 * 1024;
/// A connection without requests is looked at, and closed, after this.
const IDLE: Duration = Duration::from_secs(60);
/// Is the visitor still there?
const PING_EVERY: Duration = Duration::from_secs(20);

/// Serves a connection to its end.
pub(super) async fn serve<T>(shared: Arc<Shared>, stream: T, entrance: Entrance, visitor: Visitor)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.config.limits;
    let mut builder = http2::Builder::new(Spawner(shared.visitors.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(LOCAL_RESETS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(limits.stall);
    let busy = Arc::new(AtomicUsize::new(0));
    let (for_requests, counter) = (Arc::clone(&shared), Arc::clone(&busy));
    let service = service_fn(move |request: Request<Incoming>| {
        let working = Working::begin(&counter);
        let answer = answer(
            Arc::clone(&for_requests),
            entrance,
            visitor.clone(),
            request,
        );
        async move {
            let answer = answer.await;
            drop(working);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let stopping = shared.visitors.token();
    let mut was_busy = true;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = stopping.cancelled() => {}
            // GOAWAY: the visitor's next connection is the next process's.
            () = shared.succession.heir() => {}
            () = tokio::time::sleep(IDLE) => {
                let is_busy = busy.load(Ordering::SeqCst) > 0;
                if is_busy || was_busy {
                    was_busy = is_busy;
                    continue;
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        break connection.await;
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}

/// Answers one request.
async fn answer(
    shared: Arc<Shared>,
    entrance: Entrance,
    visitor: Visitor,
    request: Request<Incoming>,
) -> Response<AnswerContent> {
    let (head, body) = request.into_parts();
    let fields: Vec<Field<'_>> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
        .collect();
    let notes = Notes::of(&fields);
    let arrival = Arrival {
        method: head.method.as_str(),
        authority: head.uri.authority().map(|authority| authority.as_str()),
        target: head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str()),
        fields: &fields,
        notes: &notes,
        body: body_size(&body),
    };
    let order = front::receive(&shared, entrance, &visitor, &arrival, false);
    let limits = BodyLimits {
        bytes: shared.config.limits.body_bytes,
        stall: shared.config.limits.stall,
    };
    let source = StreamBody::new(body, limits);
    match front::carry_out(&shared, order, source, false).await {
        (Answer::Relay(head, relay), _) => relayed(head, relay),
        (Answer::Page(reply), _) => replied(reply),
        // Neither a WebSocket nor a visitor who left comes here; hyper would drop both.
        (Answer::Switched(..) | Answer::Gone, _) => {
            replied(Page::BadRequest.reply(Tastes::default()))
        }
    }
}

fn body_size(body: &Incoming) -> BodySize {
    if body.is_end_stream() {
        return BodySize::None;
    }
    body.size_hint()
        .exact()
        .map_or(BodySize::Unknown, |length| match length {
            0 => BodySize::None,
            length => BodySize::Sized(length),
        })
}

fn replied(reply: Reply) -> Response<AnswerContent> {
    let mut answer = Response::new(AnswerContent::Whole(Some(reply.body)));
    if let Ok(status) = reply.status.try_into() {
        *answer.status_mut() = status;
    }
    *answer.headers_mut() = fields(&reply.fields);
    answer
}

fn relayed(head: AnswerHead, relay: Relay<StreamBody>) -> Response<AnswerContent> {
    let length = match head.body {
        AnswerBody::Sized => head.length,
        AnswerBody::None | AnswerBody::Unknown => None,
    };
    let relay = Box::new(relay);
    let mut answer = Response::new(AnswerContent::Relay { relay, length });
    if let Ok(status) = head.status.try_into() {
        *answer.status_mut() = status;
    }
    *answer.headers_mut() = fields(&head.fields);
    if let Some(length) = head.length {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    answer
}

/// Lines as hyper takes them.
fn fields(lines: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in read_lines(lines) {
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            fields.append(name, value);
        }
    }
    fields
}

/// An answer's content as hyper takes it.
enum AnswerContent {
    Whole(Option<Bytes>),
    Relay {
        relay: Box<Relay<StreamBody>>,
        /// Its length, where the head tells it.
        length: Option<u64>,
    },
}

impl Body for AnswerContent {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match self.get_mut() {
            Self::Whole(content) => {
                let content = content.take().filter(|content| !content.is_empty());
                Poll::Ready(content.map(|content| Ok(Frame::data(content))))
            }
            Self::Relay { relay, .. } => {
                let piece = std::task::ready!(relay.poll_piece(cx))?;
                Poll::Ready(match piece {
                    Piece::Data(data) => Some(Ok(Frame::data(data))),
                    Piece::Trailer(lines) => {
                        let mut kept = Vec::new();
                        write_trailer(&mut kept, &lines);
                        Some(Ok(Frame::trailers(fields(&kept))))
                    }
                    Piece::End => None,
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(content) => content.as_ref().is_none_or(Bytes::is_empty),
            Self::Relay { relay, .. } => relay.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(content) => {
                SizeHint::with_exact(content.as_ref().map_or(0, |content| content.len() as u64))
            }
            Self::Relay { length, .. } => {
                length.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}

/// Counts a request as being worked on.
struct Working(Arc<AtomicUsize>);

impl Working {
    fn begin(busy: &Arc<AtomicUsize>) -> Self {
        busy.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(busy))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets hyper start its tasks among ours.
#[derive(Clone)]
struct Spawner(Tasks);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn("http/2 stream", task);
    }
}
