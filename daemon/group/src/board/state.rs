//! Both sides of a board space: what its owner shows, and what a reader has of it. Pure.
//!
//! The owner numbers its changes. For a reader it filters by audience: a value is sent to those who
//! may see it; those who saw it and no longer may are told that it is gone. A reader checks
//! everything it is sent; a delta that does not fit is [`Poison`] and ends the stream, after which
//! both begin again from what the reader really has.

use super::wire::{Change, Delta, Digest, WireBytes};
use crate::identity::Start;
use bytes::Bytes;
use hwc_api::ids::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Most keys of one node: a hundred thousand datasets and what belongs to them.
pub const KEYS_MAX: usize = 200_000;
/// Most bytes (keys and values) of one node.
pub const SPACE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Values in one delta, so that a frame stays well below its limit.
const DELTA_BYTES_MAX: usize = 512 * 1024;
/// Removed keys that are remembered; whoever was away for longer gets everything anew.
const TOMBSTONES_MAX: usize = 20_000;

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

/// Why a value was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The key is too long, or empty.
    #[error("a key has 1 to {KEY_BYTES_MAX} bytes")]
    Key,
    /// The value is too long.
    #[error("a value has at most {VALUE_BYTES_MAX} bytes")]
    Value,
    /// There is too much on the board already.
    #[error("the board holds {KEYS_MAX} keys and {SPACE_BYTES_MAX} bytes of a node at most")]
    Full,
}

/// Why a stream is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    /// The stream shows an earlier life than one that we know.
    #[error("the node shows an earlier life of its daemon than {0}")]
    Outdated(Start),
    /// Another stream of the node has taken over.
    #[error("a newer stream of the node has taken over")]
    Replaced,
    /// The delta does not continue where we are, or its numbers are out of order.
    #[error("changes are missing or out of order")]
    Order,
    /// A key or value is too long, or there are too many.
    #[error("more than a node may show")]
    TooMuch,
}

/// The space of this node.
#[derive(Debug, Default)]
pub struct OwnSpace {
    head: u64,
    entries: BTreeMap<String, Own>,
    by_version: BTreeMap<u64, String>,
    /// The number of the newest tombstone that was forgotten.
    forgotten: u64,
    tombstones: BTreeSet<u64>,
    bytes: usize,
}

#[derive(Debug)]
struct Own {
    version: u64,
    value: Option<Bytes>,
    audience: Audience,
    /// Who may have seen it at some time, and must be told when it goes.
    shown_to: Audience,
}

impl OwnSpace {
    /// The number of the newest change.
    #[must_use]
    pub const fn head(&self) -> u64 {
        self.head
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Bytes> {
        self.entries.get(key)?.value.as_ref()
    }

    /// All keys and values.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Bytes> {
        let values = self.entries.iter();
        values
            .filter_map(|(key, own)| Some((key.clone(), own.value.clone()?)))
            .collect()
    }

