//! Stores that an earlier version wrote: what it left is read, and comes to the same settings.

use super::Database;
use super::log::LogStore;
use super::raft_state;
use crate::proposed::Proposed;
use crate::raft_types::{Request, RequestId};
use crate::tables::{request_list, settings_load};
use hwc_api::balancing::Balancing;
use hwc_api::change::{Applied, Change};
use hwc_api::ids::{DatasetId, NodeId, SiteId};
use hwc_api::names::ZoneName;
use hwc_api::network::Network;
use openraft::{EntryPayload, RaftLogReader};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::borrow::Cow;
use std::path::Path;

/// Rows as the version with migration 1 alone left them: a founded cluster of two nodes, a site
/// with one replica and one with two, and the log of it.
const WRITTEN_BY_VERSION_1: &str = r#"
    insert into raft_state values ('node', '1');
    insert into cluster values (1, 'c', 'Test', '[]', 2);
    insert into nodes values (1, 'alpha', '10.0.0.1', 1, 0), (2, 'beta', '10.0.0.2', 3, 0);
    insert into accounts values (1, 'root', 'Root', 'r@example.com', 'administrator', 0, 0, 'h', 0, 0, 0);
    insert into datasets values (1, 'site', 1, 5, 0), (2, 'site', 2, 6, 0);
    insert into dataset_replicas values (1, 0, 1), (2, 0, 2), (2, 1, 1);
    insert into sites values (1, 1, 1, 200000, '8.4', null, null, 7), (2, 1, 2, 200001, '8.4', null, null, 7);
    insert into domains values ('a.example', 1, 0), ('b.example', 2, 0);
    insert into counters values ('index', 6), ('node', 3), ('site', 3), ('dataset', 3);
    insert into raft_snapshot values (1, '{"of":"form 1"}', x'7b7d');
    insert into requests values
        (x'01010101010101010101010101010101', 3,
         '{"Ok":{"node":{"id":2,"name":"beta","address":"10.0.0.2","join_index":3,"is_removed":false}}}'),
        (x'02020202020202020202020202020202', 4, '{"Ok":"done"}'),
        (x'03030303030303030303030303030303', 5, '{"Err":{"code":"conflict","message":"m"}}');
    insert into raft_log values
        (0, '{"log_id":{"leader_id":{"term":0,"node_id":0},"index":0},"payload":{"Membership":{"configs":[[1]],"nodes":{"1":{}}}}}'),
        (1, '{"log_id":{"leader_id":{"term":1,"node_id":1},"index":1},"payload":"Blank"}'),
        (2, '{"log_id":{"leader_id":{"term":1,"node_id":1},"index":2},"payload":{"Normal":{"id":[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2],"change":{"change":"init-cluster","cluster":{"id":"c","name":"Test","panel_domains":[],"copies":2},"name":"alpha","address":"10.0.0.1"}}}}'),
        (3, '{"log_id":{"leader_id":{"term":1,"node_id":1},"index":3},"payload":{"Normal":{"id":[3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3],"change":{"change":"create-site","account":1,"domains":["a.example"],"php":"8.4","replicas":[1],"now":7}}}}'),
        (4, '{"log_id":{"leader_id":{"term":1,"node_id":1},"index":4},"payload":{"Normal":{"id":[4,4,4,4,4,4,4,4,4,4,4,4,4,4,4,4],"change":{"change":"create-database","account":1,"site":null,"name":"d","user":"d","password_hash":"*0123456789ABCDEF01230123456789ABCDEF0123","replicas":[1,2,3],"now":7}}}}');
"#;

async fn written_by_version_1(path: &Path) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.expect("new file");
    let all = sqlx::migrate!("../../migrations");
    let first: Vec<_> = all
        .iter()
        .filter(|step| step.version == 1)
        .cloned()
        .collect();
    let first = Migrator {
        migrations: Cow::Owned(first),
        ..Migrator::DEFAULT
    };
    first.run(&pool).await.expect("migration 1");
    sqlx::raw_sql(WRITTEN_BY_VERSION_1)
        .execute(&pool)
        .await
        .expect("rows");
    pool.close().await;
}

#[tokio::test]
async fn a_store_of_the_first_version_is_read_with_what_it_did_not_know_filled_in() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("registry.sqlite");
    written_by_version_1(&path).await;
    let database = Database::open(&path, &path.with_extension("member"), NodeId(1))
        .await
        .expect("upgraded");

    let mut connection = database.read().await.expect("connection");
    let settings = settings_load(&mut connection).await.expect("settings");
    let desired = &settings.desired;
    let cluster = desired.cluster.as_ref().expect("founded");
    assert_eq!(cluster.balancing, Balancing::default());
    assert_eq!(cluster.network, Network::Lan);
    let node = &desired.nodes[&NodeId(2)];
    assert_eq!((&node.zone, &node.drain), (&ZoneName::default(), &None));
    assert!(node.switched_off.is_empty());
    let copies = |id| desired.datasets[&DatasetId(id)].copies;
    assert_eq!((copies(1), copies(2)), (2, 2));
    assert_eq!(desired.sites[&SiteId(1)].pin, None);
    assert!(desired.moves.is_empty());

    let requests = request_list(&mut connection).await.expect("answers");
    assert_eq!(requests[0].result, Ok(Applied::Node(node.clone())));
    assert_eq!(requests[1].result, Ok(Applied::Done));
    let kept: Option<serde_json::Value> = raft_state::snapshot_meta_read(&mut connection)
        .await
        .expect("snapshot");
    assert_eq!(kept, None, "its form is an older one");
}

#[tokio::test]
async fn the_log_of_the_first_version_comes_to_the_same_settings() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path().join("registry.sqlite");
    written_by_version_1(&path).await;
    let database = Database::open(&path, &path.with_extension("member"), NodeId(1))
        .await
        .expect("upgraded");
    let mut log = LogStore::new(database);
    let entries = log.try_get_log_entries(0..5).await.expect("entries");
    assert_eq!(entries.len(), 5);
    let changes: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| match entry.payload {
            EntryPayload::Normal(Request {
                id,
                change: Proposed::Understood(change),
            }) => Some((id, change)),
            EntryPayload::Normal(request) => panic!("{request:?}"),
            EntryPayload::Blank | EntryPayload::Membership(_) => None,
        })
        .collect();
    assert_eq!(changes[0].0, RequestId([2; 16]));
    let Change::InitCluster { cluster, .. } = &changes[0].1 else {
        panic!("the founding");
    };
    assert_eq!(cluster.balancing, Balancing::default());
    let [
        Change::CreateSite { copies: site, .. },
        Change::CreateDatabase {
            copies: database, ..
        },
    ] = [&changes[1].1, &changes[2].1]
    else {
        panic!("a site and a database");
    };
    assert_eq!((*site, *database), (2, 3));
}
