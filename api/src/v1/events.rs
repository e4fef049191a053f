//! What is told over the WebSocket `/events`: the things in sight, whole, whenever they change.
//!
//! The first messages after connecting are the present state, so that a client that was away
//! needs nothing else; [`Event::Whole`] ends them. Then each object anew when it changes, at most a
//! few times a second.

use super::{AccountView, DrainView, JobView, MoveView, NodeView, SiteView};
use crate::ids::{AccountId, DatasetId, NodeId, SiteId};
use crate::moves::{MoveProgress, MoveReceipt};
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
    /// A move is planned or under way, or got further.
    Move(Box<MoveView<MoveProgress>>),
    /// A dataset does not move any more.
    MoveGone(DatasetId),
    /// A move ended: its receipt. First the newest hundred.
    MoveEnded(Box<MoveView<MoveReceipt>>),
    /// A node is being emptied, or got further (administrators).
    Drain(Box<DrainView>),
    /// A node is not being emptied any more (administrators).
    DrainGone(NodeId),
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
    /// Everything in sight was told once since connecting: sites, moves, drains and accounts that
    /// were not are gone.
    Whole,
    /// The session is over; the connection closes after this.
    SignedOut,
}
