//! One request's waiting: its place in the room, its time, and when to look for a way again.

use crate::gates::Door;
use crate::shared::Shared;
use crate::waiting::{NoRoom, Ticket};
use hwc_runtime::clock::Moment;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Sleep;

/// A change of the route or the gate wakes at once; what nobody announces (a peer's gate that
/// opens, an upstream that listens again) is looked for after this, and then twice as long …
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// … up to this.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Why a request waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GiveUp {
    /// There is no place for it.
    #[error("{0}")]
    NoRoom(#[from] NoRoom),
    /// Its time is over.
    #[error("no live node in time")]
    TimeOver,
    /// The daemon stops.
    #[error("this node stops")]
    Stopping,
    /// Another process follows this one, and answers.
    #[error("this process gives way to the next")]
    GivingWay,
}

/// See the head of this file. Leaves the room when dropped.
pub(crate) struct Patience {
    shared: Arc<Shared>,
    door: Arc<Door>,
    bytes: usize,
    changes: watch::Receiver<u64>,
    /// Runs from the first wait on.
    over: Option<Pin<Box<Sleep>>>,
    ticket: Option<(Ticket, Moment)>,
    pause: Duration,
    /// How long it waited so far, if it did.
    waited: Option<Duration>,
}

impl Patience {
    /// For a request of `bytes` bytes at this door.
    pub fn new(shared: &Arc<Shared>, door: &Arc<Door>, bytes: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            door: Arc::clone(door),
            bytes,
            changes: door.changes(),
            over: None,
            ticket: None,
            pause: PAUSE_FIRST,
            waited: None,
        }
    }

    /// To be called before looking for a way: changes after this moment end the next wait.
    pub fn look(&mut self) {
        self.changes.mark_unchanged();
    }

    /// The request goes on its way: it leaves the room.
    pub fn leave(&mut self) {
        if let Some((_place, since)) = self.ticket.take() {
            let wait = self.shared.clock.now().since(since);
            let is_first = self.waited.is_none();
            let waited = self.waited.unwrap_or_default() + wait;
            self.door.note_wait(waited, is_first);
            self.waited = Some(waited);
        }
    }

    /// The request had reached a live node, which then died: its time begins anew.
    pub fn renew(&mut self) {
        self.over = None;
        self.pause = PAUSE_FIRST;
    }

    /// Waits until there may be another way.
    ///
    /// # Errors
    /// When the request must not wait any longer.
    pub async fn wait(&mut self) -> Result<(), GiveUp> {
        let waited = self.wait_for_change().await;
        match waited {
            Ok(()) => {}
            Err(GiveUp::GivingWay) => self.leave(),
            Err(GiveUp::NoRoom(_) | GiveUp::TimeOver | GiveUp::Stopping) => {
                self.leave();
                self.door.note_failed();
            }
        }
        waited
    }

    async fn wait_for_change(&mut self) -> Result<(), GiveUp> {
        if self.ticket.is_none() {
            self.shared.note_way(&self.door);
            let ticket = self.shared.room.enter(&self.door, self.bytes)?;
            self.ticket = Some((ticket, self.shared.clock.now()));
        }
        let limit = self.shared.config.limits.wait;
        let over = self
            .over
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        let stopping = self.shared.tasks.token();
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE_MAX);
        tokio::select! {
            biased;
            () = self.shared.succession.begun() => Err(GiveUp::GivingWay),
            () = stopping.cancelled() => Err(GiveUp::Stopping),
            () = over.as_mut() => Err(GiveUp::TimeOver),
            // The sender lives in the door.
            _changed = self.changes.changed() => {
                self.pause = PAUSE_FIRST;
                Ok(())
            }
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.leave();
    }
}
