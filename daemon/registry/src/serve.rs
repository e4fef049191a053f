//! The answering end of a stream from another node.
//!
//! TLS has proved who is on it. A node speaks for itself only: a vote or a log under another's
//! name ends the stream, and a node that was taken out of the cluster is not listened to.

use crate::catch_up;
use crate::core::Core;
use crate::network::call::{Answer, Call};
use crate::network::claim::Claim;
use crate::network::frame::Frame;
use crate::raft_types::{Vote, raft_id};
use crate::rescue;
use crate::status::Standing;
use crate::store::raft_state;
use crate::submit;
use hwc_api::ids::NodeId;
use hwc_runtime::dial::PeerStream;
use openraft::raft::InstallSnapshotRequest;
use std::io;

/// Why a stream was given up.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("exchange a message")]
    Exchange(#[from] io::Error),
    #[error("understand a message")]
    Json(#[from] serde_json::Error),
    #[error("it speaks for node {0}")]
    SpeaksForAnother(u64),
    #[error("it was removed from the cluster")]
    Removed,
    #[error("this node has lost settings that it had acknowledged")]
    LostSettings,
    #[error("look into the store")]
    Store(#[from] sqlx::Error),
    #[error("this node takes no part: {0}")]
    Idle(String),
}

/// Answers calls until the other side closes the stream.
pub(crate) async fn serve(core: &Core, peer: NodeId, mut stream: PeerStream) {
    if let Err(error) = answer_all(core, peer, &mut stream).await {
        tracing::debug!(node.id = %peer, %error, "registry stream ended");
    }
}

async fn answer_all(core: &Core, peer: NodeId, stream: &mut PeerStream) -> Result<(), ServeError> {
    while let Some(question) = Frame::read(stream).await? {
        check_member(core, peer)?;
        let call: Call = serde_json::from_slice(&question.text)?;
        let answer = Box::pin(answer(core, peer, call, question.body)).await?;
        let answer = Frame {
            text: serde_json::to_vec(&answer)?,
            body: Vec::new(),
        };
        answer.write(stream).await?;
    }
    Ok(())
}

/// Refuses a node that was removed, or declared lost.
fn check_member(core: &Core, peer: NodeId) -> Result<(), ServeError> {
    let desired = core.published.desired.borrow().clone();
    let is_removed = desired.nodes.get(&peer).is_some_and(|node| node.is_removed);
    if is_removed || core.denied().contains(peer, core.clock.now()) {
        return Err(ServeError::Removed);
    }
    Ok(())
}

/// Refuses to go on where this node has less than the other side knows it to have had: it has lost
/// what it acknowledged, and says so once and for all.
async fn check_claim(core: &Core, claim: Claim) -> Result<(), ServeError> {
    if core.standing() == Standing::LostSettings {
        return Err(ServeError::LostSettings);
    }
    if !claim.is_refuted_by(core.metrics().last_log_index) {
        return Ok(());
    }
    // openraft's report may lag behind what it has acknowledged; the disk does not.
    if !claim.is_refuted_by(raft_state::reached(&core.database).await?) {
        return Ok(());
    }
    core.published.standing.send_replace(Standing::LostSettings);
    Err(ServeError::LostSettings)
}

async fn answer(
    core: &Core,
    peer: NodeId,
    call: Call,
    body: Vec<u8>,
) -> Result<Answer, ServeError> {
    let raft = core.raft();
    match call {
        Call::Append {
            rpc,
            has_quorum,
            claim,
        } => {
            check_speaker(peer, &rpc.vote)?;
            check_claim(core, claim).await?;
            let answer = raft.append_entries(rpc).await;
            core.heard.note(&core.clock, has_quorum);
            Ok(Answer::Append(answer))
        }
        Call::Vote(rpc) => {
            check_speaker(peer, &rpc.vote)?;
            check_claim(core, Claim::VOTER).await?;
            Ok(Answer::Vote(raft.vote(rpc).await))
        }
        Call::InstallSnapshot {
            vote,
            meta,
            offset,
            done,
        } => {
            check_speaker(peer, &vote)?;
            check_claim(core, Claim::default()).await?;
            let rpc = InstallSnapshotRequest {
                vote,
                meta,
                offset,
                data: body,
                done,
            };
            Ok(Answer::InstallSnapshot(raft.install_snapshot(rpc).await))
        }
        Call::Change(request) => Ok(Answer::Change(submit::propose(core, request).await)),
        Call::Newest => Ok(Answer::Newest(catch_up::newest(core).await)),
        Call::Ping if core.is_running() => Ok(Answer::Pong),
        Call::Ping => Ok(Answer::Idle),
        Call::Position { deny } => {
            let position = rescue::position(core, &deny).await;
            position.map(Answer::Position).map_err(ServeError::Idle)
        }
        Call::Rescue { lost, term } => {
            Ok(Answer::Rescued(rescue::carry_out(core, lost, term).await))
        }
    }
}

fn check_speaker(peer: NodeId, vote: &Vote) -> Result<(), ServeError> {
    match vote.leader_id().voted_for() {
        Some(speaker) if speaker == raft_id(peer) => Ok(()),
        Some(speaker) => Err(ServeError::SpeaksForAnother(speaker)),
        None => Err(ServeError::SpeaksForAnother(0)),
    }
}
