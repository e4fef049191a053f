//! Applies committed entries to the settings: one transaction per batch, and with it the log id
//! up to which the settings are, so that every entry is applied exactly once.
//!
//! A refused change writes its answer and nothing else. After the commit the new settings are
//! published; nobody ever sees settings that are not on disk.

use super::Database;
use super::raft_state::{self, StateKey};
use super::snapshot::{Content, ContentError, FORM_NEXT, SnapshotBuilder};
use crate::proposed::Proposed;
use crate::raft_types::{
    Entry, LogId, Reply, Request, Snapshot, SnapshotMeta, StorageError, StoredMembership,
    TypeConfig,
};
use crate::rules::{Decision, decide};
use crate::settings::Settings;
use crate::status::Standing;
use crate::tables::{
    StoredRequest, request_find, request_forget_until, request_insert, settings_load,
    settings_replace, settings_write,
};
use hwc_api::change::ChangeResult;
use hwc_api::desired::Desired;
use openraft::storage::RaftStateMachine;
use openraft::{AnyError, EntryPayload, OptionalSend, StorageIOError};
use sqlx::SqliteConnection;
use std::io::Cursor;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How many log entries back a repeated request is recognised. A request is repeated for seconds
/// at most; this is many minutes of the busiest cluster.
pub(crate) const REQUESTS_REMEMBERED: u64 = 4_096;

/// Where applied settings are published.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub desired: watch::Sender<Arc<Desired>>,
    /// The log index up to which `desired` is; 0 before the first entry.
    pub applied: watch::Sender<u64>,
    /// Whether this node may take part.
    pub standing: watch::Sender<Standing>,
}

impl Published {
    pub fn new() -> Self {
        Self {
            desired: watch::Sender::new(Arc::default()),
            applied: watch::Sender::new(0),
            standing: watch::Sender::default(),
        }
    }
}

/// The settings of this node, on disk and in memory.
#[derive(Debug)]
pub(crate) struct StateMachine {
    database: Database,
    published: Published,
    settings: Settings,
    applied: Option<LogId>,
    membership: StoredMembership,
    /// The right to apply: one state machine at a time has it.
    _permit: OwnedSemaphorePermit,
}

impl StateMachine {
    /// Reads the settings from disk and publishes them.
    pub async fn load(
        database: Database,
        published: Published,
        permit: OwnedSemaphorePermit,
    ) -> sqlx::Result<Self> {
        let mut transaction = database.read_consistently().await?;
        let applied: Option<Option<LogId>> =
            raft_state::state_read(&mut transaction, StateKey::Applied).await?;
        let membership = raft_state::state_read(&mut transaction, StateKey::Membership).await?;
        let settings = settings_load(&mut transaction).await?;
        drop(transaction);
        let state_machine = Self {
            database,
            published,
            settings,
            applied: applied.flatten(),
            membership: membership.unwrap_or_default(),
            _permit: permit,
        };
        state_machine.publish();
        Ok(state_machine)
    }

    fn publish(&self) {
        let desired = &self.settings.desired;
        self.published.desired.send_if_modified(|published| {
            let is_new = !Arc::ptr_eq(published, desired);
            *published = Arc::clone(desired);
            is_new
        });
        let index = self.applied.map_or(0, |log_id| log_id.index);
        self.published.applied.send_replace(index);
    }

    async fn apply_batch(&mut self, entries: Vec<Entry>) -> Result<Vec<Reply>, ApplyError> {
        let mut transaction = self.database.write().await?;
        let mut batch = Batch {
            settings: self.settings.clone(),
            applied: self.applied,
            membership: None,
        };
        let mut replies = Vec::with_capacity(entries.len());
        for entry in entries {
            replies.push(batch.apply(&mut transaction, entry).await?);
        }
        batch.write_position(&mut transaction).await?;
        transaction.commit().await?;

        self.settings = batch.settings;
        self.applied = batch.applied;
        if let Some(membership) = batch.membership {
            self.membership = membership;
        }
        self.publish();
        Ok(replies)
    }

    async fn install(&mut self, meta: &SnapshotMeta, bytes: &[u8]) -> Result<(), InstallError> {
        let (settings, requests) = Content::decode(bytes)?.into_parts();
        let mut transaction = self.database.write().await?;
        settings_replace(&mut transaction, &settings).await?;
        for request in &requests {
            request_insert(&mut transaction, request).await?;
        }
        raft_state::state_write(&mut transaction, StateKey::Applied, &meta.last_log_id).await?;
        raft_state::state_write(
            &mut transaction,
            StateKey::Membership,
            &meta.last_membership,
        )
        .await?;
        raft_state::snapshot_upsert(&mut transaction, meta, bytes).await?;
        transaction.commit().await?;

        self.settings = settings;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.publish();
        Ok(())
    }

