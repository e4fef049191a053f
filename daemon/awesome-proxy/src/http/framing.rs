//! Takes a body out of a connection's bytes, to the letter, however they come; pure.

use super::grammar::{Framing, Refusal, check_chunk_line, check_trailer};
use bytes::{Buf, Bytes, BytesMut};

/// Greatest chunk line or trailer line in bytes, and greatest trailer.
const LINE_MAX: usize = 8 * 1024;

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Content.
    Data(Bytes),
    /// The lines of a trailer, each with its CRLF; nothing but the end follows.
    Trailer(Bytes),
    /// The body is over.
    End,
}

/// How far a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes are to come.
    Sized(u64),
    /// The line with a chunk's size.
    ChunkLine,
    /// This much of a chunk.
    ChunkData(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// The trailer; so many bytes of it are known to be whole, good lines.
    Trailer(usize),
    /// Whatever comes.
    UntilEnd,
    /// Over.
    Over,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Decoder(State);

impl Decoder {
    pub const fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Sized(0) => State::Over,
            Framing::Sized(length) => State::Sized(length),
            Framing::Chunked => State::ChunkLine,
            Framing::UntilEnd => State::UntilEnd,
        })
    }

    /// No body.
    pub const fn none() -> Self {
        Self(State::Over)
    }

    /// Whether nothing more is to come.
    pub fn is_over(&self) -> bool {
        self.0 == State::Over
    }

    /// Whether the end of the connection is this body's end.
    pub fn ends_with_connection(&self) -> bool {
        self.0 == State::UntilEnd
    }

    /// Bytes that are sure to come.
    pub const fn remaining(&self) -> u64 {
        match self.0 {
            State::Sized(left) | State::ChunkData(left) => left,
            State::ChunkLine
            | State::ChunkEnd
            | State::Trailer(_)
            | State::UntilEnd
            | State::Over => 0,
        }
    }

    /// Takes the next piece; none while more must be read for it.
    ///
    /// # Errors
    /// When it is not well-formed; then nothing that follows can be trusted.
    pub fn take(&mut self, bytes: &mut BytesMut) -> Result<Option<Piece>, Refusal> {
        loop {
            match self.0 {
                State::Over => return Ok(Some(Piece::End)),
                State::UntilEnd | State::Sized(_) | State::ChunkData(_) if bytes.is_empty() => {
                    return Ok(None);
                }
                State::UntilEnd => return Ok(Some(Piece::Data(bytes.split().freeze()))),
                State::Sized(left) => {
                    let (data, left) = split(bytes, left);
                    self.0 = if left == 0 {
                        State::Over
                    } else {
                        State::Sized(left)
                    };
                    return Ok(Some(Piece::Data(data)));
                }
                State::ChunkData(left) => {
                    let (data, left) = split(bytes, left);
                    self.0 = if left == 0 {
                        State::ChunkEnd
                    } else {
                        State::ChunkData(left)
                    };
                    return Ok(Some(Piece::Data(data)));
                }
                State::ChunkLine => {
                    let Some(end) = line_end(bytes, 0)? else {
                        return Ok(None);
                    };
                    let line = bytes.get(..end - 2).unwrap_or_default();
                    let size = check_chunk_line(line)?;
                    bytes.advance(end);
                    self.0 = match size {
                        0 => State::Trailer(0),
                        size => State::ChunkData(size),
                    };
                }
                State::ChunkEnd => {
                    if bytes.starts_with(b"\r\n") {
                        bytes.advance(2);
                        self.0 = State::ChunkLine;
                    } else if bytes.is_empty() || bytes.as_ref() == b"\r" {
                        return Ok(None);
                    } else {
                        return Err(Refusal::Malformed);
                    }
                }
                State::Trailer(known) => match self.trailer(known, bytes)? {
                    Some(piece) => return Ok(Some(piece)),
                    None => return Ok(None),
                },
            }
        }
    }

    fn trailer(
        &mut self,
        mut known: usize,
        bytes: &mut BytesMut,
    ) -> Result<Option<Piece>, Refusal> {
        loop {
            let Some(end) = line_end(bytes, known)? else {
                self.0 = State::Trailer(known);
                return Ok(None);
            };
            let line = bytes.get(known..end - 2).unwrap_or_default();
            if line.is_empty() {
                let lines = bytes.split_to(known).freeze();
                bytes.advance(2);
                self.0 = State::Over;
                return Ok(Some(if lines.is_empty() {
                    Piece::End
                } else {
                    Piece::Trailer(lines)
                }));
            }
            check_trailer(line)?;
            known = end;
            if known > LINE_MAX {
                return Err(Refusal::HeadTooLong);
            }
        }
    }
}

