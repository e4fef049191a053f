//! Queries on openraft's own tables: `raft_state`, `raft_log`, `raft_snapshot`.

use super::Database;
use crate::raft_types::{Entry, LogId, Membership};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Row, SqliteConnection};

/// The rows of `raft_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateKey {
    /// Whose store this is.
    Node,
    /// The random number that names it; see `marker`.
    Store,
    /// Nodes that were declared lost here, until the settings know it; see `rescue`.
    Lost,
    /// The last vote.
    Vote,
    /// The last log id that was deleted from the beginning of the log.
    Purged,
    /// The last log id that was applied to the settings.
    Applied,
    /// The last membership that was applied.
    Membership,
}

impl StateKey {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Store => "store",
            Self::Lost => "lost",
            Self::Vote => "vote",
            Self::Purged => "purged",
            Self::Applied => "applied",
            Self::Membership => "membership",
        }
    }
}

pub(crate) async fn state_read<T: DeserializeOwned>(
    connection: &mut SqliteConnection,
    key: StateKey,
) -> sqlx::Result<Option<T>> {
    let row = sqlx::query("select value from raft_state where name = ?")
        .bind(key.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| decode(row.try_get("value")?, "value"))
        .transpose()
}

pub(crate) async fn state_write<T: Serialize>(
    connection: &mut SqliteConnection,
    key: StateKey,
    value: &T,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into raft_state (name, value) values (?, ?)
         on conflict (name) do update set value = excluded.value",
    )
    .bind(key.as_str())
    .bind(encode(value)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Entries from `start`, up to but without `end`.
pub(crate) async fn log_list(
    connection: &mut SqliteConnection,
    start: u64,
    end: u64,
) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query(
        "select entry from raft_log where log_index >= ? and log_index < ? order by log_index",
    )
    .bind(clamped(start))
    .bind(clamped(end))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| decode(row.try_get("entry")?, "entry"))
        .collect()
}

pub(crate) async fn log_last(connection: &mut SqliteConnection) -> sqlx::Result<Option<Entry>> {
    let row = sqlx::query("select entry from raft_log order by log_index desc limit 1")
        .fetch_optional(connection)
        .await?;
    row.map(|row| decode(row.try_get("entry")?, "entry"))
        .transpose()
}

/// The end of the log: its last entry, or the last one that was deleted from its beginning.
pub(crate) async fn log_end(connection: &mut SqliteConnection) -> sqlx::Result<Option<LogId>> {
    let last = log_last(connection).await?.map(|entry| entry.log_id);
    let purged = state_read(connection, StateKey::Purged).await?;
    Ok(last.max(purged))
}

/// Up to where this node has ever had everything: the end of its log, or of a snapshot that was
/// installed in its stead; none of an empty store.
pub(crate) async fn reached(database: &Database) -> sqlx::Result<Option<u64>> {
    let mut transaction = database.read_consistently().await?;
    let end = log_end(&mut transaction).await?;
    let applied: Option<Option<LogId>> = state_read(&mut transaction, StateKey::Applied).await?;
    Ok(end.max(applied.flatten()).map(|log_id| log_id.index))
}

/// The first entry of each leader in the log, oldest first.
pub(crate) async fn log_leader_list(connection: &mut SqliteConnection) -> sqlx::Result<Vec<LogId>> {
    let rows = sqlx::query(
        "select min(log_index), json_extract(entry, '$.log_id') as log_id from raft_log
         group by json_extract(entry, '$.log_id.leader_id') order by 1",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| decode(row.try_get("log_id")?, "log_id"))
        .collect()
}

/// The newest membership in the log.
pub(crate) async fn log_last_membership(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Option<Membership>> {
    let row = sqlx::query(
        "select json_extract(entry, '$.payload.Membership') as membership from raft_log
         where membership is not null order by log_index desc limit 1",
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| decode(row.try_get("membership")?, "membership"))
        .transpose()
}

pub(crate) async fn log_upsert(
    connection: &mut SqliteConnection,
    entry: &Entry,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into raft_log (log_index, entry) values (?, ?)
         on conflict (log_index) do update set entry = excluded.entry",
    )
    .bind(clamped(entry.log_id.index))
    .bind(encode(entry)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the end of the log, from `start` on.
pub(crate) async fn log_delete_from(
    connection: &mut SqliteConnection,
    start: u64,
) -> sqlx::Result<()> {
    sqlx::query("delete from raft_log where log_index >= ?")
        .bind(clamped(start))
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes the beginning of the log, up to and with `end`.
pub(crate) async fn log_delete_until(
    connection: &mut SqliteConnection,
    end: u64,
) -> sqlx::Result<()> {
    sqlx::query("delete from raft_log where log_index <= ?")
        .bind(clamped(end))
        .execute(connection)
        .await?;
    Ok(())
}

/// The kept snapshot: its description and its content.
pub(crate) async fn snapshot_read<T: DeserializeOwned>(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Option<(T, Vec<u8>)>> {
    let row = sqlx::query("select meta, content from raft_snapshot")
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((
        decode(row.try_get("meta")?, "meta")?,
        row.try_get("content")?,
    )))
}

/// The description of the kept snapshot.
pub(crate) async fn snapshot_meta_read<T: DeserializeOwned>(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Option<T>> {
    let row = sqlx::query("select meta from raft_snapshot")
        .fetch_optional(connection)
        .await?;
    row.map(|row| decode(row.try_get("meta")?, "meta"))
        .transpose()
}

pub(crate) async fn snapshot_upsert<T: Serialize>(
    connection: &mut SqliteConnection,
    meta: &T,
    content: &[u8],
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into raft_snapshot (id, meta, content) values (1, ?, ?)
         on conflict (id) do update set meta = excluded.meta, content = excluded.content",
    )
    .bind(encode(meta)?)
    .bind(content)
    .execute(connection)
    .await?;
    Ok(())
}

fn encode<T: Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|source| sqlx::Error::Encode(Box::new(source)))
}

fn decode<T: DeserializeOwned>(text: &str, column: &'static str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|source| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: Box::new(source),
    })
}

/// A log index as SQLite holds it. openraft asks for open ranges with `u64::MAX`; no log is longer
/// than SQLite's greatest integer.
fn clamped(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
