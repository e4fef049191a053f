//! Builds a member node: the rooms in the order in which they need each other, then the streams of
//! facts between them.

use crate::api::{Api, attempts::Attempts, endpoints};
use crate::conductor::gate::ConductorGate;
use crate::conductor::hands::{BRAIN_CALL, Hands, Rooms};
use crate::conductor::input::{Input, Inputs, OwnFact};
use crate::conductor::run::Conductor;
use crate::conductor::worker::taken_snapshot;
use crate::conductor::{freshness, reconcile, report};
use crate::config::Config;
use crate::install::{INSTALL_CALL, InstallJobs, Order};
use crate::picture::Picture;
use crate::rows;
use crate::session::SessionSeal;
use crate::setup::first_changes_path;
use crate::start::open_api;
use crate::{identity, password};
use anyhow::Context;
use hwc_api::change::{Applied, Change};
use hwc_api::desired::Desired;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_awesome_proxy::config::DatabaseSockets;
use hwc_awesome_proxy::{ApiUpstream, AwesomeProxy, ClusterCertificates, Limits, ProxyConfig};
use hwc_group::identity::{NodeIdentity, SecretBytes, Start};
use hwc_group::join::{JoinGrant, JoinToken};
use hwc_group::roster::Roster;
use hwc_group::{Group, GroupSettings};
use hwc_hcfs::backend::btrfs::Btrfs;
use hwc_hcfs::layout::Layout;
use hwc_hcfs::{Hcfs, HcfsConfig, Parts};
use hwc_registry::{Registry, RegistryConfig, Timing};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::Service;
use hwc_runtime::lifecycle::Tasks;
use hwc_runtime::periodic::{Waker, spawn_periodic};
use hwc_state_machine::{
    self as brain, DatasetEvent, Event, InventoryItem, Millis, PeerMessage, StateMachine, Timers,
};
use hwc_yakd::apps::{Catalogue, Installer};
use hwc_yakd::config::SocketKey;
use hwc_yakd::{NodeConfig, Yakd};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long a planned stop waits for the copies to have everything.
const SAVE_LIMIT: Duration = Duration::from_secs(6);
/// Between two looks for jobs whose node died.
const JOBS_INTERVAL: Duration = Duration::from_secs(5);

/// A member node at work.
pub struct Node {
    rooms: Arc<Rooms>,
    registry: Registry,
    inputs: Inputs,
}

impl Node {
    /// Quiesces what is live here and gives the copies a moment to catch up, so that a planned stop
    /// loses nothing; then ends the rooms in order. Says whether every dataset could be given up cleanly.
    pub async fn end(self) -> bool {
        let is_clean = !self.rooms.stop_node.is_cancelled();
        let (done, saved) = oneshot::channel();
        let _stopped = self.inputs.send(Input::Stop { done });
        if !matches!(tokio::time::timeout(SAVE_LIMIT, saved).await, Ok(Ok(()))) {
            tracing::warn!("stopping although not every copy is known to have everything");
        }
        self.rooms.tasks.stop(Duration::from_secs(10)).await;
        self.rooms.proxy.shutdown(Duration::from_secs(2)).await;
        self.registry.shutdown().await;
        is_clean
    }
}

