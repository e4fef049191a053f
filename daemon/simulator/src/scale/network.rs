//! What travels between nodes, and what a byte of it costs. Pure.
//!
//! Datagrams are lost and delayed; streams deliver whole frames in order, later where a packet was
//! lost. A dead machine says nothing at all: its streams stand until the others give them up.

use bytes::Bytes;
use hwc_api::ids::NodeId;
use hwc_group::board::LinkId;

/// One in so many packets is lost.
pub(super) const LOST_ONE_IN: u64 = 100;
/// A packet is on its way for so long, milliseconds: between these.
pub(super) const TRAVEL_MS: (u64, u64) = (1, 3);
/// Until a stream sends a lost packet again, milliseconds: Linux's least.
pub(super) const RETRANSMIT_MS: u64 = 200;
/// UDP and IP, and our seal.
const DATAGRAM_OVERHEAD: u64 = 28 + 34;
/// Our length and TLS, per frame.
const FRAME_OVERHEAD: u64 = 4 + 22;
/// TCP with timestamps and IP, per packet.
const PACKET_OVERHEAD: u64 = 52;
/// What a packet holds of a stream.
const PACKET_BYTES: u64 = 1_448;

/// Bytes that a datagram takes on the wire.
pub(super) fn datagram_bytes(content: &Bytes) -> u64 {
    content.len() as u64 + DATAGRAM_OVERHEAD
}

/// Bytes that a frame takes on the wire, acknowledgements aside.
pub(super) fn frame_bytes(frame: &Bytes) -> u64 {
    let bytes = frame.len() as u64 + FRAME_OVERHEAD;
    bytes + bytes.div_ceil(PACKET_BYTES) * PACKET_OVERHEAD
}

/// One end of a stream: a node in one of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) life: u64,
}

/// A stream. Its ends are numbered: the dialler's is 0.
#[derive(Debug, Clone, Copy)]
struct Pipe {
    ends: [End; 2],
    is_closed: [bool; 2],
    /// When the last frame towards each end arrives.
    last: [u64; 2],
}

/// All streams there ever were.
#[derive(Debug, Default)]
pub(super) struct Pipes(Vec<Pipe>);

/// Something that reaches the end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The number of the stream, and of the end that it reaches.
    pub(super) link: LinkId,
    pub(super) at: u64,
}

impl Pipes {
    /// Opens a stream; its two ends as their nodes call them.
    pub(super) fn open(&mut self, from: End, to: End) -> [LinkId; 2] {
        let number = self.0.len() as u64 * 2;
        self.0.push(Pipe {
            ends: [from, to],
            is_closed: [false; 2],
            last: [0; 2],
        });
        [LinkId(number), LinkId(number + 1)]
    }

    fn place(link: LinkId) -> (usize, usize) {
        let pipe = usize::try_from(link.0 / 2).unwrap_or(usize::MAX);
        (pipe, usize::from(link.0 % 2 == 1))
    }

    /// The other end's name for the stream.
    pub(super) const fn other(link: LinkId) -> LinkId {
        LinkId(link.0 ^ 1)
    }

    /// Who is at this end, while it was not closed there.
    pub(super) fn end(&self, link: LinkId) -> Option<End> {
        let (pipe, end) = Self::place(link);
        let pipe = self.0.get(pipe)?;
        let is_open = !pipe.is_closed.get(end)?;
        is_open.then(|| pipe.ends.get(end).copied())?
    }

    /// This end is closed: nothing reaches it any more.
    pub(super) fn close(&mut self, link: LinkId) {
        let (pipe, end) = Self::place(link);
        let known = self.0.get_mut(pipe);
        if let Some(closed) = known.and_then(|pipe| pipe.is_closed.get_mut(end)) {
            *closed = true;
        }
    }

    /// Sends from this end: where and when it arrives, not before what was sent earlier.
    pub(super) fn send(&mut self, link: LinkId, arrives: u64) -> Option<Arrival> {
        let link = Self::other(link);
        let (pipe, end) = Self::place(link);
        let last = self.0.get_mut(pipe)?.last.get_mut(end)?;
        *last = arrives.max(*last);
        let at = *last;
        Some(Arrival { link, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_their_order_and_a_closed_end_hears_nothing() {
        let mut pipes = Pipes::default();
        let end = |node| End {
            node: NodeId(node),
            life: 1,
        };
        pipes.open(end(8), end(9));
        let [one, other] = pipes.open(end(1), end(2));
        assert_eq!(Pipes::other(one), other);
        assert_eq!(pipes.end(other), Some(end(2)));
        let first = pipes.send(one, 50).expect("sent");
        let second = pipes.send(one, 20).expect("sent");
        assert_eq!((first.link, first.at, second.at), (other, 50, 50));
        assert_eq!(pipes.send(other, 20).map(|arrival| arrival.at), Some(20));
        pipes.close(other);
        assert_eq!(pipes.end(other), None);
        assert_eq!(pipes.end(one), Some(end(1)));
    }

    #[test]
    fn a_large_frame_takes_several_packets() {
        assert_eq!(frame_bytes(&Bytes::from(vec![0; 100])), 100 + 26 + 52);
        let large = Bytes::from(vec![0; 2_000]);
        assert_eq!(frame_bytes(&large), 2_000 + 26 + 2 * 52);
    }
}
