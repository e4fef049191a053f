//! The board: every node's own facts, shown to the others within milliseconds.
//!
//! Each node owns a space of keys and values and is the only one to write it. It brings its space to
//! every other node itself, over a stream that it dials and keeps; facts are never passed on by
//! third parties, so what a node shows is as fresh as its stream, and a node that can't be reached
//! shows nothing new. Each change has a number that grows within one life of the daemon; a reader
//! says up to which number it has everything, and gets what came later: a restart of either side
//! costs one exchange. Every five seconds the reader's digest is compared with what it should have.
//!
//! - [`state`]: both sides of a space. Pure.
//! - [`feed`]: what a subscriber has not been told yet. Pure.
//! - `wire`: the frames; `publish` and `read`: the two ends of a stream.
//!
//! A value shown to some nodes only is sent to no other.

pub mod feed;
mod publish;
mod read;
pub mod state;
pub mod wire;

pub use feed::BoardEvent;
pub use state::{Audience, SetError};

use crate::identity::Start;
use crate::membership::Sign;
use crate::roster::{Roster, SharedRoster};
use crate::transport::Incoming;
use bytes::Bytes;
use feed::Queue;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::Dial;
use hwc_runtime::lifecycle::Tasks;
use state::{OwnSpace, PeerSpace, Poison};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};

/// A sign of life at least this often, both ways.
const HEARTBEAT_EVERY: Duration = Duration::from_millis(500);
/// Four missed signs of life: the other machine or its daemon stands still.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// What a board needs to begin.
pub(crate) struct BoardSettings {
    pub(crate) me: NodeId,
    pub(crate) start: Start,
    pub(crate) roster: SharedRoster,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    pub(crate) signs: mpsc::UnboundedSender<(NodeId, Sign)>,
    pub(crate) clock: Clock,
}

/// This node's facts and what it knows of the others'. Clones are the same board.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

struct Shared {
    me: NodeId,
    start: Start,
    state: Mutex<State>,
    /// The number of the newest own change; wakes the publishers.
    head: watch::Sender<u64>,
    signs: mpsc::UnboundedSender<(NodeId, Sign)>,
}

struct State {
    own: OwnSpace,
    peers: BTreeMap<NodeId, Peer>,
    connections: u64,
    feeds: BTreeMap<u64, (Queue, Arc<Notify>)>,
    next_feed: u64,
}

/// What is known of one other node.
#[derive(Default)]
struct Peer {
    space: PeerSpace,
    /// The stream that it shows itself on; none while it is not connected.
    connection: Option<u64>,
}

impl Board {
    /// Begins to show and to read.
    pub(crate) fn start(settings: BoardSettings, tasks: &Tasks) -> Self {
        let board = Self(Arc::new(Shared {
            me: settings.me,
            start: settings.start,
            state: Mutex::new(State {
                own: OwnSpace::default(),
                peers: BTreeMap::new(),
                connections: 0,
                feeds: BTreeMap::new(),
                next_feed: 0,
            }),
            head: watch::Sender::new(0),
            signs: settings.signs,
        }));
        read::spawn(&board, settings.incoming, &settings.clock, tasks);
        publish::spawn(
            &board,
            &settings.dial,
            &settings.roster,
            &settings.clock,
            tasks,
        );
        board
    }

    /// Shows a value under a key to an audience; replaces what was there. The others have it within
    /// milliseconds. Setting what is set already costs nothing.
    ///
    /// # Errors
    /// When the key, the value or the whole space would become too large.
    pub fn set(
        &self,
        key: impl Into<String>,
        value: impl Into<Bytes>,
        audience: Audience,
    ) -> Result<(), SetError> {
        let head = {
            let mut state = self.state();
            state.own.set(key.into(), value.into(), audience)?;
            state.own.head()
        };
        self.wake_publishers(head);
        Ok(())
    }

    /// Takes a key off the board.
    pub fn remove(&self, key: &str) {
        let head = {
            let mut state = self.state();
            state.own.remove(key);
            state.own.head()
        };
        self.wake_publishers(head);
    }

    /// What a node shows (to us) under a key; of this node itself, what it shows to anybody. The last
    /// known value where the node is not connected.
    #[must_use]
    pub fn get(&self, node: NodeId, key: &str) -> Option<Bytes> {
        let state = self.state();
        if node == self.0.me {
            return state.own.get(key).cloned();
        }
        state.peers.get(&node)?.space.get(key).cloned()
    }

    /// All that a node shows (to us).
    #[must_use]
    pub fn entries(&self, node: NodeId) -> BTreeMap<String, Bytes> {
        let state = self.state();
        if node == self.0.me {
            return state.own.entries();
        }
        state
            .peers
            .get(&node)
            .map(|peer| peer.space.entries())
            .unwrap_or_default()
    }

    /// The nodes that are connected, and the lives that they show; with whether we have everything.
    #[must_use]
    pub fn connected(&self) -> BTreeMap<NodeId, (Start, bool)> {
        let state = self.state();
        let connected = state.peers.iter().filter(|(_, p)| p.connection.is_some());
        connected
            .filter_map(|(node, peer)| {
                Some((*node, (peer.space.start()?, peer.space.is_complete())))
            })
            .collect()
    }