/// Builds the node.
///
/// # Errors
/// When a room can't be opened; says which and why.
pub async fn begin(
    config: Config,
    identity: NodeIdentity,
    clock: Clock,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> anyhow::Result<Node> {
    let me = identity.node();
    let start =
        Start::begin(&identity::folder(&config.state), clock.wall()).context("count this start")?;
    tracing::info!(node.id = %me, boot = %start.boot, cluster.id = %identity.cluster(), "starting");
    let (inputs, heard) = mpsc::unbounded_channel();
    let conducting = tasks.child();

    let yakd = Arc::new(open_yakd(&config, &clock)?);
    yakd.prepare()
        .await
        .context("stop what an earlier run left behind")?;
    let group = open_group(&config, &identity, start, &conducting, &clock).await?;
    let (hcfs, inventory) = open_hcfs(&config, &group, start, &inputs, &conducting, &clock).await?;
    let rows = open_rows(&config, &inputs, &conducting).await?;
    let registry = open_registry(&config, me, &group, &conducting, &clock).await?;
    let proxy = open_doors(&config, &identity, &group, &yakd, &conducting, &clock)?;
    let desired = registry.desired();
    let rooms = Arc::new(Rooms {
        hcfs,
        yakd,
        proxy,
        group,
        desired: desired.clone(),
        tasks: conducting.clone(),
        stop_node: stop.child_token(),
    });

    let (picture, seen) = watch::channel(Arc::new(Picture::default()));
    let (served, serving) = watch::channel(Arc::default());
    let (wake_services, wake_report) = (Waker::new(), Waker::new());
    let mut mind = StateMachine::new(me, Timers::lan());
    let booted = Event::Booted {
        boot: start.boot,
        inventory: items(inventory, rows.rows),
    };
    let first = mind.step(Millis(clock.now().0), booted);
    let mut hands = Hands::new(Arc::clone(&rooms), rows.writer, inputs.clone());
    for action in first {
        hands.carry_out(action);
    }
    let conductor = Conductor {
        me,
        clock: clock.clone(),
        brain: mind,
        hands,
        rooms: Arc::clone(&rooms),
        inputs: heard,
        picture,
        served,
        reconcile: wake_services.clone(),
    };
    conducting.spawn("conductor", conductor.run());
    let loaded = serving.clone();
    freshness::spawn(&rooms, serving, inputs.clone());
    let services = reconcile::spawn(&rooms, &wake_services, &wake_report);
    spawn_facts(&rooms, &registry, &config, &inputs);
    spawn_peers(&rooms, &registry);
    let reporter = report::Reporter {
        clock: clock.clone(),
        boot: start.boot,
        registry: registry.clone(),
        services,
        rooms: Arc::clone(&rooms),
        served: loaded,
        pool: config.pool.clone(),
        inputs: inputs.clone(),
    };
    report::spawn(reporter, &conducting, &wake_report);

    make_first_changes(&config, &registry).await?;
    let installs = install_jobs(&config, &rooms, &registry, &seen, &inputs, &clock)?;
    answer_calls(&rooms, &installs, &inputs);
    admit_newcomers(&config, &rooms, &registry, &clock);
    let api = open_api_of(
        &config, &identity, &registry, seen, installs, &inputs, &clock,
    );
    open_api(endpoints::router(Arc::new(api)), &config, &conducting)?;
    spawn_stop_guard(&rooms, stop);
    Ok(Node {
        rooms,
        registry,
        inputs,
    })
}

fn open_yakd(config: &Config, clock: &Clock) -> anyhow::Result<Yakd> {
    let key = SocketKey::load_or_create(&config.state.join("socket.key"))
        .context("make the key of the PHP sockets")?;
    let own = std::env::current_exe().context("find this program")?;
    let unpacker = vec![own, PathBuf::from("internal"), PathBuf::from("unpack")];
    let mut node = NodeConfig::new(key, unpacker);
    node.live = config.pool.join("live");
    node.templates = config.pool.join("templates");
    node.run.clone_from(&config.runtime);
    node.mirror.clone_from(&config.mirror);
    node.catalogue.clone_from(&config.apps);
    Ok(Yakd::new(node, clock.clone()))
}

async fn open_group(
    config: &Config,
    identity: &NodeIdentity,
    start: Start,
    tasks: &Tasks,
    clock: &Clock,
) -> anyhow::Result<Group> {
    let settings = GroupSettings {
        listen: SocketAddr::from((config.listen, config.port)),
        identity: identity.clone(),
        start,
        roster: identity::first_roster(&config.state)?,
    };
    Group::start(settings, tasks, clock)
        .await
        .context("open the port between nodes")
}

async fn open_hcfs(
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

async fn open_rows(
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

async fn open_registry(
    config: &Config,
    me: NodeId,
    group: &Group,
    tasks: &Tasks,
    clock: &Clock,
) -> anyhow::Result<Registry> {
    let settings = RegistryConfig {
        path: config.state.join("registry/registry.sqlite"),
        me,
        clock: clock.clone(),
        dial: group.dial(),
        tasks: tasks.clone(),
        timing: Timing::default(),
    };
    Registry::open(settings).await.context("open the registry")
}

fn open_doors(
    config: &Config,
    identity: &NodeIdentity,
    group: &Group,
    yakd: &Arc<Yakd>,
    tasks: &Tasks,
    clock: &Clock,
) -> anyhow::Result<AwesomeProxy> {
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
        limits: Limits {
            gate_lease: Some(crate::conductor::FREEZE_LIMIT),
            ..Limits::default()
        },
        ..ProxyConfig::default()
    };
    let me = identity.node();
    AwesomeProxy::start(
        settings,
        me,
        group.dial(),
        Arc::new(certificates),
        clock.clone(),
        tasks,
    )
    .context("open the front doors")
}

/// What is on disk, as the brain takes it: filesystems and rows together.
fn items(
    inventory: Vec<hwc_hcfs::InventoryItem>,
    mut rows: BTreeMap<DatasetId, brain::PersistedRow>,
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

/// Brings what the rooms notice to the conductor.
fn spawn_facts(rooms: &Arc<Rooms>, registry: &Registry, config: &Config, inputs: &Inputs) {
    let (mut desired, settings, group, port) = (
        registry.desired(),
        inputs.clone(),
        rooms.group.clone(),
        config.port,
    );
    rooms
        .tasks
        .spawn_until_stopped("settings to the conductor", async move {
            loop {
                let now = Arc::clone(&desired.borrow_and_update());
                // Before the first settings arrive, the roster known from joining is better than none.
                if now.cluster.is_some() {
                    group.set_roster(roster(&now, port));
                    let _stopped = settings.send(Input::Desired(now));
                }
                if desired.changed().await.is_err() {
                    return;
                }
            }
        });
    let (mut membership, members) = (rooms.group.membership.subscribe(), inputs.clone());
    rooms
        .tasks
        .spawn_until_stopped("membership to the conductor", async move {
            while let Some(event) = membership.recv().await {
                let _stopped = members.send(Input::Membership(event));
            }
        });
    let (mut board, boards) = (rooms.group.board.subscribe(), inputs.clone());
    rooms
        .tasks
        .spawn_until_stopped("boards to the conductor", async move {
            loop {
                let event = board.next().await;
                if boards.send(Input::Board(event)).is_err() {
                    return;
                }
            }
        });
}

/// Which nodes there are and where they listen.
fn roster(desired: &Desired, port: u16) -> Roster {
    let removed: BTreeSet<_> = desired
        .nodes
        .values()
        .filter(|node| node.is_removed)
        .map(|node| node.id)
        .collect();
    let nodes = desired
        .active_nodes()
        .map(|node| (node.id, SocketAddr::from((node.address, port))));
    Roster {
        nodes: nodes.collect(),
        removed,
    }
}

/// Hands streams that other nodes open to the rooms that they are for.
fn spawn_peers(rooms: &Arc<Rooms>, registry: &Registry) {
    let mut streams = rooms.group.transport.incoming(Service::Registry);
    let registry = registry.clone();
    rooms
        .tasks
        .spawn_until_stopped("registry streams", async move {
            while let Some(incoming) = streams.recv().await {
                registry.serve(incoming.peer, incoming.stream);
            }
        });
    let mut streams = rooms.group.transport.incoming(Service::Snapshots);
    let hcfs = rooms.hcfs.clone();
    rooms
        .tasks
        .spawn_until_stopped("snapshot streams", async move {
            while let Some(incoming) = streams.recv().await {
                hcfs.accept(incoming.peer, incoming.stream);
            }
        });
    let mut streams = rooms.group.transport.incoming(Service::Http);
    let (proxy, tasks) = (rooms.proxy.clone(), rooms.tasks.clone());
    rooms.tasks.spawn_until_stopped("HTTP streams", async move {
        while let Some(incoming) = streams.recv().await {
            let proxy = proxy.clone();
            tasks.spawn_until_stopped(format!("HTTP from node {}", incoming.peer), async move {
                proxy.serve_http_peer(incoming.peer, incoming.stream).await;
            });
        }
    });
    let mut streams = rooms.group.transport.incoming(Service::Mysql);
    let (proxy, tasks) = (rooms.proxy.clone(), rooms.tasks.clone());
    rooms
        .tasks
        .spawn_until_stopped("MySQL streams", async move {
            while let Some(incoming) = streams.recv().await {
                let proxy = proxy.clone();
                tasks.spawn_until_stopped(
                    format!("MySQL from node {}", incoming.peer),
                    async move {
                        proxy.serve_mysql_peer(incoming.peer, incoming.stream).await;
                    },
                );
            }
        });
}

/// Makes the first changes of a new cluster, where they wait.
async fn make_first_changes(config: &Config, registry: &Registry) -> anyhow::Result<()> {
    let path = first_changes_path(&config.state);
    let json = match std::fs::read(&path) {
        Ok(json) => json,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let changes: Vec<Change> =
        serde_json::from_slice(&json).with_context(|| format!("understand {}", path.display()))?;
    for change in changes {
        let result = if let Change::InitCluster {
            cluster,
            name,
            address,
        } = change
        {
            registry
                .init_cluster(cluster, name, address)
                .await
                .map(Applied::Node)
        } else {
            registry.change(change).await
        };
        match result {
            // A crash in between: what is there already need not be made again.
            Err(problem)
                if matches!(
                    problem.code,
                    ProblemCode::AlreadyMember | ProblemCode::LoginTaken
                ) => {}
            result => drop(result.context("make the first changes of the cluster")?),
        }
    }
    std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}

fn install_jobs(
    config: &Config,
    rooms: &Arc<Rooms>,
    registry: &Registry,
    picture: &watch::Receiver<Arc<Picture>>,
    inputs: &Inputs,
    clock: &Clock,
) -> anyhow::Result<InstallJobs> {
    let catalogue =
        Arc::new(Catalogue::load(&config.apps).context("load the catalogue of applications")?);
    let installs = InstallJobs {
        me: rooms.group.transport.node(),
        registry: registry.clone(),
        desired: registry.desired(),
        picture: picture.clone(),
        group: rooms.group.clone(),
        mirror: config.mirror.clone(),
        installer: Arc::new(Installer::new(
            rooms.yakd.config().clone(),
            clock.clone(),
            catalogue,
        )),
        inputs: inputs.clone(),
        clock: clock.clone(),
        tasks: rooms.tasks.clone(),
    };
    let interrupted = installs.clone();
    rooms
        .tasks
        .spawn_until_stopped("jobs of an earlier start", {
            let installs = installs.clone();
            async move {
                installs.registry.joined().await;
                installs.end_own_left_over().await;
            }
        });
    spawn_periodic(
        &rooms.tasks,
        "jobs of dead nodes",
        JOBS_INTERVAL,
        &Waker::new(),
        move || {
            let interrupted = interrupted.clone();
            async move { interrupted.end_interrupted().await }
        },
    );
    Ok(installs)
}

/// Answers the calls of the other conductors.
fn answer_calls(rooms: &Arc<Rooms>, installs: &InstallJobs, inputs: &Inputs) {
    let inputs = inputs.clone();
    rooms.group.calls.answer(BRAIN_CALL, move |from, body| {
        let inputs = inputs.clone();
        async move {
            let (dataset, message): (DatasetId, PeerMessage) =
                postcard::from_bytes(&body).map_err(|error| malformed(&error))?;
            let _stopped = inputs.send(Input::Dataset(
                dataset,
                DatasetEvent::Message { from, message },
            ));
            Ok(bytes::Bytes::new())
        }
    });
    let installs = installs.clone();
    rooms.group.calls.answer(INSTALL_CALL, move |_from, body| {
        let installs = installs.clone();
        async move {
            let order: Order = serde_json::from_slice(&body).map_err(|error| malformed(&error))?;
            installs.carry_out(order);
            Ok(bytes::Bytes::new())
        }
    });
}

fn malformed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        ProblemCode::Malformed,
        format!("The call was not understood: {error}."),
    )
}

/// Lets newcomers in whose token the registry knows.
fn admit_newcomers(config: &Config, rooms: &Arc<Rooms>, registry: &Registry, clock: &Clock) {
    let (registry, port, clock) = (registry.clone(), config.port, clock.clone());
    rooms.group.admit_newcomers(move |request| {
        let (registry, clock) = (registry.clone(), clock.clone());
        async move {
            let change = Change::JoinNode {
                secret_hash: request.secret_hash,
                name: request.name,
                address: request.address,
                now: clock.wall(),
            };
            let applied = registry.change(change).await?;
            let Applied::Node(node) = applied else {
                return Err(Problem::new(
                    ProblemCode::Internal,
                    "The settings answered unexpectedly.",
                ));
            };
            let nodes = roster(&registry.desired().borrow(), port).nodes;
            Ok(JoinGrant {
                node: node.id,
                nodes,
            })
        }
    });
}

fn open_api_of(
    config: &Config,
    identity: &NodeIdentity,
    registry: &Registry,
    picture: watch::Receiver<Arc<Picture>>,
    installs: InstallJobs,
    inputs: &Inputs,
    clock: &Clock,
) -> Api {
    let me = identity.node();
    let authority = identity.authority();
    let (fingerprint, port, desired) = (
        authority.nodes.fingerprint(),
        config.port,
        registry.desired(),
    );
    let inputs = inputs.clone();
    Api {
        me,
        registry: registry.clone(),
        desired: registry.desired(),
        picture,
        seal: SessionSeal::new(
            authority.secrets.session.expose(),
            authority.cluster.clone(),
        ),
        passwords: password::Passwords::default(),
        attempts: Attempts::new(clock.clone()),
        clock: clock.clone(),
        installs,
        join_token_text: Box::new(move |secret| {
            let address = desired.borrow().nodes.get(&me).map(|node| node.address);
            let address =
                SocketAddr::from((address.unwrap_or(IpAddr::V6(Ipv6Addr::LOCALHOST)), port));
            JoinToken {
                address,
                authority: fingerprint,
                secret: SecretBytes::new(*secret),
            }
            .encode()
        }),
        spread_revocation: Box::new(move |session, expires_at| {
            let _stopped = inputs.send(Input::Own(OwnFact::RevokedSession(session, expires_at)));
        }),
    }
}

/// A node that can't fence a dataset stops itself.
fn spawn_stop_guard(rooms: &Arc<Rooms>, stop: &CancellationToken) {
    let (own, stop) = (rooms.stop_node.clone(), stop.clone());
    rooms.tasks.spawn_until_stopped("stop guard", async move {
        own.cancelled().await;
        stop.cancel();
    });
}
