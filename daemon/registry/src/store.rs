//! One SQLite file per node that holds openraft's log and the settings.
//!
//! One connection writes (every transaction begins as a writer, so that none is refused half-way),
//! a few read. Commits are on disk when they return (`synchronous = full`): votes, log entries and
//! applied settings survive a power cut once they were acknowledged.
//!
//! - [`log`]: openraft's log and vote.
//! - [`state_machine`]: applies entries to the settings; [`snapshot`]: the settings as one piece.
//! - [`marker`]: the note that a store exists.
//! - [`rescue`]: the log when nodes are declared lost.
//! - [`raft_state`]: the queries on openraft's own tables.

pub(crate) mod log;
mod marker;
pub(crate) mod raft_state;
pub(crate) mod rescue;
pub(crate) mod snapshot;
pub(crate) mod state_machine;

#[cfg(test)]
mod state_machine_tests;
#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod upgrade_tests;

use crate::error::OpenError;
use hwc_api::ids::NodeId;
use marker::{Marker, StoreId, Verdict};
use raft_state::StateKey;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, Transaction};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection waits for another one's lock. There is one writer per file; a backup or
/// a person with sqlite3 may hold it for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers: replication to a few nodes and a snapshot at the same time.
const READERS_MAX: u32 = 4;

/// The open database. Cheap to clone; closed by [`Database::close`].
#[derive(Debug, Clone)]
pub(crate) struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Keeps another process from opening the same store.
    lock: Arc<File>,
}

impl Database {
    /// Opens the store of node `me`, or makes it. The note `marker` says later that there is one.
    pub async fn open(path: &Path, marker: &Path, me: NodeId) -> Result<Self, OpenError> {
        let lock = prepare_files(path)?;
        let database = Self::connect(path, lock)
            .await
            .map_err(|source| OpenError::Database {
                path: path.to_owned(),
                source,
            })?;
        sqlx::migrate!("../../migrations")
            .run(&database.writer)
            .await
            .map_err(|source| OpenError::Migrate {
                path: path.to_owned(),
                source,
            })?;
        let store = database.claim(path, marker, me).await?;
        note_store(marker, me, store)?;
        Ok(database)
    }

    async fn connect(path: &Path, lock: File) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // A full disk makes SQLite end the transaction by itself; sqlx then goes on counting
            // it as open, and the connection can begin no other.
            .before_acquire(|connection, _meta| {
                let is_clean = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_clean) })
            })
            .connect_with(options.clone())
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self {
            writer,
            readers,
            lock: Arc::new(lock),
        })
    }

    /// Notes whose store this is, or refuses a store of another node: openraft's votes are worth
    /// nothing if two nodes use one name. Refuses a new store in the place of a lost one too.
    async fn claim(&self, path: &Path, marker: &Path, me: NodeId) -> Result<StoreId, OpenError> {
        let noted = marker::read(marker).map_err(|source| file_error(marker, source))?;
        let database_error = |source| OpenError::Database {
            path: path.to_owned(),
            source,
        };
        let mut transaction = self.write().await.map_err(database_error)?;
        let owner: Option<NodeId> = raft_state::state_read(&mut transaction, StateKey::Node)
            .await
            .map_err(database_error)?;
        if let Some(owner) = owner.filter(|owner| *owner != me) {
            return Err(OpenError::OtherNode {
                path: path.to_owned(),
                owner,
                me,
            });
        }
        let store: Option<StoreId> = raft_state::state_read(&mut transaction, StateKey::Store)
            .await
            .map_err(database_error)?;
        if marker::judge(noted, me, store) == Verdict::Lost {
            return Err(OpenError::Lost {
                path: path.to_owned(),
                marker: marker.to_owned(),
                me,
            });
        }
        let claimed = store.unwrap_or_else(StoreId::draw);
        raft_state::state_write(&mut transaction, StateKey::Node, &me)
            .await
            .map_err(database_error)?;
        raft_state::state_write(&mut transaction, StateKey::Store, &claimed)
            .await
            .map_err(database_error)?;
        transaction.commit().await.map_err(database_error)?;
        Ok(claimed)
    }

    /// Begins a transaction that may write. Dropped without a commit, it changes nothing.
    pub async fn write(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("begin immediate").await
    }

    /// A connection that only reads, each statement what is committed at that moment.
    pub async fn read(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        self.readers.acquire().await
    }

    /// Begins a transaction that only reads: one consistent view.
    pub async fn read_consistently(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.readers.begin().await
    }

    /// Closes all connections, and lets go of the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the registry's lock is released only with the process");
        }
    }
}

/// Writes the note that there is a store, where it is not there. After a crash before this, the
/// next start does it.
fn note_store(path: &Path, node: NodeId, store: StoreId) -> Result<(), OpenError> {
    let wanted = Marker { node, store };
    let noted = marker::read(path).map_err(|source| file_error(path, source))?;
    if noted == Some(wanted) {
        return Ok(());
    }
    marker::write(path, wanted).map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::File {
        path: path.to_owned(),
        source,
    }
}

/// Makes the directory (0700) and the file (0600: it holds password hashes), and takes the lock.
fn prepare_files(path: &Path) -> Result<File, OpenError> {
    let error = |source| file_error(path, source);
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(error)?;
    }
    let private = |path: &Path| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
    };
    private(path).map_err(error)?;
    let lock = private(&path.with_extension("lock")).map_err(error)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}
