//! A node from its configuration to its end.
//!
//! Without an identity only the set-up calls are answered ([`crate::setup`]); with one, the rooms
//! are built in the order in which they need each other ([`crate::node`]). SIGTERM or SIGINT ends
//! the node in the reverse order; what is left then is visitors' connections, which linger until the
//! next daemon has them ([`crate::keeper`]).

use crate::api::server;
use crate::config::Config;
use crate::keeper::link::Link;
use crate::password::Passwords;
use crate::removal::{self, Removal};
use crate::setup::{self, Setup};
use crate::{identity, node};
use anyhow::Context;
use axum::Router;
use hwc_awesome_proxy::Lingering;
use hwc_group::identity::NodeIdentity;
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use nix::unistd::Group;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longest time that everything has to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Longest time that visitors' connections outlive the rest of the node. By then every browser has
/// asked for something else, or nothing.
const LINGER_LIMIT: Duration = Duration::from_secs(60);

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// When the node can't be built, or stops itself because it could not fence a dataset.
pub async fn run(config: Config, keeper: Link) -> anyhow::Result<()> {
    require_root(rustix::process::geteuid().is_root())?;
    let stop = CancellationToken::new();
    let tasks = Tasks::new();
    spawn_signals(&stop, &tasks)?;
    let clock = Clock::system();
    std::fs::create_dir_all(&config.state)
        .with_context(|| format!("make {}", config.state.display()))?;
    if let Some(removal) = Removal::load(&config.state)? {
        return refuse_all(&config, &removal, &stop, &keeper).await;
    }
    let identity =
        identity::load(&config.state, clock.wall()).context("load this node's identity")?;
    let identity = match identity {
        Some(identity) => Some(identity),
        None => wait_for_membership(&config, &clock, &stop, &keeper).await?,
    };
    let Some(identity) = identity else {
        return Ok(());
    };
    let node = node::begin(config, identity, clock, &tasks, &stop, &keeper).await?;
    keeper.ready();
    stop.cancelled().await;
    tracing::info!("stopping");
    keeper.stopping();
    let lingering = node.end().await;
    tasks.stop(STOP_LIMIT).await;
    let lingering =
        lingering.context("a dataset could not be fenced; its services may still run")?;
    linger(lingering, &keeper).await
}

/// Serves visitors' connections to their end, while the next daemon does everything else.
async fn linger(lingering: Lingering, keeper: &Link) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    keeper.ended()?;
    let told = async {
        let _told = terminate.recv().await;
    };
    let left = lingering.last(LINGER_LIMIT, told).await;
    tracing::info!(left, "no visitors any more");
    Ok(())
}

fn require_root(is_root: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        is_root,
        "hwcd must run as root, because it mounts datasets and runs services: start it with \
         “systemctl start hwcd”"
    );
    Ok(())
}

/// Answers the set-up calls until the node belongs to a cluster, or must stop.
async fn wait_for_membership(
    config: &Config,
    clock: &Clock,
    stop: &CancellationToken,
    keeper: &Link,
) -> anyhow::Result<Option<NodeIdentity>> {
    keeper.release_sockets();
    let tasks = Tasks::new();
    let (is_member, mut membership) = watch::channel(false);
    let setup = Setup {
        state: config.state.clone(),
        clock: clock.clone(),
        passwords: Passwords::default(),
        is_member,
    };
    server::serve(&setup::router(Arc::new(setup)), &sockets(config), &tasks)
        .context("open the control socket")?;
    keeper.ready();
    tracing::info!(
        "this node belongs to no cluster; waiting for “hwc cluster init” or “hwc node join”"
    );
    tokio::select! {
        () = stop.cancelled() => {}
        _ = membership.wait_for(|is_member| *is_member) => {}
    }
    tasks.stop(STOP_LIMIT).await;
    identity::load(&config.state, clock.wall()).context("load this node's new identity")
}

/// Says that this node was removed, until it must stop.
async fn refuse_all(
    config: &Config,
    removal: &Removal,
    stop: &CancellationToken,
    keeper: &Link,
) -> anyhow::Result<()> {
    keeper.release_sockets();
    let advice = removal.advice(&config.state);
    let tasks = Tasks::new();
    server::serve(&removal::router(&advice), &sockets(config), &tasks)
        .context("open the control socket")?;
    keeper.ready();
    tracing::error!("{advice}");
    stop.cancelled().await;
    tasks.stop(STOP_LIMIT).await;
    Ok(())
}

/// Opens the API's sockets.
///
/// # Errors
/// When one can't be made.
pub fn open_api(router: Router, config: &Config, tasks: &Tasks) -> anyhow::Result<()> {
    let router = router.merge(setup::closed_router());
    server::serve(&router, &sockets(config), tasks).context("open the API's sockets")
}

fn sockets(config: &Config) -> server::Sockets {
    let group = Group::from_name(&config.panel_group).ok().flatten();
    if group.is_none() {
        tracing::warn!(group = %config.panel_group, "no such group: the panel can't reach the API");
    }
    server::Sockets {
        control: config.runtime.join("control.sock"),
        public: config.runtime.join("api.sock"),
        public_group: group.map(|group| group.gid.as_raw()),
    }
}

fn spawn_signals(stop: &CancellationToken, tasks: &Tasks) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let stop = stop.clone();
    tasks.spawn_until_stopped("signals", async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_it_says_what_to_do() {
        assert!(require_root(true).is_ok());
        let error = require_root(false).expect_err("refused").to_string();
        assert!(
            error.contains("root") && error.contains("systemctl start hwcd"),
            "{error}"
        );
    }
}
