//! openraft's calls between nodes, over the streams of [`hwc_runtime::dial`].
//!
//! - [`frame`]: length-prefixed messages; [`call`]: what they say; [`claim`]: what a leader
//!   believes of a follower.
//! - [`peers`]: a few kept connections per node, one call at a time on each.
//! - [`raft_network`]: openraft's view of it.
//!
//! The other end is in `serve`.

pub(crate) mod call;
pub(crate) mod claim;
pub(crate) mod frame;
pub(crate) mod peers;
pub(crate) mod raft_network;
