//! Node to node: identity, membership, state exchange, sealed datagrams, authenticated streams.
//!
//! - [`identity`]: the cluster's authority and secrets, a node's certificate, the number of a start.
//! - [`join`]: how a server without a certificate becomes a node.
//! - [`roster`]: which nodes there are and where; told by the conductor, from the registry.
//! - [`profile`]: how patient the room is: all timers in one table, for LAN and WAN.
//! - [`transport`]: mutually authenticated streams; implements [`hwc_runtime::dial::Dial`].
//! - [`datagram`]: sealed datagrams, safe against forgery and replay.
//! - [`keys`]: the keys of sealed datagrams, and how they are replaced.
//! - [`membership`]: who is up: SWIM (foca) over sealed datagrams, joined with what streams tell.
//! - [`board`]: every node's own facts, shown to the others within milliseconds.
//! - [`calls`]: small questions and answers between the nodes' conductors.
//! - [`group`]: all of it, started in the right order.
//!
//! # Cores without a clock
//! [`membership::MembershipCore`] and [`board::BoardCore`] are what a node runs, without sockets,
//! tasks or a clock: `handle(now, input) -> Vec<output>`, to be called again at `next_deadline()` at
//! the latest. A simulator runs the same ones under virtual time:
//!
//! ```
//! use hwc_api::ids::{BootId, NodeId};
//! use hwc_group::board::{BoardConfig, BoardCore, BoardInput, BoardOutput};
//! use hwc_group::identity::{Me, Start};
//! use hwc_group::membership::{Input, MembershipConfig, MembershipCore, Output};
//! use hwc_group::profile::Profile;
//! use hwc_runtime::clock::Moment;
//!
//! let start = Start { number: 1, boot: BootId(77) };
//! let me = Me { node: NodeId(1), start };
//! let timing = Profile::Lan.timing();
//! let peers = [NodeId(2)];
//! let config = MembershipConfig { timing: timing.membership, peers: peers.into() };
//! let mut membership = MembershipCore::new(config, me, 42);
//! let config = BoardConfig { timing: timing.board, peers: peers.into() };
//! let mut board = BoardCore::new(config, me, 43);
//!
//! let now = Moment(0);
//! for output in board.handle(now, BoardInput::Tick) {
//!     match output {
//!         // What the streams notice is evidence for membership.
//!         BoardOutput::Sign(node, sign) => drop(membership.handle(now, Input::Sign(node, sign))),
//!         BoardOutput::Dial { node } => assert_eq!(node, NodeId(2)),
//!         BoardOutput::Send { .. } | BoardOutput::Close { .. } | BoardOutput::Event(_) => {}
//!     }
//! }
//! for output in membership.handle(now, Input::Tick) {
//!     match output {
//!         // Given to the other core as `Input::Datagram { from: NodeId(1), content }`, or lost.
//!         Output::Send { to, content } => assert!(to == NodeId(2) && !content.is_empty()),
//!         Output::Event(_) | Output::Refused(_) => {}
//!     }
//! }
//! assert!(membership.next_deadline() > now && board.next_deadline().is_none());
//! ```
//!
//! Nothing here knows what a site or a dataset is. Every node holds the cluster's authority: whoever
//! is root on one node can act as any node. What the room protects is the border of the cluster.

pub mod board;
pub mod calls;
pub mod datagram;
pub mod group;
pub mod identity;
pub mod join;
pub mod keys;
pub mod membership;
pub mod profile;
pub mod roster;
mod sealing;
pub mod transport;

pub use group::{Group, GroupSettings, GroupTuning, Refusals};

/// The port of both the streams (TCP) and the datagrams (UDP) between nodes.
pub const DEFAULT_PORT: u16 = 7400;
