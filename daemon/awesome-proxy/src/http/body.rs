//! Bodies on their way through: a request's towards the live node, an answer's towards the visitor.
//!
//! A request's body stays with us, unread, until the upstream wants it; as long as it is unread the
//! request can still go elsewhere. An answer's body keeps its pass until its end, and breaks off
//! when the dataset is fenced.

use crate::gates::Pass;
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The visitor's connection failed, or what they sent was malformed.
    #[error("receive the request's body")]
    Receive(#[source] hyper::Error),
    /// The visitor paused too long.
    #[error("the request's body stopped coming")]
    Stalled,
    /// The visitor sent more than allowed.
    #[error("the request's body is too large")]
    TooLarge,
    /// The upstream answered without wanting the body.
    #[error("nobody wants the request's body")]
    Unwanted,
    /// The upstream's connection failed in the middle of an answer.
    #[error("receive the answer's body")]
    Answer(#[source] hyper::Error),
    /// The dataset was fenced, or went live elsewhere.
    #[error("this node does not serve the dataset any more")]
    Cut,
}

/// The unread body of a request: whoever sends the request on takes it out.
#[derive(Debug, Clone)]
pub(super) struct BodySlot(Arc<Mutex<Option<Incoming>>>);

impl BodySlot {
    pub fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    /// Whether nobody has begun to read it.
    pub fn is_unread(&self) -> bool {
        self.lock().is_some()
    }

    fn take(&self) -> Option<Incoming> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Incoming>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a held body go, once; when dropped without, the body fails and so ends its connection.
#[derive(Debug, Clone)]
pub(super) struct Release(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl Release {
    /// A release and the receiver that a body waits for.
    pub fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(sender)))), receiver)
    }

    /// The upstream asked for the body.
    pub fn go(&self) {
        if let Some(sender) = self.take() {
            // A request that was given up meanwhile needs no body.
            let _given_up = sender.send(());
        }
    }

    /// The upstream will not ask for it.
    pub fn refuse(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<oneshot::Sender<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Bounds of a request's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Most bytes.
    pub bytes: u64,
    /// Longest pause.
    pub stall: Duration,
}

/// A request's body on its way to an upstream.
pub(super) struct RequestBody {
    slot: Option<BodySlot>,
    hold: Option<oneshot::Receiver<()>>,
    taken: Option<Incoming>,
    size: SizeHint,
    limits: BodyLimits,
    read_bytes: u64,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// No body.
    pub fn none(limits: BodyLimits) -> Self {
        Self {
            slot: None,
            hold: None,
            taken: None,
            size: SizeHint::with_exact(0),
            limits,
            read_bytes: 0,
            stalled: None,
        }
    }

    /// The body in `slot`; with `hold` not before it was released.
    pub fn held(
        slot: BodySlot,
        hold: Option<oneshot::Receiver<()>>,
        size: SizeHint,
        limits: BodyLimits,
    ) -> Self {
        Self {
            slot: Some(slot),
            hold,
            size,
            ..Self::none(limits)
        }
    }

    fn judge_pause(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let patience = self.limits.stall;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Stalled)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(hold) = &mut self.hold {
            if ready!(Pin::new(hold).poll(cx)).is_err() {
                return Poll::Ready(Some(Err(BodyError::Unwanted)));
            }
            self.hold = None;
        }
        if self.taken.is_none() {
            let Some(slot) = self.slot.take() else {
                return Poll::Ready(None);
            };
            self.taken = slot.take();
        }
        let Some(body) = &mut self.taken else {
            // Somebody read it before: this request must not be sent again.
            return Poll::Ready(Some(Err(BodyError::Unwanted)));
        };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
            return self.judge_pause(cx);
        };
        self.stalled = None;
        // Trailers end here: what comes after the body must not add to what was said before it.
        let data = match frame {
            Some(Ok(frame)) => frame.into_data().ok(),
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Receive(error)))),
            None => None,
        };
        let Some(data) = data else {
            return Poll::Ready(None);
        };
        self.read_bytes = self.read_bytes.saturating_add(data.len() as u64);
        if self.read_bytes > self.limits.bytes {
            return Poll::Ready(Some(Err(BodyError::TooLarge)));
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match (&self.taken, &self.slot) {
            (Some(body), _) => body.is_end_stream(),
            (None, slot) => slot.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.taken
            .as_ref()
            .map_or_else(|| self.size, Body::size_hint)
    }
}

/// An answer's body on its way to the visitor.
pub(super) enum AnswerBody {
    /// A page of our own.
    Page(Full<Bytes>),
    /// From an upstream.
    Upstream(Box<UpstreamBody>),
}

impl AnswerBody {
    pub fn page(content: impl Into<Bytes>) -> Self {
        Self::Page(Full::new(content.into()))
    }
}

/// An answer's body as it comes from an upstream.
pub(super) struct UpstreamBody {
    /// What was read ahead, in order.
    pub ahead: std::collections::VecDeque<Frame<Bytes>>,
    /// The rest; none if all of it was read ahead.
    pub rest: Option<Incoming>,
    /// Ends when the answer must break off.
    pub stop: BoxFuture<'static, ()>,
    /// What is held until the body's end.
    pub _kept: Kept,
}

/// Held until an answer's last byte.
pub(super) struct Kept {
    /// Leave to use this node's services.
    pub _pass: Option<Pass>,
    /// The request's body, if it was held back.
    pub release: Option<Release>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            release.refuse();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Page(page) => Pin::new(page)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Upstream(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Page(page) => page.is_end_stream(),
            Self::Upstream(body) => {
                body.ahead.is_empty() && body.rest.as_ref().is_none_or(Body::is_end_stream)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Page(page) => page.size_hint(),
            Self::Upstream(body) => body.size(),
        }
    }
}

impl UpstreamBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(BodyError::Cut)));
        }
        Pin::new(rest).poll_frame(cx).map_err(BodyError::Answer)
    }

    fn size(&self) -> SizeHint {
        let ahead: u64 = self
            .ahead
            .iter()
            .filter_map(Frame::data_ref)
            .map(|data| data.len() as u64)
            .sum();
        let rest = self
            .rest
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let mut size = SizeHint::new();
        size.set_lower(ahead.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            size.set_upper(ahead.saturating_add(upper));
        }
        size
    }
}
