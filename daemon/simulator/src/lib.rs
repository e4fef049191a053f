//! Many brains, virtual time, faults, seeds.
//!
//! A [`World`] runs one real brain per node over a made-up disk and network: rows are persisted
//! with a delay, snapshots hold sets of write numbers, records and streams are delayed, lost,
//! repeated and overtake each other, links are cut, nodes crash, stand still, lose their disks or
//! get old ones back. After every step the invariants of `docs/protocol.md` are checked against
//! what really happened ([`ghost`]); at the end everything heals and the cluster must come to rest
//! with one live node, equal replicas and every acknowledged write in one of the kept branches.
//!
//! [`chaos`] draws faults from a seed; [`scenario`] replays a written script and compares its log.

pub mod chaos;
pub mod disk;
pub mod ghost;
pub mod scenario;
pub mod world;

pub use chaos::{Outcome, Plan, run_seed};
pub use world::World;
