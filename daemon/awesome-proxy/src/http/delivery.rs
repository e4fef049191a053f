//! A request for a site on its way to the live node, wherever that is and however often it changes.
//!
//! What may be sent again (S15): a request that was never written, always; one that a node refused
//! untouched ("not here"), always; one without effect and body, whose connection died before the
//! answer could be read, once its dataset has another live node. Everything else that was written
//! is answered with 502 and a sentence that says that it may have been carried out.

use super::body::{AnswerBody, Kept, Release, UpstreamBody};
use super::errand::Errand;
use super::headers::{self, NOT_HERE, clean_answer};
use super::pages::Page;
use super::upgrade;
use super::upstream::{SendError, Upstream, send};
use crate::gates::{Door, Pass};
use crate::patience::{GiveUp, Patience};
use crate::shared::{Shared, Way};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::HeaderMap;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hwc_api::ids::NodeId;
use hwc_api::ownership::Epoch;
use hyper::body::{Body, Frame, Incoming};
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Of a remote answer so much is read before the visitor gets its head, so that a node's death in
/// the middle of an ordinary page can still be mended …
const READ_AHEAD_BYTES: usize = 256 * 1024;
/// … and so long: an answer that is sent piece by piece is not held up.
const READ_AHEAD_TIME: Duration = Duration::from_millis(50);

/// How one try ended.
pub(super) enum Outcome {
    /// With an answer.
    Answer(Response<AnswerBody>),
    /// Nothing came of it, and the request can be sent again.
    Again(Again),
    /// It can't be answered by a live node any more.
    Failed(Page),
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// At the next change, or after a pause.
    Soon,
    /// Only with another live node or epoch: this one died at it.
    Elsewhere,
}

/// Delivers a request for the dataset behind `door`.
pub(super) async fn deliver(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    errand: Errand,
) -> Response<AnswerBody> {
    let outcome = journey(shared, door, &errand).await;
    match outcome {
        Ok(answer) => {
            door.counters.count_served();
            answer
        }
        Err(page) => {
            door.counters.count_failed();
            page.answer(errand.headers())
        }
    }
}

async fn journey(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    errand: &Errand,
) -> Result<Response<AnswerBody>, Page> {
    let mut patience = Patience::new(shared, door, errand.head_bytes());
    let mut avoided: Option<(NodeId, Epoch)> = None;
    loop {
        patience.look();
        let (outcome, place) = match shared.way(door) {
            Way::Here(pass) => {
                patience.leave();
                door.counters.count_request();
                (try_here(shared, errand, pass).await, None)
            }
            Way::Peer { node, epoch } if avoided != Some((node, epoch)) => {
                patience.leave();
                let outcome = try_peer(shared, door, errand, node, epoch).await;
                (outcome, Some((node, epoch)))
            }
            Way::Peer { .. } | Way::Wait => (Outcome::Again(Again::Soon), None),
        };
        match outcome {
            Outcome::Answer(answer) => return Ok(answer),
            Outcome::Failed(page) => return Err(page),
            Outcome::Again(Again::Soon) => {}
            Outcome::Again(Again::Elsewhere) => {
                avoided = place.or(avoided);
                patience.renew();
            }
        }
        patience.wait().await.map_err(|reason| match reason {
            GiveUp::NoRoom(_) => Page::Busy,
            GiveUp::TimeOver | GiveUp::Stopping => Page::NotNow,
        })?;
    }
}

/// Sends a request to this node's Apache.
pub(super) async fn try_here(shared: &Arc<Shared>, errand: &Errand, pass: Pass) -> Outcome {
    let sent = send(shared, Upstream::Apache, errand.is_repeatable(), || {
        errand.request()
    });
    let answer = match until(shared, pass.cut(), sent).await {
        Ended::Stopped => return given_up(errand, Again::Soon),
        Ended::TooSlow => return Outcome::Failed(Page::TooSlow),
        Ended::Result(Err(error)) => return Outcome::Failed(page_of(&error, lost(errand, &error))),
        Ended::Result(Ok(answer)) => answer,
    };
    // A node that was frozen may have been replaced meanwhile: its answer waits for the word that
    // it was not, or for the fence.
    if !vouched(shared, &pass).await {
        return given_up(errand, Again::Soon);
    }
    let stop: BoxFuture<'static, ()> = Box::pin(pass.cut());
    finish(shared, errand, answer, stop, Some(pass), None)
}

/// Sends a request to the front door of the live node.
async fn try_peer(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    errand: &Errand,
    node: NodeId,
    epoch: Epoch,
) -> Outcome {
    let mut asked = HeaderMap::new();
    headers::ask_peer(&mut asked, door.dataset(), epoch);
    let release = std::sync::Mutex::new(None);
    let sent = send(shared, Upstream::Peer(node), errand.is_repeatable(), || {
        let (request, held) = errand.request_to_peer(asked.clone());
        if let Ok(mut release) = release.lock() {
            *release = held;
        }
        request
    });
    let moved_on = || Arc::clone(shared).moved_on(Arc::clone(door), node, epoch);
    let answer = match until(shared, moved_on(), sent).await {
        Ended::Stopped => return given_up(errand, Again::Elsewhere),
        Ended::TooSlow => return Outcome::Failed(Page::TooSlow),
        Ended::Result(Ok(answer)) => answer,
        Ended::Result(Err(error)) => {
            tracing::debug!(%node, %epoch, %error, "live node gave no answer");
            return match error {
                SendError::Connect { .. } | SendError::Dial(_) | SendError::NotSent(_) => {
                    Outcome::Again(Again::Soon)
                }
                SendError::Died(_) => given_up(errand, Again::Elsewhere),
                SendError::Visitor(_) => Outcome::Failed(page_of(&error, Page::Lost)),
            };
        }
    };
    let release: Option<Release> = release.into_inner().unwrap_or_default();
    if answer.headers().contains_key(NOT_HERE) {
        if let Some(release) = release {
            release.refuse();
        }
        return if errand.is_untouched() {
            Outcome::Again(Again::Soon)
        } else {
            Outcome::Failed(Page::Lost)
        };
    }
    if !errand.is_plain_get() {
        return finish(shared, errand, answer, Box::pin(moved_on()), None, release);
    }
    match read_ahead(answer, moved_on()).await {
        Some((answer, ahead)) => finish_ahead(answer, ahead, Box::pin(moved_on())),
        None => Outcome::Again(Again::Elsewhere),
    }
}

