//! The settings that all nodes share: openraft, log and state in one SQLite file per node.
//!
//! A [`Change`](hwc_api::change::Change) is judged and applied in the same transaction on every
//! node, in the same order; it is acknowledged when a majority of voters has it on disk. Reading
//! needs nobody else: [`Registry::desired`] is this node's own copy.
//!
//! It does not know who connects the nodes (`hwc_runtime::dial`) nor what the settings are for.
//!
//! - `registry`: the handle that the conductor holds; `submit`: a change's way to the leader.
//! - `rules`: what a change means, pure; `settings`: the state in memory; `tables`: as rows.
//! - `store`: openraft's log and state machine; `network`, `serve`: its calls, both ends.
//! - `voters`: who should vote, pure; `membership`: openraft's membership, kept in step.
//! - `rescue`: going on without nodes that are gone for good.

mod catch_up;
mod core;
mod error;
mod membership;
mod network;
mod proposed;
mod raft_types;
mod registry;
mod rescue;
mod rules;
mod serve;
mod settings;
mod status;
mod store;
mod submit;
mod tables;
mod timing;
mod voters;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod samples;

pub use error::OpenError;
pub use registry::{Registry, RegistryConfig};
pub use rescue::Loss;
pub use status::{RegistryStatus, Standing};
pub use timing::Timing;
