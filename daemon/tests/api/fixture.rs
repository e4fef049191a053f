//! One node's API without visitors: a registry with one voter, an administrator, two customers.
//!
//! The conductor is stood in for: what other nodes show and what the brain answers is what a test
//! says.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use hwc_api::change::{Applied, Change};
use hwc_api::desired::{Cluster, Desired, Limits, Role};
use hwc_api::explanation::{Candidate, DatasetExplanation, Decision, Obstacle, Outcome};
use hwc_api::ids::{ClusterId, DatasetId, NodeId, SiteId};
use hwc_api::moves::MoveReason;
use hwc_api::names::{EmailAddress, LoginName, NodeName};
use hwc_api::network::Network;
use hwc_api::observed::{NodeObserved, Refusals, RegistryStanding};
use hwc_api::ownership::{Epoch, HolderState, RouteRecord};
use hwc_api::time::WallTime;
use hwc_api::v1::NodeHealth;
use hwc_group::identity::{ClusterAuthority, NodeIdentity, SealingKey, Start};
use hwc_group::roster::Roster;
use hwc_group::{Group, GroupSettings};
use hwc_registry::{Registry, RegistryConfig, Timing};
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use hwc_state_machine::{DatasetEvent, Refused};
use hwc_yakd::NodeConfig;
use hwc_yakd::apps::{Catalogue, Installer};
use hwc_yakd::config::SocketKey;
use hwcd::api::attempts::Attempts;
use hwcd::api::identity::ThroughControlSocket;
use hwcd::api::refusal::RefusedRequests;
use hwcd::api::server::{Sockets, serve};
use hwcd::api::{Api, endpoints};
use hwcd::conductor::input::{Input, OwnFact};
use hwcd::install::InstallJobs;
use hwcd::journals::Journals;
use hwcd::password::Passwords;
use hwcd::picture::Picture;
use hwcd::session::SessionSeal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;

pub const PASSWORD: &str = "a password of some length";
const ME: NodeId = NodeId(1);

/// The API of one node.
pub struct TestApi {
    router: Router,
    pub registry: Registry,
    /// What the cluster looks like.
    pub picture: watch::Sender<Arc<Picture>>,
    /// What is asked of the brain, and what it answers.
    pub brain: Arc<Mutex<Brain>>,
    /// What was refused.
    pub refused: RefusedRequests,
    pub clock: Clock,
    /// The node's part in the group.
    pub group: Group,
    /// The keys of the cluster's datagrams.
    pub keys: Vec<SealingKey>,
    /// The cluster's seal, as on every node.
    pub seal: SessionSeal,
    folder: TempDir,
    tasks: Tasks,
}

/// Stands in for the brain of the node.
#[derive(Debug, Default)]
pub struct Brain {
    /// What it says to the next moves; it begins them where this is none.
    pub refusal: Option<Refused>,
    /// The moves that it was asked for.
    pub asked: Vec<(DatasetId, NodeId, MoveReason)>,
    /// The moves that it was told to call off.
    pub called_off: Vec<DatasetId>,
}

