//! The API as it is: the real router, a real registry on disk, a real group on the loopback.
#![expect(clippy::expect_used, reason = "a fixture that fails is a failed test")]

#[path = "api/access.rs"]
mod access;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/cluster.rs"]
mod cluster;
#[path = "api/command_line.rs"]
mod command_line;
#[path = "api/fixture.rs"]
mod fixture;
#[path = "api/moves.rs"]
mod moves;
#[path = "api/nodes.rs"]
mod nodes;
#[path = "api/registry.rs"]
mod registry;
#[path = "api/sessions.rs"]
mod sessions;
