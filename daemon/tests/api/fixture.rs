//! One node's API without visitors: a registry with one voter, an administrator, two customers.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use hwc_api::change::Change;
use hwc_api::desired::{Cluster, Limits, Role};
use hwc_api::ids::{ClusterId, NodeId};
use hwc_api::names::{EmailAddress, LoginName, NodeName};
use hwc_api::observed::NodeObserved;
use hwc_api::time::WallTime;
use hwc_api::v1::NodeHealth;
use hwc_group::identity::{ClusterAuthority, NodeIdentity, Start};
use hwc_group::roster::Roster;
use hwc_group::{Group, GroupSettings};
use hwc_registry::{Registry, RegistryConfig, Timing};
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use hwc_yakd::NodeConfig;
use hwc_yakd::apps::{Catalogue, Installer};
use hwc_yakd::config::SocketKey;
use hwcd::api::attempts::Attempts;
use hwcd::api::identity::ThroughControlSocket;
use hwcd::api::{Api, endpoints};
use hwcd::conductor::input::{Input, OwnFact};
use hwcd::install::InstallJobs;
use hwcd::password::Passwords;
use hwcd::picture::Picture;
use hwcd::session::SessionSeal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tower::ServiceExt;

pub const PASSWORD: &str = "a password of some length";
const ME: NodeId = NodeId(1);

/// The API of one node.
pub struct TestApi {
    router: Router,
    pub registry: Registry,
    pub clock: Clock,
    /// The cluster's seal, as on every node.
    pub seal: SessionSeal,
    _folder: TempDir,
    _tasks: Tasks,
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
            me: ME,
            clock: clock.clone(),
            dial: group.dial(),
            tasks: tasks.clone(),
            timing: Timing::default(),
        });
        let registry = registry.await.expect("a registry");
        let (picture, seen) = watch::channel(Arc::new(picture(&clock)));
        let revocations = picture.clone();
        let (inputs, mut heard) = mpsc::unbounded_channel();
        tasks.spawn("stand-in for the conductor's loop", async move {
            while let Some(input) = heard.recv().await {
                if let Input::Own(OwnFact::RevokedSession(session, _)) = input {
                    revocations.send_modify(|picture| {
                        Arc::make_mut(picture).revoked_sessions.insert(session);
                    });
                }
            }
        });
        let installs = InstallJobs {
            me: ME,
            registry: registry.clone(),
            desired: registry.desired(),
            picture: seen.clone(),
            group,
            mirror: folder.path().join("mirror"),
            installer: Arc::new(installer(folder.path(), &clock)),
            inputs: inputs.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let seal = SessionSeal::new(&key, cluster.clone());
        let api = Api {
            me: ME,
            registry: registry.clone(),
            desired: registry.desired(),
            picture: seen,
            seal: seal.clone(),
            passwords: Passwords::default(),
            attempts: Attempts::new(clock.clone()),
            clock: clock.clone(),
            installs,
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
        };
        let name = NodeName::parse("n1").expect("a name");
        registry
            .init_cluster(cluster, name, IpAddr::V4(Ipv4Addr::LOCALHOST))
            .await
            .expect("a cluster");
        let test = Self {
            router: endpoints::router(Arc::new(api)),
            registry,
            clock,
            seal,
            _folder: folder,
            _tasks: tasks,
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
}

/// A node that is up, alone, with room.
fn picture(clock: &Clock) -> Picture {
    let observed = NodeObserved {
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
        services: Vec::new(),
        problems: Vec::new(),
    };
    Picture {
        health: BTreeMap::from([(ME, NodeHealth::Up)]),
        nodes: BTreeMap::from([(ME, observed)]),
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
