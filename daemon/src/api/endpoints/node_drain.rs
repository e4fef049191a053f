//! `POST /nodes/{node}/drain`: empty a node. Asked for again, nothing changes but what is given.

use super::node_drain_read::view;
use super::{Access, Endpoint};
use crate::api::access::{Action, Actor};
use crate::api::refusal::{Answer, Body, Parameters};
use crate::api::{Api, Now, active_node};
use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json};
use hwc_api::change::Change;
use hwc_api::desired::Drain;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{DrainNodeBody, DrainView, Method};
use std::sync::Arc;

/// Longest note, characters: what a page can show on two lines.
const NOTE_LENGTH_MAX: usize = 200;

pub(super) fn endpoint() -> Endpoint {
    let access = Access::Signed(Action::ManageNodes);
    Endpoint {
        method: Method::Post,
        path: "/nodes/{node}/drain",
        access,
        handler: post(drain),
    }
}

async fn drain(
    State(api): State<Arc<Api>>,
    Extension(actor): Extension<Actor>,
    Parameters(node): Parameters<NodeId>,
    Body(body): Body<DrainNodeBody>,
) -> Answer<DrainView> {
    // What is kept was perhaps given on another node a moment ago.
    api.registry.catch_up().await;
    let now = api.now();
    let before = active_node(&now, node)?.drain.clone();
    if before.is_some() && body.note.is_none() && body.may_lack_copies.is_none() {
        return Ok(Json(view(&now, node)?));
    }
    let before = before.unwrap_or_else(|| Drain {
        by: actor.noted(),
        since: now.at,
        note: String::new(),
        may_lack_copies: false,
    });
    let drain = Drain {
        note: body.note.as_deref().map_or(Ok(before.note), note)?,
        may_lack_copies: body.may_lack_copies.unwrap_or(before.may_lack_copies),
        ..before
    };
    check_others_answer(&now, node, drain.may_lack_copies)?;
    api.registry
        .change(Change::DrainNode { node, drain })
        .await?;
    tracing::info!(node.id = %node, "drain");
    Ok(Json(view(&api.now(), node)?))
}

fn note(text: &str) -> Result<String, Problem> {
    let note = text.trim();
    let is_fit = note.chars().count() <= NOTE_LENGTH_MAX
        && !note
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    if is_fit {
        return Ok(note.to_owned());
    }
    let message = format!("The note has at most {NOTE_LENGTH_MAX} characters, on one line.");
    Err(Problem::new(ProblemCode::Invalid, message).field("note"))
}

/// Checks that enough other nodes answer for what the node holds. Which nodes there are is judged
/// by the registry; it does not know which of them are down.
fn check_others_answer(now: &Now, id: NodeId, may_lack_copies: bool) -> Result<(), Problem> {
    let node = active_node(now, id)?;
    let scene = now.scene();
    let (others, in_reach) = (scene.takers(id).count(), scene.takers_in_reach(id).count());
    if in_reach == others {
        return Ok(());
    }
    if in_reach == 0 {
        let message = format!(
            "None of the nodes that could take the sites of node {} answers.",
            node.name
        );
        return Err(Problem::new(ProblemCode::NodeDown, message).field("node"));
    }
    let held = now.desired.datasets.values();
    let held = held.filter(|dataset| !dataset.is_deleted && dataset.replicas.contains(&id));
    let lacking = held
        .filter(|dataset| usize::from(dataset.copies) > in_reach)
        .count();
    if lacking == 0 || may_lack_copies {
        return Ok(());
    }
    let message = format!(
        "Without node {}, {lacking} datasets would have fewer copies than they should: only \
         {in_reach} of {others} other nodes answer. Wait for them, or allow it for this drain.",
        node.name
    );
    Err(Problem::new(ProblemCode::TooFewCopies, message)
        .field("node")
        .detail(lacking.to_string()))
}
