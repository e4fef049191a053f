//! Follows a connection from head to body to the next head and lets through what is well-formed.
//!
//! Pure: bytes in, bytes out, however they are cut.

use super::REFUSAL_FIELD;
use super::grammar::{Framing, Refusal, check_chunk_line, check_head, check_trailer};
use bytes::{Buf, BytesMut};

/// Greatest chunk line or trailer line in bytes, and greatest trailer.
const LINE_MAX: usize = 8 * 1024;
/// Empty lines before a request that are forgiven (RFC 9112, 2.2).
const EMPTY_LINES_MAX: u8 = 4;

#[derive(Debug)]
enum State {
    /// Collects a head; so many bytes of it are known to be free of its end.
    Head { scanned: usize, empty_lines: u8 },
    /// Passes this much of a sized body.
    Sized(u64),
    /// Collects the line with a chunk's size.
    ChunkLine,
    /// Passes this much of a chunk.
    ChunkData(u64),
    /// Expects the line end after a chunk.
    ChunkEnd,
    /// Collects the trailer's lines; so many bytes of it were passed.
    Trailer(usize),
    /// Swallows everything.
    Refused,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Framer {
    state: State,
    head_bytes_max: usize,
    /// The head being collected.
    head: BytesMut,
}

impl Framer {
    pub fn new(head_bytes_max: usize) -> Self {
        Self {
            state: State::at_head(),
            head_bytes_max,
            head: BytesMut::new(),
        }
    }

    /// Judges what was received and moves what is well-formed to `passed`; leaves in `received`
    /// what can't be judged yet.
    pub fn feed(&mut self, received: &mut BytesMut, passed: &mut BytesMut) {
        while !received.is_empty() {
            let step = match self.state {
                State::Head {
                    scanned,
                    empty_lines,
                } => self.head(scanned, empty_lines, received, passed),
                State::Sized(left) => Ok(self.pass(left, received, passed, false)),
                State::ChunkLine => self.chunk_line(received, passed),
                State::ChunkData(left) => Ok(self.pass(left, received, passed, true)),
                State::ChunkEnd => self.chunk_end(received, passed),
                State::Trailer(size) => self.trailer(size, received, passed),
                State::Refused => {
                    received.clear();
                    return;
                }
            };
            match step {
                Ok(true) => {}
                Ok(false) => return,
                Err(refusal) => self.refuse(refusal, passed),
            }
        }
    }

    /// Hands back what is held of a head: after an upgrade it is not HTTP.
    pub fn give_back(&mut self, passed: &mut BytesMut) {
        passed.extend_from_slice(&self.head);
        self.head.clear();
    }

    fn refuse(&mut self, refusal: Refusal, passed: &mut BytesMut) {
        match self.state {
            State::Head { .. } => {
                let status = refusal.status();
                passed.extend_from_slice(
                    format!(
                        "GET / HTTP/1.1\r\nhost: refused.invalid\r\n{REFUSAL_FIELD}: {status}\r\nconnection: close\r\n\r\n"
                    )
                    .as_bytes(),
                );
            }
            // A request is under way: hyper fails its body on a chunk line that is none, and on a
            // trailer that is none once it is whole.
            State::Sized(_)
            | State::ChunkLine
            | State::ChunkData(_)
            | State::ChunkEnd
            | State::Trailer(_)
            | State::Refused => passed.extend_from_slice(b"\0\r\n\r\n"),
        }
        self.head.clear();
        self.state = State::Refused;
    }

    /// Moves bytes into the head, up to its end. Says whether to go on.
    fn head(
        &mut self,
        mut scanned: usize,
        mut empty_lines: u8,
        received: &mut BytesMut,
        passed: &mut BytesMut,
    ) -> Result<bool, Refusal> {
        self.head.unsplit(received.split());
        while self.head.starts_with(b"\r\n") {
            self.head.advance(2);
            scanned = 0;
            empty_lines += 1;
            if empty_lines > EMPTY_LINES_MAX {
                return Err(Refusal::Malformed);
            }
        }
        let end = loop {
            let rest = self.head.get(scanned..).unwrap_or_default();
            let Some(found) = rest.iter().position(|byte| *byte == b'\n') else {
                break None;
            };
            let line_end = scanned + found;
            let before = self.head.get(..line_end).unwrap_or_default();
            if !before.ends_with(b"\r") {
                return Err(Refusal::Malformed);
            }
            if before.ends_with(b"\r\n\r") {
                break Some(line_end + 1);
            }
            scanned = line_end + 1;
        };
        let Some(end) = end else {
            if self.head.len() > self.head_bytes_max {
                let has_line = self.head.contains(&b'\n');
                return Err(if has_line {
                    Refusal::HeadTooLong
                } else {
                    Refusal::UriTooLong
                });
            }
            self.state = State::Head {
                scanned,
                empty_lines,
            };
            return Ok(false);
        };
        if end > self.head_bytes_max {
            return Err(Refusal::HeadTooLong);
        }
        let framing = check_head(self.head.get(..end - 4).unwrap_or_default())?;
        passed.unsplit(self.head.split_to(end));
        received.unsplit(self.head.split());
        self.state = match framing {
            Framing::Sized(0) => State::at_head(),
            Framing::Sized(length) => State::Sized(length),
            Framing::Chunked => State::ChunkLine,
        };
        Ok(true)
    }

    /// Passes body bytes.
    fn pass(
        &mut self,
        left: u64,
        received: &mut BytesMut,
        passed: &mut BytesMut,
        is_chunk: bool,
    ) -> bool {
        let amount = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(received.len());
        passed.unsplit(received.split_to(amount));
        let left = left.saturating_sub(amount as u64);
        self.state = match (left, is_chunk) {
            (0, true) => State::ChunkEnd,
            (0, false) => State::at_head(),
            (left, true) => State::ChunkData(left),
            (left, false) => State::Sized(left),
        };
        true
    }

