//! One connection that speaks HTTP/1.1: of a visitor, of another node's front door, or of the process
//! before this one.
//!
//! Heads and bodies are read to the letter (`grammar`, `framing`): behind us stands another server
//! that may repair what it reads differently, and that difference is request smuggling. What does
//! not pass is answered and ends the connection. Everything happens in one task: reading a request,
//! bringing it to its upstream, and writing the answer as it comes.

use super::delivery::Answer;
use super::errand::BodySize;
use super::exchange::AnswerBody;
use super::framing::Decoder;
use super::front::{self, Arrival, Entrance};
use super::grammar::{Framing, Refusal, RequestLine, find_end, read_request};
use super::headers::{Field, Hold, Notes, Visitor};
use super::origin;
use super::pages::{Page, Tastes};
use super::peer;
use super::source::{BodyLimits, Reader, ReaderBody, Source};
use super::upgrade::Tunnel;
use super::writer::{Manner, Writer};
use crate::shared::Shared;
use bytes::{Buf, BytesMut};
use futures::future::BoxFuture;
use http::Uri;
use hwc_api::ids::NodeId;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Empty lines before a request that are forgiven (RFC 9112, 2.2).
const EMPTY_LINES_MAX: u8 = 4;
/// Other nodes close unused connections after half of this; it only ends what they forgot.
const PEER_HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// After an answer that ends the connection so much of what still comes is read, and so long, so
/// that the answer arrives: closing at once would reset the connection under it.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER: Duration = Duration::from_secs(2);

/// Who is on the other side.
pub(super) enum Side {
    Visitor(Entrance, Visitor),
    Node(NodeId),
    /// The process before us, for visitors who are connected to it.
    Predecessor {
        /// Where our own door for HTTPS is.
        https_port: u16,
    },
}

impl Side {
    /// Whether the other side is to open its next connection elsewhere.
    fn gives_way(&self, shared: &Shared) -> bool {
        match self {
            Self::Visitor(..) | Self::Predecessor { .. } => {
                shared.succession.is_begun() || shared.visitors.token().is_cancelled()
            }
            Self::Node(_) => shared.tasks.token().is_cancelled(),
        }
    }
}

/// What is to be done for a request.
enum Order {
    Visitor(front::Order),
    Node(peer::Order),
}

/// A request whose head was read and judged.
struct Judged {
    order: Order,
    framing: Framing,
    /// How it wants to be answered.
    manner: Manner,
    /// The body waits for a 100 (Continue).
    says_continue: bool,
    /// Another front door holds the body back, or the word that there is none.
    holds: bool,
}

/// What follows a request on its connection.
enum Next {
    Request,
    /// The end, once the other side had time to read the answer.
    Linger,
    End,
    /// No HTTP any more.
    Tunnel(Box<Tunnel>),
}

/// Serves a connection to its end.
pub(super) async fn serve<R, W>(shared: Arc<Shared>, side: Side, reader: R, writer: W)
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    let limits = &shared.config.limits;
    let mut connection = Connection {
        head_timeout: match side {
            Side::Visitor(..) => limits.head,
            Side::Node(_) | Side::Predecessor { .. } => PEER_HEAD_TIMEOUT,
        },
        body_limits: BodyLimits {
            bytes: limits.body_bytes,
            stall: limits.stall,
        },
        stopping: match side {
            Side::Visitor(..) => Box::pin(shared.visitors.token().cancelled_owned()),
            Side::Predecessor { .. } => {
                let (shared, stopping) = (Arc::clone(&shared), shared.visitors.token());
                Box::pin(async move {
                    tokio::select! {
                        () = stopping.cancelled() => {}
                        // The process before us has no visitor on it, and a newer one to go to.
                        () = shared.succession.begun() => {}
                    }
                })
            }
            Side::Node(_) => Box::pin(shared.tasks.token().cancelled_owned()),
        },
        side,
        reader: Reader::new(reader),
        writer: Writer::new(writer),
        decoder: Decoder::none(),
        shared: Arc::clone(&shared),
    };
    loop {
        let next = match connection.read_head().await {
            None => Next::End,
            Some(Err(refusal)) => connection.refuse(Page::of_refusal(refusal)).await,
            Some(Ok(end)) => match connection.judge(end) {
                Err(page) => connection.refuse(page).await,
                Ok(judged) => connection.answer(judged).await,
            },
        };
        match next {
            Next::Request => {}
            Next::Linger => return connection.linger().await,
            Next::End => return,
            Next::Tunnel(tunnel) => {
                let Connection { reader, writer, .. } = connection;
                return tunnel.run(&shared, reader, writer.into_io()).await;
            }
        }
    }
}

struct Connection<R, W> {
    shared: Arc<Shared>,
    side: Side,
    head_timeout: Duration,
    body_limits: BodyLimits,
    reader: Reader<R>,
    writer: Writer<W>,
    /// The body of the request under way.
    decoder: Decoder,
    stopping: BoxFuture<'static, ()>,
}

