//! How a session learns that its server is about to leave: the gate has closed for a planned move.

use crate::gates::Door;
use hwc_api::ownership::Epoch;
use hwc_runtime::clock::Moment;
use std::sync::Arc;
use tokio::sync::watch;

/// What is known of the end of a dataset's term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ending {
    /// The gate is closed: whoever can leave should.
    pub is_closing: bool,
    /// When those that are still inside are cut, if that is known.
    pub cut_at: Option<Moment>,
}

impl Ending {
    /// Whether those inside were given time to leave. A dead or fenced server gives none, and its
    /// sessions just end.
    pub const fn is_planned(self) -> bool {
        self.is_closing && self.cut_at.is_some()
    }
}

/// Tells a session about its term.
pub(super) enum Notice {
    /// Of a server on this node.
    Here {
        door: Arc<Door>,
        epoch: Epoch,
        changes: watch::Receiver<u64>,
    },
    /// Of one on another node, which tells us on the stream.
    Peer(watch::Receiver<Ending>),
}

impl Notice {
    /// Of a server on this node, entered under this epoch.
    pub fn here(door: &Arc<Door>, epoch: Epoch) -> Self {
        Self::Here {
            door: Arc::clone(door),
            epoch,
            changes: door.changes(),
        }
    }

    /// What is known at this moment.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Here { door, epoch, .. } => Ending {
                is_closing: door.open_epoch() != Some(*epoch),
                cut_at: door.cut_at(),
            },
            Self::Peer(told) => *told.borrow(),
        }
    }

    /// Ends when there may be news. Cancel-safe.
    pub async fn changed(&mut self) {
        let changed = match self {
            Self::Here { changes, .. } => changes.changed().await,
            Self::Peer(told) => told.changed().await,
        };
        // Nobody is left who could tell anything; the stream's end says the rest.
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
