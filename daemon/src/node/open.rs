//! Opens the rooms, each with what it needs.

use crate::conductor::gate::ConductorGate;
use crate::conductor::input::{Input, Inputs};
use crate::conductor::worker::taken_snapshot;
use crate::config::Config;
use crate::keeper::link::Link;
use crate::{identity, network, rows};
use anyhow::Context;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::network::Network;
use hwc_awesome_proxy::config::DatabaseSockets;
use hwc_awesome_proxy::{ApiUpstream, AwesomeProxy, ClusterCertificates, ProxyConfig, Sockets};
use hwc_group::identity::{NodeIdentity, Start};
use hwc_group::{Group, GroupSettings, GroupTuning};
use hwc_hcfs::backend::btrfs::Btrfs;
use hwc_hcfs::layout::Layout;
use hwc_hcfs::{Hcfs, HcfsConfig, Parts};
use hwc_registry::{Registry, RegistryConfig};
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use hwc_state_machine::{DatasetEvent, InventoryItem, PersistedRow};
use hwc_yakd::config::SocketKey;
use hwc_yakd::{NodeConfig, Yakd};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn open_yakd(config: &Config, clock: &Clock) -> anyhow::Result<Yakd> {
    let key = SocketKey::load_or_create(&config.state.join("socket.key"))
        .context("make the key of the PHP sockets")?;
    let own = std::env::current_exe().context("find this program")?;
    let unpacker = vec![
        installed(own),
        PathBuf::from("internal"),
        PathBuf::from("unpack"),
    ];
    let mut node = NodeConfig::new(key, unpacker);
    node.live = config.pool.join("live");
    node.templates = config.pool.join("templates");
    node.run.clone_from(&config.runtime);
    node.mirror.clone_from(&config.mirror);
    node.catalogue.clone_from(&config.apps);
    Ok(Yakd::new(node, clock.clone()))
}

/// Where a program is started from again. Its file may have been replaced since: then proc(5) adds
/// " (deleted)" to its path, at which the next version is. Unpacking takes the same words there; the
/// old file can't be named for a unit that runs as a site's user.
fn installed(running: PathBuf) -> PathBuf {
    const REPLACED: &[u8] = b" (deleted)";
    let path = running.as_os_str().as_bytes();
    match path.strip_suffix(REPLACED) {
        Some(path) => PathBuf::from(OsStr::from_bytes(path)),
        None => running,
    }
}

pub(super) async fn open_group(
    config: &Config,
    identity: &NodeIdentity,
    start: Start,
    network: Network,
    tasks: &Tasks,
    clock: &Clock,
) -> anyhow::Result<Group> {
    let settings = GroupSettings {
        listen: SocketAddr::from((config.listen, config.port)),
        identity: identity.clone(),
        start,
        roster: identity::first_roster(&config.state)?,
    };
    let tuning = GroupTuning {
        profile: network::profile(network),
        identity_folder: Some(identity::folder(&config.state)),
    };
    Group::start_tuned(settings, tuning, tasks, clock)
        .await
        .context("open the port between nodes")
}

pub(super) async fn open_hcfs(
    config: &Config,
    group: &Group,
    start: Start,
    inputs: &Inputs,
    tasks: &Tasks,
    clock: &Clock,
) -> anyhow::Result<(Hcfs, Vec<hwc_hcfs::InventoryItem>)> {
    let listener = inputs.clone();
    let parts = Parts {
        backend: Arc::new(Btrfs::new(Layout::new(&config.pool))),
        dial: group.dial(),
        gate: Arc::new(ConductorGate::new(inputs.clone())),
        snapshots: Arc::new(move |dataset, taken| {
            let event = DatasetEvent::SnapshotTaken(taken_snapshot(taken));
            let _stopped = listener.send(Input::Dataset(dataset, event));
        }),
        clock: clock.clone(),
        tasks: tasks.child(),
        config: HcfsConfig::default(),
    };
    let me = group.transport.node();
    Hcfs::start(parts, me, start.boot)
        .await
        .with_context(|| format!("bring the pool {} in order", config.pool.display()))
}

pub(super) async fn open_rows(
    config: &Config,
    inputs: &Inputs,
    tasks: &Tasks,
) -> anyhow::Result<rows::Opened> {
    let inputs = inputs.clone();
    rows::open(
        &config.state.join("ownership.sqlite"),
        tasks,
        move |dataset, token| {
            let _stopped = inputs.send(Input::Dataset(dataset, DatasetEvent::Persisted { token }));
        },
    )
    .await
    .context("open the ownership rows")
}

