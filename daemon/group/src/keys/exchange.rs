//! Tells the other nodes of new keys, learns theirs, draws new ones when a node was removed.
//!
//! What a node shows on its board is the fingerprint of its newest key; who sees another one than
//! its own asks for the keys, in a call. So a quiet cluster exchanges nothing.

use super::ring::{KeyRing, KeyShare};
use crate::board::{Audience, Board, BoardEvent};
use crate::calls::Calls;
use crate::identity::{IdentityError, NodeIdentity, SecretBytes};
use crate::membership::Membership;
use crate::roster::SharedRoster;
use crate::sealing::Sealing;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::NodeHealth;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::lifecycle::Tasks;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// The key on the board under which the fingerprint is shown.
const BOARD_KEY: &str = "group/keys";
/// The call that exchanges keys.
const CALL: &str = "group.keys";
/// A call crosses a busy daemon; keys overlap for longer.
const CALL_DEADLINE: Duration = Duration::from_secs(3);
/// What did not succeed is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// After a removal the node with the lowest number draws the key; each next one waits so much longer.
const RANK_PAUSE: Duration = Duration::from_secs(2);
/// Without anything to wait for.
const IDLE: Duration = Duration::from_secs(60);

/// What the exchange needs to begin.
pub(crate) struct KeySettings {
    pub(crate) identity: NodeIdentity,
    /// Where the identity is kept; new keys are written there.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) overlap: Duration,
    pub(crate) sealing: Sealing,
    pub(crate) roster: SharedRoster,
    pub(crate) membership: Membership,
    pub(crate) board: Board,
    pub(crate) calls: Calls,
    pub(crate) clock: Clock,
}

/// The keys of sealed datagrams. Clones are the same.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    settings: KeySettings,
    ring: Mutex<KeyRing>,
    changed: Notify,
}

/// What a rotation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyChange {
    /// The generation of the new key: one more than that of the last.
    pub generation: u64,
    /// After so long the old key opens nothing any more.
    pub old_ends_after: Duration,
}

/// Why a new key was not drawn.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It could not be written down: a node that forgets its key would be alone after a restart.
    #[error("write the new key down")]
    Save(#[from] IdentityError),
}

impl Keys {
    pub(crate) fn start(settings: KeySettings, tasks: &Tasks) -> Self {
        let now = settings.clock.now();
        let held = &settings.identity.authority().secrets.gossip;
        let ring = KeyRing::new(held, settings.overlap, now);
        let keys = Self(Arc::new(Shared {
            settings,
            ring: Mutex::new(ring),
            changed: Notify::new(),
        }));
        keys.show();
        let answering = keys.clone();
        let calls = &keys.0.settings.calls;
        calls.answer_json(CALL, move |peer, share: KeyShare| {
            let answer = answering.answer(peer, &share);
            std::future::ready(answer)
        });
        let running = keys.clone();
        // May be cut anywhere: what was learned is written down, what was not told is told later.
        tasks.spawn_until_stopped("sealing keys", async move { running.run().await });
        keys
    }

    /// Draws a new key and tells everybody. Both keys open for a while; see the module.
    ///
    /// # Errors
    /// When it can't be written down; then nothing has changed.
    pub fn rotate(&self) -> Result<KeyChange, KeyError> {
        let settings = &self.0.settings;
        let removed = self.removed();
        let generation = {
            // Written down first, under the lock: some milliseconds, once in a long while.
            let mut ring = self.ring();
            let mut next = ring.clone();
            next.rotate(removed, SecretBytes::draw(), settings.clock.now());
            self.save(&next)?;
            *ring = next;
            ring.newest().map_or(0, |newest| newest.generation)
        };
        tracing::info!(generation, "a new key of sealed datagrams was drawn");
        self.use_ring();
        Ok(KeyChange {
            generation,
            old_ends_after: settings.overlap + settings.overlap / 4,
        })
    }

