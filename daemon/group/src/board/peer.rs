//! What we have of another node's space. Pure.
//!
//! Everything is checked. What is older than what is there changes nothing, so that a delta may come
//! late or twice. A change that can't be taken (no change at all, a key or value that is too long,
//! more than a node may show) disables its own key: it is passed over, counted, and remembered by
//! its fingerprint, so that the owner's sum still fits and nothing is sent again and again.

use super::wire::{Delta, Digest, EncodedChange};
use super::{KEY_BYTES_MAX, KEYS_MAX, SPACE_BYTES_MAX, VALUE_BYTES_MAX};
use crate::identity::Start;
use bytes::Bytes;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What was passed over; it has changed nothing but its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Skipped {
    /// A frame that is no message of ours.
    #[error("a frame that is no message")]
    Frame,
    /// A frame that is longer than any of ours.
    #[error("a frame that is too long")]
    LongFrame,
    /// A delta whose numbers contradict each other.
    #[error("a delta out of order")]
    Order,
    /// A change that is none.
    #[error("a change that can't be read")]
    Change,
    /// A key that is empty or too long.
    #[error("a key that is empty or too long")]
    Key,
    /// A value that is too long.
    #[error("a value that is too long")]
    Value,
    /// More keys or bytes than a node may show.
    #[error("more than a node may show")]
    TooMuch,
}

/// A life of the node's daemon is shown that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node shows an earlier life of its daemon than {0}")]
pub struct Outdated(pub Start);

/// What came of a delta.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The keys that changed.
    pub changed: Vec<String>,
    /// What was passed over.
    pub skipped: Vec<Skipped>,
    /// Something is missing before it: it was not applied, the owner must go on from our digest.
    pub is_gap: bool,
}

/// What we have of another node's space.
#[derive(Debug, Default)]
pub struct PeerSpace {
    start: Option<Start>,
    version: u64,
    /// The newest change of the owner that we heard of: full exchanges that began before are late.
    newest: u64,
    entries: BTreeMap<String, Entry>,
    /// In a full exchange: what was not confirmed yet.
    unconfirmed: BTreeSet<String>,
    bytes: usize,
    fingerprint: u64,
    is_complete: bool,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    fingerprint: u64,
    /// None where the value was passed over.
    value: Option<Bytes>,
}

impl PeerSpace {
    /// Which life of the node's daemon it shows.
    #[must_use]
    pub const fn start(&self) -> Option<Start> {
        self.start
    }

