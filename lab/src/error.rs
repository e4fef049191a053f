//! What can go wrong in a lab, said so that the reader knows what to do next.
//!
//! One enum for the whole library: callers either print it or match [`Error::Interrupted`].

use std::path::PathBuf;
use std::time::Duration;

/// The result of everything in this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a lab could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lab mounts filesystems and makes network namespaces.
    #[error(
        "hwc-lab needs root (mounts, namespaces, cgroups): run it as root, for example with sudo"
    )]
    NotRoot,
    /// The machine lacks something that the lab stands on.
    #[error("{what}: {advice}")]
    Machine {
        /// What is missing.
        what: String,
        /// What the reader can do about it.
        advice: String,
    },
    /// Words from the command line or from a caller that make no sense.
    #[error("{0}")]
    Input(String),
    /// No lab of this id.
    #[error("no lab {id:?} is up; {hint}")]
    NoLab {
        /// The id that was asked for.
        id: String,
        /// Which labs there are, or how to start one.
        hint: String,
    },
    /// The lab is already there.
    #[error(
        "lab {id:?} is already up with {nodes}; `hwc-lab down --id {id}` removes it, another --id runs beside it"
    )]
    AlreadyUp {
        /// The id that was asked for.
        id: String,
        /// Its nodes, as text.
        nodes: String,
    },
    /// No node of this name.
    #[error("node {node} does not exist; this lab has {known}")]
    NoNode {
        /// The name that was asked for.
        node: String,
        /// The names that exist.
        known: String,
    },
    /// The node is there, but not in the state that the request needs.
    #[error("node {node} {problem}")]
    NodeState {
        /// Which node.
        node: String,
        /// What is the matter, and the way out.
        problem: String,
    },
    /// A port on this machine is in use.
    #[error(
        "port taken: 127.0.0.1:{port} is in use by another program; choose another port or stop that program"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// Another command holds what this one needs.
    #[error("lab {id:?} is busy with another hwc-lab command (waited {waited:?} for {lock})")]
    Busy {
        /// The lab, or "all labs".
        id: String,
        /// How long we waited.
        waited: Duration,
        /// The lock file.
        lock: PathBuf,
    },
    /// A program is not installed.
    #[error(
        "start {program}: not installed or not runnable (the list of packages is tools/lab-packages.txt)"
    )]
    Start {
        /// Which program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program ended with an error.
    #[error("{command} ended with {status}: {stderr}")]
    Command {
        /// The whole command line.
        command: String,
        /// Its exit status, as text.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// Something did not happen in time.
    #[error("{what} took longer than {limit:?}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// Ctrl-C or a termination signal.
    #[error("interrupted")]
    Interrupted,
    /// A file operation.
    #[error("{verb} {path}")]
    File {
        /// What was tried: "read", "create"…
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A system call without a file.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The clean-up could not finish.
    #[error("clean up lab {id:?}: {problems}")]
    CleanUp {
        /// Which lab.
        id: String,
        /// What is left, and why.
        problems: String,
    },
}

impl Error {
    /// The message with all its causes, on one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        text
    }
}

/// Adds the verb and the path to an I/O error.
pub(crate) trait FileContext<T> {
    /// `verb` as in "read", "create".
    fn file(self, verb: &'static str, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> FileContext<T> for std::result::Result<T, E> {
    fn file(self, verb: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| Error::File {
            verb,
            path: path.into(),
            source: source.into(),
        })
    }
}
