//! The settings on disk: every change through every table, refusals, repeats, snapshots, restarts.

use super::Database;
use super::raft_state;
use super::state_machine::{Published, REQUESTS_REMEMBERED, StateMachine};
use crate::error::OpenError;
use crate::proposed::Proposed;
use crate::raft_types::{Entry, LogId, Reply, Request, RequestId};
use crate::samples::*;
use crate::settings::Settings;
use crate::status::Standing;
use crate::tables::{request_list, settings_load};
use hwc_api::change::{Applied, Change, ChangeResult};
use hwc_api::ids::{NodeId, SiteId};
use hwc_api::problem::ProblemCode;
use openraft::storage::RaftStateMachine;
use openraft::{CommittedLeaderId, EntryPayload, RaftSnapshotBuilder};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// A state machine on a disk of its own.
struct Bench {
    directory: TempDir,
    database: Database,
    published: Published,
    machine: StateMachine,
    next_index: u64,
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let (database, published, machine) = Self::open(&directory).await;
        Self {
            directory,
            database,
            published,
            machine,
            next_index: 1,
        }
    }

    async fn open(directory: &TempDir) -> (Database, Published, StateMachine) {
        let path = directory.path().join("registry.sqlite");
        let database = Database::open(&path, &path.with_extension("member"), NodeId(1))
            .await
            .expect("store");
        let published = Published::new();
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await;
        let machine =
            StateMachine::load(database.clone(), published.clone(), permit.expect("open"))
                .await
                .expect("settings");
        (database, published, machine)
    }

    async fn reopened(self) -> Self {
        let Self {
            directory,
            database,
            published: _,
            machine,
            next_index,
        } = self;
        drop(machine);
        database.close().await;
        drop(database);
        let (database, published, machine) = Self::open(&directory).await;
        Self {
            directory,
            database,
            published,
            machine,
            next_index,
        }
    }

    /// Applies requests in one batch.
    async fn apply_requests(&mut self, requests: Vec<Request>) -> Vec<ChangeResult> {
        let mut entries = Vec::new();
        for request in requests {
            entries.push(Entry {
                log_id: LogId::new(CommittedLeaderId::new(1, 1), self.next_index),
                payload: EntryPayload::Normal(request),
            });
            self.next_index += 1;
        }
        let replies = self.machine.apply(entries).await.expect("apply");
        replies
            .into_iter()
            .map(|Reply(result)| result.expect("a change has a result"))
            .collect()
    }

    async fn apply(&mut self, change: Change) -> ChangeResult {
        let id = RequestId(u128::from(self.next_index).to_be_bytes());
        let mut results = self.apply_requests(vec![Request::new(id, change)]).await;
        results.pop().expect("one result")
    }

    async fn apply_all(&mut self, changes: Vec<Change>) {
        for change in changes {
            let result = self.apply(change.clone()).await;
            assert!(result.is_ok(), "{change:?}: {result:?}");
            self.check_tables().await;
        }
    }

    /// What the tables hold is what is published.
    async fn check_tables(&self) -> Settings {
        let mut connection = self.database.read().await.expect("connection");
        let stored = settings_load(&mut connection).await.expect("settings");
        assert_eq!(stored.desired, *self.published.desired.borrow());
        stored
    }

    async fn requests(&self) -> Vec<crate::tables::StoredRequest> {
        let mut connection = self.database.read().await.expect("connection");
        request_list(&mut connection).await.expect("requests")
    }
}

#[tokio::test]
async fn every_change_is_on_disk_as_it_is_in_memory() {
    let mut bench = Bench::new().await;
    bench.apply_all(everything()).await;
    let stored = bench.check_tables().await;
    let mut expected = Settings::default();
    for change in everything() {
        expected.apply(&change).expect("accepted");
    }
    assert_eq!(stored, expected);
    assert_eq!(bench.requests().await.len(), everything().len());
}

#[tokio::test]
async fn a_refused_change_leaves_its_answer_and_nothing_else() {
    let mut bench = Bench::new().await;
    bench.apply_all(small_cluster()).await;
    let before = bench.check_tables().await;
    let refused = bench.apply(site(CUSTOMER, &["panel.example"], &[1])).await;
    assert_eq!(
        refused.map_err(|problem| problem.code),
        Err(ProblemCode::DomainTaken)
    );
    assert_eq!(bench.check_tables().await, before);
}

#[tokio::test]
async fn a_refusal_does_not_spoil_the_rest_of_its_batch() {
    let mut bench = Bench::new().await;
    bench.apply_all(small_cluster()).await;
    let batch = [
        site(CUSTOMER, &["a.example"], &[1]),
        site(OTHER_CUSTOMER, &["a.example"], &[1]),
        site(OTHER_CUSTOMER, &["b.example"], &[1]),
    ];
    let requests = batch
        .into_iter()
        .zip(100..)
        .map(|(change, id)| Request::new(RequestId([id; 16]), change));
    let results = bench.apply_requests(requests.collect()).await;
    let codes: Vec<_> = results
        .into_iter()
        .map(|result| result.map_err(|problem| problem.code))
        .collect();
    assert_eq!(
        codes,
        [
            Ok(Applied::Site(SiteId(1))),
            Err(ProblemCode::DomainTaken),
            Ok(Applied::Site(SiteId(2))),
        ]
    );
    bench.check_tables().await;
}

