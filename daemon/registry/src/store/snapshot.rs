//! The settings as one piece, for nodes that are too far behind for the log: JSON with everything
//! that the tables hold, so that a node that receives it comes to identical tables.

use super::Database;
use super::raft_state;
use crate::raft_types::{
    LogId, Snapshot, SnapshotMeta, StorageError, StoredMembership, TypeConfig,
};
use crate::settings::{Counters, Settings};
use crate::tables::{StoredRequest, request_list};
use hwc_api::desired::Desired;
use hwc_api::ids::{JobId, SessionId};
use hwc_api::time::WallTime;
use openraft::{AnyError, RaftSnapshotBuilder, StorageIOError};
use serde::{Deserialize, Serialize};
use std::io::Cursor;
use std::sync::Arc;

/// The version of the content's form. A node refuses a form that it does not know.
const FORM: u32 = 2;
/// The first form that only a newer version knows.
pub(super) const FORM_NEXT: u32 = FORM + 1;

/// The content of a snapshot. Maps whose keys are no JSON keys are lists of pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    form: u32,
    desired: Desired,
    counters: Counters,
    revocations: Vec<(SessionId, WallTime)>,
    finished_jobs: Vec<(u64, JobId)>,
    requests: Vec<StoredRequest>,
}

/// What every form begins with.
#[derive(Deserialize)]
struct Head {
    form: u32,
}

/// Why a snapshot could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error("read snapshot")]
    Json(#[from] serde_json::Error),
    #[error(
        "snapshot has form {0}, this hwcd knows form {FORM}; run the same version of hwcd on all \
         nodes"
    )]
    Form(u32),
}

impl Content {
    fn new(settings: &Settings, requests: Vec<StoredRequest>) -> Self {
        Self {
            form: FORM,
            desired: (*settings.desired).clone(),
            counters: settings.counters,
            revocations: settings.revocations.clone().into_iter().collect(),
            finished_jobs: settings.finished_jobs.clone().into_iter().collect(),
            requests,
        }
    }

    /// Reads a snapshot's content.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let head: Head = serde_json::from_slice(bytes)?;
        if head.form == FORM {
            Ok(serde_json::from_slice(bytes)?)
        } else {
            Err(ContentError::Form(head.form))
        }
    }

    /// The settings and the answers to the newest requests.
    pub fn into_parts(self) -> (Settings, Vec<StoredRequest>) {
        let settings = Settings {
            desired: Arc::new(self.desired),
            counters: self.counters,
            revocations: self.revocations.into_iter().collect(),
            finished_jobs: self.finished_jobs.into_iter().collect(),
        };
        (settings, self.requests)
    }
}

/// Makes a snapshot of one moment: the moment at which it was asked for.
pub(crate) struct SnapshotBuilder {
    pub(super) database: Database,
    pub(super) settings: Settings,
    pub(super) requests: Result<Vec<StoredRequest>, StorageError>,
    pub(super) applied: Option<LogId>,
    pub(super) membership: StoredMembership,
}

impl SnapshotBuilder {
    /// Takes the parts that live in the database alone. Called between two applied batches.
    pub(super) async fn requests_of(
        database: &Database,
    ) -> Result<Vec<StoredRequest>, StorageError> {
        let read = async {
            let mut connection = database.read().await?;
            request_list(&mut connection).await
        };
        read.await
            .map_err(|error: sqlx::Error| storage_error(&error))
    }

    fn meta(&self) -> SnapshotMeta {
        let part = |log_id: Option<LogId>| {
            log_id.map_or_else(
                || "none".to_owned(),
                |log_id| format!("{}-{}", log_id.leader_id, log_id.index),
            )
        };
        SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id: part(self.applied),
        }
    }

    /// Keeps the snapshot, unless a newer one has been received meanwhile.
    async fn keep(&self, meta: &SnapshotMeta, content: &[u8]) -> sqlx::Result<()> {
        let mut transaction = self.database.write().await?;
        let kept: Option<SnapshotMeta> = raft_state::snapshot_meta_read(&mut transaction).await?;
        if kept.is_some_and(|kept| kept.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        raft_state::snapshot_upsert(&mut transaction, meta, content).await?;
        transaction.commit().await
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot, StorageError> {
        let requests = self.requests.clone()?;
        let content = serde_json::to_vec(&Content::new(&self.settings, requests))
            .map_err(|error| storage_error(&error))?;
        let meta = self.meta();
        self.keep(&meta, &content)
            .await
            .map_err(|error| storage_error(&error))?;
        Ok(Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(content)),
        })
    }
}

fn storage_error(error: &(impl std::error::Error + 'static)) -> StorageError {
    StorageIOError::write_snapshot(None, AnyError::new(error)).into()
}
