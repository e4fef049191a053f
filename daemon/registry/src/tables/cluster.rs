//! Table `cluster`: one row once the cluster was founded.

use super::column::{get, json, number, to_json, to_word, word};
use hwc_api::desired::Cluster;
use hwc_api::ids::ClusterId;
use sqlx::SqliteConnection;

pub(super) async fn cluster_read(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Option<Cluster>> {
    let row = sqlx::query(
        "select cluster_id, name, panel_domains, copies, balancing, network from cluster",
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Cluster {
        id: ClusterId(get(&row, "cluster_id")?),
        name: get(&row, "name")?,
        panel_domains: json(&row, "panel_domains")?,
        copies: number(&row, "copies")?,
        balancing: json(&row, "balancing")?,
        network: word(&row, "network")?,
    }))
}

pub(super) async fn cluster_upsert(
    connection: &mut SqliteConnection,
    cluster: &Cluster,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into cluster (id, cluster_id, name, panel_domains, copies, balancing, network)
         values (1, ?, ?, ?, ?, ?, ?)
         on conflict (id) do update set cluster_id = excluded.cluster_id, name = excluded.name,
             panel_domains = excluded.panel_domains, copies = excluded.copies,
             balancing = excluded.balancing, network = excluded.network",
    )
    .bind(&cluster.id.0)
    .bind(&cluster.name)
    .bind(to_json(&cluster.panel_domains)?)
    .bind(i64::from(cluster.copies))
    .bind(to_json(&cluster.balancing)?)
    .bind(to_word(&cluster.network)?)
    .execute(connection)
    .await?;
    Ok(())
}
