//! Packets: three bytes of length, one of sequence number, the payload.

use bytes::{Buf, Bytes, BytesMut};
use hwc_runtime::dial::PeerStream;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Greatest packet of a login. Real ones have some hundred bytes; tickets of Kerberos have more.
pub(super) const LOGIN_PACKET_MAX: usize = 64 * 1024;
/// Room for the packets of a login, and of our own questions.
const ROOM: usize = 4 * 1024;
/// A packet of this length goes on in the next one.
pub(super) const LONGEST: usize = 0xff_ffff;
/// Bytes of a packet's head.
pub(super) const HEAD: usize = 4;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// Counts the packets of one exchange.
    pub sequence: u8,
    /// What it says.
    pub payload: Bytes,
}

/// The length and the sequence number that a packet's head tells.
pub(super) fn read_head(bytes: &[u8]) -> Option<(usize, u8)> {
    let [low, middle, high, sequence] = *bytes.first_chunk::<HEAD>()?;
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    Some((length, sequence))
}

/// The head of a packet. Longer payloads than one packet can have are the caller's to cut.
pub(super) fn write_head(length: usize, sequence: u8) -> [u8; HEAD] {
    let [low, middle, high, _] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [low, middle, high, sequence]
}

/// Takes a packet from the front of a buffer, once it is whole.
///
/// # Errors
/// When it says that it is greater than `max`.
pub(super) fn take_packet(buffer: &mut BytesMut, max: usize) -> io::Result<Option<Packet>> {
    let Some((length, sequence)) = read_head(buffer) else {
        return Ok(None);
    };
    if length > max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a packet greater than it may be here",
        ));
    }
    if buffer.len() < length + HEAD {
        return Ok(None);
    }
    buffer.advance(HEAD);
    let payload = buffer.split_to(length).freeze();
    Ok(Some(Packet { sequence, payload }))
}

/// A stream on which packets are read and written, and what was read from it and belongs to nobody
/// yet.
pub(super) struct Packets {
    pub stream: PeerStream,
    pub buffer: BytesMut,
}

impl Packets {
    pub fn new(stream: PeerStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// The next packet of a login. Cancel-safe.
    ///
    /// # Errors
    /// When the stream ends or fails, or a packet is too great.
    pub async fn read(&mut self) -> io::Result<Packet> {
        self.read_up_to(LOGIN_PACKET_MAX).await
    }

    /// The next packet, of at most `max` bytes. Cancel-safe.
    ///
    /// # Errors
    /// When the stream ends or fails, or a packet is too great.
    pub async fn read_up_to(&mut self, max: usize) -> io::Result<Packet> {
        loop {
            if let Some(packet) = take_packet(&mut self.buffer, max)? {
                return Ok(packet);
            }
            if self.fill(ROOM).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads what there is, up to `room` bytes, into the buffer; 0 at the end of the stream.
    /// Cancel-safe.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn fill(&mut self, room: usize) -> io::Result<usize> {
        if self.buffer.capacity() - self.buffer.len() < room / 2 {
            self.buffer.reserve(room);
        }
        self.stream.read_buf(&mut self.buffer).await
    }

    /// Writes a packet. Not cancel-safe: afterwards the stream is of no use.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn write(&mut self, sequence: u8, payload: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + HEAD);
        bytes.extend_from_slice(&write_head(payload.len(), sequence));
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_taken_when_it_is_whole() {
        let mut buffer = BytesMut::from(&[2, 0, 0, 7, b'a'][..]);
        assert_eq!(take_packet(&mut buffer, 9).expect("small"), None);
        buffer.extend_from_slice(b"bc");
        let packet = take_packet(&mut buffer, 9).expect("small").expect("whole");
        assert_eq!((packet.sequence, packet.payload.as_ref()), (7, &b"ab"[..]));
        assert_eq!(buffer.as_ref(), b"c");
        let mut empty = BytesMut::from(&[0, 0, 0, 1][..]);
        let packet = take_packet(&mut empty, 9).expect("small").expect("whole");
        assert!(packet.payload.is_empty());
        let mut great = BytesMut::from(&[0xff, 0xff, 0xff, 1][..]);
        assert!(take_packet(&mut great, LOGIN_PACKET_MAX).is_err());
        assert_eq!(read_head(&write_head(0x01_0203, 9)), Some((0x01_0203, 9)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hold_more_than_a_packet(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..16)
        ) {
            let mut buffer = BytesMut::new();
            for piece in pieces {
                buffer.extend_from_slice(&piece);
                loop {
                    match take_packet(&mut buffer, LOGIN_PACKET_MAX) {
                        Ok(Some(packet)) => prop_assert!(packet.payload.len() <= LOGIN_PACKET_MAX),
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
            }
        }
    }
}
