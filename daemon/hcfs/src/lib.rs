//! Datasets: change watching, snapshots, replication.
//!
//! One dataset per site and per database, on a copy-on-write filesystem. Whoever serves a dataset
//! gets its live data from here; changes are noticed, become snapshots a moment later, and are
//! streamed to the nodes that hold copies. Histories that lost are kept beside.
//!
//! This room decides nothing about ownership: under which epoch a dataset is live, to whom what is
//! sent, which stream is accepted, what is rolled back is the brain's. It keeps what others rely
//! on: a snapshot is complete or not there, the same on every node; what is acknowledged is on
//! disk; nothing is discarded that is not kept elsewhere.
//!
//! - [`Hcfs`]: everything that the conductor calls; [`Parts`] is what it takes.
//! - [`StreamGate`]: what it asks the conductor about streams from other nodes.
//! - [`backend`]: what it needs from a filesystem; [`layout`]: where things are in the pool.
//! - `record`: what makes a snapshot complete; `history`: what is known of a dataset.
//! - `debounce`, `retention`: the pure policies; `replication`: the protocol between two nodes.

pub mod backend;
mod debounce;
mod error;
mod hcfs;
mod history;
pub mod layout;
mod record;
mod replication;
mod retention;
mod watch;

pub use debounce::SnapshotPace;
pub use error::{HcfsError, SendError, SendFailure};
pub use hcfs::{
    Divergent, Freshness, Hcfs, HcfsConfig, InventoryItem, Parts, SnapshotListener, TakenSnapshot,
};
pub use record::Guid;
pub use replication::{
    Acknowledged, FailedStage, Purpose, Refusal, RefusalReason, SendRequest, StreamGate, StreamId,
    StreamOffer, TransferTimes,
};
pub use retention::{Retained, RetentionPolicy, superfluous};
pub use watch::DirtyMarks;
