//! HCFS from outside: nodes with pools of their own, connected in memory.
//!
//! `folders` runs everywhere, on plain folders; `platform` needs root and btrfs, makes its own
//! loop-mounted filesystems, and says so where it can't.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests fail their test, with a reason"
)]

mod folders;
mod platform;
mod support;
