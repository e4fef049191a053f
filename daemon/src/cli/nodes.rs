//! `hwc node …`: list, add and remove nodes; the rest of what concerns one node in files beside.

use super::cluster::{node_name, wait_until_ready};
use super::node_settings::service_names;
use super::table::{size, table};
use super::{Failure, Session, drains, node_settings, node_show};
use crate::setup::JoinRequest;
use clap::{Args, Subcommand};
use hwc_api::names::NodeName;
use hwc_api::observed::RegistryStanding;
use hwc_api::problem::ProblemCode;
use hwc_api::v1::{
    CreateJoinToken, CreateJoinTokenBody, ListNodes, NodeHealth, NodeView, Nothing, RemoveNode,
};
use std::net::IpAddr;

/// Nodes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// All nodes with their health and load.
    List,
    /// One node, with its services, problems and what it refused.
    Show {
        /// Its name.
        node: NodeName,
    },
    /// Permit one more node to join; prints the token that `hwc node join` takes there.
    Token {
        /// Minutes until the token is void.
        #[arg(long, default_value_t = 60)]
        minutes: u32,
    },
    /// Make this node a member of an existing cluster.
    Join(Join),
    /// Empty a node: its sites move away, its copies are made elsewhere. Visitors notice nothing.
    Drain(drains::Drain),
    /// Put a node back to use that was drained, or is being drained.
    Undrain {
        /// Its name.
        node: NodeName,
    },
    /// Say where a node stands.
    Zone(node_settings::Zone),
    /// Show or switch the services of a node.
    Services(node_settings::Services),
    /// Take a node out for good.
    Remove {
        /// Its name.
        node: NodeName,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// How a node joins.
#[derive(Debug, Args)]
pub struct Join {
    /// What `hwc node token` printed.
    token: String,
    /// The address at which other nodes will reach this one.
    #[arg(long)]
    address: IpAddr,
    /// This node's name; its host name otherwise.
    #[arg(long)]
    node: Option<NodeName>,
}

pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => {
            let nodes = session.client.call(&ListNodes).await?;
            session.print(&nodes, |nodes| nodes_table(nodes))
        }
        Command::Show { node } => node_show::show(session, &node).await,
        Command::Token { minutes } => {
            let call = CreateJoinToken {
                body: CreateJoinTokenBody { minutes },
            };
            let token = session.client.call(&call).await?;
            session.print(&token, |token| token.token.clone())
        }
        Command::Join(join) => {
            let request = JoinRequest {
                token: join.token,
                node: node_name(join.node)?,
                address: join.address,
            };
            let done: Nothing = session
                .client
                .request("POST", "/setup/join", &request)
                .await?;
            wait_until_ready(session).await?;
            session.print(&done, |_| {
                "This node is a member of the cluster.".to_owned()
            })
        }
        Command::Drain(drain) => drains::drain(session, drain).await,
        Command::Undrain { node } => drains::undrain(session, node).await,
        Command::Zone(zone) => node_settings::zone(session, zone).await,
        Command::Services(services) => node_settings::services(session, services).await,
        Command::Remove { node, yes } => remove(session, node, yes).await,
    }
}

async fn remove(session: &Session, name: NodeName, is_confirmed: bool) -> Result<(), Failure> {
    let node = find_node(session, &name).await?.node.id;
    if !is_confirmed {
        session.explain(
            "Its copies will be made anew on other nodes, and it can't come back under its identity.",
        );
        let advice = format!("add --yes to remove {name} for good");
        return Err(Failure::NotConfirmed(advice));
    }
    let done = session.client.call(&RemoveNode { node }).await?;
    session.print(&done, |_| format!("{name} is removed."))
}

/// The node of a name.
pub async fn find_node(session: &Session, name: &NodeName) -> Result<NodeView, Failure> {
    let nodes = session.client.call(&ListNodes).await?;
    if let Some(found) = nodes.iter().find(|view| view.node.name == *name) {
        return Ok(found.clone());
    }
    let names = nodes.iter().map(|view| view.node.name.to_string());
    let names: Vec<_> = names.collect();
    let what = format!("node {name}; there are {}", names.join(", "));
    Err(Failure::Unknown(ProblemCode::UnknownNode, what))
}

/// The nodes as a table.
#[must_use]
pub fn nodes_table(nodes: &[NodeView]) -> String {
    let rows: Vec<_> = nodes.iter().map(row).collect();
    table(
        &[
            "NODE",
            "ADDRESS",
            "ZONE",
            "STATE",
            "LOAD",
            "POOL FREE",
            "LIVE SITES",
            "LIVE DBS",
            "COPIES",
        ],
        &rows,
    )
}

fn row(view: &NodeView) -> Vec<String> {
    let observed = view.observed.as_ref();
    let dash = || "-".to_owned();
    vec![
        view.node.name.to_string(),
        view.address.to_string(),
        view.zone.to_string(),
        state(view),
        observed.map_or_else(dash, |o| format!("{:.2}", o.load_1m)),
        observed.map_or_else(dash, |o| size(o.pool_free_bytes)),
        view.live_sites.to_string(),
        view.live_databases.to_string(),
        view.copies.to_string(),
    ]
}

/// How a node answers, and what is special about it.
fn state(view: &NodeView) -> String {
    let mut words = vec![health(view.health).to_owned()];
    if view.drain.is_some() {
        words.push("drained".to_owned());
    }
    match view
        .observed
        .as_ref()
        .map(|report| report.registry_standing)
    {
        Some(RegistryStanding::LostSettings) => words.push("has lost its settings".to_owned()),
        Some(RegistryStanding::Outdated) => words.push("needs an upgrade".to_owned()),
        Some(RegistryStanding::Member) | None => {}
    }
    if !view.switched_off.is_empty() {
        words.push(format!("without {}", service_names(&view.switched_off)));
    }
    words.join(", ")
}

/// How a node answers, as a word.
#[must_use]
pub const fn health(health: NodeHealth) -> &'static str {
    match health {
        NodeHealth::Up => "up",
        NodeHealth::Suspect => "suspect",
        NodeHealth::Down => "down",
    }
}
