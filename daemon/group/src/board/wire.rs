//! The frames on a board's stream: postcard, each at most 1 MiB.
//!
//! The owner of a space dials and shows it; the reader answers with what it has. Both give signs of
//! life. A frame that can't be understood is passed over and counted: a later version of the daemon
//! may say what this one does not know. Each change is encoded by itself inside its delta, so that
//! one that can't be understood disables only its own key.

use crate::identity::Start;
use bytes::Bytes;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Longest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// What the owner of a space sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromOwner {
    /// First: which life of the daemon shows itself.
    Hello(Start),
    /// What the reader lacks, or a part of it.
    Delta(Delta),
    /// A sign of life.
    Heartbeat,
}

/// What the reader of a space sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromReader {
    /// First, and every few seconds: what it has.
    Digest(Digest),
    /// It missed something: go on from here.
    Resync(Digest),
    /// It knows a later life of the owner's daemon: this one is outdated.
    Outdated(Start),
    /// A sign of life.
    Heartbeat,
}

/// What a reader has of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Digest {
    /// The number of the last change up to which it has everything.
    pub version: u64,
    /// The sum over what it has; see [`EncodedChange::fingerprint`].
    pub fingerprint: u64,
}

/// Changes `from` (exclusive) `to` (inclusive).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// In a full exchange: the owner's newest change when it began. What is not confirmed by this and
    /// the following deltas is gone.
    pub reset_at: Option<u64>,
    /// The change up to which the reader has everything already; 0 in a full exchange.
    pub from: u64,
    /// The change up to which it then has everything.
    pub to: u64,
    /// Whether that is the newest one.
    pub is_complete: bool,
    /// The changes that concern the reader, in the order of their numbers.
    pub changes: Vec<EncodedChange>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its number.
    pub version: u64,
    /// The key.
    pub key: String,
    /// The value; none when it is gone.
    pub value: Option<WireBytes>,
}

/// One change as it stands in a delta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodedChange(WireBytes);

impl EncodedChange {
    /// Encodes a change.
    #[must_use]
    pub fn of(change: &Change) -> Self {
        // A change is always encoded; postcard's signature allows for more.
        Self(WireBytes(encode(change).unwrap_or_default()))
    }

    /// Takes bytes for a change.
    #[must_use]
    pub const fn raw(bytes: Bytes) -> Self {
        Self(WireBytes(bytes))
    }

    /// The change.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(&self) -> Result<Change, Garbage> {
        decode(&self.0.0)
    }

    /// What it adds to the sum of a space: equal for the owner and for every reader.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(&self.0.0));
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }
}

/// Bytes that postcard writes in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireBytes(pub Bytes);

impl Serialize for WireBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for WireBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = WireBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<WireBytes, E> {
                Ok(WireBytes(Bytes::copy_from_slice(bytes)))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no message of ours")]
pub struct Garbage;

/// Writes a message.
///
/// # Errors
/// Never for our own messages; postcard's signature allows for it.
pub fn encode(message: &impl Serialize) -> Result<Bytes, Garbage> {
    postcard::to_stdvec(message)
        .map(Bytes::from)
        .map_err(|_| Garbage)
}

/// Reads a message; all of the bytes must be used.
///
/// # Errors
/// When it is none.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Garbage> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok((_, [_, ..])) | Err(_) => Err(Garbage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(version: u64, key: &str, value: Option<&'static [u8]>) -> Change {
        Change {
            version,
            key: key.to_owned(),
            value: value.map(|value| WireBytes(Bytes::from_static(value))),
        }
    }

    #[test]
    fn messages_survive_the_wire() {
        let changes = [change(4, "a", Some(b"\0\xff")), change(9, "b", None)];
        let delta = Delta {
            reset_at: None,
            from: 3,
            to: 9,
            is_complete: true,
            changes: changes.iter().map(EncodedChange::of).collect(),
        };
        let message = FromOwner::Delta(delta.clone());
        let frame = encode(&message).expect("encoded");
        assert_eq!(decode(&frame), Ok(message));
        for (encoded, change) in delta.changes.iter().zip(changes) {
            assert_eq!(encoded.decode(), Ok(change));
        }
        let mut longer = frame.to_vec();
        longer.push(0);
        assert_eq!(decode::<FromOwner>(&longer), Err(Garbage));
    }

    #[test]
    fn equal_changes_have_equal_fingerprints_and_others_have_others() {
        let print = |change: &Change| EncodedChange::of(change).fingerprint();
        let one = change(4, "a", Some(b"1"));
        assert_eq!(print(&one), print(&one.clone()));
        for other in [
            change(5, "a", Some(b"1")),
            change(4, "b", Some(b"1")),
            change(4, "a", Some(b"2")),
        ] {
            assert_ne!(print(&one), print(&other));
        }
    }

    proptest! {
        #[test]
        fn garbage_is_a_message_or_an_error(frame in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _either = decode::<FromOwner>(&frame);
            let _either = decode::<FromReader>(&frame);
            let _either = EncodedChange::raw(frame.into()).decode();
        }
    }
}
