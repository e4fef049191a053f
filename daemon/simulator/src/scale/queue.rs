//! What is going to happen, in the order of virtual time. Pure.

use super::executor::Work;
use super::network::End;
use bytes::Bytes;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_group::board::LinkId;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// A node's machine is switched on.
    Start(NodeId),
    /// A datagram arrives.
    Datagram {
        to: NodeId,
        from: NodeId,
        content: Bytes,
    },
    /// A frame, or the end, reaches this end of a stream.
    Frame(LinkId, Option<Bytes>),
    /// A dial ends.
    Dialled { from: End, to: NodeId },
    /// A core is to be looked after.
    Wake(End),
    /// A second of a node has passed.
    Second(End),
    /// The executor of a node has done something.
    Done(End, DatasetId, Box<Work>),
    /// Visitors write.
    Write,
}

/// Happenings by time; those of one moment in the order in which they were planned.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Due>>,
    next: u64,
}

#[derive(Debug)]
struct Due {
    at: u64,
    number: u64,
    happening: Happening,
}

impl Queue {
    pub(super) fn push(&mut self, at: u64, happening: Happening) {
        self.next += 1;
        let number = self.next;
        self.heap.push(Reverse(Due {
            at,
            number,
            happening,
        }));
    }

    /// Takes the next one, unless it comes later than `end`.
    pub(super) fn pop(&mut self, end: u64) -> Option<(u64, Happening)> {
        if self.heap.peek()?.0.at > end {
            return None;
        }
        let Reverse(due) = self.heap.pop()?;
        Some((due.at, due.happening))
    }
}

impl Due {
    const fn key(&self) -> (u64, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
