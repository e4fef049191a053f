//! One stream on which this node shows itself.

use super::{BoardCore, Closing, LinkId, Outgoing, Outputs, Side};
use crate::board::Audience;
use crate::board::own::OwnSpace;
use crate::board::wire::{Delta, Digest, FromOwner, FromReader};
use crate::identity::Start;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// A reader's sum is compared with what it should have had at its version, if that is among the
/// newest so many that it was brought to.
const EXPECTED_MAX: usize = 16;
/// A full exchange that did not help is not repeated sooner; then twice as late each time...
const FULL_EXCHANGE_PAUSE: Duration = Duration::from_secs(5);
/// ...and at most so late.
const FULL_EXCHANGE_PAUSE_MAX: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Showing {
    is_greeted: bool,
    /// The reader said what it has.
    is_answered: bool,
    /// The change up to which the reader has everything (or will, when it has read).
    has: u64,
    /// The reader must hear that it has everything, even when it lacks nothing.
    must_speak: bool,
    /// What was begun is not at its end.
    goes_on: bool,
    batch_due: Option<Moment>,
    shown_at: Option<Moment>,
    expected: VecDeque<Digest>,
    full_exchange_at: Option<Moment>,
    full_exchange_pause: Duration,
    last_full_exchange: Option<Moment>,
}

/// What is said.
pub(super) struct Said {
    pub(super) message: Option<FromOwner>,
    pub(super) begins_full_exchange: bool,
}

impl Said {
    const NOTHING: Self = Self {
        message: None,
        begins_full_exchange: false,
    };

    const fn message(message: FromOwner) -> Self {
        Self {
            begins_full_exchange: matches!(&message, FromOwner::Delta(delta) if delta.reset_at.is_some()),
            message: Some(message),
        }
    }
}

impl Showing {
    pub(super) const fn new() -> Self {
        Self {
            is_greeted: false,
            is_answered: false,
            has: 0,
            must_speak: false,
            goes_on: false,
            batch_due: None,
            shown_at: None,
            expected: VecDeque::new(),
            full_exchange_at: None,
            full_exchange_pause: FULL_EXCHANGE_PAUSE,
            last_full_exchange: None,
        }
    }

    /// Whether it waits for changes.
    pub(super) const fn is_idle(&self) -> bool {
        self.is_answered && self.batch_due.is_none()
    }

    /// When something is to be said.
    pub(super) fn due(&self, beat_due: Moment) -> Moment {
        if !self.is_answered {
            // Its answer, or silence.
            return Moment(u64::MAX);
        }
        let due = self.batch_due.into_iter().chain(self.full_exchange_at);
        due.fold(beat_due, Moment::min)
    }

    /// There is something new.
    pub(super) fn wake(&mut self, now: Moment, batch: Duration) -> Moment {
        let soonest = self.shown_at.map_or(now, |at| at.plus(batch).max(now));
        *self.batch_due.get_or_insert(soonest)
    }

    /// What to say now.
    pub(super) fn next(
        &mut self,
        now: Moment,
        is_beat_due: bool,
        own: &OwnSpace,
        reader: NodeId,
        start: Start,
    ) -> Said {
        if !self.is_greeted {
            self.is_greeted = true;
            return Said::message(FromOwner::Hello(start));
        }
        if !self.is_answered {
            return Said::NOTHING;
        }
        if self.full_exchange_at.is_some_and(|at| at <= now) {
            self.full_exchange_at = None;
            self.last_full_exchange = Some(now);
            self.expected.clear();
            return Said::message(self.show(now, own.reset_for(reader), own, reader));
        }
        let is_news_due = self.batch_due.is_some_and(|at| at <= now);
        // A sign of life moves the reader on where changes did not concern it.
        let must_speak = self.must_speak || (is_beat_due && own.head() != self.has);
        if is_news_due || self.goes_on || must_speak {
            let delta = own.delta_for(reader, self.has);
            let says_nothing =
                delta.is_complete && delta.changes.is_empty() && delta.reset_at.is_none();
            if !says_nothing || must_speak {
                return Said::message(self.show(now, delta, own, reader));
            }
            (self.batch_due, self.goes_on) = (None, false);
        }
        if is_beat_due {
            return Said::message(FromOwner::Heartbeat);
        }
        Said::NOTHING
    }

