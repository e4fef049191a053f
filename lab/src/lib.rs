//! Several full Debian nodes on one machine, for the demo, the tests and the benchmarks.
//!
//! [`Lab::up`] boots nodes (systemd in a container, disks of their own, a network of their own)
//! with our programs bound in; [`Lab::exec`] and [`Lab::client`] run commands in them; [`Lab::kill`],
//! [`Lab::powercut`], [`Lab::partition`] and the like break them. Dropping the value takes all of
//! it away. The program `hwc-lab` is a thin layer over this library; see `README.md` beside it.
//!
//! All state is the kernel's plus one directory per lab ([`state`]); other programs are run through
//! [`command`] alone; every wait has a [`deadline`].

pub mod apt;
pub mod bench;
pub mod cgroup;
pub mod cluster;
pub mod command;
pub mod deadline;
pub mod delay;
pub mod error;
pub mod faults;
pub mod forward;
pub mod gc;
mod helper;
pub mod image;
pub mod interrupt;
pub mod lab;
pub mod load;
pub mod machine;
pub mod mounts;
pub mod names;
mod network;
pub mod node;
pub mod progress;
pub mod state;
pub mod subnet;
mod teardown;
pub mod visitors;
mod wordpress;

pub use command::Output;
pub use error::{Error, Result};
pub use forward::Targets;
pub use lab::{Boot, Lab, LabOptions, LabStatus};
pub use names::LabId;
pub use node::{Node, NodeState};
pub use progress::Progress;
