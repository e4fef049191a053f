//! What every long-running part of the daemon shares, and nothing that knows what they do.
//!
//! - [`clock`]: the one way to ask for the time; tests hand in their own.
//! - [`lifecycle`]: every task has a name, an owner and an end.
//! - [`periodic`]: work that is woken by a timer and by a signal.
//! - [`command`]: run a program; never a shell.
//! - [`files`]: write a file whole or not at all.
//! - [`dial`]: how the rooms reach their counterparts on other nodes without knowing `group`.
//! - [`random`]: randomness for secrets and boots.

pub mod clock;
pub mod command;
pub mod dial;
pub mod files;
pub mod lifecycle;
pub mod periodic;
pub mod random;