    /// Sets a value; equal ones change nothing.
    ///
    /// # Errors
    /// When a limit would be passed.
    pub fn set(&mut self, key: String, value: Bytes, audience: Audience) -> Result<(), SetError> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(SetError::Key);
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(SetError::Value);
        }
        let before = self.entries.get(&key);
        if before.is_some_and(|own| own.value.as_ref() == Some(&value) && own.audience == audience)
        {
            return Ok(());
        }
        let bytes_before = before.map_or(0, |own| own.bytes(&key));
        let bytes = self.bytes - bytes_before + key.len() + value.len();
        let live = self.entries.len() - self.tombstones.len();
        let is_new = before.is_none_or(|own| own.value.is_none());
        if bytes > SPACE_BYTES_MAX || (is_new && live >= KEYS_MAX) {
            return Err(SetError::Full);
        }
        self.bytes = bytes;
        self.write(key, Some(value), audience);
        Ok(())
    }

    /// Takes a key off.
    pub fn remove(&mut self, key: &str) {
        let Some(own) = self.entries.get(key) else {
            return;
        };
        if own.value.is_none() {
            return;
        }
        self.bytes -= own.bytes(key);
        self.write(key.to_owned(), None, Audience::Nodes(BTreeSet::new()));
        self.forget_old_tombstones();
    }

    fn write(&mut self, key: String, value: Option<Bytes>, audience: Audience) {
        self.head += 1;
        let mut shown_to = audience.clone();
        if let Some(before) = self.entries.remove(&key) {
            self.by_version.remove(&before.version);
            self.tombstones.remove(&before.version);
            shown_to.extend(before.shown_to);
        }
        if value.is_none() {
            self.tombstones.insert(self.head);
        }
        self.by_version.insert(self.head, key.clone());
        let own = Own {
            version: self.head,
            value,
            audience,
            shown_to,
        };
        self.entries.insert(key, own);
    }

    fn forget_old_tombstones(&mut self) {
        while self.tombstones.len() > TOMBSTONES_MAX {
            let Some(version) = self.tombstones.pop_first() else {
                return;
            };
            self.forgotten = self.forgotten.max(version);
            if let Some(key) = self.by_version.remove(&version) {
                self.entries.remove(&key);
            }
        }
    }

    /// What a reader lacks who has everything up to `since`; at most one frame's worth.
    #[must_use]
    pub fn delta_for(&self, reader: NodeId, since: u64) -> Delta {
        let is_lost = since > self.head || (since > 0 && since < self.forgotten);
        if is_lost {
            return self.reset_for(reader);
        }
        self.collect(reader, since, false)
    }

    /// Everything that a reader may see, whatever it has; the first frame's worth.
    #[must_use]
    pub fn reset_for(&self, reader: NodeId) -> Delta {
        self.collect(reader, 0, true)
    }

    fn collect(&self, reader: NodeId, since: u64, is_reset: bool) -> Delta {
        let mut delta = Delta {
            is_reset,
            from: since,
            to: since,
            is_complete: true,
            changes: Vec::new(),
        };
        let mut bytes = 0;
        for (version, key) in self.by_version.range(since.saturating_add(1)..) {
            if bytes >= DELTA_BYTES_MAX {
                delta.is_complete = false;
                return delta;
            }
            delta.to = *version;
            let Some(own) = self.entries.get(key) else {
                continue;
            };
            // Who has nothing needs not be told of what is gone.
            let Some(value) = own.shown(reader).filter(|v| v.is_some() || since > 0) else {
                continue;
            };
            bytes += key.len() + value.as_ref().map_or(0, Bytes::len) + 16;
            delta.changes.push(Change {
                version: *version,
                key: key.clone(),
                value: value.map(WireBytes),
            });
        }
        delta.to = self.head;
        delta
    }

    /// What a reader's digest should say when it has everything.
    #[must_use]
    pub fn digest_for(&self, reader: NodeId) -> Digest {
        let visible = self
            .entries
            .values()
            .filter(|own| own.value.is_some() && own.audience.includes(reader));
        Digest {
            version: self.head,
            fingerprint: visible.fold(0, |sum, own| sum ^ mix(own.version)),
        }
    }
}

impl Own {
    fn bytes(&self, key: &str) -> usize {
        self.value
            .as_ref()
            .map_or(0, |value| key.len() + value.len())
    }

    /// What a reader is told: the value, that it is gone, or nothing at all.
    fn shown(&self, reader: NodeId) -> Option<Option<Bytes>> {
        if self.value.is_some() && self.audience.includes(reader) {
            return Some(self.value.clone());
        }
        self.shown_to.includes(reader).then_some(None)
    }
}

