//! openraft's own tests of a store.

use super::Database;
use super::log::LogStore;
use super::state_machine::{Published, StateMachine};
use crate::raft_types::{StorageError, TypeConfig};
use hwc_api::ids::NodeId;
use openraft::testing::{StoreBuilder, Suite};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::Semaphore;

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError> {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("registry.sqlite");
        let database = Database::open(&path, &path.with_extension("member"), NodeId(1))
            .await
            .expect("new store");
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await;
        let state_machine =
            StateMachine::load(database.clone(), Published::new(), permit.expect("open"))
                .await
                .expect("empty store");
        Ok((directory, LogStore::new(database), state_machine))
    }
}

#[test]
fn the_store_passes_openrafts_suite() {
    Suite::test_all(Builder).expect("every test of the suite");
}