impl Brain {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a stand-in hears what its tests ask"
    )]
    fn hear(&mut self, input: Input) {
        match input {
            Input::AskMove {
                dataset,
                to,
                reason,
                answer,
            } => {
                self.asked.push((dataset, to, reason));
                let _gone = answer.send(self.refusal.map_or(Ok(()), Err));
            }
            Input::Explain { datasets, answer } => {
                let _gone = answer.send(datasets.into_iter().map(explanation).collect());
            }
            Input::Dataset(dataset, DatasetEvent::CallOffMove) => self.called_off.push(dataset),
            _ => {}
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
    pub cookie: Option<String>,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub fn field(&self) -> &str {
        self.body["field"].as_str().unwrap_or_default()
    }
}

impl TestApi {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (clock, tasks) = (Clock::system(), Tasks::new());
        let cluster = ClusterId("c".repeat(32));
        let authority =
            ClusterAuthority::create(cluster.clone(), clock.wall()).expect("an authority");
        let key = *authority.secrets.session.expose();
        let keys = authority.secrets.gossip.clone();
        let identity = NodeIdentity::create(authority, ME, clock.wall()).expect("an identity");
        let start = Start::begin(folder.path(), clock.wall()).expect("a start");
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let roster = Roster {
            nodes: BTreeMap::from([(ME, listen)]),
            ..Roster::default()
        };
        let settings = GroupSettings {
            listen,
            identity,
            start,
            roster,
        };
        let group = Group::start(settings, &tasks, &clock)
            .await
            .expect("a group");
        let registry = Registry::open(RegistryConfig {
            path: folder.path().join("registry.sqlite"),
            marker: folder.path().join("registry.member"),
            me: ME,
            clock: clock.clone(),
            dial: group.dial(),
            tasks: tasks.clone(),
            timing: Timing::default(),
        });
        let registry = registry.await.expect("a registry");
        let (picture, seen) = watch::channel(Arc::new(first_picture(&clock)));
        let (shown, brain) = (picture.clone(), Arc::new(Mutex::new(Brain::default())));
        let (inputs, mut heard) = mpsc::unbounded_channel();
        let hearing = Arc::clone(&brain);
        tasks.spawn("stand-in for the conductor's loop", async move {
            while let Some(input) = heard.recv().await {
                if let Input::Own(OwnFact::RevokedSession(session, _)) = input {
                    shown.send_modify(|picture| {
                        Arc::make_mut(picture).revoked_sessions.insert(session);
                    });
                } else {
                    hearing.lock().expect("not poisoned").hear(input);
                }
            }
        });
        let installs = InstallJobs {
            me: ME,
            registry: registry.clone(),
            desired: registry.desired(),
            picture: seen.clone(),
            group: group.clone(),
            mirror: folder.path().join("mirror"),
            installer: Arc::new(installer(folder.path(), &clock)),
            inputs: inputs.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let seal = SessionSeal::new(&key, cluster.clone());
        let refused = RefusedRequests::default();
        let api = Api {
            me: ME,
            registry: registry.clone(),
            desired: registry.desired(),
            picture: seen,
            seal: seal.clone(),
            passwords: Passwords::default(),
            attempts: Attempts::new(clock.clone()),
            refused: refused.clone(),
            clock: clock.clone(),
            installs,
            journals: Journals {
                me: ME,
                folder: folder.path().join("journal"),
                group: group.clone(),
            },
            join_token_text: Box::new(|secret| hex::encode(secret)),
            spread_revocation: Box::new(move |session, expires_at| {
                let _stopped =
                    inputs.send(Input::Own(OwnFact::RevokedSession(session, expires_at)));
            }),
        };
        let cluster = Cluster {
            id: cluster,
            name: "Test".to_owned(),
            panel_domains: Vec::new(),
            copies: 2,
            balancing: hwc_api::balancing::Balancing::default(),
            network: Network::Lan,
        };
        let name = NodeName::parse("n1").expect("a name");
        registry
            .init_cluster(cluster, name, IpAddr::V4(Ipv4Addr::LOCALHOST))
            .await
            .expect("a cluster");
        let test = Self {
            router: endpoints::router(Arc::new(api)),
            registry,
            picture,
            brain,
            refused,
            clock,
            group,
            keys,
            seal,
            folder,
            tasks,
        };
        test.create_account("admin", Role::Administrator, Limits::default())
            .await;
        test.create_account(
            "mara",
            Role::Customer,
            Limits {
                sites: 2,
                databases: 2,
            },
        )
        .await;
        test.create_account("theo", Role::Customer, Limits::default())
            .await;
        test
    }

    pub async fn create_account(&self, login: &str, role: Role, limits: Limits) {
        let password_hash = Passwords::default()
            .hash(PASSWORD.to_owned())
            .await
            .expect("hashed");
        let change = Change::CreateAccount {
            login: LoginName::parse(login).expect("a login"),
            name: login.to_owned(),
            email: EmailAddress::parse(&format!("{login}@example.org")).expect("an address"),
            role,
            limits,
            password_hash,
            now: self.clock.wall(),
        };
        self.registry.change(change).await.expect("an account");
    }

    /// Asks with a bearer token, or without.
    pub async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"));
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        self.send(
            request
                .body(Body::from(body.to_owned()))
                .expect("a request"),
        )
        .await
    }

    /// Asks as root on the node does.
    pub async fn ask_as_root(&self, method: &str, path: &str, body: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"));
        let request = request
            .extension(ThroughControlSocket)
            .body(Body::from(body.to_owned()));
        self.send(request.expect("a request")).await
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let status = response.status();
        let cookie = response
            .headers()
            .get(header::SET_COOKIE)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        Reply {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            cookie,
        }
    }

    /// Reads what is not JSON.
    pub async fn download(&self, path: &str, token: &str) -> (StatusCode, Vec<u8>) {
        let request = Request::get(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty());
        let answer = self.router.clone().oneshot(request.expect("a request"));
        let response = answer.await.expect("an answer");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body");
        (status, body.to_bytes().to_vec())
    }

    /// The folder of the node's journal.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Signs in and returns the session's token.
    pub async fn sign_in(&self, login: &str) -> String {
        let body = serde_json::json!({ "login": login, "password": PASSWORD });
        let reply = self.ask("POST", "/session", None, &body.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.body["token"].as_str().expect("a token").to_owned()
    }

    /// Creates a site and returns its id.
    pub async fn create_site(&self, token: &str, domain: &str) -> u64 {
        let body = serde_json::json!({ "domain": domain }).to_string();
        let reply = self.ask("POST", "/sites", Some(token), &body).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        reply.body["id"].as_u64().expect("an id")
    }

    /// Serves the API to root on this node, as the daemon does, and returns the socket.
    pub fn serve(&self) -> PathBuf {
        let sockets = Sockets {
            control: self.folder.path().join("control.sock"),
            public: self.folder.path().join("api.sock"),
            public_group: None,
        };
        serve(&self.router, &sockets, &self.tasks).expect("two sockets");
        sockets.control
    }

    /// The settings.
    pub fn desired(&self) -> Arc<Desired> {
        self.registry.desired().borrow().clone()
    }

    /// Asks what is refused with this status, code and field, and finds the settings as before and
    /// the refusal counted, once. A refused change may use an index up.
    pub async fn refused(
        &self,
        token: Option<&str>,
        (method, path, body): (&str, &str, &str),
        expected: (u16, &str, &str),
    ) -> Reply {
        let settings = || Desired {
            index: 0,
            ..Desired::clone(&self.desired())
        };
        let before = settings();
        let mut counted = self.refused.by_code();
        *counted.entry(expected.1.to_owned()).or_default() += 1;
        let reply = self.ask(method, path, token, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code(), reply.field()),
            expected,
            "{method} {path} {body} {reply:?}"
        );
        let message = reply.body["message"].as_str();
        assert!(message.is_some_and(|m| m.len() > 10), "{reply:?}");
        assert_eq!(
            settings(),
            before,
            "{method} {path} {body} changed something"
        );
        assert_eq!(self.refused.by_code(), counted, "{method} {path} {body}");
        reply
    }

    /// One more node joins, is up and has room.
    pub async fn join(&self, name: &str) -> NodeId {
        let (secret_hash, now) = (format!("secret of {name}"), self.clock.wall());
        let change = Change::CreateJoinToken {
            secret_hash: secret_hash.clone(),
            expires_at: now.plus_ms(60_000),
        };
        self.registry.change(change).await.expect("a token");
        let last = u8::try_from(self.desired().nodes.len() + 1).expect("a few nodes");
        let change = Change::JoinNode {
            secret_hash,
            name: NodeName::parse(name).expect("a name"),
            address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)),
            now,
        };
        let Ok(Applied::Node(node)) = self.registry.change(change).await else {
            panic!("{name} does not join");
        };
        self.see(|picture| {
            picture.health.insert(node.id, NodeHealth::Up);
            picture.nodes.insert(node.id, observed(&self.clock));
        });
        node.id
    }

    /// The cluster looks different from here on.
    pub fn see(&self, change: impl FnOnce(&mut Picture)) {
        self.picture
            .send_modify(|picture| change(Arc::make_mut(picture)));
    }

    /// A node dies.
    pub fn see_down(&self, node: NodeId) {
        self.see(|picture| {
            picture.health.insert(node, NodeHealth::Down);
        });
    }

    /// A node serves a dataset, and no other one does.
    pub fn see_live(&self, dataset: DatasetId, node: NodeId) {
        let route = RouteRecord {
            state: HolderState::Live,
            epoch: Epoch::NONE,
            is_open: true,
        };
        self.see(|picture| {
            picture.routes.insert(dataset, [(node, route)].into());
        });
    }

    /// The dataset of a site's files.
    pub fn files(&self, site: u64) -> DatasetId {
        let site = SiteId(u32::try_from(site).expect("a small number"));
        self.desired().sites[&site].dataset
    }
}

