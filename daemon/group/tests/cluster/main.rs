//! Nodes on this machine's loopback that really talk: TLS streams and sealed datagrams.

mod boards;
mod calls;
mod deaths;
mod joining;
mod streams;
mod world;
