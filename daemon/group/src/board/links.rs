//! The streams and the clock of the board: hands on, decides nothing.
//!
//! Each stream has one task, which reads it and writes what the core gives it. The core gives one
//! frame at a time, so that what waits for a stream is a frame and a word to end it, at most.

use super::frames::{Frame, Frames};
use super::{Board, BoardInput, Closing, LinkId, NotDialled};
use crate::roster::Roster;
use crate::transport::Incoming;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use hwc_api::ids::NodeId;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::codec::Framed;

/// The clock is looked at this often where nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// A last word that is not taken within this time is not wanted.
const LAST_WORD: Duration = Duration::from_secs(1);

enum Order {
    Send(Bytes),
    Close(Closing),
}

/// The streams that stand, by their numbers.
pub(super) struct Links {
    dial: Arc<dyn Dial>,
    tasks: Tasks,
    orders: BTreeMap<LinkId, mpsc::UnboundedSender<Order>>,
    next: u64,
}

impl Links {
    pub(super) fn new(dial: Arc<dyn Dial>, tasks: Tasks) -> Self {
        Self {
            dial,
            tasks,
            orders: BTreeMap::new(),
            next: 0,
        }
    }

    pub(super) fn send(&self, link: LinkId, frame: Bytes) {
        if let Some(orders) = self.orders.get(&link) {
            // A task that has ended says so itself.
            let _ended = orders.send(Order::Send(frame));
        }
    }

    pub(super) fn close(&mut self, link: LinkId, why: Closing) {
        if let Some(orders) = self.orders.remove(&link) {
            let _ended = orders.send(Order::Close(why));
        }
    }

    /// Dials in a task of its own, which then serves the stream.
    pub(super) fn dial(&self, board: &Board, node: NodeId) {
        let (board, dial) = (board.clone(), Arc::clone(&self.dial));
        let task = async move {
            match dial.dial(node, Service::Board).await {
                Ok(stream) => {
                    let (link, orders) = board.new_link();
                    board.handle(BoardInput::Dialled { node, link });
                    serve(&board, node, link, stream, orders).await;
                }
                Err(error) => {
                    tracing::debug!(%error, node.id = %node, "dial a node's board");
                    let why = what_it_proves(&error);
                    board.handle(BoardInput::NotDialled { node, why });
                }
            }
        };
        let name = format!("show the board to node {node}");
        // May be cut anywhere: the reader says what it has when the next stream comes.
        self.tasks.spawn_until_stopped(name, task);
    }
}

impl Board {
    fn new_link(&self) -> (LinkId, mpsc::UnboundedReceiver<Order>) {
        // Unbounded, because orders are given under a lock; the core gives one frame at a time.
        let (sender, orders) = mpsc::unbounded_channel();
        let mut state = self.state();
        state.links.next += 1;
        let link = LinkId(state.links.next);
        state.links.orders.insert(link, sender);
        (link, orders)
    }

    fn ended(&self, link: LinkId) {
        self.state().links.orders.remove(&link);
        self.handle(BoardInput::Closed { link });
    }
}

/// Runs the clock, takes streams, follows the roster.
pub(super) fn spawn(
    board: &Board,
    mut roster: watch::Receiver<Arc<Roster>>,
    mut incoming: mpsc::Receiver<Incoming>,
    tasks: &Tasks,
) {
    let ticking = board.clone();
    tasks.spawn_until_stopped("board clock", async move {
        loop {
            let now = ticking.0.clock.now();
            let due = ticking.state().core.next_deadline();
            let pause = due.map_or(IDLE, |due| due.since(now));
            tokio::select! {
                () = sleep(pause) => ticking.handle(BoardInput::Tick),
                () = ticking.0.retimed.notified() => {}
            }
        }
    });
    let (accepting, workers) = (board.clone(), tasks.clone());
    tasks.spawn_until_stopped("board readers", async move {
        while let Some(Incoming { peer, stream }) = incoming.recv().await {
            let board = accepting.clone();
            // May be cut anywhere: what was applied is whole, and the digest says what it was.
            workers.spawn_until_stopped(format!("read the board of node {peer}"), async move {
                let (link, orders) = board.new_link();
                board.handle(BoardInput::Accepted { node: peer, link });
                serve(&board, peer, link, stream, orders).await;
            });
        }
    });
    let following = board.clone();
    tasks.spawn_until_stopped("board peers", async move {
        loop {
            let listed = Arc::clone(&roster.borrow_and_update());
            let peers = listed.peers(following.0.me.node).collect();
            following.handle(BoardInput::Peers(peers));
            if roster.changed().await.is_err() {
                return;
            }
        }
    });
}

/// Only a refusal proves something; see [`crate::membership::evidence`].
fn what_it_proves(error: &DialError) -> NotDialled {
    match error {
        DialError::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
            NotDialled::Refused
        }
        DialError::Handshake { .. } => NotDialled::Reached,
        DialError::Connect { .. } | DialError::UnknownNode(_) => NotDialled::Unreachable,
    }
}

/// Reads and writes a stream until either is over.
async fn serve(
    board: &Board,
    node: NodeId,
    link: LinkId,
    stream: PeerStream,
    orders: mpsc::UnboundedReceiver<Order>,
) {
    let ending = Ending { board, link };
    let (sink, frames) = Framed::new(stream, Frames::default()).split();
    // Either may be cut: the stream is over then.
    tokio::select! {
        error = read(board, link, frames) => {
            tracing::debug!(node.id = %node, %error, "a board stream ended");
        }
        why = write(board, link, sink, orders) => {
            tracing::debug!(node.id = %node, reason = %why, "a board stream was ended");
        }
    }
    drop(ending);
}

/// However a stream ends, the core is told.
struct Ending<'a> {
    board: &'a Board,
    link: LinkId,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.board.ended(self.link);
    }
}

type Stream = Framed<PeerStream, Frames>;

async fn read(board: &Board, link: LinkId, mut frames: SplitStream<Stream>) -> io::Error {
    loop {
        match frames.next().await {
            Some(Ok(Frame::Whole(frame))) => board.handle(BoardInput::Frame { link, frame }),
            Some(Ok(Frame::TooLong)) => board.handle(BoardInput::LongFrame { link }),
            Some(Err(error)) => return error,
            None => return io::ErrorKind::UnexpectedEof.into(),
        }
    }
}

async fn write(
    board: &Board,
    link: LinkId,
    mut sink: SplitSink<Stream, Bytes>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> String {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Send(frame) => {
                if let Err(error) = sink.send(frame).await {
                    return error.to_string();
                }
                board.handle(BoardInput::Written { link });
            }
            Order::Close(why) => {
                let _refused = timeout(LAST_WORD, sink.close()).await;
                return why.to_string();
            }
        }
    }
    "forgotten".to_owned()
}
