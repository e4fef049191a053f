//! A visitor's request on its way to the process that follows this one: see [`crate::succession`].
//!
//! It waits for that process like for a gate: in the waiting room, its body unread, for a bounded
//! time. Over there it is a visitor's request like any other; what comes of it is passed on as it is.
//! What may have an effect is held back until that process asks for the rest, so that it can be sent
//! again when the process dies first.

use super::delivery::{Answer, Setback, failed, finish};
use super::errand::Errand;
use super::origin::Introduction;
use super::pages::Page;
use super::send::{SendError, Way, attempt};
use super::source::Source;
use super::stop::Stop;
use super::upstream::{Line, Upstream, connect};
use crate::shared::Shared;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Between two tries to reach the next process.
const TRY_AGAIN: Duration = Duration::from_millis(50);
/// How often a request is sent to a process whose connections break at it.
const TRIES: u32 = 3;

/// Brings a request to the next process.
pub(super) async fn deliver<S: Source>(
    shared: &Arc<Shared>,
    errand: &Errand,
    source: Option<S>,
) -> Answer<S> {
    match bring(shared, errand, source).await {
        Ok(answer) => answer,
        Err(page) => Answer::page(page, errand),
    }
}

async fn bring<S: Source>(
    shared: &Arc<Shared>,
    errand: &Errand,
    mut source: Option<S>,
) -> Result<Answer<S>, Page> {
    // Only visitors' requests have an origin, and only they come here.
    let origin = errand.origin.ok_or(Page::NotNow)?;
    let way = Way {
        upstream: Upstream::Successor,
        introduction: Some(Introduction::Visitor(origin, errand.hold())),
        is_announced: false,
    };
    for _ in 0..TRIES {
        let kept = shared.upstreams.take(way.upstream, shared.clock.now());
        let line = match kept {
            Some(line) => line,
            None => match reach(shared, errand, &mut source).await? {
                Some(line) => line,
                None => return Ok(Answer::Gone),
            },
        };
        match attempt(shared, way, line, errand, &mut source, &mut Stop::Never).await {
            Ok((head, exchange)) => {
                return match finish(shared, errand, head, exchange, Stop::Never, None) {
                    Ok(answer) => Ok(answer),
                    Err(Setback::Failed(page)) => Err(page),
                    Err(Setback::Again(_) | Setback::Cut) => Err(Page::NoAnswer),
                };
            }
            Err(SendError::Unsent(_)) => {}
            Err(SendError::Died(_)) if errand.is_repeatable() => {}
            Err(error) => {
                return match failed(&error) {
                    Ok(answer) => Ok(answer),
                    Err(Setback::Failed(page)) => Err(page),
                    Err(Setback::Again(_) | Setback::Cut) => Err(Page::NoAnswer),
                };
            }
        }
        shared.upstreams.forget(way.upstream);
    }
    Err(Page::NoAnswer)
}

/// Waits for the next process; none if the visitor left.
async fn reach<S: Source>(
    shared: &Arc<Shared>,
    errand: &Errand,
    source: &mut Option<S>,
) -> Result<Option<Line>, Page> {
    let unread = source.as_ref().map_or(0, |s| s.waiting_bytes(errand.body));
    let place = shared.room.enter_for_restart(errand.head_bytes() + unread);
    let _place = place.map_err(|_full| Page::Busy)?;
    let connecting = async {
        loop {
            match connect(shared, Upstream::Successor).await {
                Ok(line) => return line,
                Err(_) => tokio::time::sleep(TRY_AGAIN).await,
            }
        }
    };
    let in_time = async {
        tokio::select! {
            line = connecting => Some(line),
            () = tokio::time::sleep(shared.config.limits.wait) => None,
            () = shared.succession.hopeless() => None,
        }
    };
    let mut in_time = pin!(in_time);
    poll_fn(|cx| {
        if let Poll::Ready(line) = in_time.as_mut().poll(cx) {
            return Poll::Ready(line.map(Some).ok_or(Page::NotNow));
        }
        match source {
            Some(source) => source.poll_gone(cx).map(|()| Ok(None)),
            None => Poll::Ready(Ok(None)),
        }
    })
    .await
}
