//! `hwc`: see [`hwcd::cli`].

use clap::Parser;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    hwcd::cli::run(hwcd::cli::Arguments::parse()).await
}