impl<R, W> Connection<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    /// Reads until a head is whole; gives its length. None if the connection is to end.
    async fn read_head(&mut self) -> Option<Result<usize, Refusal>> {
        let max = self.shared.config.limits.head_bytes;
        let mut scanned = 0;
        let mut empty_lines = 0;
        self.reader.timer.set(self.head_timeout);
        loop {
            while scanned == 0 && self.reader.bytes.starts_with(b"\r\n") {
                self.reader.bytes.advance(2);
                empty_lines += 1;
                if empty_lines > EMPTY_LINES_MAX {
                    return Some(Err(Refusal::Malformed));
                }
            }
            let whole = match find_end(&self.reader.bytes, &mut scanned) {
                Err(refusal) => return Some(Err(refusal)),
                Ok(end) => end,
            };
            let length = whole.unwrap_or(self.reader.bytes.len());
            if length > max {
                let is_in_fields = scanned > 0;
                return Some(Err(if is_in_fields {
                    Refusal::HeadTooLong
                } else {
                    Refusal::UriTooLong
                }));
            }
            if let Some(end) = whole {
                self.reader.timer.clear();
                return Some(Ok(end));
            }
            let (reader, stopping) = (&mut self.reader, &mut self.stopping);
            let is_more = poll_fn(|cx| match reader.poll_fill(cx, 0) {
                Poll::Ready(Ok(count)) => Poll::Ready(count > 0),
                Poll::Ready(Err(_)) => Poll::Ready(false),
                Poll::Pending if reader.timer.poll(cx).is_ready() => Poll::Ready(false),
                Poll::Pending if reader.bytes.is_empty() => {
                    stopping.as_mut().poll(cx).map(|()| false)
                }
                Poll::Pending => Poll::Pending,
            });
            if !is_more.await {
                return None;
            }
        }
    }

    /// Judges the head of `end` bytes, takes it off what was read, and decides what is to be done.
    fn judge(&mut self, end: usize) -> Result<Judged, Page> {
        let whole = self.reader.bytes.get(..end.saturating_sub(4));
        let mut fields: Vec<Field<'_>> = Vec::with_capacity(32);
        let read = read_request(whole.unwrap_or_default(), |name, value| {
            fields.push((name, value));
        });
        let (line, framing) = read.map_err(Page::of_refusal)?;
        let notes = Notes::of(&fields);
        let uri: Uri;
        let (authority, target) = if is_absolute(&line) {
            uri = line.target.parse().map_err(|_| Page::BadRequest)?;
            let has_scheme = uri.scheme().is_some();
            let authority = uri.authority().filter(|_| has_scheme);
            let authority = authority.map(|authority| authority.as_str());
            let target = uri.path_and_query().map_or("/", |target| target.as_str());
            (Some(authority.ok_or(Page::BadRequest)?), target)
        } else {
            (None, line.target)
        };
        let mut holds = false;
        let mut arrival = Arrival {
            method: line.method,
            authority,
            target,
            fields: &fields,
            notes: &notes,
            body: BodySize::of(framing),
        };
        let order = match &self.side {
            Side::Visitor(entrance, visitor) => {
                let may_upgrade = line.is_http_11 && line.method == "GET";
                let order = front::receive(&self.shared, *entrance, visitor, &arrival, may_upgrade);
                Order::Visitor(order)
            }
            Side::Node(node) => {
                holds = peer::holds(&fields);
                Order::Node(peer::receive(&self.shared, *node, &arrival))
            }
            Side::Predecessor { https_port } => {
                let told = origin::read(&fields, *https_port).ok_or(Page::BadRequest)?;
                let (origin, hold) = told;
                holds = hold != Hold::Nothing;
                if hold == Hold::End {
                    arrival.body = BodySize::None;
                }
                let visitor = Visitor::new(origin.address, origin.entrance.is_secure());
                let may_upgrade = line.is_http_11 && line.method == "GET";
                let (shared, entrance) = (&self.shared, origin.entrance);
                let order = front::receive(shared, entrance, &visitor, &arrival, may_upgrade);
                Order::Visitor(order)
            }
        };
        let judged = Judged {
            order,
            framing,
            manner: Manner {
                is_http_11: line.is_http_11,
                is_head: line.method == "HEAD",
                closes: notes.closes || !(line.is_http_11 || notes.keeps_alive),
                takes_trailers: false,
            },
            says_continue: holds || (notes.expects_continue && line.is_http_11),
            holds,
        };
        self.reader.bytes.advance(end);
        Ok(judged)
    }

    /// Answers a request that nothing good can follow.
    async fn refuse(&mut self, page: Page) -> Next {
        let manner = Manner {
            is_http_11: true,
            is_head: false,
            closes: true,
            takes_trailers: false,
        };
        let reply = page.reply(Tastes::default());
        let now = self.shared.clock.wall();
        match self.writer.reply(&reply, manner, now).await {
            Ok(()) => Next::Linger,
            Err(_) => Next::End,
        }
    }

    /// Brings a request to where it belongs and writes what comes of it.
    async fn answer(&mut self, judged: Judged) -> Next {
        self.decoder = Decoder::new(judged.framing);
        let is_wanted = AtomicBool::new(false);
        let source = ReaderBody {
            reader: &mut self.reader,
            decoder: &mut self.decoder,
            limits: self.body_limits,
            is_wanted: &is_wanted,
            read_bytes: 0,
        };
        let shared = &self.shared;
        let mut says_continue = judged.says_continue;
        let working = carry_out(shared, judged.order, source, judged.holds);
        let is_due = || says_continue && is_wanted.load(Ordering::Relaxed);
        let (answer, takes_trailers) = await_answer(&mut self.writer, working, is_due).await;
        says_continue &= !is_wanted.load(Ordering::Relaxed);
        let writer = &mut self.writer;
        let mut manner = Manner {
            takes_trailers,
            ..judged.manner
        };
        manner.closes |= self.side.gives_way(shared);
        let now = shared.clock.wall();
        match answer {
            Answer::Gone => Next::End,
            Answer::Switched(head, tunnel) => match writer.switch(&head).await {
                Ok(()) => Next::Tunnel(Box::new(tunnel)),
                Err(_) => Next::End,
            },
            Answer::Page(reply) => {
                let never_sent = judged.holds && !is_wanted.load(Ordering::Relaxed);
                if never_sent {
                    // Between nodes a body that was not asked for does not come.
                    self.decoder = Decoder::none();
                }
                skip_received(&mut self.decoder, &mut self.reader.bytes);
                manner.closes |= reply.ends_connection || !self.decoder.is_over();
                match writer.reply(&reply, manner, now).await {
                    Ok(()) => self.after(manner),
                    Err(_) => Next::End,
                }
            }
            Answer::Relay(head, mut relay) => {
                // A body that waits for its 100 now never gets it.
                manner.closes |= says_continue && !relay.is_sent();
                let written = writer.relay(&head, &mut relay, manner, now).await;
                drop(relay);
                match written {
                    Ok(()) if head.body == AnswerBody::Unknown && !manner.is_http_11 => {
                        Next::Linger
                    }
                    Ok(()) => self.after(manner),
                    Err(error) => {
                        tracing::debug!(%error, "an answer broke off");
                        Next::End
                    }
                }
            }
        }
    }

    fn after(&mut self, manner: Manner) -> Next {
        skip_received(&mut self.decoder, &mut self.reader.bytes);
        if manner.closes || !self.decoder.is_over() {
            Next::Linger
        } else {
            Next::Request
        }
    }

    /// Reads what still comes, for a while.
    async fn linger(mut self) {
        self.writer.shut_down().await;
        let mut left = LINGER_BYTES;
        let mut space = vec![0; 8 * 1024];
        let reading = async {
            while left > 0 {
                match self.reader.io.read(&mut space).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => left = left.saturating_sub(count),
                }
            }
        };
        // Whoever goes on sending loses the answer.
        let _late = tokio::time::timeout(LINGER, reading).await;
    }
}