/// What a brain might say, with one candidate.
fn explanation(dataset: DatasetId) -> DatasetExplanation {
    let candidate = Candidate {
        node: NodeId(2),
        score: Some(40),
        unfit: None,
        has_copy: true,
        load_percent: 40,
        free_bytes: 1 << 30,
    };
    let outcome = Outcome::Move {
        to: ME,
        reason: MoveReason::Balance,
        load_percent: 90,
        target_load_percent: 40,
    };
    let decision = Decision {
        at: WallTime(1),
        by: NodeId(2),
        dataset,
        outcome,
        candidates: vec![candidate.clone()],
    };
    DatasetExplanation {
        dataset,
        by: ME,
        state: HolderState::Live,
        epoch: Epoch::NONE,
        candidates: vec![candidate],
        obstacle: Some(Obstacle::CoolDown),
        decisions: vec![decision],
    }
}

/// A node's report: nothing to do, and room.
fn observed(clock: &Clock) -> NodeObserved {
    NodeObserved {
        version: "test".to_owned(),
        boot: hwc_api::ids::BootId(1),
        started_at: WallTime::default(),
        reported_at: clock.wall(),
        load_1m: 0.0,
        cores: 2,
        load: hwc_api::balancing::NodeLoad::default(),
        heaviest: Vec::new(),
        memory_total_bytes: 1 << 30,
        memory_available_bytes: 1 << 30,
        pool_total_bytes: 10 << 30,
        pool_free_bytes: 9 << 30,
        applied_index: 0,
        is_registry_writable: true,
        registry_leader: Some(ME),
        registry_standing: RegistryStanding::Member,
        network: Network::Lan,
        refusals: Refusals::default(),
        services: Vec::new(),
        problems: Vec::new(),
    }
}

/// A node that is up, alone, with room.
fn first_picture(clock: &Clock) -> Picture {
    Picture {
        health: BTreeMap::from([(ME, NodeHealth::Up)]),
        nodes: BTreeMap::from([(ME, observed(clock))]),
        is_registry_writable: true,
        registry_leader: Some(ME),
        ..Picture::default()
    }
}

fn installer(folder: &Path, clock: &Clock) -> Installer {
    let key = SocketKey::load_or_create(&folder.join("socket.key")).expect("a key");
    let mut config = NodeConfig::new(key, Vec::new());
    config.mirror = folder.join("mirror");
    let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../apps");
    let catalogue = Catalogue::load(&apps).expect("the catalogue");
    Installer::new(config, clock.clone(), Arc::new(catalogue))
}
