//! openraft's log and vote. Every write is on disk before it returns.
//!
//! The committed log id is not saved: applying is durable by itself, so after a restart the
//! settings are never behind what was acknowledged, and openraft learns the rest from its peers.

use super::Database;
use super::raft_state::{self, StateKey};
use crate::raft_types::{Entry, LogId, StorageError, TypeConfig, Vote};
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, LogState, OptionalSend, RaftLogReader, StorageIOError};
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};

/// The log of this node. Cheap to clone: clones read the same log.
#[derive(Debug, Clone)]
pub(crate) struct LogStore {
    database: Database,
}

impl LogStore {
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    async fn append_entries(&self, entries: Vec<Entry>) -> sqlx::Result<()> {
        let mut transaction = self.database.write().await?;
        for entry in &entries {
            raft_state::log_upsert(&mut transaction, entry).await?;
        }
        transaction.commit().await
    }

    async fn delete_from(&self, start: u64) -> sqlx::Result<()> {
        let mut transaction = self.database.write().await?;
        raft_state::log_delete_from(&mut transaction, start).await?;
        transaction.commit().await
    }

    async fn delete_until(&self, end: LogId) -> sqlx::Result<()> {
        let mut transaction = self.database.write().await?;
        raft_state::log_delete_until(&mut transaction, end.index).await?;
        raft_state::state_write(&mut transaction, StateKey::Purged, &end).await?;
        transaction.commit().await
    }

    async fn write_vote(&self, vote: &Vote) -> sqlx::Result<()> {
        let mut transaction = self.database.write().await?;
        raft_state::state_write(&mut transaction, StateKey::Vote, vote).await?;
        transaction.commit().await
    }

    async fn state(&self) -> sqlx::Result<LogState<TypeConfig>> {
        let mut transaction = self.database.read_consistently().await?;
        let purged = raft_state::state_read(&mut transaction, StateKey::Purged).await?;
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: raft_state::log_end(&mut transaction).await?,
        })
    }

    async fn entries(&self, start: u64, end: u64) -> sqlx::Result<Vec<Entry>> {
        let mut connection = self.database.read().await?;
        raft_state::log_list(&mut connection, start, end).await
    }

    async fn vote(&self) -> sqlx::Result<Option<Vote>> {
        let mut connection = self.database.read().await?;
        raft_state::state_read(&mut connection, StateKey::Vote).await
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.entries(start, end)
            .await
            .map_err(|error| StorageIOError::read_logs(AnyError::new(&error)).into())
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        self.state()
            .await
            .map_err(|error| StorageIOError::read_logs(AnyError::new(&error)).into())
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.write_vote(vote)
            .await
            .map_err(|error| StorageIOError::write_vote(AnyError::new(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        self.vote()
            .await
            .map_err(|error| StorageIOError::read_vote(AnyError::new(&error)).into())
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        match self.append_entries(entries).await {
            Ok(()) => {
                callback.log_io_completed(Ok(()));
                Ok(())
            }
            Err(error) => {
                let told = AnyError::new(&error);
                callback.log_io_completed(Err(std::io::Error::other(error)));
                Err(StorageIOError::write_logs(told).into())
            }
        }
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.delete_from(log_id.index)
            .await
            .map_err(|error| StorageIOError::write_logs(AnyError::new(&error)).into())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        self.delete_until(log_id)
            .await
            .map_err(|error| StorageIOError::write_logs(AnyError::new(&error)).into())
    }
}
