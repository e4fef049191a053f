//! What is spoken on the wire, between nodes, with the panel and with the world.
//!
//! Types only: no IO, no clock, no async; serde is the one mechanism. It builds for WASM as well,
//! so that the panel in the browser speaks the very same types as the daemon.
//! Everything else of the project may depend on this crate; it depends on none of ours.
//!
//! - [`ids`] and [`names`]: what things are called; parsed once, at the edge.
//! - [`desired`]: what the registry says should be; [`change`]: how that is changed.
//! - [`ownership`]: who is live for a dataset, and which history each copy has.
//! - [`network`]: the kind of network between the nodes.
//! - [`observed`]: what each node reports of itself.
//! - [`moves`], [`balancing`], [`explanation`]: planned changes of live node, why they are made;
//!   [`pace`]: how long one takes.
//! - [`v1`]: the public JSON API: calls, answers, events.
//! - [`problem`]: what went wrong, in a form that a customer can act on.

pub mod balancing;
pub mod change;
pub mod desired;
pub mod explanation;
pub mod ids;
pub mod job;
pub mod moves;
pub mod names;
pub mod network;
pub mod observed;
pub mod ownership;
pub mod pace;
pub mod problem;
pub mod time;
pub mod v1;
