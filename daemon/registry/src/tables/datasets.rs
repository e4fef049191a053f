//! Tables `datasets` and `dataset_replicas`.

use super::column::{get, number, to_integer, undecodable};
use hwc_api::desired::{Dataset, DatasetContent};
use hwc_api::ids::{DatabaseId, DatasetId, NodeId, SiteId};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

pub(super) async fn dataset_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<DatasetId, Dataset>> {
    let rows = sqlx::query(
        "select id, content, content_id, copies, created_index, is_deleted from datasets",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut replicas = replica_list(connection).await?;
    let mut datasets = BTreeMap::new();
    for row in &rows {
        let id = DatasetId(number(row, "id")?);
        let dataset = Dataset {
            id,
            content: content_of(row)?,
            replicas: replicas.remove(&id).unwrap_or_default(),
            copies: number(row, "copies")?,
            created_index: number(row, "created_index")?,
            is_deleted: get(row, "is_deleted")?,
        };
        datasets.insert(id, dataset);
    }
    Ok(datasets)
}

fn content_of(row: &SqliteRow) -> sqlx::Result<DatasetContent> {
    let id = number(row, "content_id")?;
    match get(row, "content")? {
        "site" => Ok(DatasetContent::Site(SiteId(id))),
        "database" => Ok(DatasetContent::Database(DatabaseId(id))),
        other => Err(undecodable("content", format!("unknown content {other}"))),
    }
}

async fn replica_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<DatasetId, Vec<NodeId>>> {
    let rows = sqlx::query("select dataset, node from dataset_replicas order by dataset, position")
        .fetch_all(connection)
        .await?;
    let mut replicas: BTreeMap<DatasetId, Vec<NodeId>> = BTreeMap::new();
    for row in &rows {
        let dataset = DatasetId(number(row, "dataset")?);
        let node = NodeId(number(row, "node")?);
        replicas.entry(dataset).or_default().push(node);
    }
    Ok(replicas)
}

pub(super) async fn dataset_upsert(
    connection: &mut SqliteConnection,
    dataset: &Dataset,
) -> sqlx::Result<()> {
    let (content, content_id) = match dataset.content {
        DatasetContent::Site(SiteId(id)) => ("site", id),
        DatasetContent::Database(DatabaseId(id)) => ("database", id),
    };
    sqlx::query(
        "insert into datasets (id, content, content_id, copies, created_index, is_deleted)
         values (?, ?, ?, ?, ?, ?)
         on conflict (id) do update set content = excluded.content,
             content_id = excluded.content_id, copies = excluded.copies,
             created_index = excluded.created_index, is_deleted = excluded.is_deleted",
    )
    .bind(i64::from(dataset.id.0))
    .bind(content)
    .bind(i64::from(content_id))
    .bind(i64::from(dataset.copies))
    .bind(to_integer(dataset.created_index)?)
    .bind(dataset.is_deleted)
    .execute(&mut *connection)
    .await?;
    replicas_replace(connection, dataset).await
}

async fn replicas_replace(
    connection: &mut SqliteConnection,
    dataset: &Dataset,
) -> sqlx::Result<()> {
    sqlx::query("delete from dataset_replicas where dataset = ?")
        .bind(i64::from(dataset.id.0))
        .execute(&mut *connection)
        .await?;
    for (position, node) in (0_i64..).zip(&dataset.replicas) {
        sqlx::query("insert into dataset_replicas (dataset, position, node) values (?, ?, ?)")
            .bind(i64::from(dataset.id.0))
            .bind(position)
            .bind(i64::from(node.0))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