/// What we have of another node's space.
#[derive(Debug, Default)]
pub struct PeerSpace {
    start: Option<Start>,
    version: u64,
    entries: BTreeMap<String, (u64, Bytes)>,
    /// In a reset: what was not confirmed yet.
    unconfirmed: BTreeSet<String>,
    bytes: usize,
    is_complete: bool,
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
        self.entries.get(key).map(|(_version, value)| value)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// All keys and values.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Bytes> {
        let entries = self.entries.iter();
        entries
            .map(|(key, (_version, value))| (key.clone(), value.clone()))
            .collect()
    }

    /// A stream begins that shows this life. A new life wipes what the old one showed; says which
    /// keys.
    ///
    /// # Errors
    /// When a later life is known.
    pub fn begin(&mut self, start: Start) -> Result<Vec<String>, Poison> {
        self.is_complete = false;
        match self.start {
            Some(known) if known > start => Err(Poison::Outdated(known)),
            Some(known) if known == start => Ok(Vec::new()),
            Some(_) | None => {
                let old = std::mem::take(self);
                self.start = Some(start);
                Ok(old.entries.into_keys().collect())
            }
        }
    }

    /// The stream has ended.
    pub const fn lose_touch(&mut self) {
        self.is_complete = false;
    }

    /// Takes a delta, or nothing of it; says which keys changed.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn apply(&mut self, delta: Delta) -> Result<Vec<String>, Poison> {
        self.check(&delta)?;
        if delta.is_reset {
            self.unconfirmed = self.entries.keys().cloned().collect();
        }
        let mut changed = Vec::with_capacity(delta.changes.len());
        for change in delta.changes {
            self.unconfirmed.remove(&change.key);
            let before = self.entries.get(&change.key);
            let is_same = match (&change.value, before) {
                (Some(new), Some((_version, old))) => new.0 == *old,
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            self.put(
                &change.key,
                change.value.map(|value| (change.version, value.0)),
            );
            if !is_same {
                changed.push(change.key);
            }
        }
        self.version = delta.to;
        if delta.is_complete {
            for key in std::mem::take(&mut self.unconfirmed) {
                self.put(&key, None);
                changed.push(key);
            }
            self.is_complete = true;
        }
        Ok(changed)
    }

    fn put(&mut self, key: &str, value: Option<(u64, Bytes)>) {
        let before = match value {
            Some((version, value)) => {
                self.bytes += key.len() + value.len();
                self.entries.insert(key.to_owned(), (version, value))
            }
            None => self.entries.remove(key),
        };
        if let Some((_version, value)) = before {
            self.bytes -= key.len() + value.len();
        }
    }

    fn check(&self, delta: &Delta) -> Result<(), Poison> {
        let continues = if delta.is_reset {
            delta.from == 0
        } else {
            delta.from == self.version
        };
        let mut last = delta.from;
        let in_order = delta.changes.iter().all(|change| {
            let follows = change.version > last && change.version <= delta.to;
            last = change.version;
            follows
        });
        if !continues || !in_order || delta.to < delta.from {
            return Err(Poison::Order);
        }
        let mut added = 0;
        for change in &delta.changes {
            let length = change.value.as_ref().map_or(0, |value| value.0.len());
            let key_fits = !change.key.is_empty() && change.key.len() <= KEY_BYTES_MAX;
            if !key_fits || length > VALUE_BYTES_MAX {
                return Err(Poison::TooMuch);
            }
            added += change.key.len() + length;
        }
        // Twice, because what a delta replaces is still counted here.
        let keys = self.entries.len() + delta.changes.len();
        if keys > 2 * KEYS_MAX || self.bytes + added > 2 * SPACE_BYTES_MAX {
            return Err(Poison::TooMuch);
        }
        Ok(())
    }

    /// What we have, for the owner to compare.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let versions = self.entries.values().map(|(version, _value)| *version);
        Digest {
            version: self.version,
            fingerprint: versions.fold(0, |sum, version| sum ^ mix(version)),
        }
    }
}

/// Spreads a number over 64 bits (the finaliser of splitmix64), so that sums of small numbers
/// differ.
const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