    fn chunk_line(
        &mut self,
        received: &mut BytesMut,
        passed: &mut BytesMut,
    ) -> Result<bool, Refusal> {
        let Some(line) = take_line(received)? else {
            return Ok(false);
        };
        let size = check_chunk_line(line.strip_suffix(b"\r\n").unwrap_or(&line))?;
        passed.unsplit(line);
        self.state = if size == 0 {
            State::Trailer(0)
        } else {
            State::ChunkData(size)
        };
        Ok(true)
    }

    fn chunk_end(
        &mut self,
        received: &mut BytesMut,
        passed: &mut BytesMut,
    ) -> Result<bool, Refusal> {
        if received.starts_with(b"\r\n") {
            passed.unsplit(received.split_to(2));
            self.state = State::ChunkLine;
            return Ok(true);
        }
        if received.as_ref() == b"\r" {
            return Ok(false);
        }
        Err(Refusal::Malformed)
    }

    fn trailer(
        &mut self,
        size: usize,
        received: &mut BytesMut,
        passed: &mut BytesMut,
    ) -> Result<bool, Refusal> {
        let Some(line) = take_line(received)? else {
            return Ok(false);
        };
        let content = line.strip_suffix(b"\r\n").unwrap_or(&line);
        let size = size + line.len();
        if content.is_empty() {
            self.state = State::at_head();
        } else if size > LINE_MAX {
            return Err(Refusal::HeadTooLong);
        } else {
            check_trailer(content)?;
            self.state = State::Trailer(size);
        }
        passed.unsplit(line);
        Ok(true)
    }
}

impl State {
    const fn at_head() -> Self {
        Self::Head {
            scanned: 0,
            empty_lines: 0,
        }
    }
}

/// Takes a line with its CRLF; none while it is not whole.
fn take_line(received: &mut BytesMut) -> Result<Option<BytesMut>, Refusal> {
    let Some(end) = received.iter().position(|byte| *byte == b'\n') else {
        return if received.len() > LINE_MAX {
            Err(Refusal::Malformed)
        } else {
            Ok(None)
        };
    };
    let is_whole = received
        .get(..end)
        .is_some_and(|before| before.ends_with(b"\r"));
    if !is_whole || end > LINE_MAX {
        return Err(Refusal::Malformed);
    }
    Ok(Some(received.split_to(end + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds the bytes in pieces of `size`; gives what passed.
    fn run(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut framer = Framer::new(1_024);
        let (mut received, mut passed) = (BytesMut::new(), BytesMut::new());
        for piece in bytes.chunks(size) {
            received.extend_from_slice(piece);
            framer.feed(&mut received, &mut passed);
        }
        passed.to_vec()
    }

    fn check(bytes: &str, passed: &str) {
        for size in [1, 2, 3, 7, 10_000] {
            assert_eq!(
                String::from_utf8_lossy(&run(bytes.as_bytes(), size)),
                passed,
                "in pieces of {size}"
            );
        }
    }

    fn refused(status: u16) -> String {
        format!(
            "GET / HTTP/1.1\r\nhost: refused.invalid\r\nx-hwc-refuse: {status}\r\nconnection: close\r\n\r\n"
        )
    }

    #[test]
    fn well_formed_requests_pass_untouched() {
        let pipeline = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
            POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\n\n\r\n\
            POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
            3;x=y\r\na\nb\r\n0\r\nX-Sum: 1\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n";
        check(pipeline, pipeline);
        check(
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        );
    }

    #[test]
    fn a_refused_head_becomes_a_refusal_and_nothing_follows() {
        let good = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
        for (bad, status) in [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
                400,
            ),
            (
                "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
            ),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ] {
            check(
                &format!("{good}{bad}{good}"),
                &format!("{good}{}", refused(status)),
            );
        }
        check(&"\r\n".repeat(6), &refused(400));
    }

    #[test]
    fn endless_heads_are_cut() {
        let line = format!("GET /{}", "a".repeat(2_000));
        assert_eq!(run(line.as_bytes(), 100), refused(414).into_bytes());
        let fields = format!("GET / HTTP/1.1\r\n{}", "X: a\r\n".repeat(300));
        assert_eq!(run(fields.as_bytes(), 100), refused(431).into_bytes());
    }

    #[test]
    fn a_malformed_body_breaks_off() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (body, passed) in [
            ("0x3\r\nabc\r\n", ""),
            ("3\nabc\r\n", ""),
            ("3\r\nabcd\r\n", "3\r\nabc"),
            ("3\r\nabc\n0\r\n\r\n", "3\r\nabc"),
            ("0\r\nContent-Length: 5\r\n\r\n", "0\r\n"),
            ("0\r\nX\r\n\r\n", "0\r\n"),
        ] {
            check(
                &format!("{head}{body}GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                &format!("{head}{passed}\0\r\n\r\n"),
            );
        }
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_changes_nothing(
            bytes in proptest::collection::vec(
                prop_oneof![
                    Just(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
                    Just(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n".to_vec()),
                    Just(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
                    Just(b"5\r\nabcde\r\n".to_vec()),
                    Just(b"0\r\n\r\n".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..20),
                ],
                0..8,
            ),
            size in 1_usize..40,
        ) {
            let bytes = bytes.concat();
            prop_assert_eq!(run(&bytes, size), run(&bytes, bytes.len().max(1)));
        }
    }
}