/// Waits for the answer; says 100 (Continue) when that is due.
async fn await_answer<W: AsyncWrite + Unpin, T>(
    writer: &mut Writer<W>,
    working: impl Future<Output = T>,
    is_continue_due: impl Fn() -> bool,
) -> T {
    let mut working = pin!(working);
    let mut has_said = false;
    poll_fn(|cx| {
        if let Poll::Ready(done) = working.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if !has_said && is_continue_due() {
            has_said = true;
            writer.push_continue();
        }
        if has_said {
            // What can't be written now fails when the answer is.
            let _written = writer.poll_flush(cx);
        }
        Poll::Pending
    })
    .await
}

async fn carry_out<S: Source>(
    shared: &Arc<Shared>,
    order: Order,
    source: S,
    is_announced: bool,
) -> (Answer<S>, bool) {
    match order {
        Order::Visitor(order) => front::carry_out(shared, order, source, is_announced).await,
        Order::Node(order) => peer::carry_out(shared, order, source).await,
    }
}

/// Passes over what is left of a request's body, as far as it was received.
fn skip_received(decoder: &mut Decoder, bytes: &mut BytesMut) {
    while !decoder.is_over() {
        match decoder.take(bytes) {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// Whether the target is a whole address (RFC 9112, 3.2.2).
fn is_absolute(line: &RequestLine<'_>) -> bool {
    !line.target.starts_with('/') && line.target != "*" && line.method != "CONNECT"
}
