//! Shows this node's space to the others: one stream to each, dialled again until it stands.

use super::state::OwnSpace;
use super::wire::{self, Delta, Digest, FromOwner, FromReader};
use super::{Board, HEARTBEAT_EVERY, SILENCE_MAX};
use crate::identity::Start;
use crate::membership::Sign;
use crate::roster::SharedRoster;
use futures::{SinkExt, StreamExt};
use hwc_api::ids::NodeId;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use hwc_runtime::random::number_u32;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

/// Changes within this time travel together.
const BATCH: Duration = Duration::from_millis(20);
/// Between two dials, at first: three refusals in a row tell that the daemon has ended.
const REDIAL_SOON: Duration = Duration::from_millis(200);
/// So many dials come soon...
const SOON_COUNT: u32 = 6;
/// ...and all later ones this far apart.
const REDIAL_LATER: Duration = Duration::from_secs(1);
/// Spread, so that nodes that lost each other do not dial in step.
const REDIAL_SPREAD_MS: u32 = 50;
/// A stream that stood for less counts as a failed dial.
const STOOD: Duration = Duration::from_secs(1);
/// A reader that does not take a frame for so long stands still.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps one publisher for every other node of the roster.
pub(super) fn spawn(
    board: &Board,
    dial: &Arc<dyn Dial>,
    roster: &SharedRoster,
    clock: &Clock,
    tasks: &Tasks,
) {
    let me = board.0.me;
    let (board, dial, clock) = (board.clone(), Arc::clone(dial), clock.clone());
    let workers = tasks.clone();
    let mut roster = roster.watch();
    tasks.spawn_until_stopped("board publishers", async move {
        let mut running: BTreeMap<NodeId, CancellationToken> = BTreeMap::new();
        loop {
            let listed = Arc::clone(&roster.borrow_and_update());
            running.retain(|node, stop| {
                let stays = listed.admits(*node);
                if !stays {
                    stop.cancel();
                }
                stays
            });
            board.forget_strangers(&listed);
            for node in listed.peers(me) {
                running.entry(node).or_insert_with(|| {
                    let stop = workers.token().child_token();
                    let publisher = Publisher {
                        board: board.clone(),
                        dial: Arc::clone(&dial),
                        clock: clock.clone(),
                        reader: node,
                    };
                    let until = stop.clone();
                    workers.spawn(format!("show the board to node {node}"), async move {
                        // May be cut anywhere: the reader says what it has when the next one comes.
                        let _stopped = until.run_until_cancelled(publisher.run()).await;
                    });
                    stop
                });
            }
            if roster.changed().await.is_err() {
                return;
            }
        }
    });
}

struct Publisher {
    board: Board,
    dial: Arc<dyn Dial>,
    clock: Clock,
    reader: NodeId,
}

impl Publisher {
    async fn run(self) {
        let mut failures: u32 = 0;
        loop {
            let began = self.clock.now();
            match self.dial.dial(self.reader, Service::Board).await {
                Ok(stream) => {
                    self.report(Sign::Reached);
                    let ended = self.session(stream).await;
                    let stood = self.clock.now().since(began);
                    tracing::debug!(node.id = %self.reader, reason = %ended, "a board stream ended");
                    if stood >= STOOD {
                        failures = 0;
                        continue;
                    }
                }
                Err(error) => self.report_failure(&error),
            }
            failures = failures.saturating_add(1);
            sleep(pause_after(failures)).await;
        }
    }

    fn report(&self, sign: Sign) {
        let _stopping = self.board.0.signs.send((self.reader, sign));
    }

    /// Only a refusal proves something; see [`crate::membership::evidence`].
    fn report_failure(&self, error: &DialError) {
        tracing::debug!(%error, node.id = %self.reader, "dial a node's board");
        match error {
            DialError::Connect { source, .. }
                if source.kind() == io::ErrorKind::ConnectionRefused =>
            {
                self.report(Sign::Refused);
            }
            DialError::Handshake { .. } => self.report(Sign::Reached),
            DialError::Connect { .. } | DialError::UnknownNode(_) => {}
        }
    }

    /// Shows until the stream breaks; says why it did.
    async fn session(&self, stream: PeerStream) -> io::Error {
        let now = self.clock.now();
        let mut session = Session {
            publisher: self,
            frames: wire::framed(stream),
            heard: now,
            has: 0,
            is_reset_due: false,
        };
        let mut head = self.board.0.head.subscribe();
        let Err(error) = session.run(&mut head).await;
        error
    }
}

