//! The front doors of one node: start, what the conductor tells them, shutdown.

use crate::certificates::CertificateSource;
use crate::config::ProxyConfig;
use crate::gates::Doors;
use crate::http::front::Entrance;
use crate::http::upstream::Upstreams;
use crate::listener::{Admission, Census};
use crate::routes::RoutingTable;
use crate::shared::Shared;
use crate::sockets::Sockets;
use crate::stats::ProxyStats;
use crate::succession::{Lingering, Succession};
use crate::waiting::WaitingRoom;
use arc_swap::ArcSwap;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::Pause;
use hwc_api::ownership::Epoch;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, PeerStream};
use hwc_runtime::lifecycle::Tasks;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Until what was cut has noticed.
const CUT_LIMIT: Duration = Duration::from_secs(2);
/// Until everything but visitors' connections has ended, when these are to linger.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);

/// Why the front doors could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens there.
    #[error(
        "port {} ({address}), which {purpose} needs, is taken by another program: find it with `ss -ltnp 'sport = :{}'` and stop it",
        address.port(), address.port()
    )]
    PortTaken {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        purpose: &'static str,
    },
    /// The port can't be opened for another reason.
    #[error("listen on {address} for {purpose}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        purpose: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another program serves the MySQL socket.
    #[error(
        "{path} is in use by another program: the cluster serves MySQL there; stop and disable Debian's own server with `systemctl disable --now mariadb`"
    )]
    SocketTaken {
        /// The socket.
        path: PathBuf,
    },
    /// The MySQL socket can't be made.
    #[error("listen on {path}")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A socket that listens can't be made to work.
    #[error("use the listening sockets")]
    Sockets(#[from] io::Error),
    /// rustls refuses the settings.
    #[error("prepare TLS")]
    Tls(#[from] rustls::Error),
}

/// The addresses that were bound; they differ from the configured ones where port 0 was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundAddresses {
    /// Plain HTTP.
    pub http: SocketAddr,
    /// HTTPS by SNI.
    pub https: SocketAddr,
    /// The panel's own door.
    pub panel: SocketAddr,
    /// MySQL over TCP.
    pub mysql_tcp: SocketAddr,
}

/// The front doors of one node. Cheap to clone: clones are the same doors.
#[derive(Clone)]
pub struct AwesomeProxy {
    shared: Arc<Shared>,
    addresses: BoundAddresses,
}