    fn show(&mut self, now: Moment, delta: Delta, own: &OwnSpace, reader: NodeId) -> FromOwner {
        self.has = delta.to;
        self.must_speak = false;
        self.batch_due = None;
        self.shown_at = Some(now);
        self.goes_on = !delta.is_complete;
        if delta.is_complete {
            if self.expected.len() >= EXPECTED_MAX {
                self.expected.pop_front();
            }
            self.expected.push_back(Digest {
                version: delta.to,
                fingerprint: own.fingerprint_for(reader),
            });
        }
        FromOwner::Delta(delta)
    }

    /// The net below everything else: a reader whose sum differs from what it should have at its
    /// version gets everything anew. Says whether the sum was as expected, where that can be told.
    fn compare(&mut self, now: Moment, digest: Digest) -> Option<bool> {
        let mut expected = self.expected.iter();
        let due = expected.find(|expected| expected.version == digest.version)?;
        if due.fingerprint == digest.fingerprint {
            self.full_exchange_pause = FULL_EXCHANGE_PAUSE;
            return Some(true);
        }
        if self.full_exchange_at.is_none() {
            let at = match self.last_full_exchange {
                None => now,
                Some(last) => {
                    let at = last.plus(self.full_exchange_pause);
                    self.full_exchange_pause =
                        (self.full_exchange_pause * 2).min(FULL_EXCHANGE_PAUSE_MAX);
                    at.max(now)
                }
            };
            self.full_exchange_at = Some(at);
        }
        Some(false)
    }

    fn go_on_from(&mut self, digest: Digest) {
        self.is_answered = true;
        self.has = digest.version;
        self.must_speak = true;
        self.goes_on = false;
    }
}

impl BoardCore {
    /// Hears what a reader says on the stream that shows this node to it.
    pub(super) fn hear_reader(
        &mut self,
        now: Moment,
        link: LinkId,
        message: FromReader,
        outputs: &mut Outputs,
    ) {
        let Some(known) = self.links.get_mut(&link) else {
            return;
        };
        let Side::Showing(showing) = &mut known.side else {
            return;
        };
        match message {
            FromReader::Digest(digest) if showing.is_answered => {
                if showing.compare(now, digest) == Some(false) {
                    tracing::warn!(node.id = %known.node,
                        "a node's copy of our board differs; it gets everything anew");
                }
            }
            // Even when nothing is lacking: the reader learns that it has everything.
            FromReader::Digest(digest) | FromReader::Resync(digest) => showing.go_on_from(digest),
            FromReader::Heartbeat => {}
            FromReader::Outdated(later) => {
                tracing::error!(start = %self.me.start, known = %later,
                    "the other nodes know a later start of this node: was it restored from a backup, or does it run twice?");
                self.close(now, link, Closing::Outdated, outputs);
            }
        }
    }

    /// Something changed for these readers.
    pub(super) fn wake_showing(&mut self, now: Moment, concerned: &Audience) {
        let links: Vec<_> = match concerned {
            Audience::All => std::mem::take(&mut self.idle).into_iter().collect(),
            Audience::Nodes(nodes) => nodes
                .iter()
                .filter_map(|node| match self.peers.get(node)?.outgoing {
                    Outgoing::Standing(link) => self.idle.take(&link),
                    Outgoing::Waiting | Outgoing::Dialling => None,
                })
                .collect(),
        };
        for link in links {
            if let Some(known) = self.links.get_mut(&link)
                && let Side::Showing(showing) = &mut known.side
            {
                let due = showing.wake(now, self.timing.batch);
                if known.writing.is_none() {
                    self.schedule.bring_forward(super::Due::Link(link), due);
                }
            }
        }
    }
}
