//! Length-prefixed frames on a stream. A frame that is too long is passed over without being kept,
//! so that the stream goes on behind it.

use super::wire::FRAME_BYTES_MAX;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio_util::codec::{Decoder, Encoder};

/// Length of the prefix: a big-endian number of bytes.
const PREFIX: usize = 4;

/// What came on a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A frame.
    Whole(Bytes),
    /// One that was too long, and is gone.
    TooLong,
}

/// Reads and writes frames. Reading is cancel-safe.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// So many bytes of a frame that is too long are still to come.
    skipping: usize,
}

impl Decoder for Frames {
    type Item = Frame;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Frame>> {
        if self.skipping > 0 {
            let here = self.skipping.min(source.len());
            source.advance(here);
            self.skipping -= here;
            return Ok((self.skipping == 0).then_some(Frame::TooLong));
        }
        let Some(prefix) = source.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > FRAME_BYTES_MAX {
            source.advance(PREFIX);
            self.skipping = length;
            return self.decode(source);
        }
        if source.len() < PREFIX + length {
            source.reserve(PREFIX + length - source.len());
            return Ok(None);
        }
        source.advance(PREFIX);
        Ok(Some(Frame::Whole(source.split_to(length).freeze())))
    }
}

impl Encoder<Bytes> for Frames {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, target: &mut BytesMut) -> io::Result<()> {
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        target.reserve(PREFIX + frame.len());
        target.put_u32(length);
        target.put(frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(frames: &mut Frames, source: &mut BytesMut) -> Vec<Frame> {
        let mut found = Vec::new();
        while let Some(frame) = frames.decode(source).expect("decoded") {
            found.push(frame);
        }
        found
    }

    #[test]
    fn a_frame_that_is_too_long_is_passed_over() {
        let mut written = BytesMut::new();
        let mut frames = Frames::default();
        frames
            .encode(Bytes::from_static(b"one"), &mut written)
            .expect("written");
        let long = Bytes::from(vec![7; FRAME_BYTES_MAX + 1]);
        frames.encode(long, &mut written).expect("written");
        frames.encode(Bytes::new(), &mut written).expect("written");
        let mut found = Vec::new();
        let mut source = BytesMut::new();
        for part in written.chunks(100_000) {
            source.extend_from_slice(part);
            found.extend(all(&mut frames, &mut source));
            assert!(source.len() <= 100_000, "nothing of it is kept");
        }
        let whole = |bytes| Frame::Whole(Bytes::from_static(bytes));
        assert_eq!(found, [whole(b"one"), Frame::TooLong, whole(b"")]);
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut(
            sent in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20),
            cut in 1usize..20,
        ) {
            let mut written = BytesMut::new();
            let mut frames = Frames::default();
            for frame in &sent {
                frames.encode(Bytes::copy_from_slice(frame), &mut written).expect("written");
            }
            let (mut found, mut source) = (Vec::new(), BytesMut::new());
            for part in written.chunks(cut) {
                source.extend_from_slice(part);
                found.extend(all(&mut frames, &mut source));
            }
            let expected: Vec<_> = sent.into_iter().map(|frame| Frame::Whole(frame.into())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
