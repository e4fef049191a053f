//! Table `tokens`: API tokens.

use super::column::{get, number};
use hwc_api::desired::ApiToken;
use hwc_api::ids::{AccountId, TokenId};
use hwc_api::time::WallTime;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

pub(super) async fn token_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<TokenId, ApiToken>> {
    let rows =
        sqlx::query("select id, account, label, secret_hash, created_at, expires_at from tokens")
            .fetch_all(connection)
            .await?;
    let mut tokens = BTreeMap::new();
    for row in &rows {
        let token = ApiToken {
            id: TokenId(number(row, "id")?),
            account: AccountId(number(row, "account")?),
            label: get(row, "label")?,
            secret_hash: get(row, "secret_hash")?,
            created_at: WallTime(get(row, "created_at")?),
            expires_at: WallTime(get(row, "expires_at")?),
        };
        tokens.insert(token.id, token);
    }
    Ok(tokens)
}

pub(super) async fn token_upsert(
    connection: &mut SqliteConnection,
    token: &ApiToken,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into tokens (id, account, label, secret_hash, created_at, expires_at)
         values (?, ?, ?, ?, ?, ?)
         on conflict (id) do update set account = excluded.account, label = excluded.label,
             secret_hash = excluded.secret_hash, created_at = excluded.created_at,
             expires_at = excluded.expires_at",
    )
    .bind(i64::from(token.id.0))
    .bind(i64::from(token.account.0))
    .bind(&token.label)
    .bind(&token.secret_hash)
    .bind(token.created_at.0)
    .bind(token.expires_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn token_delete(
    connection: &mut SqliteConnection,
    id: TokenId,
) -> sqlx::Result<()> {
    sqlx::query("delete from tokens where id = ?")
        .bind(i64::from(id.0))
        .execute(connection)
        .await?;
    Ok(())
}
