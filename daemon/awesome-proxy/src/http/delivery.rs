//! A request for a site on its way to the live node, wherever that is and however often it changes.
//!
//! What may be sent again (S15): a request that no upstream can have carried out, always. That is
//! one that was never written; one that a node refused ("not here"); and one that is held between
//! nodes ([`super::headers::Hold`]) and that the other node never had whole. Also one without
//! effect and body, whose connection died before the answer could be read. Everything else is
//! answered with 502 and a sentence that says that it may have been carried out.

use super::errand::Errand;
use super::exchange::{AnswerHead, Exchange, Fault};
use super::headers::{Asked, Hold};
use super::origin::Introduction;
use super::pages::{Page, Reply};
use super::relay::Relay;
use super::send::{SendError, Way, send};
use super::source::{BodyError, Source};
use super::stop::Stop;
use super::successor;
use super::unread;
use super::upgrade::Tunnel;
use super::upstream::Upstream;
use crate::gates::{Door, Pass};
use crate::patience::{GiveUp, Patience};
use crate::shared::{self, Shared};
use hwc_api::ids::NodeId;
use hwc_api::ownership::Epoch;
use hwc_runtime::clock::Moment;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Of a remote answer so much is read before the visitor gets its head, so that a node's death in
/// the middle of an ordinary page can still be mended …
const READ_AHEAD_BYTES: usize = 256 * 1024;
/// … and so long: an answer that is sent piece by piece is not held up.
const READ_AHEAD_TIME: Duration = Duration::from_millis(50);
/// How long a node may be silent about a request once another one is live. What it said before that
/// is on its way, a lost packet's second try included; one that is dead says nothing more.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The same for requests that may be repeated: the other node can answer sooner.
const LAST_WORDS_REPEATABLE: Duration = Duration::from_millis(100);
/// How long this node's web server may be away: a restart goes unnoticed.
const RESTART: Duration = Duration::from_secs(3);
/// How often a request that may be repeated is sent to a node whose connections break at it.
const TRIES_AT_ONE_NODE: u32 = 3;

/// What a request came to.
pub(super) enum Answer<S> {
    /// A page of our own.
    Page(Reply),
    /// What an upstream says.
    Relay(AnswerHead, Relay<S>),
    /// The upstream agreed to a WebSocket.
    Switched(AnswerHead, Tunnel),
    /// Nobody waits for an answer.
    Gone,
}

impl<S> Answer<S> {
    /// The page in the form that the visitor wants.
    pub fn page(page: Page, errand: &Errand) -> Self {
        Self::Page(page.reply(errand.tastes()))
    }
}

/// Why one try gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setback {
    /// Nothing came of it, and the request can be sent again.
    Again(Again),
    /// It can't be answered by a live node any more.
    Failed(Page),
    /// It was cut off because this is not the place any more, and may have been carried out.
    Cut,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// At the next change, or after a pause.
    Soon,
    /// The same, a few times: the node's connections broke at it.
    Broken,
    /// Only with another live node or epoch: this one is silent.
    Elsewhere,
    /// After a pause, for a while: this node's web server is not there.
    NoServer,
}

/// Why a journey ended without an answer.
enum End {
    /// The visitor is told so.
    Failed(Page),
    /// The next process has the answer.
    GivingWay,
}

/// Delivers a request for the dataset behind `door`. `is_announced`: it comes from the process
/// before this one, which stands by it when it begins to send its body.
pub(super) async fn deliver<S: Source>(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    errand: &Errand,
    source: S,
    is_announced: bool,
) -> Answer<S> {
    let mut source = Some(source);
    let outcome = journey(shared, door, errand, &mut source, is_announced).await;
    match outcome {
        Ok(answer) => {
            door.counters.count_served();
            answer
        }
        Err(End::GivingWay) => successor::deliver(shared, errand, source).await,
        Err(End::Failed(page)) => {
            door.counters.count_failed();
            Answer::page(page, errand)
        }
    }
}

