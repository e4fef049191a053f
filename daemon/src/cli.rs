//! `hwc`, the command line: the public API of this node, spoken as root.
//!
//! Every command has `--json`, which prints the API's own answer, and on standard error a refusal or
//! failure as an object with `code` and `message`. Exit codes: 0 done, 1 refused or failed, 2 not
//! understood.

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
use hwc_api::problem::ProblemCode;
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
    /// Tells a person what it means; a program that wants to know asks the API.
    fn explain(&self, what: &str) {
        if !self.is_json {
            say(what);
        }
    }

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
    /// There is no such thing, as a list of the daemon shows.
    Unknown(ProblemCode, String),
    /// What it means was shown; it is done only when it is asked for in so many words.
    NotConfirmed(String),
    /// Something on this side.
    Other(anyhow::Error),
}

impl Failure {
    /// For programs: the daemon's code, or one of `hwc` itself.
    const fn code(&self) -> &'static str {
        match self {
            Self::Call(CallError::Refused(problem)) => problem.code.as_str(),
            Self::Call(CallError::Daemon(_)) => "no-answer",
            Self::Unknown(code, _) => code.as_str(),
            Self::NotConfirmed(_) => "not-confirmed",
            Self::Other(_) => "failed",
        }
    }

    /// The same as a program reads it: a refusal of the daemon as it came.
    fn json(&self) -> String {
        let json = match self {
            Self::Call(CallError::Refused(problem)) => serde_json::to_value(problem),
            Self::Call(CallError::Daemon(_))
            | Self::Unknown(..)
            | Self::NotConfirmed(_)
            | Self::Other(_) => {
                Ok(serde_json::json!({ "code": self.code(), "message": self.text() }))
            }
        };
        json.map_or_else(|error| error.to_string(), |json| json.to_string())
    }

    fn text(&self) -> String {
        match self {
            Self::Call(CallError::Refused(problem)) => problem.message.clone(),
            Self::Unknown(_, what) => format!("there is no {what}"),
            Self::NotConfirmed(advice) => advice.clone(),
            Self::Call(CallError::Daemon(error)) | Self::Other(error) => format!("{error:#}"),
        }
    }
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
    if is_json {
        complain(&failure.json());
    } else {
        complain(&format!("hwc: {}", failure.text()));
    }
    ExitCode::FAILURE
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
    use hwc_api::problem::Problem;

    #[test]
    fn programs_read_every_failure_as_an_object() {
        let refused = Problem::new(ProblemCode::NodeAlive, "Node n2 answers.").detail("n2");
        for (failure, json, text) in [
            (
                Failure::Call(CallError::Refused(refused)),
                r#"{"code":"node-alive","detail":"n2","message":"Node n2 answers."}"#,
                "Node n2 answers.",
            ),
            (
                Failure::Unknown(ProblemCode::UnknownNode, "node n9".to_owned()),
                r#"{"code":"unknown-node","message":"there is no node n9"}"#,
                "there is no node n9",
            ),
            (
                Failure::NotConfirmed("add --yes".to_owned()),
                r#"{"code":"not-confirmed","message":"add --yes"}"#,
                "add --yes",
            ),
            (
                anyhow::anyhow!("out of ink").context("print").into(),
                r#"{"code":"failed","message":"print: out of ink"}"#,
                "print: out of ink",
            ),
        ] {
            assert_eq!(failure.json(), json);
            assert_eq!(failure.text(), text);
        }
    }

    #[test]
    fn a_reader_who_is_gone_is_no_panic() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        drop(reader);
        let error = write_line(&mut writer, "nobody reads this").expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
