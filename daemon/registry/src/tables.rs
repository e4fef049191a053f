//! The settings as rows: reads all of them, and carries out [`Edit`]s in a transaction.
//!
//! One file per family of tables; query functions are named noun-first. Nothing here decides: a
//! row that a constraint refuses is a bug in `rules`, and the transaction fails as a whole.

mod accounts;
mod cluster;
mod column;
mod counters;
mod databases;
mod datasets;
mod jobs;
mod moves;
mod nodes;
mod requests;
mod sessions;
mod sites;
mod tokens;

pub(crate) use requests::{
    StoredRequest, request_find, request_forget_until, request_insert, request_list,
};

use crate::settings::{Counters, Edit, Settings};
use hwc_api::desired::Desired;
use sqlx::SqliteConnection;
use std::sync::Arc;

/// Reads all settings.
pub(crate) async fn settings_load(connection: &mut SqliteConnection) -> sqlx::Result<Settings> {
    let (counters, index) = counters::counters_read(connection).await?;
    let revocations = sessions::revocation_list(connection).await?;
    let (jobs, finished_jobs) = jobs::job_list(connection).await?;
    let desired = Desired {
        index,
        cluster: cluster::cluster_read(connection).await?,
        nodes: nodes::node_list(connection).await?,
        accounts: accounts::account_list(connection).await?,
        sites: sites::site_list(connection).await?,
        databases: databases::database_list(connection).await?,
        datasets: datasets::dataset_list(connection).await?,
        jobs,
        moves: moves::move_list(connection).await?,
        tokens: tokens::token_list(connection).await?,
        revoked_sessions: revocations.keys().copied().collect(),
        join_tokens: nodes::join_token_list(connection).await?,
    };
    Ok(Settings {
        desired: Arc::new(desired),
        counters,
        revocations,
        finished_jobs,
    })
}

/// Writes what one accepted change decided.
pub(crate) async fn settings_write(
    connection: &mut SqliteConnection,
    edits: &[Edit],
    counters: Counters,
    index: u64,
) -> sqlx::Result<()> {
    for edit in edits {
        edit_write(connection, edit).await?;
    }
    counters::counters_write(connection, counters, index).await
}

/// Replaces all settings, as a received snapshot does.
pub(crate) async fn settings_replace(
    connection: &mut SqliteConnection,
    settings: &Settings,
) -> sqlx::Result<()> {
    settings_delete(connection).await?;
    let edits = settings.as_edits();
    settings_write(
        connection,
        &edits,
        settings.counters,
        settings.desired.index,
    )
    .await
}

/// Empties all settings' tables, those that refer to others first.
async fn settings_delete(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    for statement in [
        "delete from moves",
        "delete from jobs",
        "delete from databases",
        "delete from domains",
        "delete from sites",
        "delete from dataset_replicas",
        "delete from datasets",
        "delete from revoked_sessions",
        "delete from tokens",
        "delete from accounts",
        "delete from join_tokens",
        "delete from nodes",
        "delete from cluster",
        "delete from counters",
        "delete from requests",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn edit_write(connection: &mut SqliteConnection, edit: &Edit) -> sqlx::Result<()> {
    match edit {
        Edit::PutCluster(cluster) => cluster::cluster_upsert(connection, cluster).await,
        Edit::PutNode(node) => nodes::node_upsert(connection, node).await,
        Edit::PutJoinToken(token) => nodes::join_token_upsert(connection, token).await,
        Edit::DeleteJoinToken(hash) => nodes::join_token_delete(connection, hash).await,
        Edit::PutAccount(account) => accounts::account_upsert(connection, account).await,
        Edit::DeleteAccount(id) => accounts::account_delete(connection, *id).await,
        Edit::PutToken(token) => tokens::token_upsert(connection, token).await,
        Edit::DeleteToken(id) => tokens::token_delete(connection, *id).await,
        Edit::PutRevocation(session, expires_at) => {
            sessions::revocation_upsert(connection, *session, *expires_at).await
        }
        Edit::DeleteRevocation(session) => sessions::revocation_delete(connection, *session).await,
        Edit::PutDataset(dataset) => datasets::dataset_upsert(connection, dataset).await,
        Edit::PutSite(site) => sites::site_upsert(connection, site).await,
        Edit::DeleteSite(id) => sites::site_delete(connection, *id).await,
        Edit::PutDatabase(database) => databases::database_upsert(connection, database).await,
        Edit::DeleteDatabase(id) => databases::database_delete(connection, *id).await,
        Edit::PutJob(job, finished_index) => {
            jobs::job_upsert(connection, job, *finished_index).await
        }
        Edit::DeleteJob(id) => jobs::job_delete(connection, *id).await,
        Edit::PutMove(receipt) => moves::move_upsert(connection, receipt).await,
        Edit::DeleteMove(id) => moves::move_delete(connection, *id).await,
    }
}
