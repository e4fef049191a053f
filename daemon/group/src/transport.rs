//! Authenticated streams between nodes: one TCP port, TLS 1.3, certificates on both sides.
//!
//! What a stream is for stands in its ALPN name ([`Service`]). All but joining need a certificate of
//! the cluster's node authority; who is at the other end is read from it, and must be in the roster.
//! A node that is removed loses its open streams at once. The acceptor says one byte after it has
//! admitted the dialler, so that a dialler who got a stream knows that it is wanted: whatever it
//! writes is read by the room it asked for, or by nobody. To a node that was removed it says that,
//! once it knows who it is: the node may have been away at the time ([`Transport::removed_by`]).
//!
//! TLS buffers: whoever writes must flush before waiting for an answer.

mod guard;
mod listen;
mod refusal;
mod socket;
pub(crate) mod tls;

pub use refusal::StreamRefusal;

use crate::identity::{NodeIdentity, PeerName};
use crate::profile::StreamTiming;
use crate::roster::{Roster, SharedRoster};
use futures::future::BoxFuture;
use guard::Guarded;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, DialError, PeerStream, Service};
use hwc_runtime::lifecycle::Tasks;
use refusal::StreamRefusals;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// Streams that wait for their room; a room takes them within milliseconds or is stuck.
const QUEUE_LENGTH: usize = 64;
/// What the acceptor says when it has admitted the dialler.
const WELCOME: u8 = b'+';
/// What it says to a node that was removed from the cluster.
const REMOVED: u8 = b'-';

/// A stream that another node opened.
pub struct Incoming {
    /// The node, as its certificate says.
    pub peer: NodeId,
    /// The stream.
    pub stream: PeerStream,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A stream of somebody without a certificate, who wants to join.
pub(crate) struct Joining {
    pub(crate) address: SocketAddr,
    pub(crate) stream: PeerStream,
}

/// Why the port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error("port {} of {} is taken by another program: is hwcd running already?", address.port(), address.ip())]
    PortTaken {
        /// The address.
        address: SocketAddr,
    },
    /// The machine has no such address, or something else is wrong with it.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The identity's key or certificates are not usable.
    #[error("use the node's certificate")]
    Certificate(#[from] rustls::Error),
}

impl BindError {
    pub(crate) fn new(address: SocketAddr, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            Self::PortTaken { address }
        } else {
            Self::Listen { address, source }
        }
    }
}

/// The node's end of all streams. Clones are the same end.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

struct Shared {
    me: PeerName,
    address: SocketAddr,
    roster: SharedRoster,
    timing: StreamTiming,
    connectors: BTreeMap<Service, TlsConnector>,
    acceptors: tls::Acceptors,
    doors: Mutex<Doors>,
    refusals: StreamRefusals,
    removed_by: watch::Sender<Option<NodeId>>,
}

/// Where accepted streams go, and by what the streams of each peer can be cut.
#[derive(Default)]
struct Doors {
    rooms: BTreeMap<Service, mpsc::Sender<Incoming>>,
    joining: Option<mpsc::Sender<Joining>>,
    cuts: BTreeMap<NodeId, CancellationToken>,
}