async fn journey<S: Source>(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    errand: &Errand,
    source: &mut Option<S>,
    is_announced: bool,
) -> Result<Answer<S>, End> {
    let unread = source.as_ref().map_or(0, |s| s.waiting_bytes(errand.body));
    let mut patience = Patience::new(shared, door, errand.head_bytes() + unread);
    let mut attempts = Attempts::default();
    loop {
        patience.look();
        if shared.succession.is_begun() {
            return Err(End::GivingWay);
        }
        let (outcome, place) = match shared.way(door) {
            shared::Way::Here(pass) => {
                patience.leave();
                let outcome = try_here(shared, door, errand, source, pass, is_announced).await;
                (outcome, None)
            }
            shared::Way::Peer { node, epoch } if attempts.avoided != Some((node, epoch)) => {
                patience.leave();
                let outcome = try_peer(shared, door, errand, source, (node, epoch)).await;
                (outcome, Some((node, epoch)))
            }
            shared::Way::Peer { .. } | shared::Way::Wait => {
                (Err(Setback::Again(Again::Soon)), None)
            }
        };
        let again = match outcome {
            Ok(answer) => return Ok(answer),
            Err(Setback::Failed(page)) => return Err(End::Failed(page)),
            Err(Setback::Cut) => {
                door.note_failed();
                return Err(End::Failed(Page::Lost));
            }
            Err(Setback::Again(again)) => again,
        };
        match attempts.judge(again, place, shared.clock.now()) {
            Judgement::GoOn => {}
            Judgement::NewSearch => patience.renew(),
            Judgement::GiveUp => return Err(End::Failed(Page::NoAnswer)),
        }
        match wait(&mut patience, source).await {
            Some(Ok(())) => {}
            Some(Err(GiveUp::NoRoom(_))) => return Err(End::Failed(Page::Busy)),
            Some(Err(GiveUp::TimeOver | GiveUp::Stopping)) => {
                return Err(End::Failed(Page::NotNow));
            }
            Some(Err(GiveUp::GivingWay)) => return Err(End::GivingWay),
            None => return Ok(Answer::Gone),
        }
    }
}

/// Waits until there may be another way; none if the visitor left.
async fn wait<S: Source>(
    patience: &mut Patience,
    source: &mut Option<S>,
) -> Option<Result<(), GiveUp>> {
    let mut waiting = pin!(patience.wait());
    poll_fn(|cx| {
        if let Poll::Ready(waited) = waiting.as_mut().poll(cx) {
            return Poll::Ready(Some(waited));
        }
        match source {
            Some(source) => source.poll_gone(cx).map(|()| None),
            None => Poll::Ready(None),
        }
    })
    .await
}

/// What was tried for a request so far; pure.
#[derive(Debug, Default)]
struct Attempts {
    /// A live node that is not asked again.
    avoided: Option<(NodeId, Epoch)>,
    /// The node whose connections broke, and how often.
    broken: Option<((NodeId, Epoch), u32)>,
    /// Since when this node's web server is not there.
    no_server_since: Option<Moment>,
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    GoOn,
    /// The request had reached a live node, which then died: its time begins anew.
    NewSearch,
    GiveUp,
}

impl Attempts {
    fn judge(&mut self, again: Again, place: Option<(NodeId, Epoch)>, now: Moment) -> Judgement {
        match again {
            Again::Soon => Judgement::GoOn,
            Again::Elsewhere => {
                self.avoided = place;
                Judgement::NewSearch
            }
            Again::Broken => {
                let before = self.broken.filter(|(at, _)| Some(*at) == place);
                let count = before.map_or(1, |(_, count)| count + 1);
                self.broken = place.map(|place| (place, count));
                if count < TRIES_AT_ONE_NODE {
                    return Judgement::GoOn;
                }
                self.avoided = place;
                Judgement::NewSearch
            }
            Again::NoServer => {
                let since = *self.no_server_since.get_or_insert(now);
                if now.since(since) < RESTART {
                    Judgement::GoOn
                } else {
                    Judgement::GiveUp
                }
            }
        }
    }
}