    async fn kept_snapshot(&self) -> sqlx::Result<Option<Snapshot>> {
        let mut connection = self.database.read().await?;
        let kept = raft_state::snapshot_read(&mut connection).await?;
        Ok(kept.map(|(meta, content)| Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(content)),
        }))
    }
}

/// Why entries could not be applied. None of their batch were.
#[derive(Debug, thiserror::Error)]
enum ApplyError {
    #[error("store settings")]
    Database(#[from] sqlx::Error),
    #[error("understand the change at log index {0}: a newer version of hwcd wrote it")]
    Foreign(u64),
}

#[derive(Debug, thiserror::Error)]
enum InstallError {
    #[error("understand snapshot")]
    Content(#[from] ContentError),
    #[error("store snapshot")]
    Database(#[from] sqlx::Error),
}

/// The entries of one transaction: becomes the state machine's own state once they are on disk.
struct Batch {
    settings: Settings,
    applied: Option<LogId>,
    membership: Option<StoredMembership>,
}

impl Batch {
    async fn apply(
        &mut self,
        connection: &mut SqliteConnection,
        entry: Entry,
    ) -> Result<Reply, ApplyError> {
        self.applied = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Ok(Reply(None)),
            EntryPayload::Membership(membership) => {
                self.membership = Some(StoredMembership::new(Some(entry.log_id), membership));
                Ok(Reply(None))
            }
            EntryPayload::Normal(request) => {
                let result = self
                    .answer(connection, entry.log_id.index, &request)
                    .await?;
                Ok(Reply(Some(result)))
            }
        }
    }

    /// The answer that the request was given before, or does what it asks for.
    async fn answer(
        &mut self,
        connection: &mut SqliteConnection,
        log_index: u64,
        request: &Request,
    ) -> Result<ChangeResult, ApplyError> {
        if let Some(result) = request_find(connection, request.id).await? {
            return Ok(result);
        }
        let Proposed::Understood(change) = &request.change else {
            return Err(ApplyError::Foreign(log_index));
        };
        let result = match decide(&self.settings, change) {
            Ok(decision) => {
                self.carry_out(connection, &decision).await?;
                Ok(decision.applied)
            }
            Err(problem) => Err(problem),
        };
        let stored = StoredRequest {
            id: request.id,
            log_index,
            result,
        };
        request_insert(connection, &stored).await?;
        request_forget_until(connection, log_index.saturating_sub(REQUESTS_REMEMBERED)).await?;
        Ok(stored.result)
    }

    async fn carry_out(
        &mut self,
        connection: &mut SqliteConnection,
        decision: &Decision,
    ) -> sqlx::Result<()> {
        let Decision {
            edits,
            counters,
            index,
            applied: _,
        } = decision;
        settings_write(connection, edits, *counters, *index).await?;
        self.settings.carry_out(edits, *counters, *index);
        Ok(())
    }

    async fn write_position(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        raft_state::state_write(connection, StateKey::Applied, &self.applied).await?;
        if let Some(membership) = &self.membership {
            raft_state::state_write(connection, StateKey::Membership, membership).await?;
        }
        Ok(())
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Reply>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.apply_batch(entries).await.map_err(|error| {
            if let ApplyError::Foreign(_) = error {
                self.published.standing.send_replace(Standing::Outdated);
            }
            StorageIOError::write_state_machine(AnyError::new(&error)).into()
        })
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        SnapshotBuilder {
            requests: SnapshotBuilder::requests_of(&self.database).await,
            database: self.database.clone(),
            settings: self.settings.clone(),
            applied: self.applied,
            membership: self.membership.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        self.install(meta, snapshot.get_ref())
            .await
            .map_err(|error| {
                if let InstallError::Content(ContentError::Form(FORM_NEXT..)) = error {
                    self.published.standing.send_replace(Standing::Outdated);
                }
                StorageIOError::write_snapshot(Some(meta.signature()), AnyError::new(&error)).into()
            })
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, StorageError> {
        self.kept_snapshot()
            .await
            .map_err(|error| StorageIOError::read_snapshot(None, AnyError::new(&error)).into())
    }
}
