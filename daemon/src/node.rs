//! Builds a member node: the rooms in the order in which they need each other, then the streams of
//! facts between them.

mod calls;
mod facts;
mod open;

use crate::api::refusal::RefusedRequests;
use crate::api::{Api, attempts::Attempts, endpoints};
use crate::conductor::hands::{Hands, Rooms};
use crate::conductor::input::{Input, Inputs, OwnFact};
use crate::conductor::run::Conductor;
use crate::conductor::{freshness, reconcile, report};
use crate::config::Config;
use crate::install::InstallJobs;
use crate::journals::Journals;
use crate::keeper::link::Link;
use crate::moves::Moves;
use crate::picture::Picture;
use crate::recorder::Recorder;
use crate::session::SessionSeal;
use crate::setup::first_changes_path;
use crate::start::open_api;
use crate::{identity, network, password, removal};
use anyhow::Context;
use hwc_api::change::{Applied, Change};
use hwc_api::problem::ProblemCode;
use hwc_awesome_proxy::Lingering;
use hwc_group::identity::{NodeIdentity, SecretBytes, Start};
use hwc_group::join::JoinToken;
use hwc_registry::Registry;
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use hwc_runtime::periodic::{Waker, spawn_periodic};
use hwc_state_machine::{Event, Millis, StateMachine};
use hwc_yakd::apps::{Catalogue, Installer};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use calls::malformed;
use calls::{admit_newcomers, answer_calls};
use facts::{spawn_facts, spawn_peers};
use open::{
    Behind, items, open_doors, open_group, open_hcfs, open_registry, open_rows, open_succession,
    open_yakd,
};

/// How long a planned stop waits for the copies to have everything.
const SAVE_LIMIT: Duration = Duration::from_secs(6);
/// Between two looks for jobs whose node died.
const JOBS_INTERVAL: Duration = Duration::from_secs(5);

/// A member node at work.
pub struct Node {
    rooms: Arc<Rooms>,
    registry: Registry,
    inputs: Inputs,
    /// Where the next daemon takes visitors' requests.
    succession: PathBuf,
}

