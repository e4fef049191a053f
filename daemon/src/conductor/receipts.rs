//! The receipt of a move: asks every node in reach what its visitors noticed, then has the registry
//! keep it.

use super::hands::Rooms;
use crate::network;
use hwc_api::change::Change;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::{MoveReport, Pause};
use hwc_api::problem::Problem;
use hwc_runtime::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// The name of the call that asks what visitors noticed of a closed gate.
pub const PAUSE_CALL: &str = "pause";

/// What waited goes through the open gate within this.
const SETTLE: Duration = Duration::from_millis(1_500);
/// The registry is asked again after this, while it can't be written.
const AGAIN: Duration = Duration::from_secs(5);
/// After so many tries the receipt is given up: about an hour.
const TRIES: u32 = 720;

/// What is asked: of which dataset, and how far back, milliseconds.
pub type PauseQuestion = (DatasetId, u64);

/// Writes the receipt of a move that ended. `closed_for`: how long its gate was closed.
pub fn write(
    rooms: &Arc<Rooms>,
    clock: &Clock,
    report: MoveReport,
    closed_for: Option<Duration>,
    others: Vec<NodeId>,
) {
    let (rooms, clock) = (Arc::clone(rooms), clock.clone());
    let title = format!("receipt of a move of dataset {}", report.dataset);
    let tasks = rooms.tasks.clone();
    tasks.spawn_until_stopped(title, async move {
        let mut report = report;
        if let Some(closed_for) = closed_for {
            let ended = clock.now();
            tokio::time::sleep(SETTLE).await;
            // From a moment before the gate closed until now.
            let within = closed_for + clock.now().since(ended) + Duration::from_millis(100);
            let noticed = noticed(&rooms, report.dataset, within, &others).await;
            let closed_ms = u32::try_from(closed_for.as_millis()).unwrap_or(u32::MAX);
            let pause = Pause {
                closed_ms,
                ..noticed
            };
            if is_database(&rooms, report.dataset) {
                report.mysql = pause;
            } else {
                report.http = pause;
            }
        }
        keep(&rooms, report).await;
    });
}

/// What visitors noticed on all nodes together.
async fn noticed(
    rooms: &Arc<Rooms>,
    dataset: DatasetId,
    within: Duration,
    others: &[NodeId],
) -> Pause {
    let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let question: PauseQuestion = (dataset, within_ms);
    let ask = |node: NodeId| {
        let rooms = Arc::clone(rooms);
        async move {
            let body = postcard::to_stdvec(&question).ok()?;
            let calls = &rooms.group.calls;
            let answer = calls
                .call(
                    node,
                    PAUSE_CALL,
                    body.into(),
                    network::answer_limit(rooms.network),
                )
                .await;
            match answer {
                Ok(answer) => serde_json::from_slice::<Pause>(&answer).ok(),
                Err(error) => {
                    tracing::info!(node.id = %node, %error, "no word about what waited");
                    None
                }
            }
        }
    };
    let answers = futures::future::join_all(others.iter().copied().map(ask)).await;
    let own = rooms.proxy.pause(dataset, within);
    answers.into_iter().flatten().fold(own, together)
}

fn together(one: Pause, other: Pause) -> Pause {
    Pause {
        closed_ms: one.closed_ms.max(other.closed_ms),
        held: one.held.saturating_add(other.held),
        longest_wait_ms: one.longest_wait_ms.max(other.longest_wait_ms),
        failed: one.failed.saturating_add(other.failed),
    }
}

/// Answers [`PAUSE_CALL`].
///
/// # Errors
/// When the question is not understood.
pub fn answer(rooms: &Rooms, body: &[u8]) -> Result<bytes::Bytes, Problem> {
    let (dataset, within_ms): PauseQuestion =
        postcard::from_bytes(body).map_err(|error| crate::node::malformed(&error))?;
    let pause = rooms.proxy.pause(dataset, Duration::from_millis(within_ms));
    let json = serde_json::to_vec(&pause).map_err(|error| crate::node::malformed(&error))?;
    Ok(json.into())
}

fn is_database(rooms: &Rooms, dataset: DatasetId) -> bool {
    use hwc_api::desired::DatasetContent;
    let desired = rooms.desired.borrow();
    let content = desired
        .datasets
        .get(&dataset)
        .map(|dataset| dataset.content);
    matches!(content, Some(DatasetContent::Database(_)))
}

async fn keep(rooms: &Rooms, report: MoveReport) {
    tracing::info!(
        dataset.id = %report.dataset, node.id = %report.to, problem = ?report.problem,
        rounds = report.rounds, sent_bytes = report.sent_bytes, http = ?report.http,
        mysql = ?report.mysql, "move ended"
    );
    for _ in 0..TRIES {
        let note = Change::NoteMove {
            report: report.clone(),
        };
        match rooms.registry.change(note).await {
            Ok(_) => return,
            Err(problem) => {
                tracing::info!(dataset.id = %report.dataset, %problem, "the receipt waits");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    tracing::error!(dataset.id = %report.dataset, "the receipt of a move is lost");
}
