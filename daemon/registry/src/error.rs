//! What can go wrong when the registry is opened or closed. Changes are answered with
//! [`hwc_api::problem::Problem`] instead.

use hwc_api::ids::NodeId;
use std::path::PathBuf;

/// Why the registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or the file can't be made or opened.
    #[error("open registry file {}", path.display())]
    File {
        /// The database file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("registry {} is in use by another process; stop the other hwcd first", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// SQLite refuses it, or what it holds can't be understood.
    #[error("open registry database {}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Its tables can't be brought up to date.
    #[error("migrate registry database {}", path.display())]
    Migrate {
        /// The database file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// It is the store of another node.
    #[error(
        "registry {} belongs to node {owner}, this is node {me}; a node that joins anew needs an \
         empty store",
        path.display()
    )]
    OtherNode {
        /// The database file.
        path: PathBuf,
        /// Whose it is.
        owner: NodeId,
        /// Who we are.
        me: NodeId,
    },
    /// The node had a store, and it is gone.
    #[error(
        "registry {} is not the one that node {me} had: {} names another. What it had \
         acknowledged is lost, so it must not vote again. Remove node {me} on another node (hwc \
         node remove), empty this node's state folder, and let it join again",
        path.display(), marker.display()
    )]
    Lost {
        /// The database file.
        path: PathBuf,
        /// The note that there was another one.
        marker: PathBuf,
        /// Who we are.
        me: NodeId,
    },
    /// openraft does not start from it.
    #[error("start openraft")]
    Raft(#[source] Box<dyn std::error::Error + Send + Sync>),
}