#[tokio::test]
async fn a_repeated_request_is_answered_and_not_done_again() {
    let mut bench = Bench::new().await;
    bench.apply_all(small_cluster()).await;
    let change = site(OTHER_CUSTOMER, &["a.example"], &[1]);
    let request = Request::new(RequestId([9; 16]), change);
    let twice = vec![request.clone(), request.clone()];
    let results = bench.apply_requests(twice).await;
    assert_eq!(
        results,
        [Ok(Applied::Site(SiteId(1))), Ok(Applied::Site(SiteId(1)))]
    );
    let mut bench = bench.reopened().await;
    let results = bench.apply_requests(vec![request]).await;
    assert_eq!(results, [Ok(Applied::Site(SiteId(1)))]);
    assert_eq!(bench.check_tables().await.desired.sites.len(), 1);
}

#[tokio::test]
async fn answers_to_old_requests_are_forgotten() {
    let mut bench = Bench::new().await;
    bench.apply(init()).await.expect("founded");
    bench.apply(join_token("a")).await.expect("token");
    bench.next_index += REQUESTS_REMEMBERED - 2;
    bench.apply(join_token("b")).await.expect("token");
    let kept: Vec<_> = bench
        .requests()
        .await
        .iter()
        .map(|request| request.log_index)
        .collect();
    assert_eq!(kept, [2, REQUESTS_REMEMBERED + 1]);
}

#[tokio::test]
async fn the_same_changes_make_the_same_settings_on_every_node() {
    let [mut one, mut other] = [Bench::new().await, Bench::new().await];
    for change in everything() {
        let answers = [one.apply(change.clone()).await, other.apply(change).await];
        assert_eq!(answers[0], answers[1]);
    }
    assert_eq!(one.check_tables().await, other.check_tables().await);
}

#[tokio::test]
async fn settings_survive_a_restart() {
    let mut bench = Bench::new().await;
    bench.apply_all(everything()).await;
    let before = bench.check_tables().await;
    let mut bench = bench.reopened().await;
    assert_eq!(bench.check_tables().await, before);
    let (applied, _membership) = bench.machine.applied_state().await.expect("state");
    assert_eq!(
        applied.map(|log_id| log_id.index),
        Some(bench.next_index - 1)
    );
    assert_eq!(*bench.published.applied.borrow(), bench.next_index - 1);
}

#[tokio::test]
async fn a_snapshot_makes_identical_tables() {
    let mut from = Bench::new().await;
    from.apply_all(everything()).await;
    let mut builder = from.machine.get_snapshot_builder().await;
    let later = join_token("after the snapshot was asked for");
    from.apply(later).await.expect("token");
    let snapshot = builder.build_snapshot().await.expect("snapshot");

    let mut to = Bench::new().await;
    to.apply_all(vec![
        init(),
        join_token("other"),
        join("other", "zeta", "10.9.9.9"),
    ])
    .await;
    let install = to
        .machine
        .install_snapshot(&snapshot.meta, snapshot.snapshot);
    install.await.expect("installed");

    let mut expected = Settings::default();
    for change in everything() {
        expected.apply(&change).expect("accepted");
    }
    assert_eq!(to.check_tables().await, expected);
    let requests = from.requests().await;
    assert_eq!(to.requests().await[..], requests[..requests.len() - 1]);
    let to = to.reopened().await;
    assert_eq!(to.check_tables().await, expected);
}

#[tokio::test]
async fn a_broken_or_foreign_snapshot_changes_nothing() {
    let mut bench = Bench::new().await;
    bench.apply_all(small_cluster()).await;
    let before = bench.check_tables().await;
    let mut builder = bench.machine.get_snapshot_builder().await;
    let snapshot = builder.build_snapshot().await.expect("snapshot");
    let text = String::from_utf8(snapshot.snapshot.into_inner()).expect("JSON");
    let foreign = text.replacen("\"form\":2", "\"form\":3", 1);
    let cut = text[..text.len() / 2].to_owned();
    for bad in [foreign, cut] {
        let bad = Box::new(std::io::Cursor::new(bad.into_bytes()));
        assert!(
            bench
                .machine
                .install_snapshot(&snapshot.meta, bad)
                .await
                .is_err()
        );
        assert_eq!(bench.check_tables().await, before);
    }
}

#[tokio::test]
async fn an_older_snapshot_does_not_replace_a_newer_one() {
    let mut bench = Bench::new().await;
    bench.apply(init()).await.expect("founded");
    let mut older = bench.machine.get_snapshot_builder().await;
    bench.apply(join_token("t")).await.expect("token");
    let mut newer = bench.machine.get_snapshot_builder().await;
    let newer = newer.build_snapshot().await.expect("snapshot");
    older.build_snapshot().await.expect("snapshot");
    let kept = bench.machine.get_current_snapshot().await.expect("read");
    assert_eq!(kept.map(|kept| kept.meta), Some(newer.meta));
}

