//! Many brains, virtual time, faults, seeds.
//!
//! A [`World`] is a cluster: of every node the real brain (`hwc-state-machine`) and the real group
//! (`hwc-group`'s cores: membership with foca, and the state exchange), and a made-up network,
//! registry, disks, streams and visitors around them, driven by one queue of happenings in virtual
//! time. Everything that is drawn comes from a seed, so that a run can be had again. [`chaos`] draws
//! faults and orders, [`campaign`] runs many seeds, [`scenario`] plays written scripts,
//! `hwc-simulate` is the program for it all.
//!
//! Datagrams of the group are lost, doubled, late and overtaken; streams of the boards keep their
//! order, are late where something was lost, and break. Left out is what lies below the cores:
//! sealing, TLS and sockets. What SWIM hardly ever does by itself, call a node dead that everybody
//! reaches, is done to brains all the same, as a fault ([`World::mistake`]).
//!
//! [`scale`] is a world of its own: a thousand nodes, and what they take.
//!
//! # What is checked
//! After every step, where the one thing that changed is looked at; every second of virtual time
//! ("watch"); whenever everything healed, up to three times a run ("rest"), at times with all acting
//! upon what the others showed a round ago.
//!
//! | | what | where |
//! |---|---|---|
//! | S1 | one writer an epoch; nothing written below the highest seen; no two nodes that know each other both serve; without a fault never two at once | `checks`, `checks::data`; with a bound, watch |
//! | S2 | `seen` is on disk before it is shown and never goes back on one disk | `checks` |
//! | S3 | nothing is written under an epoch that was served before a standstill | `checks::data` |
//! | S4 | names are unique, epochs do not fork, every copy is a path that was written, with the content that was written | `truth::history`, `checks::data` |
//! | S5 | what was written is on some disk after whatever a node did; a branch that was served gives in only to a winner that has it or heard it; at rest each losing branch is on two nodes | `checks`, `checks::data`, rest |
//! | S6 | the winner has most changed data among those heard | `checks` |
//! | S7 | the owner of each divergent copy was told | rest |
//! | S12 | a copy is dropped only where others are left; nothing begins empty beside a copy | `checks::data` |
//! | S13 | cool-down and budget where nothing is wrong; no move to a node known to be unfit | `checks::moves` |
//! | S14 | with constant load and no fault nothing changes hands for minutes | rest |
//! | S15 | without a fault no visitor's request fails; none is carried out twice | `chaos::plan`, `world::requests` |
//! | S20 | clocks drift, stand apart and jump, and all the above holds | `clock` |
//! | S21 | what was brought to another holder is kept until a newer one is acknowledged | `checks::data` |
//! | L1 | all know the same settings and routes | rest |
//! | L2 | nodes that reach each other and hold a copy serve it within a bound, during faults too | watch |
//! | L3 | one live node, equal copies, as many as wanted, drained nodes empty | rest |
//! | L8 | a fresh write and a fresh read succeed at any door | rest |
//! | model | promotion lacks nothing; a move is told whole; an alarm of the brain is an error | `checks::data`, `checks::moves`, `world::executor` |
//!
//! Not this crate's business: S8 to S11 and S19 (accounts, names, side effects: the registry and the
//! rooms that carry them out), S16 (bytes at the front doors), S17 (rendered files), S18 (bytes on
//! the wire: the values here are typed), L4 and L5 (rates of a real machine), L7 (two versions).
//! L6 is met as slow and full disks, and judged by L2 for the others.

#[cfg(feature = "seeded-bugs")]
pub mod bugs;
pub mod campaign;
pub mod chaos;
pub mod chronicle;
pub mod clock;
pub mod dice;
pub mod disk;
pub mod network;
pub mod registry;
pub mod report;
pub mod scale;
pub mod scenario;
pub mod schedule;
pub mod time;
pub mod truth;
pub mod world;

pub use chaos::{Course, Outcome, run_seed};
pub use chronicle::Verbosity;
pub use world::World;