fn split(bytes: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let amount = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let data = bytes.split_to(amount).freeze();
    (data, left.saturating_sub(amount as u64))
}

/// Where the line that begins at `from` ends, its CRLF included; none while it is not whole.
fn line_end(bytes: &[u8], from: usize) -> Result<Option<usize>, Refusal> {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some(found) = rest.iter().position(|byte| *byte == b'\n') else {
        return if rest.len() > LINE_MAX {
            Err(Refusal::Malformed)
        } else {
            Ok(None)
        };
    };
    let line = rest.get(..found).unwrap_or_default();
    if !line.ends_with(b"\r") || found > LINE_MAX {
        return Err(Refusal::Malformed);
    }
    Ok(Some(from + found + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a body brings: its content, its trailer, and what followed it; or that it is not
    /// well-formed, and the content before that.
    #[derive(Debug, PartialEq, Eq)]
    enum Read {
        Whole(String, String, String),
        Unfinished(String),
        Malformed(String),
    }

    /// Feeds the bytes in pieces of `size`.
    fn read(framing: Framing, bytes: &[u8], size: usize) -> Read {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut decoder = Decoder::new(framing);
        let (mut received, mut content, mut trailer) = (BytesMut::new(), Vec::new(), Vec::new());
        let mut coming = bytes.chunks(size);
        loop {
            match decoder.take(&mut received) {
                Ok(Some(Piece::Data(data))) => content.extend_from_slice(&data),
                Ok(Some(Piece::Trailer(lines))) => trailer.extend_from_slice(&lines),
                Ok(Some(Piece::End)) => {
                    received.extend(coming.flatten());
                    return Read::Whole(text(&content), text(&trailer), text(&received));
                }
                Ok(None) => match coming.next() {
                    Some(piece) => received.extend_from_slice(piece),
                    None => return Read::Unfinished(text(&content)),
                },
                Err(_) => return Read::Malformed(text(&content)),
            }
        }
    }

    fn check(framing: Framing, bytes: &str, expected: &Read) {
        for size in [1, 2, 3, 7, 10_000] {
            let read = read(framing, bytes.as_bytes(), size);
            assert_eq!(&read, expected, "{bytes:?} in pieces of {size}");
        }
    }

    #[test]
    fn bodies_end_where_they_should() {
        let whole = |content: &str, trailer: &str, rest: &str| {
            Read::Whole(content.into(), trailer.into(), rest.into())
        };
        check(Framing::Sized(0), "GET /", &whole("", "", "GET /"));
        check(
            Framing::Sized(4),
            "\n\n\r\nrest",
            &whole("\n\n\r\n", "", "rest"),
        );
        check(Framing::Sized(4), "abc", &Read::Unfinished("abc".into()));
        check(Framing::Chunked, "0\r\n\r\nrest", &whole("", "", "rest"));
        let chunks = "3;x=y\r\na\nb\r\n2\r\ncd\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\nrest";
        let expected = whole("a\nbcd", "X-Sum: 1\r\nX-B: 2\r\n", "rest");
        check(Framing::Chunked, chunks, &expected);
        check(Framing::UntilEnd, "abc", &Read::Unfinished("abc".into()));
    }

    #[test]
    fn a_malformed_body_breaks_off() {
        for (body, before) in [
            ("0x3\r\nabc\r\n", ""),
            ("3\nabc\r\n", ""),
            ("3\r\nabcd\r\n", "abc"),
            ("3\r\nabc\n0\r\n\r\n", "abc"),
            ("0\r\nContent-Length: 5\r\n\r\n", ""),
            ("0\r\nX\r\n\r\n", ""),
        ] {
            check(Framing::Chunked, body, &Read::Malformed(before.into()));
        }
        let long = format!("0\r\n{}\r\n", "X: a\r\n".repeat(2_000));
        check(Framing::Chunked, &long, &Read::Malformed(String::new()));
        let endless = "a".repeat(10_000);
        let line = format!("1;{endless}");
        check(Framing::Chunked, &line, &Read::Malformed(String::new()));
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_changes_nothing(
            bytes in proptest::collection::vec(
                prop_oneof![
                    Just(b"5\r\nabcde\r\n".to_vec()),
                    Just(b"0\r\n\r\n".to_vec()),
                    Just(b"0\r\nX-Sum: 1\r\n\r\n".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..20),
                ],
                0..8,
            ),
            size in 1_usize..40,
        ) {
            let bytes = bytes.concat();
            let whole = read(Framing::Chunked, &bytes, bytes.len().max(1));
            prop_assert_eq!(read(Framing::Chunked, &bytes, size), whole);
        }
    }
}
