//! What HCFS needs from a copy-on-write filesystem. btrfs now, ZFS next; plain folders for tests.
//!
//! A backend knows volumes, not histories: what a snapshot means, which is the head, and whether
//! it is complete is decided above (`record`, `history`). It holds no locks between calls: callers
//! never change one dataset from two places at once, and may work on different ones in parallel.
//! Every call is finished, or has changed nothing that [`Backend::clear_incoming`] or the rules of
//! `record` don't mend at the next start.

pub mod btrfs;
pub mod dir;

use crate::layout::{Layout, Ticket, Volume};
use crate::record::Guid;
use crate::watch::DirtyMarks;
use futures::future::BoxFuture;
use hwc_api::ids::DatasetId;
use hwc_api::ownership::SnapshotId;
use hwc_runtime::command::CommandError;
use hwc_runtime::lifecycle::Tasks;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a backend could not do something.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The pool's folder is not what this backend works on.
    #[error("{} can't hold datasets: {advice}", path.display())]
    NotAPool {
        /// The folder.
        path: PathBuf,
        /// What to do about it.
        advice: String,
    },
    /// The filesystem refused.
    #[error("{doing} {what}")]
    Filesystem {
        /// What was being done.
        doing: &'static str,
        /// To what.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program could not be run.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A program that we stream through ended with a failure.
    #[error("{program} failed: {complaint}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        complaint: String,
    },
    /// What was received is not what was announced.
    #[error("the received snapshot is not {expected}: {found}")]
    Unexpected {
        /// What was announced.
        expected: String,
        /// What came.
        found: String,
    },
    /// A blocking call was cut off by the end of the program.
    #[error("{0} was cut off")]
    CutOff(&'static str),
}

impl BackendError {
    /// Whether the disk is full (or a quota reached): trying again soon is of no use.
    #[must_use]
    pub fn is_out_of_space(&self) -> bool {
        match self {
            Self::Filesystem { source, .. } => matches!(
                source.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            ),
            Self::Program { complaint, .. } => complaint.contains("No space left"),
            Self::NotAPool { .. }
            | Self::Command(_)
            | Self::Unexpected { .. }
            | Self::CutOff(_) => false,
        }
    }
}

/// Result of a backend's call.
pub type Result<T> = std::result::Result<T, BackendError>;

/// How full the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Its size, bytes.
    pub total_bytes: u64,
    /// What can still be written, bytes.
    pub free_bytes: u64,
}

/// What a stream is expected to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The snapshot's name, which is its name in the stream too.
    pub snapshot: SnapshotId,
    /// The identity of its content.
    pub guid: Guid,
}

/// A snapshot on its way out. Dropping it ends it.
pub trait Outgoing: AsyncRead + Send + Unpin {
    /// To be called after the end was read: says whether that was really the end.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<()>>;
}

/// A snapshot on its way in. Dropping it ends it, some time; what it left is removed with
/// [`Backend::abandon`].
pub trait Incoming: AsyncWrite + Send + Unpin {
    /// To be called after the last byte was written: waits until the snapshot is whole, read-only
    /// and the expected one. Not yet durable: [`Backend::publish`] sees to that.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<()>>;

    /// Ends it without a result; nothing writes into the hidden place after this.
    fn abort(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A copy-on-write filesystem that holds datasets.
pub trait Backend: Send + Sync + 'static {
    /// Where everything is.
    fn layout(&self) -> &Layout;

    /// Checks that the pool is fit, and makes its folders.
    fn prepare(&self) -> BoxFuture<'_, Result<()>>;

    /// Removes everything that was being received.
    fn clear_incoming(&self) -> BoxFuture<'_, Result<()>>;

    /// Makes the live data of a dataset from a snapshot, or empty. It must not exist.
    fn create_live(
        &self,
        dataset: DatasetId,
        from: Option<SnapshotId>,
    ) -> BoxFuture<'_, Result<()>>;

    /// Takes a read-only snapshot of the live data, durably.
    fn snapshot_live(
        &self,
        dataset: DatasetId,
        snapshot: SnapshotId,
    ) -> BoxFuture<'_, Result<Guid>>;

    /// Whether the live data differs (or may differ) from its newest snapshot, or from empty where
    /// there is none. Sees everything written before the call.
    fn is_changed(
        &self,
        dataset: DatasetId,
        since: Option<SnapshotId>,
    ) -> BoxFuture<'_, Result<bool>>;

    /// The net under the watcher: all live datasets that differ from what they were when last
    /// created or snapshotted by this process.
    fn changed_live(&self) -> BoxFuture<'_, Result<Vec<DatasetId>>>;

    /// How many bytes `snapshot` changed since the one before; see the backend for how it counts.
    fn changed_bytes(
        &self,
        dataset: DatasetId,
        since: Option<SnapshotId>,
        snapshot: SnapshotId,
    ) -> BoxFuture<'_, Result<u64>>;

    /// Makes a second read-only volume with the same content and identity, durably. One that is
    /// there already is taken for it.
    fn copy(&self, from: Volume, to: Volume) -> BoxFuture<'_, Result<()>>;

    /// Deletes a volume; that it is absent is fine. Never blocks on programs that have it open.
    fn delete(&self, volume: Volume) -> BoxFuture<'_, Result<()>>;

    /// Starts to send a snapshot: what changed since `parent`, or everything.
    fn send(
        &self,
        volume: Volume,
        parent: Option<Volume>,
    ) -> BoxFuture<'_, Result<Box<dyn Outgoing>>>;

    /// Starts to receive a snapshot into a hidden place.
    fn receive(
        &self,
        ticket: Ticket,
        expected: Expected,
    ) -> BoxFuture<'_, Result<Box<dyn Incoming>>>;

    /// Puts a received snapshot in its place, durably.
    fn publish(
        &self,
        ticket: Ticket,
        snapshot: SnapshotId,
        to: Volume,
    ) -> BoxFuture<'_, Result<()>>;

    /// Removes a hidden place with whatever is in it.
    fn abandon(&self, ticket: Ticket) -> BoxFuture<'_, Result<()>>;

    /// Makes everything that was done to the pool so far durable.
    fn sync(&self) -> BoxFuture<'_, Result<()>>;

    /// Starts to report changes of live data, as they happen, to `marks`, until the tasks end.
    ///
    /// # Errors
    /// When the kernel or our privileges don't allow it.
    fn watch(&self, marks: DirtyMarks, tasks: &Tasks) -> Result<()>;

    /// How full the pool is.
    fn space(&self) -> BoxFuture<'_, Result<Space>>;

    /// Bytes that the files of a volume occupy; shared ones count in full.
    fn used_bytes(&self, volume: Volume) -> BoxFuture<'_, Result<u64>>;
}

/// Runs a blocking piece of a backend's work on a thread that may block.
pub(crate) async fn blocking<T, F>(doing: &'static str, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(BackendError::CutOff(doing)))
}

/// Attaches what was being done to an error of the filesystem.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str, what: impl ToString) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, doing: &'static str, what: impl ToString) -> Result<T> {
        self.map_err(|source| BackendError::Filesystem {
            doing,
            what: what.to_string(),
            source: source.into(),
        })
    }
}