impl Node {
    /// Quiesces what is live here and gives the copies a moment to catch up, so that a planned stop
    /// loses nothing; then ends the rooms in order, all but visitors' connections, which it gives
    /// back. None if a dataset could not be given up cleanly: then nobody lingers.
    pub async fn end(self) -> Option<Lingering> {
        let (done, saved) = oneshot::channel();
        let _stopped = self.inputs.send(Input::Stop { done });
        if !matches!(tokio::time::timeout(SAVE_LIMIT, saved).await, Ok(Ok(()))) {
            tracing::warn!("stopping although not every copy is known to have everything");
        }
        let is_clean = !self.rooms.stop_node.is_cancelled();
        // First: from here on nothing is answered that needs the other rooms.
        let lingering = match is_clean {
            true => Some(self.rooms.proxy.linger(self.succession).await),
            false => None,
        };
        self.rooms.tasks.stop(Duration::from_secs(10)).await;
        if lingering.is_none() {
            self.rooms.proxy.shutdown(Duration::from_secs(2)).await;
        }
        self.registry.shutdown().await;
        lingering
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
    keeper: &Link,
) -> anyhow::Result<Node> {
    let me = identity.node();
    // At once: a daemon before us, if it lingers, looks whether anybody follows.
    let (succession, predecessor) = open_succession(&config)?;
    let start =
        Start::begin(&identity::folder(&config.state), clock.wall()).context("count this start")?;
    tracing::info!(node.id = %me, boot = %start.boot, cluster.id = %identity.cluster(), "starting");
    let (inputs, heard) = mpsc::unbounded_channel();
    let conducting = tasks.child();

    let yakd = Arc::new(open_yakd(&config, &clock)?);
    yakd.prepare()
        .await
        .context("stop what an earlier run left behind")?;
    let network = network::load(&config.state)?;
    let group = open_group(&config, &identity, start, network, &conducting, &clock).await?;
    let (hcfs, inventory) = open_hcfs(&config, &group, start, &inputs, &conducting, &clock).await?;
    let rows = open_rows(&config, &inputs, &conducting).await?;
    let registry = open_registry(&config, me, &group, network, &conducting, &clock).await?;
    let behind = Behind {
        identity: &identity,
        group: &group,
        yakd: &yakd,
        network,
    };
    let proxy = open_doors(&config, behind, predecessor, keeper, &clock)?;
    let desired = registry.desired();
    let rooms = Arc::new(Rooms {
        hcfs,
        yakd,
        proxy,
        group,
        network,
        registry: registry.clone(),
        desired: desired.clone(),
        tasks: conducting.clone(),
        // Not a child of `stop`: an ordinary stop does not say that a dataset could not be fenced.
        stop_node: CancellationToken::new(),
    });

    let (picture, seen) = watch::channel(Arc::new(Picture::default()));
    let (served, serving) = watch::channel(Arc::default());
    let (wake_services, wake_report) = (Waker::new(), Waker::new());
    let mut mind = StateMachine::new(me, network::timers(network));
    let recorder = Recorder::begin(
        &config.state.join("journal"),
        identity.cluster().clone(),
        start.boot,
        &conducting,
    )?;
    let booted = Event::Booted {
        boot: start.boot,
        inventory: items(inventory, rows.rows),
    };
    let booted_at = Millis(clock.now().0);
    recorder.record(&mind, booted_at, clock.wall(), &booted);
    let first = mind.step(booted_at, booted);
    let mut hands = Hands::new(Arc::clone(&rooms), rows.writer, inputs.clone());
    for action in first {
        hands.carry_out(action);
    }
    let conductor = Conductor {
        recorder,
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
    removal::spawn(&rooms, &registry, &config.state, stop);
    let refused = RefusedRequests::default();
    let reporter = report::Reporter {
        clock: clock.clone(),
        boot: start.boot,
        registry: registry.clone(),
        services,
        rooms: Arc::clone(&rooms),
        refused: refused.clone(),
        served: loaded,
        pool: config.pool.clone(),
        inputs: inputs.clone(),
    };
    report::spawn(reporter, &conducting, &wake_report);

    make_first_changes(&config, &registry).await?;
    let installs = install_jobs(&config, &rooms, &registry, &seen, &inputs, &clock)?;
    let moves = Moves {
        me,
        registry: registry.clone(),
        desired: registry.desired(),
        picture: seen.clone(),
        group: rooms.group.clone(),
        inputs: inputs.clone(),
        clock: clock.clone(),
        tasks: rooms.tasks.clone(),
    };
    answer_calls(&rooms, &installs, &moves, &inputs);
    admit_newcomers(&config, &rooms, &registry, &clock);
    let api = open_api_of(
        &config, &identity, &registry, seen, installs, refused, &clock,
    );
    api.journals.answer_calls();
    open_api(endpoints::router(Arc::new(api)), &config, &conducting)?;
    spawn_stop_guard(&rooms, stop);
    rooms.proxy.admit();
    Ok(Node {
        rooms,
        registry,
        inputs,
        succession,
    })
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

fn open_api_of(
    config: &Config,
    identity: &NodeIdentity,
    registry: &Registry,
    picture: watch::Receiver<Arc<Picture>>,
    installs: InstallJobs,
    refused: RefusedRequests,
    clock: &Clock,
) -> Api {
    let me = identity.node();
    let authority = identity.authority();
    let (fingerprint, port, desired) = (
        authority.nodes.fingerprint(),
        config.port,
        registry.desired(),
    );
    let inputs = installs.inputs.clone();
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
        refused,
        clock: clock.clone(),
        journals: Journals {
            me,
            folder: config.state.join("journal"),
            group: installs.group.clone(),
        },
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