    /// Whether we have everything, as far as the stream goes.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Bytes> {
        self.entries.get(key)?.value.as_ref()
    }

    /// All keys that have a value.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = self.entries.iter();
        entries.filter_map(|(key, entry)| entry.value.is_some().then_some(key.as_str()))
    }

    /// All keys and values.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Bytes> {
        let entries = self.entries.iter();
        entries
            .filter_map(|(key, entry)| Some((key.clone(), entry.value.clone()?)))
            .collect()
    }

    /// What we have, for the owner to compare.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        Digest {
            version: self.version,
            fingerprint: self.fingerprint,
        }
    }

    /// A stream begins that shows this life. A new life wipes what the old one showed; says which
    /// keys.
    ///
    /// # Errors
    /// When a later life is known.
    pub fn begin(&mut self, start: Start) -> Result<Vec<String>, Outdated> {
        match self.start {
            Some(known) if known > start => Err(Outdated(known)),
            Some(known) if known == start => {
                self.is_complete = false;
                Ok(Vec::new())
            }
            Some(_) | None => {
                let old = std::mem::take(self);
                self.start = Some(start);
                Ok(old.keys().map(ToOwned::to_owned).collect())
            }
        }
    }

    /// The stream has ended.
    pub const fn lose_touch(&mut self) {
        self.is_complete = false;
    }

    /// Takes a delta: what of it is news.
    pub fn apply(&mut self, delta: Delta) -> Applied {
        let mut applied = Applied::default();
        let Delta {
            reset_at,
            from,
            to,
            is_complete,
            changes,
        } = delta;
        let is_sane = to >= from && reset_at.is_none_or(|at| from == 0 && at >= to);
        if !is_sane {
            applied.skipped.push(Skipped::Order);
            return applied;
        }
        match reset_at {
            // A full exchange that began before what we know of is late.
            Some(at) if at < self.newest => return applied,
            Some(at) => {
                self.newest = at;
                self.version = 0;
                self.unconfirmed = self.entries.keys().cloned().collect();
            }
            None if from > self.version => {
                applied.is_gap = true;
                return applied;
            }
            // Nothing that we don't have.
            None if to < self.version => return applied,
            None => {}
        }
        for encoded in changes {
            self.take(&encoded, to, reset_at.is_some(), &mut applied);
        }
        self.version = to;
        self.newest = self.newest.max(to);
        if is_complete {
            for key in std::mem::take(&mut self.unconfirmed) {
                if self.put(&key, None).is_some() {
                    applied.changed.push(key);
                }
            }
            self.is_complete = true;
        }
        applied
    }

    fn take(&mut self, encoded: &EncodedChange, to: u64, is_reset: bool, applied: &mut Applied) {
        let Ok(change) = encoded.decode() else {
            applied.skipped.push(Skipped::Change);
            return;
        };
        if change.version > to {
            applied.skipped.push(Skipped::Order);
            return;
        }
        if change.version <= self.version && !is_reset {
            return;
        }
        let key = change.key;
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            applied.skipped.push(Skipped::Key);
            return;
        }
        let known = self.entries.get(&key).map(|entry| entry.version);
        let is_late = known.is_some_and(|known| known > change.version);
        if is_late && !is_reset {
            return;
        }
        self.unconfirmed.remove(&key);
        let entry = change.value.map(|value| Entry {
            version: change.version,
            fingerprint: encoded.fingerprint(),
            value: Some(value.0),
        });
        let entry = match entry.map(|entry| self.judge(&key, entry)) {
            None => None,
            Some(Ok(entry)) => Some(entry),
            Some(Err((entry, why))) => {
                applied.skipped.push(why);
                entry
            }
        };
        let new = entry.as_ref().and_then(|entry| entry.value.clone());
        let old = self.put(&key, entry);
        if old != new {
            applied.changed.push(key);
        }
    }

    /// Whether there is room for an entry; otherwise what is kept of it, and why.
    fn judge(&self, key: &str, entry: Entry) -> Result<Entry, (Option<Entry>, Skipped)> {
        let length = entry.value.as_ref().map_or(0, Bytes::len);
        let known = self.entries.get(key);
        if known.is_none() && self.entries.len() >= KEYS_MAX {
            return Err((None, Skipped::TooMuch));
        }
        let bytes = self.bytes - known.map_or(0, |entry| entry.bytes(key)) + key.len();
        let without = Entry {
            value: None,
            ..entry
        };
        if length > VALUE_BYTES_MAX {
            return Err((Some(without), Skipped::Value));
        }
        if bytes + length > SPACE_BYTES_MAX {
            let kept = (bytes <= SPACE_BYTES_MAX).then_some(without);
            return Err((kept, Skipped::TooMuch));
        }
        Ok(Entry {
            value: entry.value,
            ..without
        })
    }

    /// Replaces an entry; gives the value that was there.
    fn put(&mut self, key: &str, entry: Option<Entry>) -> Option<Bytes> {
        let before = match entry {
            Some(entry) => {
                self.bytes += entry.bytes(key);
                self.fingerprint ^= entry.fingerprint;
                self.entries.insert(key.to_owned(), entry)
            }
            None => self.entries.remove(key),
        }?;
        self.bytes -= before.bytes(key);
        self.fingerprint ^= before.fingerprint;
        before.value
    }
}

impl Entry {
    fn bytes(&self, key: &str) -> usize {
        key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}
