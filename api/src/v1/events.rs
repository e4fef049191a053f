//! What is told over the WebSocket `/events`: the things in sight, whole, whenever they change.
//!
//! The first messages after connecting are the present state, so that a client that was away
//! needs nothing else; then each object anew when it changes, at most a few times a second.

use super::{AccountView, JobView, NodeView, SiteView};
use crate::ids::{AccountId, SiteId};
use serde::{Deserialize, Serialize};

/// One message to the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
pub enum Event {
    /// A site is new or changed.
    Site(Box<SiteView>),
    /// A site is gone.
    SiteGone(SiteId),
    /// A job began, advanced or ended.
    Job(Box<JobView>),
    /// A node is new or changed (administrators).
    Node(Box<NodeView>),
    /// An account is new or changed (administrators).
    Account(Box<AccountView>),
    /// An account is gone (administrators).
    AccountGone(AccountId),
    /// Whether settings can be changed, and up to which change they are in force everywhere.
    Settings {
        /// Whether a majority of voters is in reach.
        is_writable: bool,
        /// Index of the newest applied change.
        index: u64,
        /// Nodes whose services follow it.
        nodes_applied: u32,
        /// Nodes in all.
        nodes: u32,
    },
    /// The session is over; the connection closes after this.
    SignedOut,
}
