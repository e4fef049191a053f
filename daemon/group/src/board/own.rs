//! What this node shows. Pure.
//!
//! The owner numbers its changes. For a reader it filters by audience: a value is sent to those who
//! may see it; those who saw it and no longer may are told that it is gone.

use super::wire::{Change, Delta, EncodedChange, WireBytes};
use super::{Audience, KEY_BYTES_MAX, KEYS_MAX, SPACE_BYTES_MAX, VALUE_BYTES_MAX};
use bytes::Bytes;
use hwc_api::ids::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// Values in one delta, so that a frame stays well below its limit.
const DELTA_BYTES_MAX: usize = 512 * 1024;
/// Removed keys that are remembered; whoever was away for longer gets everything anew.
pub(super) const TOMBSTONES_MAX: usize = 20_000;

/// Why a value was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The key is too long, or empty.
    #[error("a key has 1 to {KEY_BYTES_MAX} bytes, this one has {bytes}")]
    Key {
        /// How many it has.
        bytes: usize,
    },
    /// The value is too long.
    #[error("a value has at most {VALUE_BYTES_MAX} bytes, that of {key} has {bytes}")]
    Value {
        /// Its key.
        key: String,
        /// How many it has.
        bytes: usize,
    },
    /// There is too much on the board already.
    #[error("the board holds {KEYS_MAX} keys and {SPACE_BYTES_MAX} bytes of a node at most")]
    Full,
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
    /// The sum over what all nodes see...
    shown_to_all: u64,
    /// ...and over what only some see, for each of them.
    shown_to_some: BTreeMap<NodeId, u64>,
}

#[derive(Debug)]
struct Own {
    version: u64,
    value: Option<Bytes>,
    fingerprint: u64,
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

    /// Whether a node may see what is under a key.
    #[cfg(test)]
    pub(super) fn is_shown(&self, key: &str, reader: NodeId) -> bool {
        let own = self.entries.get(key);
        own.is_some_and(|own| own.audience.includes(reader))
    }

    /// All keys and values.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<String, Bytes> {
        let values = self.entries.iter();
        values
            .filter_map(|(key, own)| Some((key.clone(), own.value.clone()?)))
            .collect()
    }

    /// Sets a value; equal ones change nothing. Says who must hear of it, if anybody.
    ///
    /// # Errors
    /// When a limit would be passed.
    pub fn set(
        &mut self,
        key: String,
        value: Bytes,
        audience: Audience,
    ) -> Result<Option<Audience>, SetError> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(SetError::Key { bytes: key.len() });
        }
        if value.len() > VALUE_BYTES_MAX {
            let bytes = value.len();
            return Err(SetError::Value { key, bytes });
        }
        let before = self.entries.get(&key);
        if before.is_some_and(|own| own.value.as_ref() == Some(&value) && own.audience == audience)
        {
            return Ok(None);
        }
        let bytes_before = before.map_or(0, |own| own.bytes(&key));
        let bytes = self.bytes - bytes_before + key.len() + value.len();
        let live = self.entries.len() - self.tombstones.len();
        let is_new = before.is_none_or(|own| own.value.is_none());
        if bytes > SPACE_BYTES_MAX || (is_new && live >= KEYS_MAX) {
            return Err(SetError::Full);
        }
        self.bytes = bytes;
        Ok(Some(self.write(key, Some(value), audience)))
    }

    /// Takes a key off; says who must hear of it, if anybody.
    pub fn remove(&mut self, key: &str) -> Option<Audience> {
        let own = self.entries.get(key)?;
        own.value.as_ref()?;
        self.bytes -= own.bytes(key);
        let concerned = self.write(key.to_owned(), None, Audience::Nodes(BTreeSet::new()));
        self.forget_old_tombstones();
        Some(concerned)
    }

    fn write(&mut self, key: String, value: Option<Bytes>, audience: Audience) -> Audience {
        self.head += 1;
        let mut shown_to = audience.clone();
        if let Some(before) = self.entries.remove(&key) {
            self.by_version.remove(&before.version);
            self.tombstones.remove(&before.version);
            self.count(&before.audience, before.fingerprint);
            shown_to.extend(before.shown_to);
        }
        let mut fingerprint = 0;
        if value.is_some() {
            fingerprint = encoded(self.head, &key, value.clone()).fingerprint();
            self.count(&audience, fingerprint);
        } else {
            self.tombstones.insert(self.head);
        }
        self.by_version.insert(self.head, key.clone());
        let concerned = shown_to.clone();
        let own = Own {
            version: self.head,
            value,
            fingerprint,
            audience,
            shown_to,
        };
        self.entries.insert(key, own);
        concerned
    }

    /// Adds a value to the sums of those who see it, or takes it away: the same, in these sums.
    fn count(&mut self, audience: &Audience, fingerprint: u64) {
        match audience {
            Audience::All => self.shown_to_all ^= fingerprint,
            Audience::Nodes(nodes) => {
                for node in nodes {
                    let sum = self.shown_to_some.entry(*node).or_default();
                    *sum ^= fingerprint;
                    if *sum == 0 {
                        self.shown_to_some.remove(node);
                    }
                }
            }
        }
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
        self.collect(reader, since, None)
    }

    /// Everything that a reader may see, whatever it has; the first frame's worth.
    #[must_use]
    pub fn reset_for(&self, reader: NodeId) -> Delta {
        self.collect(reader, 0, Some(self.head))
    }

    fn collect(&self, reader: NodeId, since: u64, reset_at: Option<u64>) -> Delta {
        let mut delta = Delta {
            reset_at,
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
            let change = encoded(*version, key, value);
            bytes += change.len();
            delta.changes.push(change);
        }
        delta.to = self.head;
        delta
    }

    /// The sum over what a reader should have when it has everything.
    #[must_use]
    pub fn fingerprint_for(&self, reader: NodeId) -> u64 {
        let some = self.shown_to_some.get(&reader).copied();
        self.shown_to_all ^ some.unwrap_or_default()
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

fn encoded(version: u64, key: &str, value: Option<Bytes>) -> EncodedChange {
    EncodedChange::of(&Change {
        version,
        key: key.to_owned(),
        value: value.map(WireBytes),
    })
}
