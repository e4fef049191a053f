//! A small cluster in one process: proxies that reach each other through memory, upstreams on
//! loopback, and clients that see bytes.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod client;
pub mod mariadb;
pub mod moves;
pub mod origin;
pub mod scripted;
pub mod sql;

use futures::future::BoxFuture;
use hwc_api::desired::Desired;
use hwc_api::ids::{BootId, DatasetId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_api::time::WallTime;
use hwc_awesome_proxy::config::{DatabaseSockets, Limits};
use hwc_awesome_proxy::{
    ApiUpstream, AwesomeProxy, CertificateSource, ClusterCertificates, LiveRoute, ProxyConfig,
    RoutingTable,
};
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use origin::Origin;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

pub const SITE: DatasetId = DatasetId(1);
pub const DATABASE: DatasetId = DatasetId(2);
/// A second site.
pub const BLOG: DatasetId = DatasetId(3);
pub const HOST: &str = "shop.example";

/// Longest wait of a test for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn epoch(counter: u32, node: u16) -> Epoch {
    Epoch {
        counter,
        node: NodeId(node),
        boot: BootId(1),
    }
}

/// A registry with a panel, one site with two names, a second site, and a database.
pub fn desired() -> Desired {
    let site = |id: u32, dataset: u32, domains: &[&str]| {
        serde_json::json!({ "id": id, "account": 1, "dataset": dataset, "uid": 20000 + dataset,
            "domains": domains, "php": "8.4", "app": null, "created_at": 0 })
    };
    let dataset = |id: u32, content: serde_json::Value| {
        serde_json::json!({ "id": id, "content": content, "replicas": [1, 2],
            "created_index": 1, "copies": 2, "is_deleted": false })
    };
    serde_json::from_value(serde_json::json!({
        "index": 7,
        "cluster": { "id": "00", "name": "test", "panel_domains": ["panel.example"], "copies": 2,
                "balancing": hwc_api::balancing::Balancing::default() },
        "nodes": {},
        "accounts": {
            "1": { "id": 1, "login": "anna", "name": "Anna", "email": "anna@example.com",
                "role": "customer", "limits": { "sites": 1, "databases": 1 },
                "password_hash": "", "sessions_valid_from": 0, "is_suspended": false,
                "created_at": 0 }
        },
        "sites": {
            "1": site(1, 1, &[HOST, "www.shop.example"]),
            "2": site(2, 3, &["blog.example"])
        },
        "databases": {
            "1": { "id": 1, "account": 1, "site": 1, "dataset": 2, "uid": 20002,
                "name": "shop", "user": "shop_user",
                "password_hash": "*0123456789ABCDEF0123456789ABCDEF01234567", "created_at": 0 }
        },
        "datasets": {
            "1": dataset(1, serde_json::json!({ "site": 1 })),
            "2": dataset(2, serde_json::json!({ "database": 1 })),
            "3": dataset(3, serde_json::json!({ "site": 2 }))
        },
        "jobs": {}, "moves": {}, "tokens": {}, "revoked_sessions": [], "join_tokens": {}
    }))
    .expect("a registry")
}

/// The nodes of a test, and the network between them.
pub struct Cluster {
    pub tasks: Tasks,
    pub folder: tempfile::TempDir,
    network: Arc<Network>,
    pub ca_pem: String,
    ca_key_pem: String,
}

#[derive(Default)]
struct Network {
    nodes: Mutex<BTreeMap<NodeId, Listening>>,
    tasks: Tasks,
    /// Connections that were opened between nodes.
    dials: AtomicUsize,
    /// How many of the next ones break, and after how many bytes of the asking side.
    breaks: Mutex<Vec<usize>>,
}

struct Listening {
    proxy: AwesomeProxy,
    /// Everything that the node does for others; stopped when it is killed.
    work: Tasks,
}

