//! What comes from outside, taken apart and put together wrongly: datagrams, board frames, the bytes
//! of a handshake. Whatever comes is refused, counted, and changes nothing.
//!
//! `HWC_FUZZ_CASES` sets how many cases each of them gets (256 without it).
#![expect(
    clippy::expect_used,
    reason = "clippy knows test functions, not their helpers"
)]

mod boards;
mod datagrams;
mod handshakes;

use proptest::test_runner::Config;

/// So many cases.
fn cases(without: u32) -> Config {
    let cases = std::env::var("HWC_FUZZ_CASES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(without),
        // A found case is written into the test by hand.
        failure_persistence: None,
        ..Config::default()
    }
}