impl fmt::Debug for AwesomeProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwesomeProxy")
            .field("me", &self.shared.me)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl AwesomeProxy {
    /// Opens all doors. Until [`AwesomeProxy::set_routes`] nobody is let in; until
    /// [`AwesomeProxy::open_gate`] nothing is served from here. The work runs in children of `tasks`.
    ///
    /// # Errors
    /// When a port or the MySQL socket is taken or can't be opened; then nothing stays open.
    pub fn start(
        config: ProxyConfig,
        me: NodeId,
        dial: Arc<dyn Dial>,
        certificates: Arc<dyn CertificateSource>,
        clock: Clock,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let sockets = Sockets::open(&config)?;
        let proxy = Self::start_on(sockets, None, config, me, dial, certificates, clock, tasks)?;
        proxy.admit();
        Ok(proxy)
    }

    /// Opens all doors on sockets that listen already. Nobody is let in before
    /// [`AwesomeProxy::set_routes`] and [`AwesomeProxy::admit`]. On `predecessor` the process before
    /// this one brings the requests of visitors who are connected to it; who can open it is believed
    /// whatever they say of a visitor.
    ///
    /// # Errors
    /// When the sockets can't be used.
    #[expect(clippy::too_many_arguments, reason = "each is another room's")]
    pub fn start_on(
        sockets: Sockets,
        predecessor: Option<UnixListener>,
        config: ProxyConfig,
        me: NodeId,
        dial: Arc<dyn Dial>,
        certificates: Arc<dyn CertificateSource>,
        clock: Clock,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let http = nonblocking(sockets.http)?;
        let https = nonblocking(sockets.https)?;
        let panel = nonblocking(sockets.panel)?;
        let mysql_tcp = nonblocking(sockets.mysql_tcp)?;
        let mysql_socket = nonblocking_unix(sockets.mysql_socket)?;
        let predecessor = predecessor.map(nonblocking_unix).transpose()?;
        let addresses = BoundAddresses {
            http: bound(&http, config.http),
            https: bound(&https, config.https),
            panel: bound(&panel, config.panel),
            mysql_tcp: bound(&mysql_tcp, config.mysql_tcp),
        };
        let limits = &config.limits;
        let shared = Arc::new(Shared {
            me,
            table: Arc::new(ArcSwap::from_pointee(RoutingTable::empty(me))),
            doors: Doors::new(clock.clone(), limits.gate_lease),
            room: Arc::new(WaitingRoom::new(limits)),
            upstreams: Upstreams::new(limits),
            connections: Census::new(limits.connections, limits.connections_per_address),
            mysql_sessions: Arc::new(Semaphore::new(limits.mysql_sessions)),
            dial,
            certificates,
            clock,
            tasks: tasks.child(),
            visitors: tasks.child(),
            admission: Admission::default(),
            succession: Succession::default(),
            config,
        });
        let tls = crate::http::tls::acceptor(&shared)?;
        let https_port = addresses.https.port();
        crate::http::serve(&shared, http, Entrance::Plain { https_port }, None);
        crate::http::serve(&shared, https, Entrance::Secure, Some(tls.clone()));
        crate::http::serve(&shared, panel, Entrance::Panel, Some(tls));
        if let Some(listener) = predecessor {
            crate::http::predecessor::serve(&shared, listener, https_port);
        }
        crate::http::upstream::sweep(&shared);
        crate::mysql::serve_tcp(&shared, mysql_tcp);
        crate::mysql::serve_socket(&shared, mysql_socket);
        tracing::info!(http = %addresses.http, https = %addresses.https, panel = %addresses.panel,
            mysql = %addresses.mysql_tcp, "front doors are open");
        Ok(Self { shared, addresses })
    }

    /// Lets visitors in, as soon as there is a routing table: the panel and the API are ready. Who
    /// came before waits in the kernel's queue.
    pub fn admit(&self) {
        self.shared.admission.ready();
    }

    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> BoundAddresses {
        self.addresses
    }

    /// Takes a new table; requests that wait look again if their dataset's route changed.
    pub fn set_routes(&self, table: RoutingTable) {
        self.shared.set_routes(table);
    }

    /// The table in use: the one to make the next from ([`RoutingTable::followed_by`]).
    #[must_use]
    pub fn routes(&self) -> Arc<RoutingTable> {
        self.shared.table.load_full()
    }

    /// Serves a dataset from this node under this epoch. Repeating it changes nothing; another
    /// epoch ends what still runs under the old one.
    pub fn open_gate(&self, dataset: DatasetId, epoch: Epoch) {
        self.shared.doors.open(dataset, epoch);
        self.shared.note_way(&self.shared.doors.door(dataset));
    }

    /// Lets no new request or connection in (they wait); those inside go on: [`AwesomeProxy::drain`]
    /// waits for them, [`AwesomeProxy::fence`] ends them. For planned moves.
    pub fn close_gate(&self, dataset: DatasetId) {
        self.shared.doors.close(dataset);
        self.shared.note_way(&self.shared.doors.door(dataset));
    }

    /// Closes the gate and ends at once what is inside: answers are cut, MySQL sessions are closed,
    /// requests that may be repeated go to the next live node. When it returns nothing more is
    /// dispatched to this node's services.
    pub fn fence(&self, dataset: DatasetId) {
        self.shared.doors.fence(dataset);
        self.shared.note_way(&self.shared.doors.door(dataset));
    }

    /// The epoch under which this node serves a dataset; none while its gate is closed.
    #[must_use]
    pub fn gate(&self, dataset: DatasetId) -> Option<Epoch> {
        self.shared.doors.door(dataset).open_epoch()
    }

    /// Waits until nothing is inside any more, at most `deadline`; returns how much still is.
    pub async fn drain(&self, dataset: DatasetId, deadline: Duration) -> usize {
        self.shared.doors.drain(dataset, deadline).await
    }

    /// Closes the gate for a planned move, lets what is inside end for at most `Limits::drain`, and
    /// cuts the rest. Returns how much was cut; when it returns nothing is inside. What becomes of
    /// whom is told in [`crate::gates`].
    pub async fn clear(&self, dataset: DatasetId) -> usize {
        self.close_gate(dataset);
        let left = self.drain(dataset, self.shared.config.limits.drain).await;
        if left > 0 {
            self.fence(dataset);
            let still = self.drain(dataset, CUT_LIMIT).await;
            if still > 0 {
                tracing::error!(%dataset, still, "requests that were cut did not end");
            }
        }
        left
    }

    /// The conductor's word that it looked at the clock and found no gap. With
    /// `Limits::gate_lease` set, the gates of a node that was frozen are not believed before it.
    pub fn vouch(&self) {
        self.shared.doors.vouch();
    }

    /// Serves visitors' requests that another node's front door sends here, until `stream` ends.
    /// `peer` is the node that TLS proved.
    pub async fn serve_http_peer(&self, peer: NodeId, stream: PeerStream) {
        crate::http::serve_peer(Arc::clone(&self.shared), peer, stream).await;
    }

    /// Serves one MySQL session that another node's front door sends here, until it ends.
    /// `peer` is the node that TLS proved.
    pub async fn serve_mysql_peer(&self, peer: NodeId, stream: PeerStream) {
        crate::mysql::peer::serve(Arc::clone(&self.shared), peer, stream).await;
    }

    /// What clients at this node noticed of a pause: those whose wait ended, or who were failed by
    /// it, within the last `within`, and for how long of that time requests for the dataset had
    /// nowhere to go from here. A site's clients are visitors, a database's are MySQL sessions.
    ///
    /// For a move's receipt ask all nodes when it is over, for the time since its beginning, and
    /// some hundred milliseconds more; `held` and `failed` add up, of the others take the greatest:
    /// everything is counted on one node only.
    #[must_use]
    pub fn pause(&self, dataset: DatasetId, within: Duration) -> Pause {
        self.shared.doors.pause(dataset, within)
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        self.shared.doors.stats()
    }

    /// Closes the listeners, answers what waits with "come back", lets running requests end for at
    /// most `deadline`, then cuts them. Returns the names of the tasks that had to be cut.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<String> {
        self.shared.upstreams.forget_idle();
        let ending = (
            self.shared.tasks.stop(deadline),
            self.shared.visitors.stop(deadline),
        );
        let (mut late, visitors) = futures::join!(ending.0, ending.1);
        late.extend(visitors);
        late
    }

    /// Gives way to the next process on this node: closes the listeners and everything but visitors'
    /// connections. Their requests are from here on brought to `successor`, the socket on which the
    /// next process takes them (`predecessor` of [`AwesomeProxy::start_on`]). What becomes of whom is
    /// told in [`crate::succession`].
    ///
    /// The tasks that the proxy was started with must not be stopped before [`Lingering::last`].
    pub async fn linger(&self, successor: PathBuf) -> Lingering {
        let lingering = Lingering::begin(&self.shared, successor);
        self.shared.upstreams.forget_idle();
        self.shared.tasks.stop(SETTLE_LIMIT).await;
        tracing::info!(
            connections = lingering.connections(),
            "front doors give way to the next daemon"
        );
        lingering
    }
}

fn nonblocking(listener: std::net::TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

fn nonblocking_unix(listener: UnixListener) -> io::Result<tokio::net::UnixListener> {
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

fn bound(listener: &tokio::net::TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
