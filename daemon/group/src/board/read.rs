//! Reads what the other nodes show: takes the streams that they dial, checks and applies.

use super::state::Poison;
use super::wire::{self, FromOwner, FromReader};
use super::{Board, HEARTBEAT_EVERY, SILENCE_MAX};
use crate::transport::Incoming;
use futures::{SinkExt, StreamExt};
use hwc_api::ids::NodeId;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::dial::PeerStream;
use hwc_runtime::lifecycle::Tasks;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Every so many heartbeats the owner is told what we have: five seconds.
const DIGEST_EVERY: u32 = 10;
/// A reader that was not run for so long stood still with its whole node: what waits in the stream
/// may be as old as that. It begins a new stream, so that "we have everything" is said anew. Longer
/// than a busy machine's hiccups between heartbeats, shorter than what the conductor calls a freeze.
const STANDSTILL: Duration = Duration::from_millis(1_200);
/// Answers are some bytes; an owner that does not take them stands still.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// Takes streams until the tasks stop.
pub(super) fn spawn(
    board: &Board,
    mut incoming: mpsc::Receiver<Incoming>,
    clock: &Clock,
    tasks: &Tasks,
) {
    let (board, clock) = (board.clone(), clock.clone());
    let workers = tasks.clone();
    tasks.spawn_until_stopped("board readers", async move {
        while let Some(Incoming { peer, stream }) = incoming.recv().await {
            let reader = Reader {
                heard: clock.now(),
                board: board.clone(),
                clock: clock.clone(),
                owner: peer,
                frames: wire::framed(stream),
            };
            let name = format!("read the board of node {peer}");
            // May be cut anywhere: what was applied is whole, and the digest says what it was.
            workers.spawn_until_stopped(name, reader.run());
        }
    });
}

struct Reader {
    board: Board,
    clock: Clock,
    owner: NodeId,
    frames: Framed<PeerStream, LengthDelimitedCodec>,
    heard: Moment,
}

/// One stream as long as it counts; however it ends, the board is told.
struct Connection<'a> {
    board: &'a Board,
    owner: NodeId,
    number: u64,
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.board.disconnect(self.owner, self.number);
    }
}

impl Reader {
    async fn run(mut self) {
        let board = self.board.clone();
        let owner = self.owner;
        let start = match timeout(SILENCE_MAX, self.frames.next()).await {
            Ok(Some(Ok(frame))) => match wire::decode(&frame) {
                Ok(FromOwner::Hello(start)) => start,
                Ok(FromOwner::Delta(_) | FromOwner::Heartbeat) | Err(_) => {
                    tracing::warn!(node.id = %owner, "a board stream began with nonsense");
                    return;
                }
            },
            Ok(Some(Err(_)) | None) | Err(_) => return,
        };
        let number = match board.connect(owner, start) {
            Ok(number) => number,
            Err(poison) => {
                self.refuse(poison).await;
                return;
            }
        };
        let connection = Connection {
            board: &board,
            owner,
            number,
        };
        let Err(error) = self.read(&connection).await;
        match error.get_ref().and_then(|e| e.downcast_ref::<Poison>()) {
            Some(Poison::Replaced) | None => {
                tracing::debug!(node.id = %owner, %error, "a node's board stream ended");
            }
            Some(poison) => {
                tracing::warn!(node.id = %owner, %poison, "a node's board stream was poisoned and dropped");
            }
        }
    }

    async fn read(&mut self, connection: &Connection<'_>) -> io::Result<std::convert::Infallible> {
        self.send_digest().await?;
        let mut tick = interval(HEARTBEAT_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats: u32 = 0;
        let mut last = self.clock.now();
        loop {
            // Both branches wait cancel-safely; what follows is not cut by the other.
            let frame = tokio::select! {
                frame = self.frames.next() => Some(frame),
                _at = tick.tick() => None,
            };
            let now = self.clock.now();
            if now.since(last) > STANDSTILL {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "this node stood still",
                ));
            }
            last = now;
            match frame {
                Some(frame) => self.take(frame, connection)?,
                None => {
                    self.check_alive(connection)?;
                    beats = beats.wrapping_add(1);
                    if beats.is_multiple_of(DIGEST_EVERY) {
                        self.send_digest().await?;
                    } else {
                        self.send(&FromReader::Heartbeat).await?;
                    }
                }
            }
        }
    }

    fn take(
        &mut self,
        frame: Option<io::Result<bytes::BytesMut>>,
        connection: &Connection<'_>,
    ) -> io::Result<()> {
        let frame = frame.ok_or(io::ErrorKind::UnexpectedEof)??;
        self.heard = self.clock.now();
        match wire::decode(&frame) {
            Ok(FromOwner::Delta(delta)) => self
                .board
                .apply(self.owner, connection.number, delta)
                .map_err(io::Error::other),
            Ok(FromOwner::Heartbeat) => Ok(()),
            Ok(FromOwner::Hello(_)) | Err(wire::Garbage) => Err(io::Error::other(Poison::Order)),
        }
    }

    fn check_alive(&self, connection: &Connection<'_>) -> io::Result<()> {
        if !self.board.is_current(self.owner, connection.number) {
            return Err(io::Error::other(Poison::Replaced));
        }
        if self.clock.now().since(self.heard) > SILENCE_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    async fn refuse(&mut self, poison: Poison) {
        tracing::warn!(node.id = %self.owner, %poison, "a node's board was refused");
        if let Poison::Outdated(known) = poison {
            // If it is gone already, there is nobody to tell.
            let _gone = self.send(&FromReader::Outdated(known)).await;
        }
    }

    async fn send_digest(&mut self) -> io::Result<()> {
        let digest = self
            .board
            .state()
            .peers
            .get(&self.owner)
            .map(|peer| peer.space.digest())
            .unwrap_or_default();
        self.send(&FromReader::Digest(digest)).await
    }

    async fn send(&mut self, message: &FromReader) -> io::Result<()> {
        let frame = wire::encode(message).map_err(io::Error::other)?;
        timeout(SEND_TIMEOUT, self.frames.send(frame)).await?
    }
}