impl Transport {
    /// Opens the port and begins to accept.
    ///
    /// # Errors
    /// When the port is taken, the address is not ours, or the identity is not usable.
    pub async fn bind(
        address: SocketAddr,
        identity: &NodeIdentity,
        roster: SharedRoster,
        timing: StreamTiming,
        tasks: &Tasks,
        clock: &Clock,
    ) -> Result<Self, BindError> {
        let acceptors = tls::acceptors(identity, clock)?;
        let connectors = tls::connectors(identity, clock)?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| BindError::new(address, source))?;
        let address = listener
            .local_addr()
            .map_err(|source| BindError::Listen { address, source })?;
        let transport = Self(Arc::new(Shared {
            me: identity.name(),
            address,
            roster,
            timing,
            connectors,
            acceptors,
            doors: Mutex::default(),
            refusals: StreamRefusals::default(),
            removed_by: watch::Sender::default(),
        }));
        listen::spawn(transport.clone(), listener, tasks);
        transport.spawn_cutter(tasks);
        Ok(transport)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.me.node
    }

    /// The roster that it obeys.
    #[must_use]
    pub fn roster(&self) -> &SharedRoster {
        &self.0.roster
    }

    /// How many connections were refused since the start, and why.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<StreamRefusal, u64> {
        self.0.refusals.counts()
    }

    /// The node that said that this one was removed from the cluster, once one has. It has proved by
    /// TLS that it belongs to the cluster itself.
    #[must_use]
    pub fn removed_by(&self) -> watch::Receiver<Option<NodeId>> {
        self.0.removed_by.subscribe()
    }

    /// Replaces the roster. Streams of nodes that it removes break at once.
    pub fn set_roster(&self, roster: Roster) {
        self.0.roster.set(roster);
    }

    /// The streams that other nodes open for `service`. Before the first call, and after the
    /// receiver is dropped, they are refused; a second call takes over from the first.
    #[must_use]
    pub fn incoming(&self, service: Service) -> mpsc::Receiver<Incoming> {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        self.doors().rooms.insert(service, sender);
        receiver
    }

    pub(crate) fn joining(&self) -> mpsc::Receiver<Joining> {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        self.doors().joining = Some(sender);
        receiver
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.0.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By which the streams of a peer are cut, or nothing for nodes that are not in the roster. The
    /// token is taken before the roster is looked at, so that a removal in between cuts it.
    fn admit(&self, peer: NodeId) -> Option<CancellationToken> {
        let cut = self.doors().cuts.entry(peer).or_default().clone();
        self.0.roster.get().admits(peer).then_some(cut)
    }

    /// Cuts the streams of nodes that leave the roster.
    fn spawn_cutter(&self, tasks: &Tasks) {
        let transport = self.clone();
        let mut roster = self.0.roster.watch();
        tasks.spawn_until_stopped("cut removed nodes", async move {
            loop {
                let current = Arc::clone(&roster.borrow_and_update());
                transport.doors().cuts.retain(|node, cut| {
                    let stays = current.admits(*node);
                    if !stays {
                        cut.cancel();
                    }
                    stays
                });
                if roster.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    async fn open(&self, node: NodeId, service: Service) -> Result<PeerStream, DialError> {
        let cut = self.admit(node).ok_or(DialError::UnknownNode(node))?;
        let address = self.0.roster.get().address(node);
        let address = address.ok_or(DialError::UnknownNode(node))?;
        let stream = timeout(self.0.timing.connect, TcpStream::connect(address))
            .await
            .unwrap_or_else(|elapsed| Err(elapsed.into()))
            .map_err(|source| DialError::Connect { node, source })?;
        let shaken = timeout(self.0.timing.handshake, self.shake(node, service, stream));
        let stream = shaken
            .await
            .unwrap_or_else(|elapsed| Err(elapsed.into()))
            .map_err(|source| DialError::Handshake { node, source })?;
        Ok(Box::new(Guarded::new(stream, cut)))
    }

    async fn shake(
        &self,
        node: NodeId,
        service: Service,
        stream: TcpStream,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        socket::tune(&stream, self.0.timing.unacknowledged)?;
        let peer = PeerName {
            cluster: self.0.me.cluster.clone(),
            node,
        };
        let (Some(name), Some(connector)) = (peer.server_name(), self.0.connectors.get(&service))
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut stream = connector.connect(name, stream).await?;
        if stream.get_ref().1.alpn_protocol() != Some(service.alpn().as_bytes()) {
            return Err(io::Error::other(
                "the other node does not know this service",
            ));
        }
        match stream.read_u8().await? {
            WELCOME => Ok(stream),
            REMOVED => {
                self.0.removed_by.send_replace(Some(node));
                Err(io::Error::other("this node was removed from the cluster"))
            }
            _other => Err(io::Error::other("the other node did not welcome us")),
        }
    }
}

impl Dial for Transport {
    fn dial(&self, node: NodeId, service: Service) -> BoxFuture<'_, Result<PeerStream, DialError>> {
        Box::pin(self.open(node, service))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("me", &self.0.me)
            .field("address", &self.0.address)
            .finish_non_exhaustive()
    }
}
