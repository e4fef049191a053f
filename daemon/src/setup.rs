//! A node without a cluster: what it can be asked for, until it begins one or joins one.
//!
//! Before membership the daemon serves these two calls on its control socket and nothing else. A
//! call leaves the node's identity on disk, and for a new cluster the first changes of its
//! registry; the daemon then starts as on every later day. A crash in between loses nothing.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use hwc_api::balancing::Balancing;
use hwc_api::change::Change;
use hwc_api::desired::{Cluster, Limits, Role};
use hwc_api::ids::ClusterId;
use hwc_api::names::{DomainName, EmailAddress, LoginName, NodeName};
use hwc_api::network::Network;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::Nothing;
use hwc_runtime::clock::Clock;
use hwc_runtime::files::{FileMode, write_atomically};
use hwc_runtime::random::secret_bytes;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

use crate::api::refusal::{Answer, Body, Refusal};
use crate::identity;
use crate::network;
use crate::password::Passwords;

/// Copies of a new dataset unless the administrator says otherwise.
const COPIES: u8 = 2;

/// `POST /setup/init`: begin a new cluster with this node.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitRequest {
    /// What people call the cluster.
    pub name: String,
    /// This node's host name.
    pub node: NodeName,
    /// The address at which other nodes will reach it.
    pub address: IpAddr,
    /// Host names of the panel.
    #[serde(default)]
    pub panel_domains: Vec<DomainName>,
    /// The kind of network that will be between the nodes.
    #[serde(default)]
    pub network: Network,
    /// The first administrator.
    pub administrator: FirstAdministrator,
}

/// The first administrator of a new cluster.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstAdministrator {
    /// Sign-in name.
    pub login: LoginName,
    /// Display name.
    pub name: String,
    /// Contact.
    pub email: EmailAddress,
    /// Password.
    pub password: String,
}

/// `POST /setup/join`: join an existing cluster.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// What `hwc node token` printed.
    pub token: String,
    /// This node's host name.
    pub node: NodeName,
    /// The address at which other nodes will reach it.
    pub address: IpAddr,
}

/// Where the first changes of a new cluster's registry wait for its first start.
#[must_use]
pub fn first_changes_path(state: &Path) -> PathBuf {
    state.join("first-changes.json")
}

/// What the setup calls work with.
pub struct Setup {
    /// The daemon's state folder.
    pub state: PathBuf,
    /// Time.
    pub clock: Clock,
    /// Password hashing.
    pub passwords: Passwords,
    /// Becomes true when the node belongs to a cluster.
    pub is_member: watch::Sender<bool>,
}

/// The calls of a node without a cluster.
pub fn router(setup: Arc<Setup>) -> Router {
    Router::new()
        .route("/setup/init", post(init))
        .route("/setup/join", post(join))
        .fallback(|| async {
            let message = "This node belongs to no cluster yet. Run “hwc cluster init” to begin one, \
                           or “hwc node join” to join one.";
            Refusal(Problem::new(ProblemCode::NotMember, message))
        })
        .with_state(setup)
}

/// The same calls on a node that belongs to a cluster: refused.
pub fn closed_router() -> Router {
    let refuse = || async { Refusal(already_member()) };
    Router::new()
        .route("/setup/init", post(refuse))
        .route("/setup/join", post(refuse))
}

fn already_member() -> Problem {
    Problem::new(
        ProblemCode::AlreadyMember,
        "This node already belongs to a cluster.",
    )
}

async fn init(
    State(setup): State<Arc<Setup>>,
    Body(request): Body<InitRequest>,
) -> Answer<Nothing> {
    refuse_member(&setup)?;
    let password_hash = setup
        .passwords
        .hash(request.administrator.password.clone())
        .await?;
    let cluster = ClusterId(hex::encode(secret_bytes::<16>()));
    let identity = identity::of_new_cluster(cluster.clone(), setup.clock.wall())?;
    let network = request.network;
    let changes = first_changes(&setup, request, cluster.clone(), password_hash);
    let json = serde_json::to_vec(&changes)
        .map_err(|error| internal("write the first changes", &error))?;
    write_atomically(&first_changes_path(&setup.state), &json, FileMode::SECRET)
        .map_err(|error| internal("write the first changes", &error))?;
    network::keep(&setup.state, network)
        .map_err(|error| internal("save the kind of network", &error))?;
    // Last: with it the node is a member.
    identity::save(&identity, &setup.state)?;
    tracing::info!(cluster.id = %cluster, "cluster begun");
    setup.is_member.send_replace(true);
    Ok(Json(Nothing {}))
}

fn first_changes(
    setup: &Setup,
    request: InitRequest,
    id: ClusterId,
    password_hash: String,
) -> Vec<Change> {
    let administrator = request.administrator;
    let cluster = Cluster {
        id,
        name: request.name,
        panel_domains: request.panel_domains,
        copies: COPIES,
        balancing: Balancing::default(),
        network: request.network,
    };
    vec![
        Change::InitCluster {
            cluster,
            name: request.node,
            address: request.address,
        },
        Change::CreateAccount {
            login: administrator.login,
            name: administrator.name,
            email: administrator.email,
            role: Role::Administrator,
            limits: Limits::default(),
            password_hash,
            now: setup.clock.wall(),
        },
    ]
}

async fn join(
    State(setup): State<Arc<Setup>>,
    Body(request): Body<JoinRequest>,
) -> Answer<Nothing> {
    refuse_member(&setup)?;
    identity::join(&request, &setup.state, &setup.clock).await?;
    setup.is_member.send_replace(true);
    Ok(Json(Nothing {}))
}

fn refuse_member(setup: &Setup) -> Result<(), Problem> {
    if *setup.is_member.borrow() {
        Err(already_member())
    } else {
        Ok(())
    }
}

/// Logs what went wrong inside and says so without the details.
pub(crate) fn internal(doing: &str, error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "could not {doing}");
    Problem::new(
        ProblemCode::Internal,
        format!("Could not {doing}; the node's log says why."),
    )
}