/// Sends a request to this node's Apache. `is_announced`: it comes from another front door, which
/// stands by it when it begins to send its body.
pub(super) async fn try_here<S: Source>(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    errand: &Errand,
    source: &mut Option<S>,
    pass: Pass,
    is_announced: bool,
) -> Result<Answer<S>, Setback> {
    unread::hold(shared, door, errand, &pass).await?;
    door.counters.count_request();
    let mut stop = Stop::Cut(Box::pin(pass.cut()));
    let way = Way {
        upstream: Upstream::Apache,
        introduction: None,
        is_announced,
    };
    let (head, exchange) = match send(shared, way, errand, source, &mut stop).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, "web server gave no answer");
            return match error {
                SendError::Connect(_) | SendError::Unsent(_) => {
                    Err(Setback::Again(Again::NoServer))
                }
                SendError::Stopped { is_committed } => {
                    Err(stopped(errand, is_committed, Again::Soon))
                }
                SendError::Died(_) if errand.is_repeatable() => {
                    Err(Setback::Failed(Page::NoAnswer))
                }
                SendError::Died(_)
                | SendError::Visitor(_)
                | SendError::Gone
                | SendError::TooSlow => failed(&error),
            };
        }
    };
    // A node that was frozen may have been replaced meanwhile: its answer waits for the word that
    // it was not, or for the fence.
    if !vouched(shared, &pass).await {
        let (given_back, is_committed) = exchange.give_up();
        *source = Some(given_back);
        return Err(stopped(errand, is_committed, Again::Soon));
    }
    finish(shared, errand, head, exchange, stop, Some((pass, door)))
}

/// Sends a request to the front door of the live node.
async fn try_peer<S: Source>(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    errand: &Errand,
    source: &mut Option<S>,
    (node, epoch): (NodeId, Epoch),
) -> Result<Answer<S>, Setback> {
    let asked = Asked {
        hops: 1,
        dataset: door.dataset(),
        epoch,
        holds: errand.hold(),
    };
    let way = Way {
        upstream: Upstream::Peer(node),
        introduction: Some(Introduction::Asked(asked)),
        is_announced: false,
    };
    let moved_on = Arc::clone(shared).moved_on(Arc::clone(door), node, epoch);
    let last_words = match asked.holds {
        Hold::Nothing => LAST_WORDS_REPEATABLE,
        Hold::Body | Hold::End => LAST_WORDS,
    };
    let mut stop = Stop::moved(Box::pin(moved_on), last_words);
    let (head, exchange) = match send(shared, way, errand, source, &mut stop).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%node, %epoch, %error, "live node gave no answer");
            return match error {
                SendError::Connect(_) | SendError::Unsent(_) => Err(Setback::Again(Again::Soon)),
                SendError::Died(_) if errand.is_repeatable() => Err(Setback::Again(Again::Broken)),
                SendError::Stopped { is_committed } => {
                    Err(stopped(errand, is_committed, Again::Elsewhere))
                }
                SendError::Died(_)
                | SendError::Visitor(_)
                | SendError::Gone
                | SendError::TooSlow => failed(&error),
            };
        }
    };
    if head.is_not_here {
        let (given_back, is_committed, line) = exchange.decline();
        *source = Some(given_back);
        if let Some(line) = line {
            shared.upstreams.keep(line, shared.clock.now());
        }
        return Err(stopped(errand, is_committed, Again::Soon));
    }
    if !errand.is_plain_get() || head.status == 101 {
        return finish(shared, errand, head, exchange, stop, None);
    }
    let mut relay = Relay::new(shared, exchange, stop, None);
    let ahead = poll_fn(|cx| relay.poll_ahead(cx, READ_AHEAD_BYTES));
    let again = match tokio::time::timeout(READ_AHEAD_TIME, ahead).await {
        Err(_) | Ok(Ok(())) => return Ok(Answer::Relay(head, relay)),
        Ok(Err(Fault::Gone)) => return Ok(Answer::Gone),
        Ok(Err(Fault::Stopped)) => Again::Elsewhere,
        Ok(Err(Fault::Died(_) | Fault::Visitor(_) | Fault::TooSlow)) => Again::Broken,
    };
    *source = relay.give_up();
    Err(Setback::Again(again))
}