/// One node of a test.
pub struct TestNode {
    pub id: NodeId,
    pub proxy: AwesomeProxy,
    pub http: SocketAddr,
    pub https: SocketAddr,
    pub panel: SocketAddr,
    pub mysql: SocketAddr,
    pub mysql_socket: PathBuf,
    network: Arc<Network>,
}

/// What a node has behind it; free ports where a test does not care.
pub struct Behind {
    pub apache: SocketAddr,
    pub panel: SocketAddr,
    pub api: ApiUpstream,
    pub database: PathBuf,
    pub limits: Limits,
}

impl Behind {
    pub fn apache(apache: SocketAddr) -> Self {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        Self {
            apache,
            panel: nobody,
            api: ApiUpstream::Tcp(nobody),
            database: PathBuf::from("/nonexistent"),
            limits: Limits::default(),
        }
    }
}

impl Cluster {
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            tasks: Tasks::new(),
            folder: tempfile::tempdir().expect("a temporary folder"),
            network: Arc::default(),
            ca_pem: certificate.pem(),
            ca_key_pem: key.serialize_pem(),
        }
    }

    pub fn certificates(&self, clock: Clock) -> ClusterCertificates {
        let names = vec!["node.example".to_owned(), "127.0.0.1".to_owned()];
        ClusterCertificates::new(&self.ca_pem, &self.ca_key_pem, names, clock).expect("a CA")
    }

    pub fn node(&self, id: u16, behind: Behind) -> TestNode {
        self.node_with_clock(id, behind, Clock::system())
    }

    pub fn node_with_clock(&self, id: u16, behind: Behind, clock: Clock) -> TestNode {
        let id = NodeId(id);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mysql_socket = self.folder.path().join(format!("mysqld-{id}.sock"));
        let database = behind.database;
        let config = ProxyConfig {
            http: any,
            https: any,
            panel: any,
            mysql_tcp: any,
            mysql_socket: mysql_socket.clone(),
            apache: behind.apache,
            panel_upstream: behind.panel,
            api: behind.api,
            database_sockets: DatabaseSockets::new(move |_| database.clone()),
            mysql_version: "11.8.3-MariaDB".to_owned(),
            limits: behind.limits,
        };
        let dial: Arc<dyn Dial> = Arc::new(MemoryDial {
            me: id,
            network: Arc::clone(&self.network),
        });
        let certificates: Arc<dyn CertificateSource> = Arc::new(self.certificates(clock.clone()));
        let proxy = AwesomeProxy::start(config, id, dial, certificates, clock, &self.tasks)
            .expect("free ports");
        proxy.set_routes(RoutingTable::build(&desired(), BTreeMap::new(), id));
        self.network.nodes.lock().expect("whole").insert(
            id,
            Listening {
                proxy: proxy.clone(),
                work: self.network.tasks.child(),
            },
        );
        let addresses = proxy.addresses();
        TestNode {
            id,
            proxy,
            http: addresses.http,
            https: addresses.https,
            panel: addresses.panel,
            mysql: addresses.mysql_tcp,
            mysql_socket,
            network: Arc::clone(&self.network),
        }
    }
}

impl TestNode {
    /// Tells this node who is live.
    pub fn routes(&self, routes: &[(DatasetId, u16, u32)]) {
        let routes = routes
            .iter()
            .map(|(dataset, node, counter)| {
                let live = LiveRoute {
                    node: NodeId(*node),
                    epoch: epoch(*counter, *node),
                    is_open: true,
                };
                (*dataset, live)
            })
            .collect();
        let table = self.proxy.routes().followed_by(&desired(), routes);
        self.proxy.set_routes(table);
    }

    /// Makes this node live for a dataset.
    pub fn open(&self, dataset: DatasetId, counter: u32) {
        self.proxy.open_gate(dataset, epoch(counter, self.id.0));
    }

    /// Ends everything that the node does for others, in the middle of what it does.
    pub async fn kill(&self) {
        let dead = self.network.nodes.lock().expect("whole").remove(&self.id);
        if let Some(dead) = dead {
            dead.work.stop(Duration::ZERO).await;
        }
    }

