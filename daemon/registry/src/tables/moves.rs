//! Table `moves`: the receipts of the newest ended moves.

use super::column::{json, number, to_json};
use hwc_api::ids::MoveId;
use hwc_api::moves::MoveReceipt;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

pub(super) async fn move_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<MoveId, MoveReceipt>> {
    let rows = sqlx::query("select id, report from moves")
        .fetch_all(connection)
        .await?;
    let mut moves = BTreeMap::new();
    for row in &rows {
        let id = MoveId(number(row, "id")?);
        let report = json(row, "report")?;
        moves.insert(id, MoveReceipt { id, report });
    }
    Ok(moves)
}

pub(super) async fn move_upsert(
    connection: &mut SqliteConnection,
    receipt: &MoveReceipt,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into moves (id, report) values (?, ?)
         on conflict (id) do update set report = excluded.report",
    )
    .bind(i64::from(receipt.id.0))
    .bind(to_json(&receipt.report)?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn move_delete(connection: &mut SqliteConnection, id: MoveId) -> sqlx::Result<()> {
    sqlx::query("delete from moves where id = ?")
        .bind(i64::from(id.0))
        .execute(connection)
        .await?;
    Ok(())
}
