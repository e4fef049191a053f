//! The board: every node's own facts, shown to the others within milliseconds.
//!
//! Each node owns a space of keys and values and is the only one to write it. It brings its space to
//! every other node itself, over a stream that it dials and keeps; facts are never passed on by
//! third parties, so what a node shows is as fresh as its stream, and a node that can't be reached
//! shows nothing new. Each change has a number that grows within one life of the daemon; a reader
//! says up to which number it has everything, and gets what came later: a restart of either side
//! costs one exchange. Every few seconds the reader's sum is compared with what it should have, and a
//! reader whose sum differs gets everything anew.
//!
//! - [`core`]: all of it without streams and clock; what nodes and simulators run.
//! - [`own`] and [`peer`]: both sides of a space. [`wire`]: the frames.
//! - [`feed`]: what a subscriber has not been told yet.
//! - `links`: the streams and the clock. `frames`: length-prefixed frames.
//!
//! A value shown to some nodes only is sent to no other. A value that can't be taken disables its own
//! key and nothing else; a stream is not given up for it.

pub mod core;
pub mod feed;
mod frames;
mod links;
pub mod own;
pub mod peer;
pub mod wire;

pub use self::core::{
    BoardConfig, BoardCore, BoardCounts, BoardInput, BoardOutput, Closing, LinkId, NotDialled,
};
pub use feed::BoardEvent;
pub use own::SetError;
pub use peer::Skipped;

use crate::identity::{Me, Start};
use crate::membership::Sign;
use crate::profile::BoardTiming;
use crate::roster::SharedRoster;
use crate::transport::Incoming;
use bytes::Bytes;
use feed::Queue;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::dial::Dial;
use hwc_runtime::lifecycle::Tasks;
use links::Links;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Most keys of one node: a hundred thousand datasets and what belongs to them.
pub const KEYS_MAX: usize = 200_000;
/// Most bytes (keys and values) of one node.
pub const SPACE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Who may see a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// All nodes.
    All,
    /// These nodes.
    Nodes(BTreeSet<NodeId>),
}

impl Audience {
    /// Whether a node belongs to it.
    #[must_use]
    pub fn includes(&self, node: NodeId) -> bool {
        match self {
            Self::All => true,
            Self::Nodes(nodes) => nodes.contains(&node),
        }
    }

    fn extend(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Nodes(nodes), Self::Nodes(more)) => nodes.extend(more),
        }
    }
}

/// What a board needs to begin.
pub(crate) struct BoardSettings {
    pub(crate) me: Me,
    pub(crate) timing: BoardTiming,
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
    me: Me,
    clock: Clock,
    state: Mutex<State>,
    /// Something is due earlier than it was.
    retimed: Notify,
}

struct State {
    core: BoardCore,
    links: Links,
    signs: mpsc::UnboundedSender<(NodeId, Sign)>,
    feeds: BTreeMap<u64, (Queue, Arc<Notify>)>,
    next_feed: u64,
}

impl Board {
    /// Begins to show and to read.
    pub(crate) fn start(settings: BoardSettings, tasks: &Tasks) -> Self {
        let BoardSettings {
            me,
            timing,
            roster,
            dial,
            incoming,
            signs,
            clock,
        } = settings;
        let config = BoardConfig {
            timing,
            peers: roster.get().peers(me.node).collect(),
        };
        let seed = u128::from_le_bytes(hwc_runtime::random::secret_bytes());
        let board = Self(Arc::new(Shared {
            me,
            clock,
            state: Mutex::new(State {
                core: BoardCore::new(config, me, seed),
                links: Links::new(dial, tasks.clone()),
                signs,
                feeds: BTreeMap::new(),
                next_feed: 0,
            }),
            retimed: Notify::new(),
        }));
        links::spawn(&board, roster.watch(), incoming, tasks);
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
        self.change(|core, now| core.set(now, key.into(), value.into(), audience))
    }

    /// Takes a key off the board.
    pub fn remove(&self, key: &str) {
        self.change(|core, now| core.remove(now, key));
    }

