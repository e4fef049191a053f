//! One stream on which another node shows itself.

use super::{BoardCore, BoardEvent, BoardOutput, Closing, LinkId, Outputs, Side, gone};
use crate::board::peer::Outdated;
use crate::board::wire::{Delta, Digest, FromOwner, FromReader};
use crate::identity::Start;
use crate::membership::Sign;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use std::time::Duration;

/// What can't be followed is asked for again, not sooner than this after the last time...
const RESYNC_PAUSE: Duration = Duration::from_millis(200);
/// ...twice as late each time that it did not help, and at most so late.
const RESYNC_PAUSE_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Reading {
    stage: Stage,
    digest_due: Option<Moment>,
    resync_due: Option<Moment>,
    resync_pause: Duration,
    last_resync: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// It did not say yet which life it shows.
    #[default]
    Silent,
    /// It shows itself.
    Following,
    /// It shows a life that is over, and is told so.
    Refusing(Start),
}

/// What is said.
pub(super) struct Said {
    pub(super) message: Option<FromReader>,
    pub(super) is_resync: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            stage: Stage::Silent,
            digest_due: None,
            resync_due: None,
            resync_pause: RESYNC_PAUSE,
            last_resync: None,
        }
    }
}

impl Reading {
    /// When something is to be said.
    pub(super) fn due(&self, beat_due: Moment) -> Moment {
        match self.stage {
            // Silence ends it.
            Stage::Silent => Moment(u64::MAX),
            Stage::Following | Stage::Refusing(_) => {
                let due = self.digest_due.into_iter().chain(self.resync_due);
                due.fold(beat_due, Moment::min)
            }
        }
    }

    /// Something was missed: asks for it, ever more rarely. Says whether the stream never said who
    /// it is, so that there is nothing to ask for.
    pub(super) fn ask_to_resync(&mut self, now: Moment) -> bool {
        if self.stage == Stage::Silent {
            return true;
        }
        if self.resync_due.is_none() {
            let at = match self.last_resync {
                None => now,
                Some(last) => {
                    let at = last.plus(self.resync_pause).max(now);
                    self.resync_pause = (self.resync_pause * 2).min(RESYNC_PAUSE_MAX);
                    at
                }
            };
            self.resync_due = Some(at);
        }
        false
    }

    /// What to say now.
    pub(super) fn next(
        &mut self,
        now: Moment,
        is_beat_due: bool,
        digest: Digest,
        digest_every: Duration,
    ) -> Said {
        let is_due = |due: Option<Moment>| due.is_some_and(|at| at <= now);
        let mut is_resync = false;
        let message = match self.stage {
            Stage::Silent => None,
            Stage::Refusing(known) => Some(FromReader::Outdated(known)),
            Stage::Following if is_due(self.resync_due) => {
                self.resync_due = None;
                self.last_resync = Some(now);
                is_resync = true;
                Some(FromReader::Resync(digest))
            }
            Stage::Following if is_due(self.digest_due) => {
                self.digest_due = Some(now.plus(digest_every));
                Some(FromReader::Digest(digest))
            }
            Stage::Following => is_beat_due.then_some(FromReader::Heartbeat),
        };
        Said { message, is_resync }
    }
}

impl BoardCore {
    /// Hears what an owner says on the stream that it shows itself on.
    pub(super) fn hear_owner(
        &mut self,
        now: Moment,
        link: LinkId,
        message: FromOwner,
        outputs: &mut Outputs,
    ) {
        let Some(known) = self.links.get(&link) else {
            return;
        };
        let Side::Reading(reading) = &known.side else {
            return;
        };
        let node = known.node;
        match (message, reading.stage) {
            (FromOwner::Hello(start), Stage::Silent) => {
                self.greeted(now, link, node, start, outputs);
            }
            (FromOwner::Delta(delta), Stage::Following) => {
                self.apply(now, link, node, delta, outputs);
            }
            (FromOwner::Heartbeat, Stage::Following) | (_, Stage::Refusing(_)) => {}
            (FromOwner::Hello(_), Stage::Following)
            | (FromOwner::Delta(_) | FromOwner::Heartbeat, Stage::Silent) => {
                self.close(now, link, Closing::Nonsense, outputs);
            }
        }
    }

    fn greeted(
        &mut self,
        now: Moment,
        link: LinkId,
        node: NodeId,
        start: Start,
        outputs: &mut Outputs,
    ) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let begun = peer.space.begin(start);
        if let Some(known) = self.links.get_mut(&link)
            && let Side::Reading(reading) = &mut known.side
        {
            match &begun {
                Ok(_wiped) => {
                    reading.stage = Stage::Following;
                    reading.digest_due = Some(now);
                }
                Err(Outdated(later)) => reading.stage = Stage::Refusing(*later),
            }
        }
        let wiped = match begun {
            Ok(wiped) => wiped,
            Err(outdated) => {
                tracing::warn!(node.id = %node, %outdated, "a node's board was refused");
                self.speak(now, link, outputs);
                self.close(now, link, Closing::Outdated, outputs);
                return;
            }
        };
        let before = peer.reading.replace(link);
        if let Some(before) = before {
            outputs.push(BoardOutput::Event(BoardEvent::Disconnected { node }));
            self.close(now, before, Closing::Replaced, outputs);
        }
        outputs.push(BoardOutput::Sign(node, Sign::Connected(start)));
        outputs.push(BoardOutput::Event(BoardEvent::Connected { node, start }));
        outputs.extend(gone(node, wiped.iter().map(String::as_str)));
        self.redial_soon(now, node);
    }

    fn apply(
        &mut self,
        now: Moment,
        link: LinkId,
        node: NodeId,
        delta: Delta,
        outputs: &mut Outputs,
    ) {
        let Some(peer) = self.peers.get_mut(&node) else {
            return;
        };
        let was_complete = peer.space.is_complete();
        let applied = peer.space.apply(delta);
        for key in applied.changed {
            let value = peer.space.get(&key).cloned();
            outputs.push(BoardOutput::Event(BoardEvent::Changed { node, key, value }));
        }
        if !was_complete
            && peer.space.is_complete()
            && let Some(start) = peer.space.start()
        {
            outputs.push(BoardOutput::Event(BoardEvent::Synced { node, start }));
        }
        for what in applied.skipped {
            self.count_skipped(link, what);
        }
        if let Some(known) = self.links.get_mut(&link)
            && let Side::Reading(reading) = &mut known.side
        {
            if applied.is_gap {
                reading.ask_to_resync(now);
            } else {
                reading.resync_pause = RESYNC_PAUSE;
            }
        }
    }
}
