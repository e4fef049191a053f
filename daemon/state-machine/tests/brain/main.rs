//! One brain against made-up peers: each transition by its number in `docs/protocol.md`, and the
//! judgement behind them.

#![allow(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests may stop a test, and look for one command among many"
)]

mod bench;
mod contests;
mod copies;
mod judging;
mod moves;
mod rounds;
mod streams;
mod world;
