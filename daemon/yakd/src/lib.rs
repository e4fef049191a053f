//! Keeps Apache, PHP, MariaDB and accounts of this node equal to what the registry asks for.
//!
//! gather → validate → render → check → apply → report: [`gather`] takes typed parts out of the
//! registry, [`render`] turns them into files (pure), [`check`] lets each service's own checker
//! judge a staged copy, [`files`] swaps them in, and a [`Report`] says what came of it. What runs
//! for a live dataset is started and stopped by [`Yakd::start_dataset`] and
//! [`Yakd::stop_dataset`]; [`apps`] installs one-click applications.
//!
//! Nothing here decides who is live, and nothing here speaks to other nodes.

pub mod apps;
pub mod check;
pub mod config;
mod database_template;
mod dataset;
pub mod error;
pub mod escape;
pub mod files;
pub mod gather;
pub mod home;
pub mod hosts;
mod processes;
pub mod reconcile;
pub mod render;
mod systemd;

pub use config::NodeConfig;
pub use dataset::StopKind;
pub use hosts::Hosts;
pub use reconcile::{Report, Yakd};
