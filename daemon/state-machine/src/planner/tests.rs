//! One brain among made-up peers that do what they are asked: what it plans, when it begins, and
//! that it stops where it should.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests look for one command among many"
)]

mod asked;
mod balance;
mod desk;
mod drain;
mod explain;
mod fleet;
mod journal;
mod rehome;
mod reunite;
mod sets;
