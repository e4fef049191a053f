//! How the rooms reach their counterparts on other nodes, without knowing who connects them.
//!
//! `group` implements [`Dial`] over mutual TLS; each room speaks its own protocol over the stream
//! that it gets. The conductor hands incoming streams to the room that the [`Service`] names, with
//! the node that TLS proved.

use futures::future::BoxFuture;
use hwc_api::ids::NodeId;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a stream between two nodes is for. Becomes the ALPN name of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Joining: spoken by a node that has no certificate yet.
    Join,
    /// The state exchange of `group`.
    Board,
    /// openraft's calls.
    Registry,
    /// Snapshots of HCFS.
    Snapshots,
    /// HTTP requests of visitors, from front door to live node.
    Http,
    /// MySQL connections, from front door to live node.
    Mysql,
    /// Small calls of the conductor: start a job, forward an API call.
    Calls,
}

impl Service {
    /// All services.
    pub const ALL: [Self; 7] = [
        Self::Join,
        Self::Board,
        Self::Registry,
        Self::Snapshots,
        Self::Http,
        Self::Mysql,
        Self::Calls,
    ];

    /// Its ALPN name.
    #[must_use]
    pub const fn alpn(self) -> &'static str {
        match self {
            Self::Join => "hwc-join/1",
            Self::Board => "hwc-board/1",
            Self::Registry => "hwc-registry/1",
            Self::Snapshots => "hwc-snapshots/1",
            Self::Http => "hwc-http/1",
            Self::Mysql => "hwc-mysql/1",
            Self::Calls => "hwc-calls/1",
        }
    }
}

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A stream to another node, both ends authenticated.
pub type PeerStream = Box<dyn Duplex>;

/// Why another node could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There is no such node in the cluster.
    #[error("node {0} is not in the cluster")]
    UnknownNode(NodeId),
    /// It did not accept a connection.
    #[error("connect to node {node}")]
    Connect {
        /// The node.
        node: NodeId,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It accepted, and is not who it should be, or does not want us.
    #[error("agree with node {node} on who we are")]
    Handshake {
        /// The node.
        node: NodeId,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Connects to other nodes. Has its own deadline: a call ends within a few seconds.
pub trait Dial: Send + Sync + 'static {
    /// Opens a stream for `service` on `node`.
    fn dial(&self, node: NodeId, service: Service) -> BoxFuture<'_, Result<PeerStream, DialError>>;
}
