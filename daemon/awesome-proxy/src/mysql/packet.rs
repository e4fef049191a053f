//! Packets: three bytes of length, one of sequence number, the payload.

use bytes::{Buf, Bytes, BytesMut};
use hwc_runtime::dial::PeerStream;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Greatest packet of a login. Real ones have some hundred bytes; tickets of Kerberos have more.
pub(super) const LOGIN_PACKET_MAX: usize = 64 * 1024;

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// Counts the packets of one exchange.
    pub sequence: u8,
    /// What it says.
    pub payload: Bytes,
}

/// Takes a packet from the front of a buffer, once it is whole.
///
/// # Errors
/// When it says that it is greater than a login's packets are.
pub(super) fn take_packet(buffer: &mut BytesMut) -> io::Result<Option<Packet>> {
    let Some([low, middle, high, sequence]) = buffer.first_chunk::<4>().copied() else {
        return Ok(None);
    };
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    if length > LOGIN_PACKET_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a login packet of more than 64 KiB",
        ));
    }
    if buffer.len() < length + 4 {
        return Ok(None);
    }
    buffer.advance(4);
    let payload = buffer.split_to(length).freeze();
    Ok(Some(Packet { sequence, payload }))
}

/// A stream on which packets are read and written.
pub(super) struct Packets {
    stream: PeerStream,
    buffer: BytesMut,
}

impl Packets {
    pub fn new(stream: PeerStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// The next packet. Cancel-safe.
    ///
    /// # Errors
    /// When the stream ends or fails, or a packet is too great.
    pub async fn read(&mut self) -> io::Result<Packet> {
        loop {
            if let Some(packet) = take_packet(&mut self.buffer)? {
                return Ok(packet);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Writes a packet. Not cancel-safe: afterwards the stream is of no use.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn write(&mut self, sequence: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        let mut bytes = Vec::with_capacity(payload.len() + 4);
        bytes.extend_from_slice(&length[..3]);
        bytes.push(sequence);
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    /// The stream, and what was read from it and belongs to nobody yet.
    pub fn into_parts(self) -> (PeerStream, BytesMut) {
        (self.stream, self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_taken_when_it_is_whole() {
        let mut buffer = BytesMut::from(&[2, 0, 0, 7, b'a'][..]);
        assert_eq!(take_packet(&mut buffer).expect("small"), None);
        buffer.extend_from_slice(b"bc");
        let packet = take_packet(&mut buffer).expect("small").expect("whole");
        assert_eq!((packet.sequence, packet.payload.as_ref()), (7, &b"ab"[..]));
        assert_eq!(buffer.as_ref(), b"c");
        let mut empty = BytesMut::from(&[0, 0, 0, 1][..]);
        let packet = take_packet(&mut empty).expect("small").expect("whole");
        assert!(packet.payload.is_empty());
        let mut great = BytesMut::from(&[0xff, 0xff, 0xff, 1][..]);
        assert!(take_packet(&mut great).is_err());
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
                    match take_packet(&mut buffer) {
                        Ok(Some(packet)) => prop_assert!(packet.payload.len() <= LOGIN_PACKET_MAX),
                        Ok(None) => break,
                        Err(_) => return Ok(()),
                    }
                }
            }
        }
    }
}
