//! The room where requests wait for a live node: bounded in number, per dataset and in all, and in
//! bytes. How long they wait is the caller's to bound.

use crate::config::Limits;
use crate::gates::Door;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why a request may not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// Too many wait for this dataset.
    #[error("too many requests wait for this dataset")]
    Dataset,
    /// Too many wait on this node.
    #[error("too many requests wait on this node")]
    Node,
    /// The waiting requests of this node have too many bytes.
    #[error("the requests that wait on this node have too many bytes")]
    Bytes,
}

/// The waiting room of this node.
#[derive(Debug)]
pub struct WaitingRoom {
    per_dataset: usize,
    all: usize,
    bytes: usize,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
}

impl WaitingRoom {
    /// An empty room.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            per_dataset: limits.waiting_per_dataset,
            all: limits.waiting,
            bytes: limits.waiting_bytes,
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
        }
    }

    /// Takes a place for a request of `bytes` bytes at this door.
    ///
    /// # Errors
    /// When there is no place left, and of which kind.
    pub fn enter(self: &Arc<Self>, door: &Arc<Door>, bytes: usize) -> Result<Ticket, NoRoom> {
        // Counted first, judged after: the ticket's drop takes back what it counted.
        let here = door.waiting().fetch_add(1, Ordering::SeqCst);
        let place = self.take(Some(Arc::clone(door)), bytes);
        if here >= self.per_dataset {
            return Err(NoRoom::Dataset);
        }
        place
    }

    /// Takes a place for a request of `bytes` bytes that waits for the next daemon, whoever it is
    /// for.
    ///
    /// # Errors
    /// When there is no place left, and of which kind.
    pub fn enter_for_restart(self: &Arc<Self>, bytes: usize) -> Result<Ticket, NoRoom> {
        self.take(None, bytes)
    }

    fn take(self: &Arc<Self>, door: Option<Arc<Door>>, bytes: usize) -> Result<Ticket, NoRoom> {
        let ticket = Ticket {
            room: Arc::clone(self),
            door,
            bytes,
        };
        let all = self.waiting.fetch_add(1, Ordering::SeqCst);
        let taken = self.waiting_bytes.fetch_add(bytes, Ordering::SeqCst);
        if all >= self.all {
            return Err(NoRoom::Node);
        }
        if taken.saturating_add(bytes) > self.bytes {
            return Err(NoRoom::Bytes);
        }
        Ok(ticket)
    }
}

/// One place in the waiting room; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    room: Arc<WaitingRoom>,
    door: Option<Arc<Door>>,
    bytes: usize,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(door) = &self.door {
            door.waiting().fetch_sub(1, Ordering::SeqCst);
        }
        self.room.waiting.fetch_sub(1, Ordering::SeqCst);
        self.room
            .waiting_bytes
            .fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::Doors;
    use hwc_api::ids::DatasetId;
    use hwc_api::time::WallTime;
    use hwc_runtime::clock::Clock;

    #[test]
    fn places_are_bounded_and_given_back() {
        let doors = Doors::new(Clock::manual(WallTime(0)), None);
        let limits = Limits {
            waiting_per_dataset: 2,
            waiting: 3,
            waiting_bytes: 100,
            ..Limits::default()
        };
        let room = Arc::new(WaitingRoom::new(&limits));
        let (one, two) = (doors.door(DatasetId(1)), doors.door(DatasetId(2)));
        let first = room.enter(&one, 10).expect("a place");
        let _second = room.enter(&one, 10).expect("a place");
        assert_eq!(room.enter(&one, 10).err(), Some(NoRoom::Dataset));
        assert_eq!(room.enter(&two, 81).err(), Some(NoRoom::Bytes));
        let _third = room.enter(&two, 10).expect("a place");
        assert_eq!(room.enter(&two, 10).err(), Some(NoRoom::Node));
        drop(first);
        assert!(room.enter(&two, 10).is_ok());
    }
}
