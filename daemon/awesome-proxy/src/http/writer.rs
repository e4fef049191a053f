//! The half of a connection that is written: answers of our own, and answers as they come from an
//! upstream, in as few writes as they allow.

use super::exchange::{AnswerBody, AnswerHead, Fault};
use super::framing::Piece;
use super::headers::{self, line};
use super::pages::Reply;
use super::relay::Relay;
use super::source::Source;
use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use hwc_api::time::WallTime;
use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use time::OffsetDateTime;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// So much is gathered before it is written.
const GATHER: usize = 16 * 1024;
/// Pieces up to this are copied beside what else is to be written; longer ones are written as they
/// are.
const COPY_MAX: usize = 16 * 1024;

/// How an answer is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// The other side speaks HTTP/1.1; otherwise 1.0.
    pub is_http_11: bool,
    /// It asked for the head alone.
    pub is_head: bool,
    /// The connection ends after it.
    pub closes: bool,
    /// The other side takes trailers.
    pub takes_trailers: bool,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// As it is: the head told its length, or the connection's end does.
    Plain,
    Chunked,
}

/// Why an answer was not written to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("write to the visitor")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Writer<W> {
    io: W,
    /// To be written first.
    out: BytesMut,
    /// To be written then.
    large: Bytes,
    /// To be written after that.
    tail: &'static [u8],
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub fn new(io: W) -> Self {
        Self {
            io,
            out: BytesMut::new(),
            large: Bytes::new(),
            tail: b"",
        }
    }

    pub fn into_io(self) -> W {
        self.io
    }

    /// Asks for the body that waits for it.
    pub fn push_continue(&mut self) {
        self.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Writes a whole answer of our own.
    ///
    /// # Errors
    /// When the other side does not take it.
    pub async fn reply(&mut self, reply: &Reply, manner: Manner, now: WallTime) -> io::Result<()> {
        self.push_status(reply.status);
        self.out.extend_from_slice(&reply.fields);
        self.push_number("content-length", reply.body.len() as u64);
        self.push_date(now);
        self.push_end(manner);
        if !manner.is_head {
            self.out.extend_from_slice(&reply.body);
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Writes the head of an upgrade that the upstream agreed to.
    ///
    /// # Errors
    /// When the other side does not take it.
    pub async fn switch(&mut self, head: &AnswerHead) -> io::Result<()> {
        self.push_status(head.status);
        self.out.extend_from_slice(&head.fields);
        self.out
            .extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n");
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Writes an answer as it comes.
    ///
    /// # Errors
    /// When the other side does not take it, or the upstream breaks off. Then what was written is
    /// not whole, and the connection's end must say so.
    pub async fn relay<S: Source>(
        &mut self,
        head: &AnswerHead,
        relay: &mut Relay<S>,
        mut manner: Manner,
        now: WallTime,
    ) -> Result<(), Broken> {
        self.push_status(head.status);
        self.out.extend_from_slice(&head.fields);
        let mut coding = Coding::Plain;
        match (head.body, head.length) {
            (AnswerBody::None | AnswerBody::Sized, Some(length)) => {
                self.push_number("content-length", length);
            }
            (AnswerBody::None | AnswerBody::Sized, None) => {}
            (AnswerBody::Unknown, _) if manner.is_http_11 => {
                self.out
                    .extend_from_slice(b"transfer-encoding: chunked\r\n");
                coding = Coding::Chunked;
            }
            (AnswerBody::Unknown, _) => manner.closes = true,
        }
        if !head.has_date {
            self.push_date(now);
        }
        self.push_end(manner);
        let mut is_over = false;
        poll_fn(|cx| self.poll_pump(cx, relay, coding, manner.takes_trailers, &mut is_over)).await
    }

    fn poll_pump<S: Source>(
        &mut self,
        cx: &mut Context<'_>,
        relay: &mut Relay<S>,
        coding: Coding,
        takes_trailers: bool,
        is_over: &mut bool,
    ) -> Poll<Result<(), Broken>> {
        loop {
            while !*is_over && self.large.is_empty() && self.out.len() < GATHER {
                if coding == Coding::Plain && relay.is_over() {
                    *is_over = true;
                    break;
                }
                match relay.poll_piece(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(piece)) => {
                        *is_over = matches!(piece, Piece::End | Piece::Trailer(_));
                        self.push(piece, coding, takes_trailers);
                    }
                    Poll::Ready(Err(fault)) => {
                        // What came before it is the other side's, if it takes it at once.
                        let _flushed = self.poll_flush(cx);
                        return Poll::Ready(Err(fault.into()));
                    }
                }
            }
            if self.out.is_empty() && self.large.is_empty() {
                let flushed = Pin::new(&mut self.io).poll_flush(cx)?;
                return match flushed {
                    Poll::Ready(()) if *is_over => Poll::Ready(Ok(())),
                    Poll::Ready(()) | Poll::Pending => Poll::Pending,
                };
            }
            match self.poll_write(cx) {
                Poll::Ready(written) => written?,
                Poll::Pending => {
                    // The visitor may wait with taking the answer until we took the request.
                    relay.poll_send(cx);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Adds a piece of a body.
    fn push(&mut self, piece: Piece, coding: Coding, takes_trailers: bool) {
        match (piece, coding) {
            (Piece::Data(data), coding) => {
                if data.is_empty() {
                    return;
                }
                let end: &'static [u8] = match coding {
                    Coding::Plain => b"",
                    Coding::Chunked => {
                        // Writing to memory does not fail.
                        let _written = write!(self.text(), "{:x}\r\n", data.len());
                        b"\r\n"
                    }
                };
                if data.len() <= COPY_MAX {
                    self.out.extend_from_slice(&data);
                    self.out.extend_from_slice(end);
                } else {
                    self.large = data;
                    self.tail = end;
                }
            }
            (Piece::Trailer(lines), Coding::Chunked) => {
                self.out.extend_from_slice(b"0\r\n");
                if takes_trailers {
                    let mut trailer = Vec::new();
                    headers::write_trailer(&mut trailer, &lines);
                    self.out.extend_from_slice(&trailer);
                }
                self.out.extend_from_slice(b"\r\n");
            }
            (Piece::End, Coding::Chunked) => self.out.extend_from_slice(b"0\r\n\r\n"),
            (Piece::Trailer(_) | Piece::End, Coding::Plain) => {}
        }
    }

    /// Writes what is to be written.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() || !self.large.is_empty() {
            ready!(self.poll_write(cx))?;
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Writes once.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let io = Pin::new(&mut self.io);
        let written = if self.large.is_empty() {
            io.poll_write(cx, &self.out)
        } else if self.out.is_empty() {
            io.poll_write(cx, &self.large)
        } else {
            let slices = [IoSlice::new(&self.out), IoSlice::new(&self.large)];
            io.poll_write_vectored(cx, &slices)
        };
        let count = ready!(written)?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_out = count.min(self.out.len());
        self.out.advance(of_out);
        self.large.advance(count - of_out);
        if self.large.is_empty() && self.out.is_empty() {
            self.out.extend_from_slice(self.tail);
            self.tail = b"";
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more will be written.
    pub async fn shut_down(&mut self) {
        // The other side may be gone.
        let _gone = self.io.shutdown().await;
    }

    fn push_status(&mut self, status: u16) {
        let known = StatusCode::from_u16(status).ok();
        let reason = known.and_then(|status| status.canonical_reason());
        if status == 200 {
            self.out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
            return;
        }
        let _written = write!(
            self.text(),
            "HTTP/1.1 {status} {}\r\n",
            reason.unwrap_or("")
        );
    }

    fn push_number(&mut self, name: &str, number: u64) {
        let _written = write!(self.text(), "{name}: {number}\r\n");
    }

    fn push_date(&mut self, now: WallTime) {
        let mut date = Vec::new();
        line(&mut date, b"date", http_date(now).as_bytes());
        self.out.extend_from_slice(&date);
    }

    /// Ends a head.
    fn push_end(&mut self, manner: Manner) {
        let connection: &[u8] = match manner {
            Manner { closes: true, .. } => b"connection: close\r\n\r\n",
            Manner {
                is_http_11: false, ..
            } => b"connection: keep-alive\r\n\r\n",
            _ => b"\r\n",
        };
        self.out.extend_from_slice(connection);
    }

    /// To write text with; memory does not refuse.
    fn text(&mut self) -> bytes::buf::Writer<&mut BytesMut> {
        bytes::BufMut::writer(&mut self.out)
    }
}

/// A moment as HTTP writes it (RFC 9110, 5.6.7).
pub(super) fn http_date(now: WallTime) -> String {
    let now = OffsetDateTime::from_unix_timestamp(now.0.div_euclid(1000));
    let now = now.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let weekday = now.weekday().to_string();
    let month = now.month().to_string();
    format!(
        "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
        weekday.get(..3).unwrap_or_default(),
        now.day(),
        month.get(..3).unwrap_or_default(),
        now.year(),
        now.hour(),
        now.minute(),
        now.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_writes_them() {
        let date = http_date(WallTime(784_111_777_000));
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