    /// What a node shows (to us) under a key; of this node itself, what it shows to anybody. The last
    /// known value where the node is not connected.
    #[must_use]
    pub fn get(&self, node: NodeId, key: &str) -> Option<Bytes> {
        self.state().core.get(node, key).cloned()
    }

    /// All that a node shows (to us).
    #[must_use]
    pub fn entries(&self, node: NodeId) -> BTreeMap<String, Bytes> {
        self.state().core.entries(node)
    }

    /// The nodes that are connected, and the lives that they show; with whether we have everything.
    #[must_use]
    pub fn connected(&self) -> BTreeMap<NodeId, (Start, bool)> {
        let state = self.state();
        let core = &state.core;
        core.nodes()
            .filter_map(|node| {
                let (_link, start) = core.connection(node)?;
                Some((node, (start, core.is_complete(node))))
            })
            .collect()
    }

    /// What was passed over and done again since the start.
    #[must_use]
    pub fn counts(&self) -> BoardCounts {
        self.state().core.counts().clone()
    }

    /// What the other nodes show, from now on; first comes all that is known already.
    ///
    /// A slow subscriber loses no state and costs no memory beyond one mark per key: changes of one
    /// key that it has not taken yet become one change, with the newest value.
    #[must_use]
    pub fn subscribe(&self) -> BoardFeed {
        let mut state = self.state();
        let mut queue = Queue::default();
        for node in state.core.nodes() {
            queue.link_changed(node);
            for key in state.core.keys(node) {
                queue.value_changed(node, key);
            }
            if state.core.is_complete(node) {
                queue.became_complete(node);
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

    /// Hands an input to the core and carries out what it says, in order.
    fn handle(&self, input: BoardInput) {
        let mut state = self.state();
        let before = state.core.next_deadline();
        // Under the lock, so that moments never decrease.
        let outputs = state.core.handle(self.0.clock.now(), input);
        for output in outputs {
            state.carry_out(self, output);
        }
        self.retime(before, &state);
    }

    fn change<T>(&self, change: impl FnOnce(&mut BoardCore, Moment) -> T) -> T {
        let mut state = self.state();
        let before = state.core.next_deadline();
        let changed = change(&mut state.core, self.0.clock.now());
        self.retime(before, &state);
        changed
    }

    fn retime(&self, before: Option<Moment>, state: &State) {
        let after = state.core.next_deadline();
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.0.retimed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn carry_out(&mut self, board: &Board, output: BoardOutput) {
        match output {
            BoardOutput::Dial { node } => self.links.dial(board, node),
            BoardOutput::Send { link, frame } => self.links.send(link, frame),
            BoardOutput::Close { link, why } => self.links.close(link, why),
            BoardOutput::Sign(node, sign) => {
                // Under the lock, so that signs come in the order of what happened.
                let _stopping = self.signs.send((node, sign));
            }
            BoardOutput::Event(event) => self.tell(&event),
        }
    }

    fn tell(&mut self, event: &BoardEvent) {
        for (queue, wake) in self.feeds.values_mut() {
            match event {
                BoardEvent::Changed { node, key, .. } => queue.value_changed(*node, key),
                BoardEvent::Connected { node, .. } | BoardEvent::Disconnected { node } => {
                    queue.link_changed(*node);
                }
                BoardEvent::Synced { node, .. } => queue.became_complete(*node),
            }
            wake.notify_one();
        }
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board")
            .field("me", &self.0.me)
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
        let State { core, feeds, .. } = &mut *state;
        let (queue, _wake) = feeds.get_mut(&self.id)?;
        queue.pop(&*core)
    }
}

impl Drop for BoardFeed {
    fn drop(&mut self) {
        self.board.state().feeds.remove(&self.id);
    }
}

/// What the queue of a subscriber looks up when it is asked.
impl feed::Known for BoardCore {
    fn connection(&self, node: NodeId) -> Option<(u64, Start)> {
        let (link, start) = Self::connection(self, node)?;
        Some((link.0, start))
    }

    fn is_complete(&self, node: NodeId) -> bool {
        Self::is_complete(self, node)
    }

    fn value(&self, node: NodeId, key: &str) -> Option<Bytes> {
        self.get(node, key).cloned()
    }
}

#[cfg(test)]
mod tests;