pub(super) async fn open_registry(
    config: &Config,
    me: NodeId,
    group: &Group,
    network: Network,
    tasks: &Tasks,
    clock: &Clock,
) -> anyhow::Result<Registry> {
    let settings = RegistryConfig {
        path: config.state.join("registry/registry.sqlite"),
        marker: config.state.join("registry.member"),
        me,
        clock: clock.clone(),
        dial: group.dial(),
        tasks: tasks.clone(),
        timing: network::registry(network),
    };
    Registry::open(settings).await.context("open the registry")
}

/// Opens the socket on which the daemon before us brings its visitors' requests; gives its path too.
pub(super) fn open_succession(config: &Config) -> anyhow::Result<(PathBuf, UnixListener)> {
    let path = config.runtime.join("succession.sock");
    let open = || {
        fs::create_dir_all(&config.runtime)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    let listener = open().with_context(|| format!("listen on {}", path.display()))?;
    Ok((path, listener))
}

/// What stands behind the doors.
pub(super) struct Behind<'a> {
    pub identity: &'a NodeIdentity,
    pub group: &'a Group,
    pub yakd: &'a Arc<Yakd>,
    pub network: Network,
}

/// Opens the front doors on the sockets that were kept for them, and has those kept that it had to
/// open anew. They belong to no group of tasks: they end last ([`super::Node::end`]).
pub(super) fn open_doors(
    config: &Config,
    behind: Behind<'_>,
    predecessor: UnixListener,
    keeper: &Link,
    clock: &Clock,
) -> anyhow::Result<AwesomeProxy> {
    let Behind {
        identity,
        group,
        yakd,
        network,
    } = behind;
    let web = &identity.authority().web;
    let own_names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificates = ClusterCertificates::new(
        &web.certificate_pem(),
        &web.key_pem(),
        own_names,
        clock.clone(),
    )
    .context("use the cluster's web authority")?;
    let endpoints = Arc::clone(yakd);
    let settings = ProxyConfig {
        http: config.doors.http,
        https: config.doors.https,
        panel: config.doors.panel,
        mysql_tcp: config.doors.mysql,
        mysql_socket: config.doors.mysql_socket.clone(),
        apache: yakd.http_upstream(),
        panel_upstream: config.doors.panel_upstream,
        api: ApiUpstream::Unix(config.runtime.join("api.sock")),
        database_sockets: DatabaseSockets::new(move |database| endpoints.mysql_endpoint(database)),
        limits: network::doors(network),
        ..ProxyConfig::default()
    };
    let opened = Sockets::take_over(&settings, keeper.take_sockets())
        .context("listen at the front doors")?;
    for name in opened.unfit {
        keeper.forget(name);
    }
    for (doorway, socket) in &opened.fresh {
        keeper.keep(doorway.name(), socket);
    }
    let me = identity.node();
    AwesomeProxy::start_on(
        opened.sockets,
        Some(predecessor),
        settings,
        me,
        group.dial(),
        Arc::new(certificates),
        clock.clone(),
        &Tasks::new(),
    )
    .context("open the front doors")
}

/// What is on disk, as the brain takes it: filesystems and rows together.
pub(super) fn items(
    inventory: Vec<hwc_hcfs::InventoryItem>,
    mut rows: BTreeMap<DatasetId, PersistedRow>,
) -> Vec<InventoryItem> {
    let mut items: Vec<_> = inventory
        .into_iter()
        .map(|found| InventoryItem {
            dataset: found.dataset,
            row: rows.remove(&found.dataset),
            lineage: found.lineage,
            divergent: found.divergent,
            head_taken_at: found.head_taken_at,
        })
        .collect();
    items.extend(rows.into_iter().map(|(dataset, row)| InventoryItem {
        dataset,
        row: Some(row),
        lineage: None,
        divergent: Vec::new(),
        head_taken_at: hwc_api::time::WallTime::default(),
    }));
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_is_started_where_it_was() {
        for (running, expected) in [
            ("/usr/bin/hwcd", "/usr/bin/hwcd"),
            ("/usr/bin/hwcd (deleted)", "/usr/bin/hwcd"),
            ("/opt/a (deleted) b/hwcd", "/opt/a (deleted) b/hwcd"),
        ] {
            assert_eq!(installed(PathBuf::from(running)), PathBuf::from(expected));
        }
    }
}
