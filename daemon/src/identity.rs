//! This node's identity on disk, and how it comes there: by beginning a cluster or by joining one.

use crate::network;
use crate::setup::{JoinRequest, internal};
use anyhow::Context;
use hwc_api::ids::{ClusterId, NodeId};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use hwc_group::identity::{ClusterAuthority, IdentityError, NodeIdentity};
use hwc_group::join::{self, JoinError, JoinToken, JoinTokenError, Newcomer};
use hwc_group::roster::Roster;
use hwc_runtime::clock::Clock;
use hwc_runtime::files::{FileMode, write_atomically};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The id of a cluster's first node; the registry gives it out first.
const FIRST_NODE: NodeId = NodeId(1);

/// Where the identity is.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("identity")
}

/// The identity of the first node of a new cluster, not saved yet.
///
/// # Errors
/// When the cluster's authority can't be made.
pub fn of_new_cluster(cluster: ClusterId, now: WallTime) -> Result<NodeIdentity, Problem> {
    ClusterAuthority::create(cluster, now)
        .and_then(|authority| NodeIdentity::create(authority, FIRST_NODE, now))
        .map_err(|error| internal("make the cluster's authority", &chain(&error)))
}

/// Saves an identity: from here on the node is a member.
///
/// # Errors
/// When it can't be written.
pub fn save(identity: &NodeIdentity, state: &Path) -> Result<(), Problem> {
    identity
        .save(&folder(state))
        .map_err(|error| internal("save the identity", &chain(&error)))
}

/// Joins the cluster that a token names.
///
/// # Errors
/// When the token is none, the cluster can't be reached, or refuses.
pub async fn join(request: &JoinRequest, state: &Path, clock: &Clock) -> Result<(), Problem> {
    let token = JoinToken::parse(&request.token).map_err(|error| token_problem(&error))?;
    let newcomer = Newcomer {
        name: request.node.clone(),
        address: request.address,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let answer = join::ask(&token, newcomer, clock)
        .await
        .map_err(join_problem)?;
    let json = serde_json::to_vec(&answer.nodes)
        .map_err(|error| internal("save the first roster", &error))?;
    write_atomically(&first_roster_path(state), &json, FileMode::SECRET)
        .map_err(|error| internal("save the first roster", &error))?;
    network::keep(state, network::of_profile(answer.profile))
        .map_err(|error| internal("save the kind of network", &error))?;
    save(&answer.identity, state)?;
    tracing::info!(node.id = %answer.identity.node(), asked = %answer.asked, "joined the cluster");
    Ok(())
}

/// The nodes as they were known at joining: whom to talk to until the registry has arrived.
///
/// # Errors
/// When the file is damaged.
pub fn first_roster(state: &Path) -> anyhow::Result<Roster> {
    let path = first_roster_path(state);
    let nodes: BTreeMap<NodeId, SocketAddr> = match std::fs::read(&path) {
        Ok(json) => serde_json::from_slice(&json)
            .with_context(|| format!("understand {}", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    Ok(Roster {
        nodes,
        ..Roster::default()
    })
}

fn first_roster_path(state: &Path) -> PathBuf {
    state.join("first-roster.json")
}

fn token_problem(error: &JoinTokenError) -> Problem {
    let text = error.to_string();
    let message = text.chars().next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(text.chars().skip(1)).collect()
    });
    Problem::new(ProblemCode::TokenWrong, format!("{message}.")).field("token")
}

fn join_problem(error: JoinError) -> Problem {
    match error {
        JoinError::Refused(problem) => problem,
        JoinError::OtherCluster { address, .. } => {
            let message = format!("{address} is not a node of the cluster that made this token.");
            Problem::new(ProblemCode::OtherCluster, message).field("token")
        }
        JoinError::Connect {
            address,
            ref source,
        } => {
            let message = format!(
                "No answer from {address} ({source}). Check that hwcd runs there and that its port is open."
            );
            Problem::new(ProblemCode::Internal, message).field("token")
        }
        JoinError::Exchange { .. } | JoinError::Identity(_) => {
            internal("join the cluster", &chain(&error))
        }
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// Loads the identity, with a fresh certificate where the old one nears its end.
///
/// # Errors
/// When it is damaged or can't be saved.
pub fn load(state: &Path, now: WallTime) -> Result<Option<NodeIdentity>, IdentityError> {
    let folder = folder(state);
    let Some(identity) = NodeIdentity::load(&folder)? else {
        return Ok(None);
    };
    let Some(renewed) = identity.renewed_if_due(now)? else {
        return Ok(Some(identity));
    };
    renewed.save(&folder)?;
    tracing::info!("the node's certificate was renewed");
    Ok(Some(renewed))
}