/// For a request that this is not the place for any more.
fn stopped(errand: &Errand, is_committed: bool, again: Again) -> Setback {
    if errand.is_repeatable() || !is_committed {
        Setback::Again(again)
    } else {
        Setback::Cut
    }
}

/// For a request that can't be sent again.
pub(super) fn failed<S>(error: &SendError) -> Result<Answer<S>, Setback> {
    Err(Setback::Failed(match error {
        SendError::Gone | SendError::Visitor(BodyError::Gone) => return Ok(Answer::Gone),
        SendError::Visitor(BodyError::Stalled) => Page::Stalled,
        SendError::Visitor(BodyError::TooLarge) => Page::BodyTooLarge,
        SendError::Visitor(BodyError::Malformed) => Page::BadRequest,
        SendError::TooSlow => Page::TooSlow,
        SendError::Connect(_) | SendError::Unsent(_) => Page::NoAnswer,
        SendError::Died(_) | SendError::Stopped { .. } => Page::Lost,
    }))
}

/// Waits until the conductor vouches for the gates; false when the dataset was fenced or that took
/// too long.
async fn vouched(shared: &Shared, pass: &Pass) -> bool {
    const LOOK_AGAIN: Duration = Duration::from_millis(50);
    if shared.doors.is_vouched() {
        return !pass.is_cut();
    }
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

/// Passes an answer on to the visitor. `stop` breaks it off; the pass is kept until the upstream
/// has nothing more to do for it.
pub(super) fn finish<S: Source>(
    shared: &Arc<Shared>,
    errand: &Errand,
    head: AnswerHead,
    exchange: Box<Exchange<S>>,
    stop: Stop,
    pass: Option<(Pass, &Arc<Door>)>,
) -> Result<Answer<S>, Setback> {
    if head.status == 101 {
        if !errand.wants_websocket {
            return Err(Setback::Failed(Page::NoAnswer));
        }
        let pass = pass.map(|(pass, _)| pass);
        let tunnel = Tunnel::new(exchange.into_line(), stop, pass);
        return Ok(Answer::Switched(head, tunnel));
    }
    let pass = pass.map(|(pass, door)| (pass, Arc::clone(door)));
    let relay = Relay::new(shared, exchange, stop, pass);
    Ok(Answer::Relay(head, relay))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::BootId;

    fn place(node: u16) -> Option<(NodeId, Epoch)> {
        let epoch = Epoch {
            counter: 1,
            node: NodeId(node),
            boot: BootId(1),
        };
        Some((NodeId(node), epoch))
    }

    #[test]
    fn a_node_whose_connections_break_is_asked_a_few_times() {
        let mut attempts = Attempts::default();
        let now = Moment(0);
        for _ in 1..TRIES_AT_ONE_NODE {
            assert_eq!(
                attempts.judge(Again::Broken, place(1), now),
                Judgement::GoOn
            );
        }
        assert_eq!(
            attempts.judge(Again::Broken, place(2), now),
            Judgement::GoOn
        );
        assert_eq!(attempts.avoided, None);
        for _ in 1..TRIES_AT_ONE_NODE {
            attempts.judge(Again::Broken, place(2), now);
        }
        assert_eq!(attempts.avoided, place(2));
    }

    #[test]
    fn a_restart_of_the_web_server_is_waited_for_and_its_absence_is_not() {
        let mut attempts = Attempts::default();
        let restart_ms = u64::try_from(RESTART.as_millis()).expect("short");
        let mut judge = |ms| attempts.judge(Again::NoServer, None, Moment(ms));
        assert_eq!(judge(1_000), Judgement::GoOn);
        assert_eq!(judge(999 + restart_ms), Judgement::GoOn);
        assert_eq!(judge(1_000 + restart_ms), Judgement::GiveUp);
    }
}
