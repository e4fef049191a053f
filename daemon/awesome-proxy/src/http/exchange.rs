//! One request and its answer on one connection to an upstream: sending and receiving at the same
//! time, and knowing at each moment whether the request may have been carried out.

use super::errand::{Errand, Method};
use super::framing::{Decoder, Piece};
use super::grammar::{Framing, Refusal, find_end, read_answer};
use super::headers::{self, Field, Hold, Notes};
use super::origin::Introduction;
use super::source::{BodyError, Source};
use super::stop::Stop;
use super::upstream::Line;
use bytes::Buf;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

/// Greatest head of an answer. PHP's own fields, cookies included, stay far below it.
const ANSWER_HEAD_MAX: usize = 64 * 1024;
/// So much of a request is gathered before it is written: head and most forms in one go.
const GATHER: usize = 16 * 1024;
/// Informational answers before the real one that are put up with.
const INFORMATIONAL_MAX: u32 = 16;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The connection ended, or what came is no answer.
    #[error("read the answer")]
    Died(#[source] io::Error),
    /// The visitor failed to send the rest of the request.
    #[error("read the rest of the request")]
    Visitor(#[source] BodyError),
    /// The visitor left.
    #[error("the visitor left")]
    Gone,
    /// The request must stop here: the site was fenced, or went live elsewhere.
    #[error("this node is not to serve the site any more")]
    Stopped,
    /// It took too long.
    #[error("no answer in time")]
    TooSlow,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Died(io::Error::other(format!("not an answer: {refusal:?}")))
    }
}

/// What there is of an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerBody {
    /// None, whatever length the head tells.
    None,
    /// Of the length that the head tells.
    Sized,
    /// Until its own end.
    Unknown,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct AnswerHead {
    pub status: u16,
    /// Its fields as they go on, as lines.
    pub fields: Vec<u8>,
    /// What follows.
    pub body: AnswerBody,
    /// The length that it tells of its body, or of the body that it would have.
    pub length: Option<u64>,
    /// Whether there is a `Date` among the fields.
    pub has_date: bool,
    /// The other node does not serve what it was asked for.
    pub is_not_here: bool,
}

/// How far the sending is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// The head is sent; the rest when the other side asks for it.
    Held,
    /// The head is not sent before the body begins to come.
    Announced,
    /// The body follows as it comes.
    Flowing,
    Done,
    /// The other side takes no more. It may have answered all the same.
    Broken,
}

/// See the head of this file.
pub(super) struct Exchange<S> {
    line: Line,
    source: S,
    sending: Sending,
    is_chunked: bool,
    /// What is to be written, of which so much is.
    out: Vec<u8>,
    written: usize,
    /// Whether the request can't be sent again as it was: something was taken of its body, or the
    /// other side may have what it takes to carry it out.
    is_committed: bool,
    /// Whether the head alone commits: it is not held.
    commits_by_head: bool,
    method: Method,
    scanned: usize,
    informational: u32,
    decoder: Decoder,
    /// Whether the other side keeps the connection open.
    keeps: bool,
    /// Whether something written may be held back still.
    is_flushed: bool,
    has_body: bool,
    /// How long the answer may take to begin, from the last that was sent.
    patience: Duration,
}

impl<S: Source> Exchange<S> {
    /// Prepares a request, with what another front door is told. `is_announced`: the
    /// visitor's side must still say that it stands by the request, by sending its body.
    pub fn begin(
        mut line: Line,
        errand: &Errand,
        introduction: Option<Introduction>,
        is_announced: bool,
        patience: Duration,
        source: S,
    ) -> Box<Self> {
        let holds = introduction.map_or(Hold::Nothing, Introduction::holds);
        let mut head = Vec::with_capacity(errand.head_bytes() + 256);
        errand.write(&mut head, introduction);
        let has_body = errand.body != super::errand::BodySize::None;
        let sending = match holds {
            Hold::Body | Hold::End => Sending::Held,
            Hold::Nothing if is_announced => Sending::Announced,
            Hold::Nothing if has_body => Sending::Flowing,
            Hold::Nothing => Sending::Done,
        };
        line.timer.set(patience);
        // It is handed on until the answer's end: in a box that costs a pointer.
        Box::new(Self {
            line,
            source,
            sending,
            is_chunked: errand.is_chunked(holds),
            out: head,
            written: 0,
            is_committed: false,
            commits_by_head: holds == Hold::Nothing,
            method: errand.method,
            scanned: 0,
            informational: 0,
            decoder: Decoder::none(),
            keeps: true,
            is_flushed: true,
            has_body,
            patience,
        })
    }

