//! Node to node: identity, membership, state exchange, sealed datagrams, authenticated streams.
//!
//! - [`identity`]: the cluster's authority and secrets, a node's certificate, the number of a start.
//! - [`join`]: how a server without a certificate becomes a node.
//! - [`roster`]: which nodes there are and where; told by the conductor, from the registry.
//! - [`transport`]: mutually authenticated streams; implements [`hwc_runtime::dial::Dial`].
//! - [`datagram`]: sealed datagrams, safe against forgery and replay.
//! - [`membership`]: who is up: SWIM (foca) over sealed datagrams, joined with what streams tell.
//! - [`board`]: every node's own facts, shown to the others within milliseconds.
//! - [`calls`]: small questions and answers between the nodes' conductors.
//! - [`group`]: all of it, started in the right order.
//!
//! Nothing here knows what a site or a dataset is. Every node holds the cluster's authority: whoever
//! is root on one node can act as any node. What the room protects is the border of the cluster.

pub mod board;
pub mod calls;
pub mod datagram;
pub mod group;
pub mod identity;
pub mod join;
pub mod membership;
pub mod roster;
pub mod transport;

pub use group::{Group, GroupSettings};

/// The port of both the streams (TCP) and the datagrams (UDP) between nodes.
pub const DEFAULT_PORT: u16 = 7400;
