//! An answer on its way to the visitor: its body as it comes from an upstream, until its end or
//! until it must break off.

use super::exchange::{Exchange, Fault};
use super::framing::Piece;
use super::source::Source;
use super::stop::Stop;
use crate::gates::{Door, Pass};
use crate::shared::Shared;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

/// See the head of this file.
pub(super) struct Relay<S> {
    shared: Arc<Shared>,
    /// Where the rest comes from; none once all of it came.
    exchange: Option<Box<Exchange<S>>>,
    /// What was read ahead, in order.
    ahead: VecDeque<Piece>,
    stop: Stop,
    /// Leave to use this node's services, given back once they have answered; and where it is
    /// counted if it breaks off.
    pass: Option<(Pass, Arc<Door>)>,
}

impl<S: Source> Relay<S> {
    pub fn new(
        shared: &Arc<Shared>,
        exchange: Box<Exchange<S>>,
        stop: Stop,
        pass: Option<(Pass, Arc<Door>)>,
    ) -> Self {
        let mut relay = Self {
            shared: Arc::clone(shared),
            exchange: Some(exchange),
            ahead: VecDeque::new(),
            stop,
            pass,
        };
        relay.finish_if_over();
        relay
    }

    /// Reads ahead until the end, `max` bytes, or `stop`; ready with whether the upstream held out.
    pub fn poll_ahead(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<(), Fault>> {
        let mut bytes: usize = self.ahead.iter().map(length).sum();
        while let Some(exchange) = &mut self.exchange
            && !exchange.is_over()
            && bytes < max
        {
            match exchange.poll_piece(cx) {
                Poll::Ready(Ok(Piece::End)) => break,
                Poll::Ready(Ok(piece)) => {
                    bytes += length(&piece);
                    self.ahead.push_back(piece);
                    self.stop.progress();
                }
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                Poll::Pending => {
                    std::task::ready!(self.stop.poll(cx));
                    return Poll::Ready(Err(Fault::Stopped));
                }
            }
        }
        self.finish_if_over();
        Poll::Ready(Ok(()))
    }

    /// Whether nothing more is to come.
    pub fn is_over(&self) -> bool {
        self.exchange.is_none() && self.ahead.is_empty()
    }

    /// Whether the whole request was sent.
    pub fn is_sent(&self) -> bool {
        self.exchange
            .as_ref()
            .is_none_or(|exchange| exchange.is_sent())
    }

    /// The next piece.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Fault>> {
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Ok(piece));
        }
        let Some(exchange) = &mut self.exchange else {
            return Poll::Ready(Ok(Piece::End));
        };
        // One that never pauses must stop too.
        if self.pass.as_ref().is_some_and(|(pass, _)| pass.is_cut()) {
            return Poll::Ready(Err(self.cut()));
        }
        match exchange.poll_piece(cx) {
            Poll::Ready(piece) => {
                self.stop.progress();
                self.finish_if_over();
                Poll::Ready(piece)
            }
            Poll::Pending => {
                std::task::ready!(self.stop.poll(cx));
                Poll::Ready(Err(self.cut()))
            }
        }
    }

    /// Goes on sending what is left of the request while the visitor takes nothing.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) {
        if let Some(exchange) = &mut self.exchange {
            // What fails shows in the answer as well.
            let _sent = exchange.poll_send(cx);
        }
    }

    /// Gives back where the request's body comes from, if the answer is not over.
    pub fn give_up(self) -> Option<S> {
        self.exchange.map(|exchange| exchange.give_up().0)
    }

    fn cut(&mut self) -> Fault {
        if let Some((_pass, door)) = self.pass.take() {
            door.note_failed();
        }
        Fault::Stopped
    }

    /// Gives the connection and the pass back as soon as the upstream has answered: the visitor may
    /// take their time.
    fn finish_if_over(&mut self) {
        if self
            .exchange
            .as_ref()
            .is_none_or(|exchange| !exchange.is_over())
        {
            return;
        }
        let parts = self.exchange.take().map(|exchange| exchange.take_apart());
        if let Some((_source, Some(line))) = parts {
            self.shared.upstreams.keep(line, self.shared.clock.now());
        }
        self.stop = Stop::Never;
        self.pass = None;
    }
}

fn length(piece: &Piece) -> usize {
    match piece {
        Piece::Data(bytes) | Piece::Trailer(bytes) => bytes.len(),
        Piece::End => 0,
    }
}
