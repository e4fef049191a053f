//! Table `revoked_sessions`.

use super::column::{get, undecodable};
use hwc_api::ids::SessionId;
use hwc_api::time::WallTime;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

pub(super) async fn revocation_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<SessionId, WallTime>> {
    let rows = sqlx::query("select session, expires_at from revoked_sessions")
        .fetch_all(connection)
        .await?;
    let mut revocations = BTreeMap::new();
    for row in &rows {
        let session: &[u8] = get(row, "session")?;
        let session = session
            .try_into()
            .map_err(|source: std::array::TryFromSliceError| undecodable("session", source))?;
        revocations.insert(SessionId(session), WallTime(get(row, "expires_at")?));
    }
    Ok(revocations)
}

pub(super) async fn revocation_upsert(
    connection: &mut SqliteConnection,
    session: SessionId,
    expires_at: WallTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into revoked_sessions (session, expires_at) values (?, ?)
         on conflict (session) do update set expires_at = excluded.expires_at",
    )
    .bind(&session.0[..])
    .bind(expires_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn revocation_delete(
    connection: &mut SqliteConnection,
    session: SessionId,
) -> sqlx::Result<()> {
    sqlx::query("delete from revoked_sessions where session = ?")
        .bind(&session.0[..])
        .execute(connection)
        .await?;
    Ok(())
}
