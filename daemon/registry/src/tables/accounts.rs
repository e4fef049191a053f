//! Table `accounts`.

use super::column::{get, number, parsed, to_word, word};
use hwc_api::desired::{Account, Limits};
use hwc_api::ids::AccountId;
use hwc_api::time::WallTime;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

pub(super) async fn account_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<AccountId, Account>> {
    let rows = sqlx::query(
        "select id, login, name, email, role, site_limit, database_limit, password_hash,
             sessions_valid_from, is_suspended, created_at
         from accounts",
    )
    .fetch_all(connection)
    .await?;
    let mut accounts = BTreeMap::new();
    for row in &rows {
        let account = account_of(row)?;
        accounts.insert(account.id, account);
    }
    Ok(accounts)
}

fn account_of(row: &SqliteRow) -> sqlx::Result<Account> {
    Ok(Account {
        id: AccountId(number(row, "id")?),
        login: parsed(row, "login")?,
        name: get(row, "name")?,
        email: parsed(row, "email")?,
        role: word(row, "role")?,
        limits: Limits {
            sites: number(row, "site_limit")?,
            databases: number(row, "database_limit")?,
        },
        password_hash: get(row, "password_hash")?,
        sessions_valid_from: WallTime(get(row, "sessions_valid_from")?),
        is_suspended: get(row, "is_suspended")?,
        created_at: WallTime(get(row, "created_at")?),
    })
}

pub(super) async fn account_upsert(
    connection: &mut SqliteConnection,
    account: &Account,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into accounts (id, login, name, email, role, site_limit, database_limit,
             password_hash, sessions_valid_from, is_suspended, created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (id) do update set login = excluded.login, name = excluded.name,
             email = excluded.email, role = excluded.role, site_limit = excluded.site_limit,
             database_limit = excluded.database_limit, password_hash = excluded.password_hash,
             sessions_valid_from = excluded.sessions_valid_from,
             is_suspended = excluded.is_suspended, created_at = excluded.created_at",
    )
    .bind(i64::from(account.id.0))
    .bind(account.login.as_str())
    .bind(&account.name)
    .bind(account.email.as_str())
    .bind(to_word(&account.role)?)
    .bind(i64::from(account.limits.sites))
    .bind(i64::from(account.limits.databases))
    .bind(&account.password_hash)
    .bind(account.sessions_valid_from.0)
    .bind(account.is_suspended)
    .bind(account.created_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn account_delete(
    connection: &mut SqliteConnection,
    id: AccountId,
) -> sqlx::Result<()> {
    sqlx::query("delete from accounts where id = ?")
        .bind(i64::from(id.0))
        .execute(connection)
        .await?;
    Ok(())
}
