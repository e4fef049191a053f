//! Table `counters`: a row per number that is counted up.

use super::column::{get, number, to_integer};
use crate::settings::Counters;
use sqlx::SqliteConnection;
use std::collections::BTreeMap;

/// The name of the index of the last change among the counters.
const INDEX: &str = "index";

/// The counters and the index of the last change.
pub(super) async fn counters_read(
    connection: &mut SqliteConnection,
) -> sqlx::Result<(Counters, u64)> {
    let rows = sqlx::query("select name, value from counters")
        .fetch_all(connection)
        .await?;
    let mut values: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows {
        values.insert(get(row, "name")?, number(row, "value")?);
    }
    let mut counters = Counters::default();
    for (name, counter) in named(&mut counters) {
        if let Some(value) = values.get(name) {
            *counter = *value;
        }
    }
    Ok((counters, values.get(INDEX).copied().unwrap_or_default()))
}

pub(super) async fn counters_write(
    connection: &mut SqliteConnection,
    mut counters: Counters,
    mut index: u64,
) -> sqlx::Result<()> {
    for (name, value) in named(&mut counters)
        .into_iter()
        .chain([(INDEX, &mut index)])
    {
        sqlx::query(
            "insert into counters (name, value) values (?, ?)
             on conflict (name) do update set value = excluded.value
                 where value != excluded.value",
        )
        .bind(name)
        .bind(to_integer(*value)?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

fn named(counters: &mut Counters) -> [(&'static str, &mut u64); 9] {
    let Counters {
        node,
        account,
        site,
        database,
        dataset,
        job,
        receipt,
        token,
        uid,
    } = counters;
    [
        ("node", node),
        ("account", account),
        ("site", site),
        ("database", database),
        ("dataset", dataset),
        ("job", job),
        ("receipt", receipt),
        ("token", token),
        ("uid", uid),
    ]
}
