//! Sending a request to an upstream: over a kept connection or a new one.

use super::errand::Errand;
use super::exchange::{AnswerHead, Exchange, Fault};
use super::origin::Introduction;
use super::source::{BodyError, Source};
use super::stop::Stop;
use super::upstream::{ConnectError, Line, Upstream, connect};
use crate::shared::Shared;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// It can't be reached; nothing was sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended before the upstream had what it takes to carry the request out; it can
    /// be sent again.
    #[error("send the request")]
    Unsent(#[source] Fault),
    /// The connection ended after that.
    #[error("read the answer")]
    Died(#[source] Fault),
    /// The visitor failed to send the rest of the request.
    #[error("read the rest of the request")]
    Visitor(#[source] BodyError),
    /// The visitor left.
    #[error("the visitor left")]
    Gone,
    /// The site was fenced, or went live elsewhere. Says whether the request may have been carried
    /// out.
    #[error("this is not the place any more")]
    Stopped { is_committed: bool },
    /// No answer in time.
    #[error("no answer in time")]
    TooSlow,
}

/// How a request is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// To whom.
    pub upstream: Upstream,
    /// What another front door is told.
    pub introduction: Option<Introduction>,
    /// Nothing is sent before the visitor's side began to send the body.
    pub is_announced: bool,
}

/// Sends a request and waits for the head of its answer. Takes the body's source, and gives it back
/// where nothing came of it. Dropping the future closes the connection.
pub(super) async fn send<S: Source>(
    shared: &Shared,
    way: Way,
    errand: &Errand,
    source: &mut Option<S>,
    stop: &mut Stop,
) -> Result<(AnswerHead, Box<Exchange<S>>), SendError> {
    // Over a kept connection may go what can be repeated, and what the other side must ask for.
    let may_be_kept = errand.is_repeatable() || way.introduction.is_some();
    if may_be_kept && let Some(line) = shared.upstreams.take(way.upstream, shared.clock.now()) {
        match attempt(shared, way, line, errand, source, stop).await {
            Err(SendError::Died(_)) if errand.is_repeatable() => {}
            Err(SendError::Unsent(_)) => {}
            result => return result,
        }
        shared.upstreams.forget(way.upstream);
    }
    let line = reach(shared, way, source, stop).await?;
    attempt(shared, way, line, errand, source, stop).await
}

/// Opens a connection, unless there is no use for it any more.
async fn reach<S: Source>(
    shared: &Shared,
    way: Way,
    source: &mut Option<S>,
    stop: &mut Stop,
) -> Result<Line, SendError> {
    let mut connecting = pin!(connect(shared, way.upstream));
    poll_fn(|cx| {
        if let Poll::Ready(line) = connecting.as_mut().poll(cx) {
            return Poll::Ready(Ok(line?));
        }
        if stop.poll(cx).is_ready() {
            return Poll::Ready(Err(SendError::Stopped {
                is_committed: false,
            }));
        }
        if let Some(source) = source
            && source.poll_gone(cx).is_ready()
        {
            return Poll::Ready(Err(SendError::Gone));
        }
        Poll::Pending
    })
    .await
}

/// Sends a request over this connection and waits for the head of its answer; see [`send`].
pub(super) async fn attempt<S: Source>(
    shared: &Shared,
    way: Way,
    line: Line,
    errand: &Errand,
    source: &mut Option<S>,
    stop: &mut Stop,
) -> Result<(AnswerHead, Box<Exchange<S>>), SendError> {
    let Some(taken) = source.take() else {
        return Err(SendError::Gone);
    };
    let patience = shared.config.limits.response;
    let mut exchange = Exchange::begin(
        line,
        errand,
        way.introduction,
        way.is_announced,
        patience,
        taken,
    );
    let head = poll_fn(|cx| exchange.poll_head(cx, stop)).await;
    let fault = match head {
        Ok(head) => return Ok((head, exchange)),
        Err(fault) => fault,
    };
    let (given_back, is_committed) = exchange.give_up();
    *source = Some(given_back);
    Err(match fault {
        Fault::Died(_) if is_committed => SendError::Died(fault),
        Fault::Died(_) => SendError::Unsent(fault),
        Fault::Visitor(error) => SendError::Visitor(error),
        Fault::Gone => SendError::Gone,
        Fault::Stopped => SendError::Stopped { is_committed },
        Fault::TooSlow => SendError::TooSlow,
    })
}
