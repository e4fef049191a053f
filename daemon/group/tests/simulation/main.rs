//! Many nodes in one process under virtual time: the cores that nodes run, over networks that lose,
//! delay and cut. The same seed gives the same story.
//!
//! `HWC_SIM_HOURS` sets how many simulated hours the long runs take (0.5 without it).
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "clippy knows test functions, not their helpers; measured figures are worth a line"
)]

mod boards;
mod detection;
mod recovery;
mod world;
