//! `hwc`, the command line: the public API of this node, spoken as root.
//!
//! Every command has `--json`, which prints the API's own answer. Exit codes: 0 done, 1 refused or
//! failed, 2 not understood.

mod accounts;
mod apps;
mod balancing;
mod cluster;
mod cluster_settings;
mod cluster_show;
mod drains;
mod explain;
mod keys;
mod move_words;
mod moves;
mod node_settings;
mod node_show;
mod nodes;
mod record;
mod registry;
mod replay;
mod replay_words;
mod site_move;
mod site_stay;
mod sites;
mod status;
mod table;

use crate::client::{CallError, Client};
use clap::{Parser, Subcommand};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Look at and change a Hybrid Web Cluster, from any of its nodes, as root.
#[derive(Debug, Parser)]
#[command(name = "hwc", version)]
pub struct Arguments {
    /// Print the API's answer as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// The daemon's control socket.
    #[arg(
        long,
        global = true,
        env = "HWC_SOCKET",
        default_value = "/run/hwc/control.sock"
    )]
    socket: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Nodes, sites, their copies and how old those are.
    Status(status::Arguments),
    /// Begin a cluster; see and change what concerns all nodes.
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// List, add, drain, change and remove nodes.
    #[command(subcommand)]
    Node(nodes::Command),
    /// List, create, show, move and delete sites.
    #[command(subcommand)]
    Site(sites::Command),
    /// What moves, and the receipts of what has moved.
    Moves(moves::Arguments),
    /// Why a site is where it is, and where it would go.
    Explain(explain::Arguments),
    /// Write down what a node's brain saw, decided and why.
    Record(record::Arguments),
    /// Step through what was recorded, with a real brain.
    Replay(replay::Arguments),
    /// List and install applications.
    #[command(subcommand)]
    App(apps::Command),
    /// List, create and delete accounts.
    #[command(subcommand)]
    Account(accounts::Command),
}

/// What the commands work with.
struct Session {
    client: Client,
    is_json: bool,
}

impl Session {
    /// Prints an answer: as JSON if asked, else as `human` puts it.
    fn print<T: Serialize>(
        &self,
        answer: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if self.is_json {
            let json =
                serde_json::to_string_pretty(answer).map_err(|e| Failure::Other(e.into()))?;
            say(&json);
        } else {
            say(human(answer).trim_end());
        }
        Ok(())
    }
}

/// Why a command failed.
enum Failure {
    /// The daemon refused or did not answer.
    Call(CallError),
    /// Something on this side.
    Other(anyhow::Error),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Runs `hwc`.
pub async fn run(arguments: Arguments) -> ExitCode {
    let session = Session {
        client: Client::new(arguments.socket),
        is_json: arguments.json,
    };
    let result = match arguments.command {
        Command::Status(status) => status::run(&session, status).await,
        Command::Cluster(command) => cluster::run(&session, command).await,
        Command::Node(command) => nodes::run(&session, command).await,
        Command::Site(command) => sites::run(&session, command).await,
        Command::Moves(arguments) => moves::run(&session, arguments).await,
        Command::Explain(arguments) => explain::run(&session, arguments).await,
        Command::Record(arguments) => record::run(&session, arguments).await,
        Command::Replay(arguments) => replay::run(&session, arguments),
        Command::App(command) => apps::run(&session, command).await,
        Command::Account(command) => accounts::run(&session, command).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure, session.is_json),
    }
}

fn report(failure: &Failure, is_json: bool) -> ExitCode {
    let problem = match failure {
        Failure::Call(CallError::Refused(problem)) => Some(problem),
        Failure::Call(CallError::Daemon(_)) | Failure::Other(_) => None,
    };
    match (problem, is_json) {
        (Some(problem), true) => complain(&serde_json::to_string(problem).unwrap_or_default()),
        (Some(problem), false) => complain(&format!("hwc: {}", problem.message)),
        (None, _) => complain(&format!("hwc: {}", chain(failure))),
    }
    ExitCode::FAILURE
}

fn chain(failure: &Failure) -> String {
    match failure {
        Failure::Call(CallError::Daemon(error)) | Failure::Other(error) => format!("{error:#}"),
        Failure::Call(CallError::Refused(problem)) => problem.message.clone(),
    }
}

/// Prints a line. Where nobody reads on (`hwc … | head`), the program has nothing left to do.
fn say(text: &str) {
    let Err(error) = write_line(&mut io::stdout().lock(), text) else {
        return;
    };
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    complain(&format!("hwc: write the answer: {error}"));
    std::process::exit(1);
}

fn complain(text: &str) {
    // There is nobody else to tell.
    let _unheard = write_line(&mut io::stderr().lock(), text);
}

fn write_line(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(format!("{text}\n").as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_is_gone_is_no_panic() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        drop(reader);
        let error = write_line(&mut writer, "nobody reads this").expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