    /// Breaks all connections that other nodes have to this one; it goes on living.
    pub async fn break_connections(&self) {
        let old = {
            let mut nodes = self.network.nodes.lock().expect("whole");
            let listening = nodes.get_mut(&self.id).expect("alive");
            std::mem::replace(&mut listening.work, self.network.tasks.child())
        };
        old.stop(Duration::ZERO).await;
    }

    /// The next connections between nodes break, each after so many bytes of the asking side.
    pub fn break_next(&self, after_bytes: &[usize]) {
        let mut breaks = self.network.breaks.lock().expect("whole");
        breaks.extend(after_bytes.iter().rev());
    }

    /// How many connections were opened between the nodes so far.
    pub fn dials(&self) -> usize {
        self.network.dials.load(Ordering::SeqCst)
    }

    /// Waits until so many requests wait here for a dataset.
    pub async fn until_waiting(&self, dataset: DatasetId, count: usize) {
        until(|| {
            let stats = self.proxy.stats();
            stats
                .datasets
                .get(&dataset)
                .is_some_and(|s| s.waiting == count)
        })
        .await;
    }
}

/// Two nodes, each with a web server of its own.
pub struct Two {
    pub cluster: Cluster,
    pub one: TestNode,
    pub two: TestNode,
    pub origin_one: Origin,
    pub origin_two: Origin,
}

pub async fn two_nodes(limits: Limits) -> Two {
    let cluster = Cluster::new();
    let origin_one = Origin::start(&cluster.tasks, "one").await;
    let origin_two = Origin::start(&cluster.tasks, "two").await;
    let behind = |origin: &Origin| Behind {
        limits: limits.clone(),
        ..Behind::apache(origin.address)
    };
    Two {
        one: cluster.node(1, behind(&origin_one)),
        two: cluster.node(2, behind(&origin_two)),
        cluster,
        origin_one,
        origin_two,
    }
}

struct MemoryDial {
    me: NodeId,
    network: Arc<Network>,
}

impl Dial for MemoryDial {
    fn dial(&self, node: NodeId, service: Service) -> BoxFuture<'_, Result<PeerStream, DialError>> {
        let nodes = self.network.nodes.lock().expect("whole");
        let Some(there) = nodes.get(&node) else {
            let source = std::io::ErrorKind::ConnectionRefused.into();
            return Box::pin(async move { Err(DialError::Connect { node, source }) });
        };
        self.network.dials.fetch_add(1, Ordering::SeqCst);
        let (near, far) = tokio::io::duplex(64 * 1024);
        let far = match self.network.breaks.lock().expect("whole").pop() {
            Some(left) => Box::new(Breaking { inner: far, left }) as PeerStream,
            None => Box::new(far),
        };
        let (proxy, me) = (there.proxy.clone(), self.me);
        there.work.spawn("peer", async move {
            match service {
                Service::Http => proxy.serve_http_peer(me, far).await,
                Service::Mysql => proxy.serve_mysql_peer(me, far).await,
                Service::Join
                | Service::Board
                | Service::Registry
                | Service::Snapshots
                | Service::Calls => panic!("the proxy has no business with {service:?}"),
            }
        });
        Box::pin(async move { Ok(Box::new(near) as PeerStream) })
    }
}

/// A stream that breaks once so many bytes were read from it.
struct Breaking {
    inner: DuplexStream,
    left: usize,
}

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        let mut space = vec![0; buf.remaining().min(self.left)];
        let mut part = ReadBuf::new(&mut space);
        std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        buf.put_slice(part.filled());
        self.left -= part.filled().len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Waits for a condition.
pub async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the condition came about");
}

/// Runs something that must end.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it ended in time")
}

/// A wall time at which certificates are valid.
pub fn today() -> WallTime {
    Clock::system().wall()
}
