//! The ownership rows of this node: what it has seen and promised, on disk before it is shown.
//!
//! A small SQLite database of its own (`ownership.sqlite`), written with fsync. Rows that arrive
//! while a transaction is on its way share the next one (group commit over datasets). A node that
//! can't write its rows reports nothing, and so claims and acknowledges nothing.

use anyhow::Context;
use hwc_api::ids::DatasetId;
use hwc_runtime::lifecycle::Tasks;
use hwc_state_machine::{PersistToken, PersistedRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// Pause after a failed write, before the rows are tried again: a full disk does not empty sooner.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A row that waits to be written.
#[derive(Debug)]
pub struct RowToWrite {
    /// Of which dataset.
    pub dataset: DatasetId,
    /// The whole row.
    pub row: PersistedRow,
    /// Comes back when it is on disk.
    pub token: PersistToken,
}

/// What a start finds.
#[derive(Debug)]
pub struct Opened {
    /// The rows of the starts before.
    pub rows: BTreeMap<DatasetId, PersistedRow>,
    /// Takes rows to write.
    pub writer: mpsc::UnboundedSender<RowToWrite>,
}

/// Opens the database and begins to write rows. `written` is called for each
/// row that is on disk; of several rows of one dataset in one transaction only the newest counts.
///
/// # Errors
/// When the database can't be opened or written.
pub async fn open(
    path: &Path,
    tasks: &Tasks,
    written: impl Fn(DatasetId, PersistToken) + Send + 'static,
) -> anyhow::Result<Opened> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    // One connection: there is one writer, and reading happens at start only.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await;
    let pool = pool.with_context(|| format!("open {}", path.display()))?;
    sqlx::migrate!("../migrations/node")
        .run(&pool)
        .await
        .context("bring the ownership rows up to date")?;
    let rows = read(&pool).await.context("read the ownership rows")?;
    // Unbounded: a row is ~200 bytes and at most one per dataset counts; the brain waits for each.
    let (writer, waiting) = mpsc::unbounded_channel();
    let token = tasks.token();
    tasks.spawn("ownership rows", async move {
        let _stopped = token
            .run_until_cancelled(write(pool, waiting, written))
            .await;
    });
    Ok(Opened { rows, writer })
}

async fn read(pool: &SqlitePool) -> anyhow::Result<BTreeMap<DatasetId, PersistedRow>> {
    let mut rows = BTreeMap::new();
    for found in sqlx::query("select dataset, content from ownership")
        .fetch_all(pool)
        .await?
    {
        let dataset = DatasetId(found.try_get("dataset")?);
        let content: String = found.try_get("content")?;
        let row = serde_json::from_str(&content)
            .with_context(|| format!("understand the row of dataset {dataset}"))?;
        rows.insert(dataset, row);
    }
    Ok(rows)
}

async fn write(
    pool: SqlitePool,
    mut waiting: mpsc::UnboundedReceiver<RowToWrite>,
    written: impl Fn(DatasetId, PersistToken),
) {
    while let Some(first) = waiting.recv().await {
        let mut batch = BTreeMap::from([(first.dataset, (first.row, first.token))]);
        while let Ok(next) = waiting.try_recv() {
            batch.insert(next.dataset, (next.row, next.token));
        }
        while let Err(error) = write_batch(&pool, &batch).await {
            tracing::error!(
                error = format!("{error:#}"),
                "ownership rows can't be written; this node claims nothing"
            );
            tokio::time::sleep(RETRY_PAUSE).await;
            while let Ok(next) = waiting.try_recv() {
                batch.insert(next.dataset, (next.row, next.token));
            }
        }
        for (dataset, (_, token)) in batch {
            written(dataset, token);
        }
    }
}

async fn write_batch(
    pool: &SqlitePool,
    batch: &BTreeMap<DatasetId, (PersistedRow, PersistToken)>,
) -> anyhow::Result<()> {
    let mut transaction = pool.begin().await.context("begin")?;
    for (dataset, (row, _)) in batch {
        sqlx::query(
            "insert into ownership (dataset, content) values (?, ?)
             on conflict (dataset) do update set content = excluded.content",
        )
        .bind(dataset.0)
        .bind(serde_json::to_string(row)?)
        .execute(&mut *transaction)
        .await
        .with_context(|| format!("write the row of dataset {dataset}"))?;
    }
    transaction.commit().await.context("commit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};
    use hwc_api::ownership::Epoch;

    #[tokio::test]
    async fn rows_survive_a_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("ownership.sqlite");
        let (sender, mut written) = mpsc::unbounded_channel();
        let tasks = Tasks::new();
        let report = move |dataset, token| sender.send((dataset, token)).expect("a listener");
        let first = open(&path, &tasks, report).await.expect("opened");
        assert!(first.rows.is_empty());
        let seen = Epoch {
            counter: 4,
            node: NodeId(2),
            boot: BootId(9),
        };
        let row = PersistedRow {
            seen,
            ..PersistedRow::default()
        };
        let order = RowToWrite {
            dataset: DatasetId(7),
            row: row.clone(),
            token: PersistToken(1),
        };
        first.writer.send(order).expect("taken");
        assert_eq!(written.recv().await, Some((DatasetId(7), PersistToken(1))));
        assert!(tasks.stop(Duration::from_secs(5)).await.is_empty());

        let second = open(&path, &Tasks::new(), |_, _| {})
            .await
            .expect("opened again");
        assert_eq!(second.rows, BTreeMap::from([(DatasetId(7), row)]));
    }
}