    /// Gives back where the body comes from, and whether the request may have been carried out or
    /// can't be sent again.
    pub fn give_up(self) -> (S, bool) {
        (self.source, self.is_committed)
    }

    /// Gives back where the body comes from and keeps the connection, if it can be: for an answer
    /// that is none.
    pub fn decline(self) -> (S, bool, Option<Line>) {
        let is_committed = self.is_committed;
        let (source, line) = self.take_apart();
        (source, is_committed, line)
    }

    /// The connection of an upgrade, with what was read ahead.
    pub fn into_line(self) -> Line {
        self.line
    }

    /// Where the body comes from, and the connection if it can carry another request.
    pub fn take_apart(self) -> (S, Option<Line>) {
        // What is held and was not asked for is never sent: the other side knows.
        let is_sent = matches!(self.sending, Sending::Done | Sending::Held);
        let is_reusable = self.keeps
            && is_sent
            && self.out.is_empty()
            && self.decoder.is_over()
            && self.line.bytes.is_empty();
        (self.source, is_reusable.then_some(self.line))
    }

    /// Whether the whole request was taken.
    pub fn is_sent(&self) -> bool {
        self.sending == Sending::Done
    }

    /// Whether the whole answer was taken.
    pub fn is_over(&self) -> bool {
        self.decoder.is_over()
    }

