//! The way back from the live node to the client's door: the server's bytes in frames, so that the
//! live node can put a word of its own between them.
//!
//! A frame is one byte of kind, three of length, and so many bytes: the server's, or when the
//! session will be cut. The other direction has nothing to add and has no frames.

use super::notice::Ending;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::dial::PeerStream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Bytes of a frame's head.
pub(super) const HEAD: usize = 4;
/// Kind of a frame with the server's bytes.
const BYTES: u8 = 0;
/// Kind of a frame that tells how the term ends: in how many milliseconds those inside are cut, in
/// four bytes, or one of the two words below.
const ENDING: u8 = 1;
/// The gate is closed; when those inside are cut is not settled.
const UNSETTLED: u32 = u32::MAX;
/// The gate is open again.
const OPEN: u32 = u32::MAX - 1;

/// The head of a frame with so many of the server's bytes.
pub(super) fn bytes_head(length: usize) -> [u8; HEAD] {
    head(BYTES, length)
}

fn head(kind: u8, length: usize) -> [u8; HEAD] {
    let [low, middle, high, _] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [kind, low, middle, high]
}

/// A frame that tells how the term ends.
pub(super) fn ending_frame(ending: Ending, now: Moment) -> Vec<u8> {
    let word = match (ending.is_closing, ending.cut_at) {
        (false, _) => OPEN,
        (true, None) => UNSETTLED,
        (true, Some(at)) => u32::try_from(at.since(now).as_millis())
            .unwrap_or(OPEN)
            .min(OPEN - 1),
    };
    [&head(ENDING, HEAD)[..], &word.to_le_bytes()].concat()
}

/// What is to come of the frame under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Head,
    Bytes(usize),
    Ending,
}

/// A stream to the live node as the session sees it: the server's bytes alone.
pub(super) struct Pipe {
    stream: PeerStream,
    expected: Expected,
    /// A head or a word that has come in part.
    part: [u8; HEAD],
    part_length: usize,
    clock: Clock,
    told: watch::Sender<Ending>,
}

impl Pipe {
    /// The session's end of a stream, and what the live node says about its term.
    pub fn new(stream: PeerStream, clock: Clock) -> (Self, watch::Receiver<Ending>) {
        let (told, hears) = watch::channel(Ending::default());
        let pipe = Self {
            stream,
            expected: Expected::Head,
            part: [0; HEAD],
            part_length: 0,
            clock,
            told,
        };
        (pipe, hears)
    }

    /// Reads four bytes; none at the end of the stream.
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<[u8; HEAD]>>> {
        while self.part_length < HEAD {
            let mut room = ReadBuf::new(self.part.get_mut(self.part_length..).unwrap_or_default());
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut room))?;
            match (room.filled().len(), self.part_length, self.expected) {
                (0, 0, Expected::Head) => return Poll::Ready(Ok(None)),
                (0, ..) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                (read, ..) => self.part_length += read,
            }
        }
        self.part_length = 0;
        Poll::Ready(Ok(Some(self.part)))
    }

    fn hear(&self, word: [u8; HEAD]) {
        let word = u32::from_le_bytes(word);
        let cut_in = Duration::from_millis(u64::from(word));
        self.told.send_replace(Ending {
            is_closing: word != OPEN,
            cut_at: (word < OPEN).then(|| self.clock.now().plus(cut_in)),
        });
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.expected {
                Expected::Head => {
                    let Some([kind, low, middle, high]) = ready!(this.poll_part(context))? else {
                        return Poll::Ready(Ok(()));
                    };
                    let length = u32::from_le_bytes([low, middle, high, 0]);
                    this.expected = match (kind, usize::try_from(length)) {
                        (BYTES, Ok(0)) => Expected::Head,
                        (BYTES, Ok(length)) => Expected::Bytes(length),
                        (ENDING, Ok(HEAD)) => Expected::Ending,
                        _ => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                    };
                }
                Expected::Ending => {
                    let word = ready!(this.poll_part(context))?;
                    this.expected = Expected::Head;
                    this.hear(word.unwrap_or_default());
                }
                Expected::Bytes(left) => {
                    let room = left.min(buffer.remaining());
                    let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
                    ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
                    let read = part.filled().len();
                    if read == 0 && room > 0 {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    buffer.advance(read);
                    this.expected = match left - read {
                        0 => Expected::Head,
                        left => Expected::Bytes(left),
                    };
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::time::WallTime;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pipe(capacity: usize) -> (Pipe, watch::Receiver<Ending>, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(capacity);
        let clock = Clock::manual(WallTime(0));
        let (pipe, hears) = Pipe::new(Box::new(near), clock);
        (pipe, hears, far)
    }

    const fn closing(cut_at: Option<Moment>) -> Ending {
        Ending {
            is_closing: true,
            cut_at,
        }
    }

    fn frame(bytes: &[u8]) -> Vec<u8> {
        [&bytes_head(bytes.len())[..], bytes].concat()
    }

    #[tokio::test]
    async fn the_servers_bytes_come_out_as_they_went_in() {
        for capacity in [1, 3, 1024] {
            let (mut pipe, hears, mut far) = pipe(capacity);
            let frames = [
                frame(b"one"),
                frame(b""),
                ending_frame(closing(Some(Moment(1_700))), Moment(1_000)),
                frame(b"two"),
            ];
            let (mut read, mut heard) = (Vec::new(), [0; 4]);
            let reading = async {
                pipe.write_all(b"back").await.expect("written");
                pipe.read_to_end(&mut read).await.expect("read");
            };
            let writing = async {
                far.read_exact(&mut heard).await.expect("read");
                for bytes in &frames {
                    far.write_all(bytes).await.expect("written");
                }
                drop(far);
            };
            tokio::join!(reading, writing);
            assert_eq!((&read[..], &heard), (&b"onetwo"[..], b"back"));
            assert_eq!(*hears.borrow(), closing(Some(Moment(700))));
        }
    }

    #[tokio::test]
    async fn an_end_in_the_middle_and_nonsense_are_errors() {
        for bytes in [
            &[0, 5, 0, 0, b'a'][..],
            &[0, 5],
            &[1, 4, 0, 0, 1],
            &[1, 5, 0, 0],
            &[2, 1, 0, 0, 1],
        ] {
            let (mut pipe, _, mut far) = pipe(64);
            far.write_all(bytes).await.expect("written");
            drop(far);
            let mut read = Vec::new();
            assert!(pipe.read_to_end(&mut read).await.is_err(), "{bytes:?}");
        }
        let (mut pipe, hears, mut far) = pipe(64);
        let closed = ending_frame(closing(None), Moment(0));
        far.write_all(&[closed, frame(b"a")].concat())
            .await
            .expect("written");
        assert_eq!(pipe.read(&mut [0; 9]).await.expect("a byte"), 1);
        assert_eq!(*hears.borrow(), closing(None));
        let opened = ending_frame(Ending::default(), Moment(0));
        far.write_all(&opened).await.expect("written");
        drop(far);
        assert_eq!(pipe.read(&mut [0; 9]).await.expect("an end"), 0);
        assert_eq!(*hears.borrow(), Ending::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let (mut pipe, _, mut far) = pipe(64);
                far.write_all(&bytes).await.expect("written");
                drop(far);
                let mut read = Vec::new();
                let _either = pipe.read_to_end(&mut read).await;
            });
        }
    }
}