#[tokio::test]
async fn a_store_belongs_to_one_node_and_one_process() {
    let bench = Bench::new().await;
    let path = bench.directory.path().join("registry.sqlite");
    let in_use = Database::open(&path, &path.with_extension("member"), NodeId(1)).await;
    assert!(matches!(in_use, Err(OpenError::InUse { .. })), "{in_use:?}");
    let Bench {
        directory: _directory,
        database,
        machine,
        ..
    } = bench;
    drop(machine);
    database.close().await;
    drop(database);
    let other = Database::open(&path, &path.with_extension("member"), NodeId(2)).await;
    assert!(
        matches!(
            other,
            Err(OpenError::OtherNode {
                owner: NodeId(1),
                me: NodeId(2),
                ..
            })
        ),
        "{other:?}"
    );
}

#[tokio::test]
async fn only_root_reads_the_store() {
    let bench = Bench::new().await;
    let mode = |name: &str| {
        let path = bench.directory.path().join(name);
        let metadata = std::fs::metadata(path).expect("file");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("registry.sqlite"), 0o600);
    assert_eq!(mode("registry.sqlite-wal"), 0o600);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("registry.sqlite");
    std::fs::write(
        &path,
        "this is no database, and longer than a header".repeat(40),
    )
    .expect("write");
    let opened = Database::open(&path, &path.with_extension("member"), NodeId(1)).await;
    let is_refused = matches!(
        opened,
        Err(OpenError::Database { .. } | OpenError::Migrate { .. })
    );
    assert!(is_refused, "{opened:?}");
}

#[tokio::test]
async fn a_full_disk_stops_applying_and_changes_nothing() {
    let mut bench = Bench::new().await;
    bench.apply_all(small_cluster()).await;
    let before = bench.check_tables().await;
    let mut transaction = bench.database.write().await.expect("writer");
    sqlx::query("pragma max_page_count = 1")
        .execute(&mut *transaction)
        .await
        .expect("limit");
    transaction.commit().await.expect("commit");
    let long = "x".repeat(200_000);
    let entry = Entry {
        log_id: LogId::new(CommittedLeaderId::new(1, 1), bench.next_index),
        payload: EntryPayload::Normal(Request::new(
            RequestId([7; 16]),
            create_token(CUSTOMER, &long),
        )),
    };
    assert!(bench.machine.apply([entry]).await.is_err());
    let bench = bench.reopened().await;
    assert_eq!(bench.check_tables().await, before);
}

#[tokio::test]
async fn a_change_of_a_newer_version_is_not_applied_nor_anything_after_it() {
    let mut bench = Bench::new().await;
    bench.apply_all(small_cluster()).await;
    let before = bench.check_tables().await;
    let json = r#"{"change":"remove-node","node":2,"kindly":true}"#;
    let foreign: Proposed = serde_json::from_str(json).expect("JSON");
    let requests = [
        Request::new(RequestId([7; 16]), join_token("beside it")),
        Request {
            id: RequestId([8; 16]),
            change: foreign,
        },
    ];
    let entries = requests.into_iter().zip(bench.next_index..);
    let entries = entries.map(|(request, index)| Entry {
        log_id: LogId::new(CommittedLeaderId::new(1, 1), index),
        payload: EntryPayload::Normal(request),
    });
    assert_eq!(*bench.published.standing.borrow(), Standing::Member);
    assert!(bench.machine.apply(entries).await.is_err());
    assert_eq!(*bench.published.standing.borrow(), Standing::Outdated);
    assert_eq!(bench.check_tables().await, before);
}

#[tokio::test]
async fn a_snapshot_of_a_newer_version_is_told_from_a_broken_one() {
    let mut bench = Bench::new().await;
    bench.apply_all(small_cluster()).await;
    let mut builder = bench.machine.get_snapshot_builder().await;
    let meta = builder.build_snapshot().await.expect("snapshot").meta;
    for (text, standing) in [
        (r#"{"form":2,"desired":"broken"}"#, Standing::Member),
        (r#"{"form":1}"#, Standing::Member),
        (r#"{"form":3,"new":"things"}"#, Standing::Outdated),
    ] {
        let bad = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let installed = bench.machine.install_snapshot(&meta, bad).await;
        assert!(installed.is_err(), "{text}");
        assert_eq!(*bench.published.standing.borrow(), standing, "{text}");
    }
}

#[tokio::test]
async fn the_state_keys_are_rows_of_their_own() {
    use raft_state::{StateKey, state_read, state_write};
    let bench = Bench::new().await;
    let mut transaction = bench.database.write().await.expect("writer");
    let keys = [
        StateKey::Vote,
        StateKey::Store,
        StateKey::Lost,
        StateKey::Purged,
        StateKey::Applied,
        StateKey::Membership,
    ];
    for (number, key) in (1_u32..).zip(keys) {
        state_write(&mut transaction, key, &number)
            .await
            .expect("write");
    }
    for (number, key) in (1_u32..).zip(keys) {
        let read: Option<u32> = state_read(&mut transaction, key).await.expect("read");
        assert_eq!(read, Some(number));
    }
}
