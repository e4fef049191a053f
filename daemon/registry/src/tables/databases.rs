//! Table `databases`.

use super::column::{get, number, optional_number, parsed, undecodable};
use hwc_api::desired::{Database, NativePasswordHash};
use hwc_api::ids::{AccountId, DatabaseId, DatasetId, SiteId};
use hwc_api::time::WallTime;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

pub(super) async fn database_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<DatabaseId, Database>> {
    let rows = sqlx::query(
        "select id, account, site, dataset, uid, name, user, password_hash, created_at
         from databases",
    )
    .fetch_all(connection)
    .await?;
    let mut databases = BTreeMap::new();
    for row in &rows {
        let database = database_of(row)?;
        databases.insert(database.id, database);
    }
    Ok(databases)
}

fn database_of(row: &SqliteRow) -> sqlx::Result<Database> {
    Ok(Database {
        id: DatabaseId(number(row, "id")?),
        account: AccountId(number(row, "account")?),
        site: optional_number(row, "site")?.map(SiteId),
        dataset: DatasetId(number(row, "dataset")?),
        uid: number(row, "uid")?,
        name: parsed(row, "name")?,
        user: parsed(row, "user")?,
        password_hash: NativePasswordHash::parse(get(row, "password_hash")?)
            .ok_or_else(|| undecodable("password_hash", "not a native password hash"))?,
        created_at: WallTime(get(row, "created_at")?),
    })
}

pub(super) async fn database_upsert(
    connection: &mut SqliteConnection,
    database: &Database,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into databases (id, account, site, dataset, uid, name, user, password_hash,
             created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (id) do update set account = excluded.account, site = excluded.site,
             dataset = excluded.dataset, uid = excluded.uid, name = excluded.name,
             user = excluded.user, password_hash = excluded.password_hash,
             created_at = excluded.created_at",
    )
    .bind(i64::from(database.id.0))
    .bind(i64::from(database.account.0))
    .bind(database.site.map(|site| i64::from(site.0)))
    .bind(i64::from(database.dataset.0))
    .bind(i64::from(database.uid))
    .bind(database.name.as_str())
    .bind(database.user.as_str())
    .bind(database.password_hash.as_str())
    .bind(database.created_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn database_delete(
    connection: &mut SqliteConnection,
    id: DatabaseId,
) -> sqlx::Result<()> {
    sqlx::query("delete from databases where id = ?")
        .bind(i64::from(id.0))
        .execute(connection)
        .await?;
    Ok(())
}
