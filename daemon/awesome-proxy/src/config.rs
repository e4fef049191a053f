//! What the front doors are told at start: addresses, upstreams, and every limit with its reason.

use hwc_api::ids::DatabaseId;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where hwcd's own API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiUpstream {
    /// A Unix socket that only root can open.
    Unix(PathBuf),
    /// An address on this machine.
    Tcp(SocketAddr),
}

/// Finds the socket of a database's own server on this node.
#[derive(Clone)]
pub struct DatabaseSockets(Arc<dyn Fn(DatabaseId) -> PathBuf + Send + Sync>);

impl DatabaseSockets {
    /// Sockets found by a function.
    pub fn new(find: impl Fn(DatabaseId) -> PathBuf + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// The socket of one database.
    #[must_use]
    pub fn socket(&self, database: DatabaseId) -> PathBuf {
        (self.0)(database)
    }
}

impl Default for DatabaseSockets {
    /// `/run/hwc/db/<id>/mysqld.sock`.
    fn default() -> Self {
        Self::new(|database| PathBuf::from(format!("/run/hwc/db/{database}/mysqld.sock")))
    }
}

impl fmt::Debug for DatabaseSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseSockets")
    }
}

/// Where the proxy listens and what stands behind it.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Plain HTTP; port 80.
    pub http: SocketAddr,
    /// HTTPS by SNI; port 443.
    pub https: SocketAddr,
    /// The panel and the API, under any name; port 8443.
    pub panel: SocketAddr,
    /// MySQL over TCP, for programs that insist on it; 127.0.0.1:3306.
    pub mysql_tcp: SocketAddr,
    /// The socket that PHP and the command line open by default.
    pub mysql_socket: PathBuf,
    /// This node's Apache.
    pub apache: SocketAddr,
    /// This node's hwc-panel.
    pub panel_upstream: SocketAddr,
    /// This node's API.
    pub api: ApiUpstream,
    /// This node's database servers.
    pub database_sockets: DatabaseSockets,
    /// The version that MySQL clients are greeted with: that of the cluster's MariaDB. From 11.0 on
    /// MariaDB does not prefix it with `5.5.5-` any more.
    pub mysql_version: String,
    /// How much and how long.
    pub limits: Limits,
}

impl Default for ProxyConfig {
    /// As on a node: the well-known ports on all addresses.
    fn default() -> Self {
        let everywhere = |port| SocketAddr::from(([0, 0, 0, 0], port));
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            http: everywhere(80),
            https: everywhere(443),
            panel: everywhere(8443),
            mysql_tcp: local(3306),
            mysql_socket: PathBuf::from("/run/mysqld/mysqld.sock"),
            apache: local(8080),
            panel_upstream: local(8081),
            api: ApiUpstream::Unix(PathBuf::from("/run/hwc/api.sock")),
            database_sockets: DatabaseSockets::default(),
            mysql_version: "11.8.6-MariaDB".to_owned(),
            limits: Limits::default(),
        }
    }
}

/// Every bound of the front doors.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a request or a MySQL login waits for a live node before it is told to come back.
    /// Longer than a failover takes, shorter than browsers' and load balancers' patience.
    pub wait: Duration,
    /// Requests that wait for one dataset; beyond it they are told to come back at once. One site's
    /// visitors can't fill the room.
    pub waiting_per_dataset: usize,
    /// Requests that wait on this node for all datasets. At some 10 KiB each (task, buffers,
    /// connection) this is 100 MiB.
    pub waiting: usize,
    /// Bytes of the heads of waiting requests on this node.
    pub waiting_bytes: usize,
    /// How long a live node may take to begin its answer. Longer than PHP's longest scripts.
    pub response: Duration,
    /// How long a client may take to send a request's head (slowloris), a TLS handshake, or the
    /// next step of a MySQL login; a connection without requests is closed after it too.
    pub head: Duration,
    /// How long a client may pause in the middle of a request's body, or refuse to take bytes of an
    /// answer.
    pub stall: Duration,
    /// How long requests that are inside may go on once a site is cleared for a move
    /// ([`crate::AwesomeProxy::clear`]). New ones wait meanwhile, so it is a part of the pause.
    pub drain: Duration,
    /// How long a WebSocket of a site goes on once the site's gate closes. Then its visitor is told
    /// to come back; what was being said has arrived by then.
    pub websocket_grace: Duration,
    /// How long a daemon that gives way to the next one ([`crate::succession`]) looks for that. A
    /// start begins by opening the socket for it; where there is none after this the daemon was
    /// stopped, not restarted.
    pub successor: Duration,
    /// Greatest head of a request, in bytes, request line included.
    pub head_bytes: usize,
    /// Greatest body of a request, in bytes. Apache's own default (LimitRequestBody).
    pub body_bytes: u64,
    /// Connections at one time over all HTTP listeners.
    pub connections: usize,
    /// Connections at one time from one address.
    pub connections_per_address: usize,
    /// MySQL sessions at one time on this node.
    pub mysql_sessions: usize,
    /// How long a database's server may take until it greets: it may have to start first.
    pub mysql_greeting: Duration,
    /// Opening a connection to a service on this machine.
    pub connect: Duration,
    /// Unused connections to one upstream are closed after this: below Apache's KeepAliveTimeout
    /// of 5 s, so that we never write on one that Apache is closing.
    pub idle: Duration,
    /// Unused connections that are kept to one upstream.
    pub idle_per_upstream: usize,
    /// Gates count as open only this long after the conductor vouched for them last (see
    /// `AwesomeProxy::vouch`); none: until they are closed.
    pub gate_lease: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(15),
            waiting_per_dataset: 2_000,
            waiting: 10_000,
            waiting_bytes: 64 * 1024 * 1024,
            response: Duration::from_secs(330),
            head: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(3),
            websocket_grace: Duration::from_millis(250),
            successor: Duration::from_secs(10),
            head_bytes: 32 * 1024,
            body_bytes: 1024 * 1024 * 1024,
            connections: 16_384,
            connections_per_address: 4_096,
            mysql_sessions: 4_096,
            mysql_greeting: Duration::from_secs(15),
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(4),
            idle_per_upstream: 64,
            gate_lease: None,
        }
    }
}
