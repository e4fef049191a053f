//! Table `jobs`.

use super::column::{get, json, number, optional_json, optional_number, to_integer, to_json};
use hwc_api::ids::{AccountId, JobId, NodeId};
use hwc_api::job::Job;
use hwc_api::time::WallTime;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

type Jobs = (BTreeMap<JobId, Job>, BTreeMap<u64, JobId>);

/// All jobs, and the ended ones by the index of the change that ended them.
pub(super) async fn job_list(connection: &mut SqliteConnection) -> sqlx::Result<Jobs> {
    let rows = sqlx::query(
        "select id, kind, account, node, started_at, outcome, finished_index from jobs",
    )
    .fetch_all(connection)
    .await?;
    let (mut jobs, mut finished) = Jobs::default();
    for row in &rows {
        let job = Job {
            id: JobId(number(row, "id")?),
            kind: json(row, "kind")?,
            account: AccountId(number(row, "account")?),
            node: NodeId(number(row, "node")?),
            started_at: WallTime(get(row, "started_at")?),
            outcome: optional_json(row, "outcome")?,
        };
        if let Some(index) = optional_number(row, "finished_index")? {
            finished.insert(index, job.id);
        }
        jobs.insert(job.id, job);
    }
    Ok((jobs, finished))
}

pub(super) async fn job_upsert(
    connection: &mut SqliteConnection,
    job: &Job,
    finished_index: Option<u64>,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into jobs (id, kind, account, node, started_at, outcome, finished_index)
         values (?, ?, ?, ?, ?, ?, ?)
         on conflict (id) do update set kind = excluded.kind, account = excluded.account,
             node = excluded.node, started_at = excluded.started_at, outcome = excluded.outcome,
             finished_index = excluded.finished_index",
    )
    .bind(i64::from(job.id.0))
    .bind(to_json(&job.kind)?)
    .bind(i64::from(job.account.0))
    .bind(i64::from(job.node.0))
    .bind(job.started_at.0)
    .bind(job.outcome.as_ref().map(to_json).transpose()?)
    .bind(finished_index.map(to_integer).transpose()?)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn job_delete(connection: &mut SqliteConnection, id: JobId) -> sqlx::Result<()> {
    sqlx::query("delete from jobs where id = ?")
        .bind(i64::from(id.0))
        .execute(connection)
        .await?;
    Ok(())
}
