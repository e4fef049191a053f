//! Nodes on this machine's loopback that really talk: TLS streams and sealed datagrams.
#![expect(
    clippy::expect_used,
    reason = "clippy knows test functions, not their helpers"
)]

mod boards;
mod calls;
mod deaths;
mod joining;
mod keys;
mod streams;
mod world;