    /// What the other nodes show, from now on; first comes all that is known already.
    ///
    /// A slow subscriber loses no state and costs no memory beyond one mark per key: changes of one
    /// key that it has not taken yet become one change, with the newest value.
    #[must_use]
    pub fn subscribe(&self) -> BoardFeed {
        let mut state = self.state();
        let mut queue = Queue::default();
        for (node, peer) in &state.peers {
            queue.link_changed(*node);
            for key in peer.space.keys() {
                queue.value_changed(*node, key);
            }
            if peer.connection.is_some() && peer.space.is_complete() {
                queue.became_complete(*node);
            }
        }
        state.next_feed += 1;
        let id = state.next_feed;
        let wake = Arc::new(Notify::new());
        wake.notify_one();
        state.feeds.insert(id, (queue, Arc::clone(&wake)));
        BoardFeed {
            board: self.clone(),
            id,
            wake,
        }
    }

    fn wake_publishers(&self, head: u64) {
        self.0.head.send_if_modified(|known| {
            let is_news = head > *known;
            *known = head.max(*known);
            is_news
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer has brought a stream: it is connected, under the number returned.
    fn connect(&self, node: NodeId, start: Start) -> Result<u64, Poison> {
        let mut state = self.state();
        state.connections += 1;
        let connection = state.connections;
        let peer = state.peers.entry(node).or_default();
        let wiped = peer.space.begin(start)?;
        peer.connection = Some(connection);
        state.tell(|queue| {
            queue.link_changed(node);
            for key in &wiped {
                queue.value_changed(node, key);
            }
        });
        // Under the lock, so that signs come in the order of what happened.
        let _stopping = self.0.signs.send((node, Sign::Connected(start)));
        Ok(connection)
    }

    /// Applies what came over a stream; refuses what comes over one that was replaced.
    fn apply(&self, node: NodeId, connection: u64, delta: wire::Delta) -> Result<(), Poison> {
        let mut state = self.state();
        let peer = state
            .peers
            .get_mut(&node)
            .filter(|peer| peer.connection == Some(connection))
            .ok_or(Poison::Replaced)?;
        let was_complete = peer.space.is_complete();
        let changed = peer.space.apply(delta)?;
        let becomes_complete = !was_complete && peer.space.is_complete();
        state.tell(|queue| {
            for key in &changed {
                queue.value_changed(node, key);
            }
            if becomes_complete {
                queue.became_complete(node);
            }
        });
        Ok(())
    }

    /// A stream has ended; if it is still the node's, the node is not connected.
    fn disconnect(&self, node: NodeId, connection: u64) {
        let mut state = self.state();
        let Some(peer) = state.peers.get_mut(&node) else {
            return;
        };
        if peer.connection != Some(connection) {
            return;
        }
        peer.connection = None;
        peer.space.lose_touch();
        state.tell(|queue| queue.link_changed(node));
        let _stopping = self.0.signs.send((node, Sign::Disconnected));
    }

    /// Whether a stream is still the one that counts.
    fn is_current(&self, node: NodeId, connection: u64) -> bool {
        let state = self.state();
        state
            .peers
            .get(&node)
            .is_some_and(|peer| peer.connection == Some(connection))
    }

    /// Forgets what nodes showed that are no longer in the roster.
    fn forget_strangers(&self, roster: &Roster) {
        let mut state = self.state();
        let strangers: Vec<_> = state
            .peers
            .keys()
            .copied()
            .filter(|node| !roster.admits(*node))
            .collect();
        for node in strangers {
            let Some(peer) = state.peers.remove(&node) else {
                continue;
            };
            state.tell(|queue| {
                queue.link_changed(node);
                for key in peer.space.keys() {
                    queue.value_changed(node, key);
                }
            });
        }
    }
}

impl State {
    fn tell(&mut self, what: impl Fn(&mut Queue)) {
        for (queue, wake) in self.feeds.values_mut() {
            what(queue);
            wake.notify_one();
        }
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board")
            .field("me", &self.0.me)
            .field("start", &self.0.start)
            .finish_non_exhaustive()
    }
}

/// What the other nodes show, as it changes.
#[derive(Debug)]
pub struct BoardFeed {
    board: Board,
    id: u64,
    wake: Arc<Notify>,
}

impl BoardFeed {
    /// The next event; waits for one. Cancel-safe: an event is taken only when it is returned.
    pub async fn next(&mut self) -> BoardEvent {
        loop {
            if let Some(event) = self.try_next() {
                return event;
            }
            self.wake.notified().await;
        }
    }

    /// The next event, if there is one.
    pub fn try_next(&mut self) -> Option<BoardEvent> {
        let mut state = self.board.state();
        let State { peers, feeds, .. } = &mut *state;
        let (queue, _wake) = feeds.get_mut(&self.id)?;
        queue.pop(&*peers)
    }
}

impl Drop for BoardFeed {
    fn drop(&mut self) {
        self.board.state().feeds.remove(&self.id);
    }
}

/// What the queue of a subscriber looks up when it is asked.
impl feed::Known for BTreeMap<NodeId, Peer> {
    fn connection(&self, node: NodeId) -> Option<(u64, Start)> {
        let peer = self.get(&node)?;
        Some((peer.connection?, peer.space.start()?))
    }

    fn is_complete(&self, node: NodeId) -> bool {
        self.get(&node).is_some_and(|peer| peer.space.is_complete())
    }

    fn value(&self, node: NodeId, key: &str) -> Option<Bytes> {
        self.get(&node)?.space.get(key).cloned()
    }
}
