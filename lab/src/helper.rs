//! Background processes of a lab: this very program, started again with a hidden subcommand.
//!
//! Each lives in a cgroup of its own, `ID/helpers/NAME`, by which it is found and ended. Its log,
//! `helper-NAME.log` in the lab's directory, begins with [`READY`] once it does its work.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::Hierarchies;
use crate::command::Command;
use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, FileContext, Result};
use crate::names::LabId;
use crate::network::namespace_path;
use crate::state::StateDirectory;

/// What the program is called.
const PROGRAM: &str = "hwc-lab";
/// Names it when a library user's own directory does not have it.
const PROGRAM_VARIABLE: &str = "HWC_LAB_PROGRAM";

/// What a helper says when it has opened everything that it needs.
const READY: &str = "ready";
/// Starting a process and opening a few sockets, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);

/// To be called by a helper that has begun to do its work.
pub(crate) fn say_ready() {
    use std::io::Write;
    // If nobody can read it, the one who waits says so.
    let _ = writeln!(std::io::stdout(), "{READY}");
}

/// One background process.
pub(crate) struct Helper<'a> {
    id: &'a LabId,
    hierarchies: &'a Hierarchies,
    name: String,
}

impl<'a> Helper<'a> {
    pub(crate) fn new(
        id: &'a LabId,
        hierarchies: &'a Hierarchies,
        name: impl Into<String>,
    ) -> Self {
        Self {
            id,
            hierarchies,
            name: name.into(),
        }
    }

    fn cgroup(&self) -> String {
        format!("{}/helpers/{}", self.id, self.name)
    }

    /// Starts it in a network namespace, or in ours.
    pub(crate) fn start(
        &self,
        namespace: Option<&str>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        stdin: Option<OwnedFd>,
    ) -> Result<()> {
        let program = program()?;
        // `setsid --fork`: not our child, so that it can't become our zombie.
        let mut command = Command::new("setsid").arg("--fork");
        if let Some(namespace) = namespace {
            command = command
                .arg("nsenter")
                .arg(format!("--net={}", namespace_path(namespace).display()));
        }
        command = command
            .arg(program)
            .args(args)
            .in_cgroups(self.hierarchies.make(&self.cgroup(), &self.cgroup())?);
        if let Some(stdin) = stdin {
            command = command.stdin_from(stdin);
        }
        let log = StateDirectory::of(self.id)
            .path()
            .join(format!("helper-{}.log", self.name));
        std::fs::write(&log, "").file("write", &log)?;
        let end = command.start_detached(&log)?.wait();
        end.map_err(|source| Error::System {
            what: format!("start helper {}", self.name),
            source,
        })?;
        self.wait_until_ready(&log)
    }

    fn wait_until_ready(&self, log: &Path) -> Result<()> {
        wait_until(
            &format!("starting helper {}", self.name),
            Deadline::after(START_LIMIT),
            || {
                // Looked at first: what it says as its last words must not be missed.
                let is_running = self.is_running();
                let said = std::fs::read_to_string(log).file("read", log)?;
                if said.starts_with(READY) {
                    return Ok(Some(()));
                }
                if is_running {
                    return Ok(None);
                }
                Err(Error::Machine {
                    what: format!("helper {} ended at once", self.name),
                    advice: said.trim().to_owned(),
                })
            },
        )
    }

    /// Whether it runs.
    pub(crate) fn is_running(&self) -> bool {
        self.hierarchies.is_populated(&self.cgroup())
    }

    /// Ends it, if it runs.
    pub(crate) fn stop(&self) -> Result<()> {
        self.hierarchies.kill(&self.cgroup())?;
        self.hierarchies.remove(&self.cgroup())
    }
}

/// Ourselves, or `hwc-lab` beside the program that uses this library (a test is one directory deeper).
fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(PROGRAM_VARIABLE) {
        return Ok(path.into());
    }
    let own = std::env::current_exe().map_err(|source| Error::System {
        what: "find this program".into(),
        source,
    })?;
    if own.file_name() == Some(OsStr::new(PROGRAM)) {
        return Ok(own);
    }
    let mut candidates = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(PROGRAM));
    candidates
        .find(|path| path.is_file())
        .ok_or_else(|| Error::Machine {
            what: format!("the program {PROGRAM} is not beside {}", own.display()),
            advice: format!("build it (cargo build -p hwc-lab) or name it in {PROGRAM_VARIABLE}"),
        })
}