    /// Goes on sending. Ready when there is nothing more to do for it, or the visitor failed.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        loop {
            while matches!(self.sending, Sending::Flowing | Sending::Announced)
                && self.out.len() < GATHER
            {
                match self.source.poll_piece(cx) {
                    Poll::Pending if self.sending == Sending::Announced => return Poll::Pending,
                    Poll::Pending => break,
                    Poll::Ready(piece) => self.append(piece?)?,
                }
            }
            if self.out.is_empty() {
                if !self.is_flushed {
                    // What can't be flushed fails at the next read.
                    self.is_flushed = self.line.poll_flush(cx).is_ready();
                }
                return match self.sending {
                    Sending::Done | Sending::Broken => Poll::Ready(Ok(())),
                    Sending::Held | Sending::Flowing | Sending::Announced => Poll::Pending,
                };
            }
            let rest = self.out.get(self.written..).unwrap_or_default();
            match self.line.poll_write(cx, rest) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.is_committed |= self.commits_by_head;
                    self.is_flushed = false;
                    self.written += count;
                    if self.written >= self.out.len() {
                        self.out.clear();
                        self.written = 0;
                    }
                }
                Poll::Ready(Ok(_) | Err(_)) => {
                    self.out.clear();
                    self.written = 0;
                    self.sending = Sending::Broken;
                }
            }
        }
    }

    /// Adds a piece of the body to what is to be written.
    fn append(&mut self, piece: Piece) -> Result<(), BodyError> {
        self.is_committed = true;
        self.sending = Sending::Flowing;
        match piece {
            Piece::Data(_) if !self.has_body => return Err(BodyError::Malformed),
            Piece::Data(data) if self.is_chunked => {
                self.out
                    .extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.out.extend_from_slice(&data);
                self.out.extend_from_slice(b"\r\n");
            }
            Piece::Data(data) => self.out.extend_from_slice(&data),
            Piece::Trailer(lines) if self.is_chunked => {
                let mut trailer = b"0\r\n".to_vec();
                headers::write_trailer(&mut trailer, &lines);
                trailer.extend_from_slice(b"\r\n");
                self.out.extend_from_slice(&trailer);
                self.sending = Sending::Done;
            }
            Piece::End if self.is_chunked => {
                self.out.extend_from_slice(b"0\r\n\r\n");
                self.sending = Sending::Done;
            }
            Piece::Trailer(_) | Piece::End => self.sending = Sending::Done,
        }
        self.line.timer.postpone(self.patience);
        Ok(())
    }

    /// Sends, and waits for the head of the answer.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        stop: &mut Stop,
    ) -> Poll<Result<AnswerHead, Fault>> {
        loop {
            if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                return Poll::Ready(Err(Fault::Visitor(error)));
            }
            let was_held = self.sending == Sending::Held;
            if let Some(head) = self.take_head()? {
                return Poll::Ready(Ok(head));
            }
            if was_held && self.sending != Sending::Held {
                continue;
            }
            match self.line.poll_fill(cx, 0) {
                Poll::Ready(Ok(0)) => {
                    let early = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(Fault::Died(early)));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::Died(error))),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        if stop.poll(cx).is_ready() {
            return Poll::Ready(Err(Fault::Stopped));
        }
        if self.line.timer.poll(cx).is_ready() {
            return Poll::Ready(Err(Fault::TooSlow));
        }
        if self.source.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Fault::Gone));
        }
        Poll::Pending
    }

    fn take_head(&mut self) -> Result<Option<AnswerHead>, Fault> {
        loop {
            let Some(end) = find_end(&self.line.bytes, &mut self.scanned)? else {
                if self.line.bytes.len() > ANSWER_HEAD_MAX {
                    return Err(Refusal::HeadTooLong.into());
                }
                return Ok(None);
            };
            self.scanned = 0;
            let whole = self.line.bytes.get(..end.saturating_sub(4));
            let whole = whole.unwrap_or_default();
            let mut fields: Vec<Field<'_>> = Vec::with_capacity(32);
            let (line, framing) = read_answer(whole, |name, value| fields.push((name, value)))?;
            if (100..200).contains(&line.status) && line.status != 101 {
                self.line.bytes.advance(end);
                self.informational += 1;
                if self.informational > INFORMATIONAL_MAX {
                    return Err(Refusal::Malformed.into());
                }
                if line.status == 100 && self.sending == Sending::Held {
                    self.sending = Sending::Flowing;
                }
                continue;
            }
            let notes = Notes::of(&fields);
            let mut kept = Vec::with_capacity(end + 128);
            headers::write_answer(&mut kept, &fields, &notes);
            let has_no_body = self.method == Method::Head || matches!(line.status, 101 | 204 | 304);
            self.decoder = if has_no_body {
                Decoder::none()
            } else {
                Decoder::new(framing)
            };
            self.keeps = !self.decoder.ends_with_connection()
                && !notes.closes
                && (line.is_http_11 || notes.keeps_alive);
            let head = AnswerHead {
                status: line.status,
                fields: kept,
                body: match framing {
                    _ if has_no_body => AnswerBody::None,
                    Framing::Sized(_) => AnswerBody::Sized,
                    Framing::Chunked | Framing::UntilEnd => AnswerBody::Unknown,
                },
                length: match framing {
                    Framing::Sized(length) => Some(length),
                    Framing::Chunked | Framing::UntilEnd => None,
                },
                has_date: notes.has_date,
                is_not_here: notes.is_not_here,
            };
            self.line.bytes.advance(end);
            self.line.timer.clear();
            return Ok(Some(head));
        }
    }

    /// The next piece of the answer's body. Goes on sending what is left of the request.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Fault>> {
        if self.sending != Sending::Done || !self.is_flushed {
            // That the visitor fails shows in the answer as well.
            let _sent = self.poll_send(cx);
        }
        loop {
            if let Some(piece) = self.decoder.take(&mut self.line.bytes)? {
                return Poll::Ready(Ok(piece));
            }
            match self.line.poll_fill(cx, self.decoder.remaining()) {
                Poll::Ready(Ok(0)) if self.decoder.ends_with_connection() => {
                    self.decoder = Decoder::none();
                }
                Poll::Ready(Ok(0)) => {
                    let early = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(Fault::Died(early)));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::Died(error))),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        if self.source.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Fault::Gone));
        }
        Poll::Pending
    }
}
