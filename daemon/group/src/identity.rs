//! Who we are: the cluster's authority, this node's certificate, the number of this start.
//!
//! All of it lies in one folder ([`DEFAULT_FOLDER`]), readable by root alone: `identity.json` (the
//! authority, the secrets, the node's certificate and key: written whole or not at all) and
//! `start.json` (how often the daemon began). Every node holds the authority, because any node must
//! be able to admit the next one, and every node is equivalent to root on all of them anyway.
//! The authority travels in one way only: in the answer to a join, inside TLS.

mod authority;
mod encoding;
mod node;
mod peer_name;
mod secret;
mod start;

pub use authority::{CertificateAuthority, ClusterAuthority, ClusterSecrets, SealingKey};
pub use node::NodeIdentity;
pub use peer_name::{PeerName, PeerNameError};
pub use secret::{Fingerprint, SecretBytes, SecretDer};
pub use start::Start;

use hwc_api::ids::NodeId;
use std::path::PathBuf;

/// Where a node keeps its identity.
pub const DEFAULT_FOLDER: &str = "/var/lib/hwc/identity";

/// This node, in this life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Me {
    /// The node.
    pub node: NodeId,
    /// Which life of its daemon.
    pub start: Start,
}

/// Why an identity could not be made, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A key or certificate could not be made or signed.
    #[error("make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A certificate could not be read.
    #[error("read the name in a certificate")]
    Name(#[from] PeerNameError),
    /// A file could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else than what we wrote.
    #[error("understand {}: restore it from another copy, or remove the node and join again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}
