//! The log stays short, and whoever lags behind it catches up by a snapshot.

use super::*;
use crate::store::rescue::log_outline;

/// Entries between two snapshots here.
const OFTEN: u64 = 10;

fn with_short_logs() -> Cluster {
    Cluster::with_timing(Timing {
        snapshot_after_entries: OFTEN,
        ..BRISK
    })
}

async fn log_length(registry: &Registry) -> u64 {
    let outline = log_outline(&registry.core().database).await.expect("log");
    let purged = registry.core().metrics().purged;
    let index = |log_id: Option<crate::raft_types::LogId>| log_id.map_or(0, |id| id.index);
    index(outline.last) - index(purged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_far_behind_the_log_gets_a_snapshot() {
    let cluster = with_short_logs();
    let first = cluster.found().await;
    for number in 0..40 {
        let login = format!("user-{number}");
        first.change(customer(&login)).await.expect("created");
    }
    eventually("the beginning of the log is gone", || {
        let purged = first.core().metrics().purged;
        purged.is_some_and(|log_id| log_id.index > 5)
    })
    .await;
    let second = cluster.join(&first, 2).await;
    let nodes = [first, second];
    voters_become(&nodes, &[1, 2]).await;
    let metrics = nodes[1].core().metrics();
    assert!(metrics.snapshot.is_some(), "{metrics:?}");
    nodes[1].change(customer("anna")).await.expect("created");
    eventually("both hold the same settings", || {
        let [first, second] = nodes.each_ref().map(|node| node.desired().borrow().clone());
        first == second && first.accounts.len() == 42
    })
    .await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_short_while_a_voter_is_away_and_it_catches_up() {
    let cluster = with_short_logs();
    let mut nodes = cluster.of(3).await;
    voters_become(&nodes, &[1, 2, 3]).await;
    let away = usize::from(leader_of(&nodes) == 0);
    let id = u16::try_from(away).expect("small") + 1;
    let dead = nodes.remove(away);
    cluster.kill(&dead, id).await;
    for number in 0..60 {
        let login = format!("user-{number}");
        nodes[0].change(customer(&login)).await.expect("created");
    }
    for registry in &nodes {
        within("the log is short", async {
            while log_length(registry).await > 2 * OFTEN {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    cluster.net.heal(NodeId(id));
    nodes.push(cluster.open(id).await);
    nodes[0].change(customer("anna")).await.expect("created");
    eventually("all hold the same settings", || {
        let settings: Vec<_> = nodes
            .iter()
            .map(|registry| registry.desired().borrow().clone())
            .collect();
        settings
            .iter()
            .all(|one| one.accounts.len() == 62 && *one == settings[0])
    })
    .await;
    cluster.end().await;
}
