//! The frames on a board's stream: postcard, each at most 1 MiB.
//!
//! The owner of a space dials and shows it; the reader answers with what it has. Both give signs of
//! life. A frame that can't be decoded ends the stream, and nothing else.

use crate::identity::Start;
use bytes::Bytes;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

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
    /// A sum over what it has.
    pub fingerprint: u64,
}

/// Changes `from` (exclusive) `to` (inclusive).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// What is not confirmed by this and the following deltas is gone.
    pub is_reset: bool,
    /// The change up to which the reader has everything already; 0 in a reset.
    pub from: u64,
    /// The change up to which it then has everything.
    pub to: u64,
    /// Whether that is the newest one.
    pub is_complete: bool,
    /// The changes that concern the reader, in the order of their numbers.
    pub changes: Vec<Change>,
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

/// A frame that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame that is no message of ours")]
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

/// Reads a message; all of the frame must be used.
///
/// # Errors
/// When it is none.
pub fn decode<M: DeserializeOwned>(frame: &[u8]) -> Result<M, Garbage> {
    match postcard::take_from_bytes(frame) {
        Ok((message, [])) => Ok(message),
        Ok((_, [_, ..])) | Err(_) => Err(Garbage),
    }
}

/// Length-prefixed frames on a stream. Reading them is cancel-safe.
pub fn framed<S: AsyncRead + AsyncWrite>(stream: S) -> Framed<S, LengthDelimitedCodec> {
    LengthDelimitedCodec::builder()
        .max_frame_length(FRAME_BYTES_MAX)
        .new_framed(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_survive_the_wire() {
        let delta = Delta {
            is_reset: false,
            from: 3,
            to: 9,
            is_complete: true,
            changes: vec![
                Change {
                    version: 4,
                    key: "a".to_owned(),
                    value: Some(WireBytes(Bytes::from_static(b"\0\xff"))),
                },
                Change {
                    version: 9,
                    key: "b".to_owned(),
                    value: None,
                },
            ],
        };
        let message = FromOwner::Delta(delta);
        let frame = encode(&message).expect("encoded");
        assert_eq!(decode(&frame), Ok(message));
        let mut longer = frame.to_vec();
        longer.push(0);
        assert_eq!(decode::<FromOwner>(&longer), Err(Garbage));
    }

    proptest! {
        #[test]
        fn garbage_is_a_message_or_an_error(frame in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _either = decode::<FromOwner>(&frame);
            let _either = decode::<FromReader>(&frame);
        }
    }
}
