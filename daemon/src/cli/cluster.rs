//! `hwc cluster …`: begin a cluster with this node; what concerns all nodes in files beside.

use super::cluster_settings::network_of;
use super::{Failure, Session, balancing, cluster_settings, cluster_show, keys, registry, say};
use crate::setup::{FirstAdministrator, InitRequest};
use anyhow::Context;
use clap::{Args, Subcommand};
use hwc_api::names::{DomainName, EmailAddress, LoginName, NodeName};
use hwc_api::network::Network;
use hwc_api::v1::{Nothing, ReadStatus};
use hwc_runtime::random::readable_secret;
use std::io::Read;
use std::net::IpAddr;
use std::time::Duration;

/// Length of a password that we make up: 16 characters of 5.8 bits.
const PASSWORD_LENGTH: usize = 16;
/// Longest wait for a new member to be ready.
const READY_TRIES: u32 = 300;
const READY_PAUSE: Duration = Duration::from_millis(200);

/// Begin a cluster.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this node the first of a new cluster.
    Init(Init),
    /// Show what concerns all nodes.
    Show,
    /// Show or change how load is spread.
    Balancing(balancing::Arguments),
    /// Show the settings of the whole cluster, or say what kind of network is between its nodes.
    Settings(cluster_settings::Arguments),
    /// Replace the key with which the nodes seal their datagrams.
    RotateKey(keys::Rotate),
    /// Show which nodes have the newest of these keys.
    Keys,
    /// Show who keeps the settings.
    Registry,
    /// Go on without nodes that are gone for good, when most voters are among them.
    DeclareLost(registry::Lost),
}

/// What a new cluster needs to know.
#[derive(Debug, Args)]
pub struct Init {
    /// What people call the cluster.
    #[arg(long, default_value = "Hybrid Web Cluster")]
    name: String,
    /// The address at which other nodes will reach this one.
    #[arg(long)]
    address: IpAddr,
    /// This node's name; its host name otherwise.
    #[arg(long)]
    node: Option<NodeName>,
    /// A host name under which every node serves the panel; may be repeated.
    #[arg(long = "panel-domain")]
    panel_domains: Vec<DomainName>,
    /// What is between the nodes: lan (milliseconds) or wan (up to a few hundred milliseconds).
    #[arg(long, default_value = "lan", value_parser = network_of)]
    network: Network,
    /// Sign-in name of the first administrator.
    #[arg(long, default_value = "admin")]
    admin_login: LoginName,
    /// E-mail address of the first administrator.
    #[arg(long)]
    admin_email: EmailAddress,
    /// Read the first administrator's password from standard input; made up and printed otherwise.
    #[arg(long)]
    admin_password_stdin: bool,
}

pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(init) => begin(session, init).await,
        Command::Balancing(arguments) => balancing::run(session, arguments).await,
        Command::Show => cluster_show::show(session).await,
        Command::Settings(arguments) => cluster_settings::run(session, arguments).await,
        Command::RotateKey(rotate) => keys::rotate(session, rotate).await,
        Command::Keys => keys::show(session).await,
        Command::Registry => registry::show(session).await,
        Command::DeclareLost(lost) => registry::declare_lost(session, lost).await,
    }
}

async fn begin(session: &Session, init: Init) -> Result<(), Failure> {
    let given = if init.admin_password_stdin {
        Some(read_password()?)
    } else {
        None
    };
    let password = given
        .clone()
        .unwrap_or_else(|| readable_secret(PASSWORD_LENGTH));
    let request = InitRequest {
        name: init.name,
        node: node_name(init.node)?,
        address: init.address,
        panel_domains: init.panel_domains,
        network: init.network,
        administrator: FirstAdministrator {
            login: init.admin_login.clone(),
            name: "Administrator".to_owned(),
            email: init.admin_email,
            password: password.clone(),
        },
    };
    let _done: Nothing = session
        .client
        .request("POST", "/setup/init", &request)
        .await?;
    wait_until_ready(session).await?;
    if session.is_json {
        let shown = given.is_none().then_some(password);
        let answer = serde_json::json!({ "login": init.admin_login, "password": shown });
        say(&answer.to_string());
    } else {
        say(&format!(
            "The cluster runs. Sign in at https://{}:8443 as {}.",
            init.address, init.admin_login
        ));
        if given.is_none() {
            say(&format!("Password (shown once): {password}"));
        }
        say("To add a node: “hwc node token” here, “hwc node join TOKEN” there.");
    }
    Ok(())
}

/// The name that a node gets: the given one, or the machine's host name.
pub fn node_name(given: Option<NodeName>) -> anyhow::Result<NodeName> {
    if let Some(name) = given {
        return Ok(name);
    }
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    let label = host.split('.').next().unwrap_or_default();
    NodeName::parse(label).with_context(|| {
        format!("use the host name “{host}” as the node's name (--node NAME says another)")
    })
}

/// Waits until the daemon, which belongs to a cluster since a moment, answers.
pub async fn wait_until_ready(session: &Session) -> Result<(), Failure> {
    let mut last = None;
    for _ in 0..READY_TRIES {
        match session.client.call(&ReadStatus).await {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    Err(last.map_or_else(
        || anyhow::anyhow!("the daemon does not answer").into(),
        Failure::Call,
    ))
}

fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("read the password from standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
