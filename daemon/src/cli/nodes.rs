//! `hwc node …`: list, add and remove nodes.

use super::cluster::{node_name, wait_until_ready};
use super::table::{size, table};
use super::{Failure, Session, say};
use crate::setup::JoinRequest;
use anyhow::anyhow;
use clap::{Args, Subcommand};
use hwc_api::names::NodeName;
use hwc_api::v1::{
    CreateJoinToken, CreateJoinTokenBody, ListNodes, NodeHealth, NodeView, Nothing, RemoveNode,
};
use std::net::IpAddr;

/// Nodes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// All nodes with their health and load.
    List,
    /// Permit one more node to join; prints the token that `hwc node join` takes there.
    Token {
        /// Minutes until the token is void.
        #[arg(long, default_value_t = 60)]
        minutes: u32,
    },
    /// Make this node a member of an existing cluster.
    Join(Join),
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
        Command::Remove { node, yes } => remove(session, node, yes).await,
    }
}

async fn remove(session: &Session, name: NodeName, is_confirmed: bool) -> Result<(), Failure> {
    if !is_confirmed {
        say(
            "Its copies will be made anew on other nodes, and it can't come back under its identity.",
        );
        return Err(anyhow!("add --yes to remove {name} for good").into());
    }
    let nodes = session.client.call(&ListNodes).await?;
    let names: Vec<_> = nodes
        .iter()
        .map(|view| view.node.name.to_string())
        .collect();
    let found = nodes.iter().find(|view| view.node.name == name);
    let found =
        found.ok_or_else(|| anyhow!("there is no node {name}; there are {}", names.join(", ")))?;
    let done = session
        .client
        .call(&RemoveNode {
            node: found.node.id,
        })
        .await?;
    session.print(&done, |_| format!("{name} is removed."))
}

/// The nodes as a table.
#[must_use]
pub fn nodes_table(nodes: &[NodeView]) -> String {
    let rows: Vec<_> = nodes.iter().map(row).collect();
    table(
        &[
            "NODE",
            "ADDRESS",
            "HEALTH",
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
        health(view.health).to_owned(),
        observed.map_or_else(dash, |o| format!("{:.2}", o.load_1m)),
        observed.map_or_else(dash, |o| size(o.pool_free_bytes)),
        view.live_sites.to_string(),
        view.live_databases.to_string(),
        view.copies.to_string(),
    ]
}

const fn health(health: NodeHealth) -> &'static str {
    match health {
        NodeHealth::Up => "up",
        NodeHealth::Suspect => "suspect",
        NodeHealth::Down => "down",
    }
}
