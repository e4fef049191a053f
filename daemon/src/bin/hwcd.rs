//! `hwcd`, the node's daemon: its keeper, see [`hwcd::keeper`], and the daemon proper, see
//! [`hwcd::start`].

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use hwcd::config::Config;
use hwcd::keeper::{self, link::Link};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// How long threads that work on disks may take after everything has ended.
const THREADS_LIMIT: Duration = Duration::from_secs(1);

/// The node daemon of Hybrid Web Cluster.
#[derive(Parser)]
#[command(name = "hwcd", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Args)]
struct Common {
    /// The configuration file; the defaults where there is none.
    #[arg(long, default_value = "/etc/hwc/hwcd.toml")]
    config: PathBuf,
    /// Logs as JSON, for machines.
    #[arg(long)]
    log_json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// What the daemon starts itself for; not for people.
    #[command(hide = true)]
    Internal {
        /// Which of them, with its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Some(Command::Internal { words }) if words == ["worker"] => daemon(&arguments.common),
        Some(Command::Internal { words }) => return internal(&words),
        None => return keep(&arguments.common),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "hwcd ends");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the keeper has no logger")]
fn keep(common: &Common) -> ExitCode {
    let mut words = vec![OsString::from("--config"), common.config.clone().into()];
    if common.log_json {
        words.push("--log-json".into());
    }
    keeper::run(&words).unwrap_or_else(|error| {
        eprintln!("hwcd: {error:#}");
        ExitCode::FAILURE
    })
}

fn daemon(arguments: &Common) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,openraft=off"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // journald notes the time itself.
    let logs = logs.without_time().with_ansi(false);
    if arguments.log_json {
        logs.json().init();
    } else {
        logs.init();
    }
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        bail!("another TLS library was installed first");
    }
    let keeper = Link::begin()?;
    let config = Config::load(&arguments.config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start tokio")?;
    let ended = runtime.block_on(hwcd::start::run(config, keeper));
    // Everything was stopped; a thread that hangs in a disk's call must not hold the process.
    runtime.shutdown_timeout(THREADS_LIMIT);
    ended
}

#[expect(
    clippy::print_stderr,
    reason = "its parent process reads the complaint"
)]
fn internal(words: &[String]) -> ExitCode {
    let result = match words.split_first() {
        Some((first, rest)) if first == "unpack" => hwc_yakd::apps::unpack::run(rest),
        Some(_) | None => return ExitCode::from(2),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
