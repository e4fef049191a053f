//! Table `requests`: the answers to the newest changes, so that a repeated request is answered
//! rather than done again.

use super::column::{get, json, number, to_integer, to_json, undecodable};
use crate::raft_types::RequestId;
use hwc_api::change::ChangeResult;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredRequest {
    pub id: RequestId,
    /// Where in the log it was applied.
    pub log_index: u64,
    pub result: ChangeResult,
}

/// The answer that was given to this request, if it was applied lately.
pub(crate) async fn request_find(
    connection: &mut SqliteConnection,
    id: RequestId,
) -> sqlx::Result<Option<ChangeResult>> {
    let row = sqlx::query("select result from requests where id = ?")
        .bind(&id.0[..])
        .fetch_optional(connection)
        .await?;
    row.map(|row| json(&row, "result")).transpose()
}

/// All kept answers, oldest first.
pub(crate) async fn request_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Vec<StoredRequest>> {
    let rows = sqlx::query("select id, log_index, result from requests order by log_index, id")
        .fetch_all(connection)
        .await?;
    let mut requests = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: &[u8] = get(row, "id")?;
        let id = id
            .try_into()
            .map_err(|source: std::array::TryFromSliceError| undecodable("id", source))?;
        requests.push(StoredRequest {
            id: RequestId(id),
            log_index: number(row, "log_index")?,
            result: json(row, "result")?,
        });
    }
    Ok(requests)
}

pub(crate) async fn request_insert(
    connection: &mut SqliteConnection,
    request: &StoredRequest,
) -> sqlx::Result<()> {
    sqlx::query("insert into requests (id, log_index, result) values (?, ?, ?)")
        .bind(&request.id.0[..])
        .bind(to_integer(request.log_index)?)
        .bind(to_json(&request.result)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets the answers to requests that were applied at `log_index` or before.
pub(crate) async fn request_forget_until(
    connection: &mut SqliteConnection,
    log_index: u64,
) -> sqlx::Result<()> {
    sqlx::query("delete from requests where log_index <= ?")
        .bind(to_integer(log_index)?)
        .execute(connection)
        .await?;
    Ok(())
}
