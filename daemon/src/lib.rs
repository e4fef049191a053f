//! `hwcd`, the per-node daemon, and `hwc`, the command line: wiring only.
//!
//! The rooms (state-machine, group, registry, hcfs, yakd, awesome-proxy) don't know each other;
//! here they are introduced. [`keeper`] stands between systemd and the rest; [`start`] builds a node
//! from its configuration and its identity; [`conductor`] feeds the brain and carries out what it
//! decides; [`api`] is the public face; [`setup`] is what a node without a cluster answers; [`cli`]
//! is `hwc`.

pub mod api;
pub mod cli;
pub mod client;
pub mod conductor;
pub mod config;
pub mod identity;
pub mod install;
pub mod journals;
pub mod keeper;
pub mod load;
pub mod moves;
pub mod network;
pub mod node;
pub mod observe;
pub mod password;
pub mod picture;
pub mod place;
pub mod recorder;
pub mod removal;
pub mod rows;
pub mod session;
pub mod setup;
pub mod start;
pub mod view;