    /// The generation of the key that this node holds as its newest.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.ring().newest().map_or(0, |newest| newest.generation)
    }

    /// Whether each node that is heard has the same newest key as this one.
    #[must_use]
    pub fn others(&self) -> BTreeMap<NodeId, bool> {
        let mine = self.ring().fingerprint();
        let board = &self.0.settings.board;
        let has_mine = |node| {
            let theirs = board.get(node, BOARD_KEY)?;
            Some((node, theirs == mine.as_bytes()))
        };
        board.connected().into_keys().filter_map(has_mine).collect()
    }

    /// The identity with the keys of this moment: what a newcomer gets, and what is kept on disk.
    #[must_use]
    pub fn identity(&self) -> NodeIdentity {
        let keys = self.ring().keys();
        self.0.settings.identity.with_gossip_keys(keys)
    }

    fn save(&self, ring: &KeyRing) -> Result<(), KeyError> {
        let KeySettings {
            identity, folder, ..
        } = &self.0.settings;
        if let Some(folder) = folder {
            identity.with_gossip_keys(ring.keys()).save(folder)?;
        }
        Ok(())
    }

    async fn run(self) {
        let settings = &self.0.settings;
        let mut feed = settings.board.subscribe();
        let mut differing: BTreeSet<NodeId> = BTreeSet::new();
        let mut outdated_since = None;
        let mut roster = settings.roster.watch();
        loop {
            let pause = self.pause(&differing, outdated_since);
            // All of these are cancel-safe.
            tokio::select! {
                event = feed.next() => self.hear(event, &mut differing),
                _changed = roster.changed() => {}
                () = self.0.changed.notified() => {
                    // What the others have is compared anew.
                    differing.extend(self.others_that_differ());
                }
                () = sleep(pause) => {}
            }
            self.tick();
            self.rotate_if_due(&mut outdated_since);
            self.exchange(&mut differing).await;
        }
    }

    fn pause(&self, differing: &BTreeSet<NodeId>, outdated_since: Option<Moment>) -> Duration {
        let now = self.0.settings.clock.now();
        let due = self.ring().next_deadline().map(|at| at.since(now));
        let pause = due.unwrap_or(IDLE);
        if differing.is_empty() && outdated_since.is_none() {
            pause
        } else {
            pause.min(RETRY)
        }
    }

    fn hear(&self, event: BoardEvent, differing: &mut BTreeSet<NodeId>) {
        match event {
            BoardEvent::Changed { node, key, value } if key == BOARD_KEY => {
                let mine = self.ring().fingerprint();
                if value.is_some_and(|theirs| theirs != mine.as_bytes()) {
                    differing.insert(node);
                } else {
                    differing.remove(&node);
                }
            }
            BoardEvent::Disconnected { node } => {
                differing.remove(&node);
            }
            BoardEvent::Connected { .. }
            | BoardEvent::Synced { .. }
            | BoardEvent::Changed { .. } => {}
        }
    }

    fn others_that_differ(&self) -> Vec<NodeId> {
        let mine = self.ring().fingerprint();
        let board = &self.0.settings.board;
        let differs = |node: &NodeId| {
            let theirs = board.get(*node, BOARD_KEY);
            theirs.is_some_and(|theirs| theirs != mine.as_bytes())
        };
        board.connected().into_keys().filter(differs).collect()
    }

    /// Asks those whose newest key is another one, and tells them ours.
    async fn exchange(&self, differing: &mut BTreeSet<NodeId>) {
        for node in std::mem::take(differing) {
            let settings = &self.0.settings;
            let share = self.ring().share(self.removed());
            let answer = settings
                .calls
                .call_json::<_, KeyShare>(node, CALL, &share, CALL_DEADLINE);
            match answer.await {
                Ok(theirs) => self.learn(&theirs),
                Err(error) => {
                    tracing::debug!(node.id = %node, %error, "exchange keys");
                    differing.insert(node);
                }
            }
        }
    }

    fn answer(&self, peer: NodeId, share: &KeyShare) -> Result<KeyShare, Problem> {
        // TLS admitted it; it may have been removed since.
        if !self.0.settings.roster.get().admits(peer) {
            let message = "this node is not in the cluster";
            return Err(Problem::new(ProblemCode::Forbidden, message));
        }
        self.learn(share);
        Ok(self.ring().share(self.removed()))
    }

    fn learn(&self, share: &KeyShare) {
        self.change(|ring, now| ring.learn(share, now));
    }

    fn tick(&self) {
        self.change(|ring, now| ring.tick(now));
    }

    /// What the others decided is followed, whether or not it can be written down.
    fn change(&self, change: impl FnOnce(&mut KeyRing, Moment) -> bool) {
        let mut ring = self.ring();
        if !change(&mut ring, self.0.settings.clock.now()) {
            return;
        }
        if let Err(error) = self.save(&ring) {
            tracing::error!(%error, "write the keys of sealed datagrams down");
        }
        drop(ring);
        self.use_ring();
    }

    /// After a removal one node draws a new key: the one with the lowest number among those that are
    /// up, or, where that does nothing, the next.
    fn rotate_if_due(&self, outdated_since: &mut Option<Moment>) {
        if !self.ring().is_outdated(self.removed()) {
            *outdated_since = None;
            return;
        }
        let settings = &self.0.settings;
        let now = settings.clock.now();
        let since = *outdated_since.get_or_insert(now);
        let me = settings.identity.node();
        let members = settings.membership.members();
        let before_me = members
            .iter()
            .filter(|(node, standing)| **node < me && standing.health == NodeHealth::Up);
        let rank = u32::try_from(before_me.count()).unwrap_or(u32::MAX);
        if now.since(since) < RANK_PAUSE.saturating_mul(rank) {
            return;
        }
        *outdated_since = None;
        if let Err(error) = self.rotate() {
            tracing::error!(%error, "replace the key that a removed node has");
        }
    }

    /// Everything follows the ring: what seals and opens, what is shown, what others are told.
    fn use_ring(&self) {
        let keys = self.ring().keys();
        if let Err(error) = self.0.settings.sealing.set_keys(&keys) {
            tracing::error!(%error, "use the new keys of sealed datagrams");
        }
        self.show();
        self.0.changed.notify_one();
    }

    fn show(&self) {
        let fingerprint = self.ring().fingerprint();
        let board = &self.0.settings.board;
        if let Err(error) = board.set(BOARD_KEY, fingerprint, Audience::All) {
            tracing::error!(%error, "show which key this node holds");
        }
    }

    fn removed(&self) -> u32 {
        let removed = self.0.settings.roster.get().removed.len();
        u32::try_from(removed).unwrap_or(u32::MAX)
    }

    fn ring(&self) -> MutexGuard<'_, KeyRing> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
