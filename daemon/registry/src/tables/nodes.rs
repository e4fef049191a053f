//! Tables `nodes` and `join_tokens`.

use super::column::{
    get, json, number, optional_json, optional_number, parsed, to_integer, to_json,
};
use hwc_api::desired::{JoinToken, Node};
use hwc_api::ids::NodeId;
use hwc_api::time::WallTime;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

pub(super) async fn node_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<NodeId, Node>> {
    let rows = sqlx::query(
        "select id, name, address, join_index, is_removed, zone, switched_off, drain from nodes",
    )
    .fetch_all(connection)
    .await?;
    let mut nodes = BTreeMap::new();
    for row in &rows {
        let node = Node {
            id: NodeId(number(row, "id")?),
            name: parsed(row, "name")?,
            address: parsed(row, "address")?,
            join_index: number(row, "join_index")?,
            is_removed: get(row, "is_removed")?,
            zone: parsed(row, "zone")?,
            switched_off: json(row, "switched_off")?,
            drain: optional_json(row, "drain")?,
        };
        nodes.insert(node.id, node);
    }
    Ok(nodes)
}

pub(super) async fn node_upsert(
    connection: &mut SqliteConnection,
    node: &Node,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into nodes
             (id, name, address, join_index, is_removed, zone, switched_off, drain)
         values (?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (id) do update set name = excluded.name, address = excluded.address,
             join_index = excluded.join_index, is_removed = excluded.is_removed,
             zone = excluded.zone, switched_off = excluded.switched_off, drain = excluded.drain",
    )
    .bind(i64::from(node.id.0))
    .bind(node.name.as_str())
    .bind(node.address.to_string())
    .bind(to_integer(node.join_index)?)
    .bind(node.is_removed)
    .bind(node.zone.as_str())
    .bind(to_json(&node.switched_off)?)
    .bind(node.drain.as_ref().map(to_json).transpose()?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn join_token_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<String, JoinToken>> {
    let rows = sqlx::query("select secret_hash, expires_at, used_by from join_tokens")
        .fetch_all(connection)
        .await?;
    let mut tokens = BTreeMap::new();
    for row in &rows {
        let token = JoinToken {
            secret_hash: get(row, "secret_hash")?,
            expires_at: WallTime(get(row, "expires_at")?),
            used_by: optional_number(row, "used_by")?.map(NodeId),
        };
        tokens.insert(token.secret_hash.clone(), token);
    }
    Ok(tokens)
}

pub(super) async fn join_token_upsert(
    connection: &mut SqliteConnection,
    token: &JoinToken,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into join_tokens (secret_hash, expires_at, used_by) values (?, ?, ?)
         on conflict (secret_hash) do update set expires_at = excluded.expires_at,
             used_by = excluded.used_by",
    )
    .bind(&token.secret_hash)
    .bind(token.expires_at.0)
    .bind(token.used_by.map(|node| i64::from(node.0)))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn join_token_delete(
    connection: &mut SqliteConnection,
    secret_hash: &str,
) -> sqlx::Result<()> {
    sqlx::query("delete from join_tokens where secret_hash = ?")
        .bind(secret_hash)
        .execute(connection)
        .await?;
    Ok(())
}
