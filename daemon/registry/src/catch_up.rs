//! Being as new as what was acknowledged anywhere.
//!
//! A change is acknowledged when a majority has it and the node that was asked shows it. Another
//! node may show it a moment later. Who is about to say "there is no such thing" asks here first.

use crate::core::Core;
use crate::network::call::{Answer, Call};
use crate::raft_types::{node_id, raft_id};
use hwc_runtime::clock::Moment;
use tokio::sync::Mutex;

/// One question to the leader at a time, whoever waits for it.
#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    /// When the newest question was sent.
    asked_at: Mutex<Option<Moment>>,
}

/// Waits, not longer than for any answer, until this node has applied all that was acknowledged when
/// this was called. After that its copy has to do, as it has to without a majority. Cancel-safe.
pub(crate) async fn catch_up(core: &Core) {
    let catching_up = tokio::time::timeout(core.timing.answer, reach_newest(core)).await;
    if catching_up.is_err() {
        tracing::debug!("the leader does not say how far the settings are");
    }
}

async fn reach_newest(core: &Core) {
    let called_at = core.clock.now();
    let mut asked_at = core.catching_up.asked_at.lock().await;
    // A question that was sent after this call began serves it as well.
    if asked_at.is_some_and(|asked_at| asked_at > called_at) {
        return;
    }
    let now = core.clock.now();
    if let Some(index) = ask_leader(core).await {
        let mut applied = core.published.applied.subscribe();
        let _ended = applied.wait_for(|applied| *applied >= index).await;
        *asked_at = Some(now);
    }
}

async fn ask_leader(core: &Core) -> Option<u64> {
    let leader = core.metrics().current_leader?;
    if leader == raft_id(core.me) {
        return newest(core).await;
    }
    match core
        .peers
        .call(node_id(leader)?, &Call::Newest, Vec::new())
        .await
    {
        Ok(Answer::Newest(index)) => index,
        Ok(_) | Err(_) => None,
    }
}

/// How far the log is that was acknowledged, where this node leads and a majority says so too.
pub(crate) async fn newest(core: &Core) -> Option<u64> {
    let (read, _applied) = core.raft().get_read_log_id().await.ok()?;
    read.map(|log_id| log_id.index)
}
