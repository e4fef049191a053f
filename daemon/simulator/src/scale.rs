//! A large cluster: how fast it agrees, what it sends and decides, how much memory that takes.
//!
//! The other worlds of this crate look for mistakes, with a handful of nodes. This one looks for work
//! that grows too fast: a thousand nodes and a hundred thousand datasets start at once, live in
//! peace, lose one node, lose a zone, and get all back, under virtual time and from a seed. One
//! packet in a hundred is lost. What dies loses its power: nobody refuses a connection in its name.
//!
//! # What is real, and what is a sample
//! - **Membership**: the real core (foca) of every node, knowing all others.
//! - **Boards**: the real core of every node. Few nodes ([`Figures::whole_nodes`]) are *whole*: they
//!   have a stream to and from every other node and everything that all nodes show. The others have
//!   streams with the nodes that they share datasets with, and with the whole ones: a million
//!   streams would take more memory than a thousand machines lend. Bytes of boards are those of the
//!   whole nodes, which are what any node would send.
//! - **Brains**: the real one of every node. Whole nodes' brains are told of every node and every
//!   record, one of them leads the registry; most share datasets with the node that dies alone. The
//!   others' brains are told of their own datasets and of the nodes that hold them, which is all
//!   that ownership rests on. Steps and memory are those of the whole nodes' brains.
//! - **Made up**: disks, services and streams of data, which take a fixed while and never fail; the
//!   registry, which never changes; load, which is drawn anew for each report and is never high;
//!   visitors, who write to every dataset now and then.
//!
//! Bytes are counted as a wire has them: with UDP, TCP and IP headers and the seals of datagrams and
//! streams, without acknowledgements of TCP; only what a node sends.

mod course;
mod executor;
mod figures;
mod layout;
mod living;
mod meter;
mod network;
mod node;
mod queue;
mod shown;
mod talking;
mod world;

pub use figures::{Bytes, Death, Figures, Rates, Start};
pub use meter::Stopwatch;

use hwc_group::profile::Profile;
use layout::Layout;
use std::time::Duration;

/// How large, and from which seed.
#[derive(Debug, Clone, Copy)]
pub struct ScaleSetup {
    /// Nodes.
    pub nodes: u16,
    /// Datasets, each with three copies.
    pub datasets: u32,
    /// Zones that the nodes are spread over.
    pub zones: u16,
    /// So many nodes share datasets with each other, and with nobody else.
    pub group: u16,
    /// How patient the nodes are.
    pub profile: Profile,
    /// Visitors write to a dataset so often.
    pub write_every: Duration,
    /// How long peace is measured; half as long the time after each death.
    pub minute: Duration,
    /// Where chance comes from.
    pub seed: u64,
    /// Processor time of this thread.
    pub stopwatch: Stopwatch,
}

impl ScaleSetup {
    /// So many nodes and datasets, twenty zones, a snapshot of each dataset every ten minutes.
    #[must_use]
    pub const fn of(nodes: u16, datasets: u32, stopwatch: Stopwatch) -> Self {
        Self {
            nodes,
            datasets,
            zones: 20,
            group: 5,
            profile: Profile::Lan,
            write_every: Duration::from_secs(600),
            minute: Duration::from_secs(60),
            seed: 1,
            stopwatch,
        }
    }
}

/// Why there are no figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Too few nodes for the zones and groups.
    #[error("{nodes} nodes are too few for {zones} zones and groups of {group}")]
    TooSmall {
        /// Nodes.
        nodes: u16,
        /// Zones.
        zones: u16,
        /// Nodes that share datasets.
        group: u16,
    },
    /// Something did not come about.
    #[error("{what}: not after {limit_s} s, {missing} missing")]
    NotReached {
        /// What was waited for.
        what: &'static str,
        /// Seconds of virtual time.
        limit_s: u64,
        /// How many nodes or datasets.
        missing: usize,
    },
    /// What must not happen.
    #[error("{count} times {what}")]
    Violated {
        /// What happened.
        what: &'static str,
        /// How often.
        count: u64,
    },
}

/// Runs it all; `tell` hears how far it is.
///
/// # Errors
/// When the nodes don't agree in time, or a dataset is served twice.
pub fn run(setup: ScaleSetup, tell: impl FnMut(&str)) -> Result<Figures, Fault> {
    let ScaleSetup {
        nodes,
        zones,
        group,
        ..
    } = setup;
    let layout = Layout::new(nodes, setup.datasets, zones, group);
    let layout = layout.ok_or(Fault::TooSmall {
        nodes,
        zones,
        group,
    })?;
    course::run(setup, layout, tell)
}

/// Starts membership alone and kills one node: how long until all others know. For profiles whose
/// other figures are those of any profile.
///
/// # Errors
/// As [`run`].
pub fn detection(setup: ScaleSetup) -> Result<Duration, Fault> {
    let ScaleSetup {
        nodes,
        zones,
        group,
        ..
    } = setup;
    let layout = Layout::new(nodes, 0, zones, group);
    let layout = layout.ok_or(Fault::TooSmall {
        nodes,
        zones,
        group,
    })?;
    course::detection(setup, layout)
}