fn pause_after(failures: u32) -> Duration {
    let pause = if failures <= SOON_COUNT {
        REDIAL_SOON
    } else {
        REDIAL_LATER
    };
    pause + Duration::from_millis(u64::from(number_u32() % REDIAL_SPREAD_MS))
}

struct Session<'a> {
    publisher: &'a Publisher,
    frames: Framed<PeerStream, LengthDelimitedCodec>,
    heard: Moment,
    /// The change up to which the reader has everything (or will, when it has read).
    has: u64,
    is_reset_due: bool,
}

impl Session<'_> {
    async fn run(&mut self, head: &mut watch::Receiver<u64>) -> io::Result<Infallible> {
        let start = self.publisher.board.0.start;
        self.send(&FromOwner::Hello(start)).await?;
        let first = timeout(SILENCE_MAX, self.frames.next()).await?;
        match self.frame(first)? {
            FromReader::Digest(digest) => self.has = digest.version,
            FromReader::Outdated(known) => return Err(outdated(start, known)),
            FromReader::Heartbeat => return Err(io::Error::other("no digest came first")),
        }
        // Even when nothing is lacking: the reader learns that it has everything.
        self.show(true).await?;

        let mut tick = interval(HEARTBEAT_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown_at = self.publisher.clock.now();
        loop {
            // Each branch waits cancel-safely; what follows is not cut by the others.
            tokio::select! {
                frame = self.frames.next() => self.hear(frame)?,
                changed = head.changed() => {
                    changed.map_err(io::Error::other)?;
                    let since = self.publisher.clock.now().since(shown_at);
                    sleep(BATCH.saturating_sub(since)).await;
                    head.mark_unchanged();
                    self.show(false).await?;
                    shown_at = self.publisher.clock.now();
                }
                _at = tick.tick() => self.beat().await?,
            }
        }
    }

    /// Sends what the reader lacks, and an empty delta where it lacks nothing if it must hear so.
    async fn show(&mut self, must_speak: bool) -> io::Result<()> {
        loop {
            let delta = self.next_delta();
            let is_complete = delta.is_complete;
            if is_complete && delta.changes.is_empty() && !delta.is_reset && !must_speak {
                return Ok(());
            }
            self.has = delta.to;
            self.send(&FromOwner::Delta(delta)).await?;
            if is_complete {
                return Ok(());
            }
        }
    }

    fn next_delta(&mut self) -> Delta {
        let state = self.publisher.board.state();
        let own: &OwnSpace = &state.own;
        if std::mem::take(&mut self.is_reset_due) {
            return own.reset_for(self.publisher.reader);
        }
        own.delta_for(self.publisher.reader, self.has)
    }

    fn hear(&mut self, frame: Option<io::Result<bytes::BytesMut>>) -> io::Result<()> {
        match self.frame(frame)? {
            FromReader::Digest(digest) => self.compare(digest),
            FromReader::Heartbeat => {}
            FromReader::Outdated(known) => {
                return Err(outdated(self.publisher.board.0.start, known));
            }
        }
        Ok(())
    }

    /// The net below everything else: a reader that should have everything and has something else
    /// gets everything anew.
    fn compare(&mut self, digest: Digest) {
        let due = self
            .publisher
            .board
            .state()
            .own
            .digest_for(self.publisher.reader);
        let is_up_to_date = digest.version == self.has && self.has == due.version;
        if is_up_to_date && digest.fingerprint != due.fingerprint {
            tracing::error!(node.id = %self.publisher.reader,
                "a node's copy of our board differs; it gets everything anew");
            self.is_reset_due = true;
        }
    }

    /// A sign of life; one that moves the reader on where changes did not concern it.
    async fn beat(&mut self) -> io::Result<()> {
        if self.publisher.clock.now().since(self.heard) > SILENCE_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let head = self.publisher.board.state().own.head();
        if self.is_reset_due || head != self.has {
            return self.show(true).await;
        }
        self.send(&FromOwner::Heartbeat).await
    }

    fn frame(&mut self, frame: Option<io::Result<bytes::BytesMut>>) -> io::Result<FromReader> {
        let frame = frame.ok_or(io::ErrorKind::UnexpectedEof)??;
        self.heard = self.publisher.clock.now();
        wire::decode(&frame).map_err(io::Error::other)
    }

    async fn send(&mut self, message: &FromOwner) -> io::Result<()> {
        let frame = wire::encode(message).map_err(io::Error::other)?;
        timeout(SEND_TIMEOUT, self.frames.send(frame)).await?
    }
}

fn outdated(start: Start, known: Start) -> io::Error {
    tracing::error!(start = %start, known = %known,
        "the other nodes know a later start of this node: was it restored from a backup, or does it run twice?");
    io::Error::other("the reader knows a later start of this node")
}