/// What became of waiting for an answer.
enum Ended<T> {
    Result(T),
    Stopped,
    TooSlow,
}

async fn until<T>(
    shared: &Shared,
    stop: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> Ended<T> {
    tokio::select! {
        biased;
        () = stop => Ended::Stopped,
        result = work => Ended::Result(result),
        () = tokio::time::sleep(shared.config.limits.response) => Ended::TooSlow,
    }
}

/// For a request that was sent, and whose answer is lost.
fn given_up(errand: &Errand, again: Again) -> Outcome {
    if errand.is_repeatable() {
        Outcome::Again(again)
    } else {
        Outcome::Failed(Page::Lost)
    }
}

/// The page for a request whose web server gave no answer.
fn lost(errand: &Errand, error: &SendError) -> Page {
    match error {
        SendError::Died(_) if !errand.is_repeatable() => Page::Lost,
        SendError::Died(_)
        | SendError::Connect { .. }
        | SendError::Dial(_)
        | SendError::NotSent(_)
        | SendError::Visitor(_) => Page::NoAnswer,
    }
}

/// The page for an error, `otherwise` unless it is the visitor's own.
pub(super) fn page_of(error: &SendError, otherwise: Page) -> Page {
    use super::body::BodyError;
    let SendError::Visitor(error) = error else {
        tracing::debug!(%error, "upstream gave no answer");
        return otherwise;
    };
    let body = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    match body {
        Some(BodyError::Stalled) => Page::Stalled,
        Some(BodyError::TooLarge) => Page::BodyTooLarge,
        Some(BodyError::Receive(_)) | None => Page::BadRequest,
        Some(BodyError::Unwanted | BodyError::Answer(_) | BodyError::Cut) => otherwise,
    }
}

/// Waits until the conductor vouches for the gates; false when the dataset was fenced or that took
/// too long.
async fn vouched(shared: &Shared, pass: &Pass) -> bool {
    const LOOK_AGAIN: Duration = Duration::from_millis(50);
    let wait = async {
        while !shared.doors.is_vouched() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let is_in_time = tokio::select! {
        biased;
        () = pass.cut() => false,
        waited = tokio::time::timeout(shared.config.limits.wait, wait) => waited.is_ok(),
    };
    is_in_time && !pass.is_cut()
}

/// Passes an answer on to the visitor. `stop` breaks it off; what is kept is kept to its end.
pub(super) fn finish(
    shared: &Arc<Shared>,
    errand: &Errand,
    answer: Response<Incoming>,
    stop: BoxFuture<'static, ()>,
    pass: Option<Pass>,
    release: Option<Release>,
) -> Outcome {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return match errand.upgrade() {
            Some(visitor) => Outcome::Answer(upgrade::join(shared, visitor, answer, pass, stop)),
            None => Outcome::Failed(Page::NoAnswer),
        };
    }
    let (mut parts, body) = answer.into_parts();
    clean_answer(&mut parts.headers);
    let body = UpstreamBody {
        ahead: VecDeque::new(),
        rest: Some(body),
        stop,
        _kept: Kept {
            _pass: pass,
            release,
        },
    };
    Outcome::Answer(Response::from_parts(
        parts,
        AnswerBody::Upstream(Box::new(body)),
    ))
}

/// The beginning of an answer's body, and the rest unless it ended.
type Ahead = (VecDeque<Frame<Bytes>>, Option<Incoming>);

fn finish_ahead(
    answer: Response<()>,
    (ahead, rest): Ahead,
    stop: BoxFuture<'static, ()>,
) -> Outcome {
    let (mut parts, ()) = answer.into_parts();
    clean_answer(&mut parts.headers);
    let body = UpstreamBody {
        ahead,
        rest,
        stop,
        _kept: Kept {
            _pass: None,
            release: None,
        },
    };
    Outcome::Answer(Response::from_parts(
        parts,
        AnswerBody::Upstream(Box::new(body)),
    ))
}

/// Reads the beginning of an answer; none if the live node died over it.
async fn read_ahead(
    answer: Response<Incoming>,
    stop: impl Future<Output = ()>,
) -> Option<(Response<()>, Ahead)> {
    let (parts, mut body) = answer.into_parts();
    let mut ahead = VecDeque::new();
    let read = async {
        let mut bytes = 0;
        while bytes < READ_AHEAD_BYTES && !body.is_end_stream() {
            // Cancel-safe: a frame is either taken or not.
            match body.frame().await {
                Some(Ok(frame)) => {
                    bytes += frame.data_ref().map_or(0, Bytes::len);
                    ahead.push_back(frame);
                }
                Some(Err(_died)) => return None,
                None => return Some(true),
            }
        }
        Some(body.is_end_stream())
    };
    let has_ended = tokio::select! {
        biased;
        () = stop => return None,
        read = read => read?,
        () = tokio::time::sleep(READ_AHEAD_TIME) => false,
    };
    let rest = (!has_ended).then_some(body);
    Some((Response::from_parts(parts, ()), (ahead, rest)))
}
