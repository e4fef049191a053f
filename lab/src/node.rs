//! One node: a full Debian system under systemd, with its disks, from power on to power cut.
//!
//! A node stands on three things in `STATE/ID/nodes/NAME/`: `system.img`, a filesystem that holds
//! everything that differs from the image (so that a power cut can take back what was not yet on
//! disk); `pool.img`, its data pool; and its network namespace. Which processes belong to it is
//! known from its cgroup alone: nothing here has to be remembered between commands.

mod contents;
mod disks;

use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::Hierarchies;
use crate::command::{Command, Output};
use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, FileContext, Result};
use crate::mounts;
use crate::names::LabId;
use crate::network;
use crate::state::{self, Record, StateDirectory};

pub use contents::{Notice, POOL};

/// Where programs are looked for inside a node.
const NODE_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What systemd says while it has not decided yet.
const UNDECIDED: [&str; 5] = ["", "initializing", "starting", "offline", "unknown"];
/// How long systemd-nspawn may take to take its processes' cgroups into use.
const ENTER_LIMIT: Duration = Duration::from_secs(30);

/// What a node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Its processes run.
    Running,
    /// Its processes are stopped; the kernel still answers for them.
    Frozen,
    /// It has no processes.
    Dead,
}

/// A node of a lab.
#[derive(Debug, Clone)]
pub struct Node {
    lab: LabId,
    name: String,
    address: Ipv4Addr,
    directory: PathBuf,
    hierarchies: Hierarchies,
}

impl Node {
    pub(crate) fn new(
        lab: &LabId,
        state: &StateDirectory,
        name: &str,
        address: Ipv4Addr,
        hierarchies: &Hierarchies,
    ) -> Self {
        Self {
            lab: lab.clone(),
            name: name.to_owned(),
            address,
            directory: state.node(name),
            hierarchies: hierarchies.clone(),
        }
    }

    /// Its name, such as `n1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address in the lab's network.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What it is doing.
    pub fn state(&self) -> NodeState {
        if !self.hierarchies.is_populated(&self.cgroup()) {
            NodeState::Dead
        } else if self.hierarchies.is_frozen(&self.cgroup()) {
            NodeState::Frozen
        } else {
            NodeState::Running
        }
    }

    /// Its cgroup below the one of all labs.
    fn cgroup(&self) -> String {
        format!("{}/{}", self.lab, self.name)
    }

    /// How the machine's other tools know the container.
    fn machine(&self) -> String {
        self.lab.namespace(&self.name)
    }

    /// The root of its filesystem, as seen from outside.
    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Makes its disks and its cable.
    pub(crate) fn create(&self, record: &Record) -> Result<()> {
        fs::create_dir_all(&self.directory).file("create", &self.directory)?;
        disks::create(&self.directory, &self.machine(), record.disk_bytes)?;
        network::connect_member(&self.lab, &self.name, self.address)
    }

    /// Switches it on; returns before it has booted. Gives notices about what is not bound in.
    ///
    /// # Errors
    /// When it is on already.
    pub(crate) fn switch_on(&self, record: &Record) -> Result<Vec<Notice>> {
        if self.state() != NodeState::Dead {
            return Err(self.problem("is already running"));
        }
        self.hierarchies.remove(&self.cgroup())?;
        let pool_device = disks::mount(&self.directory, &record.image)?;
        contents::write(&self.root(), &self.name, record)?;
        let (binds, notices) = contents::binds(record);
        let cgroups = self.hierarchies.make(&self.cgroup(), &self.cgroup())?;
        // `setsid --fork`: the container must not be our child, or it would stay a zombie when killed.
        let mut command = Command::new("setsid")
            .args([
                "--fork",
                "systemd-nspawn",
                "--quiet",
                "--boot",
                "--register=no",
                "--keep-unit",
            ])
            .arg(format!("--machine={}", self.machine()))
            .arg(format!("--hostname={}", self.name))
            .arg(format!("--directory={}", self.root().display()))
            .arg(format!(
                "--network-namespace-path={}",
                network::namespace_path(&self.machine()).display()
            ))
            .args([
                "--capability=all",
                // The container manager forbids watching file systems unless told; a server does not.
                "--system-call-filter=fanotify_init fanotify_mark",
                "--resolv-conf=off",
                "--timezone=off",
                "--link-journal=no",
            ])
            .arg(format!(
                "--bind={}:{POOL}",
                disks::pool_mount(&self.directory).display()
            ))
            .arg(format!("--bind={pool_device}:/dev/hwc-pool"))
            .arg("--console=read-only");
        for (source, target) in binds {
            command = command.arg(format!("--bind-ro={}:{target}", source.display()));
        }
        command
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .in_cgroups(cgroups)
            .start_detached(&self.console())?
            .wait()
            .map_err(|source| Error::System {
                what: format!("start {}", self.name),
                source,
            })?;
        let mark = state::killed_mark(&self.directory);
        if mark.exists() {
            fs::remove_file(&mark).file("remove", mark)?;
        }
        Ok(notices)
    }

    /// Waits until systemd has started everything. Gives the units that failed.
    pub(crate) fn wait_until_booted(&self, deadline: Deadline) -> Result<Vec<String>> {
        let what = format!("booting {}", self.name);
        let entered = Deadline::after(deadline.remaining().min(ENTER_LIMIT));
        wait_until(&what, entered, || match self.state() {
            // systemd-nspawn says why it gave up before any process of the node ran.
            NodeState::Dead if entered.elapsed() > Duration::from_secs(1) => {
                Err(self.boot_failure())
            }
            NodeState::Dead | NodeState::Frozen => Ok(None),
            NodeState::Running => Ok(self.leader()),
        })?;
        let state = wait_until(&what, deadline, || {
            if self.state() == NodeState::Dead {
                return Err(self.boot_failure());
            }
            let command = self.exec_command(["systemctl", "is-system-running", "--wait"])?;
            let said = command
                .limit(deadline.remaining().max(Duration::from_millis(1)))
                .run()?
                .text();
            Ok((!UNDECIDED.contains(&said.as_str())).then_some(said))
        });
        match state {
            Ok(state) if state == "running" => Ok(Vec::new()),
            Ok(_) => self.failed_units(),
            Err(Error::Deadline { limit, .. }) => Err(Error::Deadline { what, limit }),
            Err(other) => Err(other),
        }
    }

    fn failed_units(&self) -> Result<Vec<String>> {
        let list = self
            .exec_command([
                "systemctl",
                "--failed",
                "--plain",
                "--no-legend",
                "--no-pager",
            ])?
            .check()?
            .text();
        Ok(list
            .lines()
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect())
    }

    fn boot_failure(&self) -> Error {
        let console = fs::read_to_string(self.console()).unwrap_or_default();
        let mut last: Vec<&str> = console
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(5)
            .collect();
        last.reverse();
        self.problem(&format!(
            "did not boot; its console says: {}",
            last.join(" | ")
        ))
    }

    /// A command inside the node: it lives in the node's cgroups, so that freezing and killing reach it.
    ///
    /// # Errors
    /// When the node is dead or frozen.
    pub fn exec_command(
        &self,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Command> {
        let leader = self.leader().ok_or_else(|| {
            self.problem(&format!(
                "is not running; `hwc-lab start {} --id {}` switches it on",
                self.name, self.lab
            ))
        })?;
        if self.hierarchies.is_frozen(&self.cgroup()) {
            let advice = format!(
                "is frozen and can't run commands; `hwc-lab thaw {} --id {}` lets it go on",
                self.name, self.lab
            );
            return Err(self.problem(&advice));
        }
        let terminal = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
        let command = Command::new("nsenter")
            .args(["--target", &leader.to_string()])
            .args([
                "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "env", "-i",
            ])
            .args([
                NODE_PATH,
                "HOME=/root",
                "LC_ALL=C.UTF-8",
                &format!("TERM={terminal}"),
            ])
            .args(args);
        Ok(command.in_cgroups(
            self.hierarchies
                .make(&self.cgroup(), &format!("{}/exec", self.cgroup()))?,
        ))
    }

    /// The node's PID 1 as this machine numbers it: the child of systemd-nspawn, which sits in
    /// the cgroup `supervisor` of the node.
    fn leader(&self) -> Option<u32> {
        let supervisor = format!("{}/supervisor", self.cgroup());
        self.hierarchies
            .processes(&supervisor)
            .into_iter()
            .flat_map(children)
            .find(|child| is_first_process(*child))
    }

    /// Ends all its processes at once. What they wrote stays, as after a crash of its software.
    pub(crate) fn kill(&self) -> Result<()> {
        let mark = state::killed_mark(&self.directory);
        fs::write(&mark, "").file("write", mark)?;
        self.hierarchies.kill(&self.cgroup())
    }

    /// Takes the power away: ends all processes, and what was not on disk is lost.
    pub(crate) fn cut_power(&self) -> Result<()> {
        // First nobody may write any more, then the disks are copied as they are, then the live
        // filesystems (which would still write what they hold in memory) are dropped.
        self.hierarchies.set_frozen(&self.cgroup(), true)?;
        if let Err(error) = disks::copy_as_they_are(&self.directory) {
            self.hierarchies.set_frozen(&self.cgroup(), false)?;
            return Err(error);
        }
        self.kill()?;
        self.hierarchies.remove(&self.cgroup())?;
        self.unmount()?;
        disks::put_copies_in_place(&self.directory)
    }

    pub(crate) fn set_frozen(&self, frozen: bool) -> Result<()> {
        self.hierarchies.set_frozen(&self.cgroup(), frozen)
    }

    /// Unmounts everything of the node; its processes must be gone.
    fn unmount(&self) -> Result<()> {
        for mount in mounts::below(&self.directory)? {
            mounts::unmount(&mount.mount_point)?;
        }
        disks::wait_until_released(&self.directory)
    }

    /// What the container wrote to its console.
    pub fn console(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    /// The journal's directory as seen from outside, for a node that is dead.
    pub fn journal(&self) -> PathBuf {
        self.root().join("var/log/journal")
    }

    /// An error about this node.
    pub(crate) fn problem(&self, problem: &str) -> Error {
        Error::NodeState {
            node: self.name.clone(),
            problem: problem.to_owned(),
        }
    }

    /// Runs a command inside to its end.
    ///
    /// # Errors
    /// When it can't be started or takes longer than `limit`; not for its exit code.
    pub fn exec(&self, args: &[&str], limit: Duration) -> Result<Output> {
        self.exec_command(args)?.limit(limit).run()
    }

    /// Whether this is a directory inside the running node.
    ///
    /// # Errors
    /// When the node can't run commands.
    pub fn has_directory(&self, path: &str, limit: Duration) -> Result<bool> {
        Ok(self.exec(&["test", "-d", path], limit)?.is_success())
    }

    /// Copies a file of this machine into the running node, with its permissions. A directory as
    /// target gets a file of the same name.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn copy_in(&self, source: &Path, target: &str, limit: Duration) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let file = fs::File::open(source).file("open", source)?;
        let metadata = file.metadata().file("look at", source)?;
        if !metadata.is_file() {
            return Err(Error::Input(format!(
                "{} is not a file; cp copies one file",
                source.display()
            )));
        }
        let target = match (self.has_directory(target, limit)?, source.file_name()) {
            (true, Some(name)) => format!(
                "{}/{}",
                target.trim_end_matches('/'),
                name.to_string_lossy()
            ),
            (true, None) | (false, _) => target.to_owned(),
        };
        let write = self.exec_command(["dd", "status=none", "bs=1M", &format!("of={target}")])?;
        write.stdin_from(file.into()).limit(limit).check()?;
        let mode = format!("{:o}", metadata.permissions().mode() & 0o7777);
        self.exec_command(["chmod", &mode, &target])?
            .limit(limit)
            .check()
            .map(drop)
    }

    /// Copies a file of the running node to this machine.
    ///
    /// # Errors
    /// When the file can't be read or written.
    pub fn copy_out(&self, source: &str, target: &Path, limit: Duration) -> Result<()> {
        let name = Path::new(source).file_name().unwrap_or_default();
        let target = if target.is_dir() {
            target.join(name)
        } else {
            target.to_owned()
        };
        let command = self.exec_command(["cat", "--", source])?;
        let file = fs::File::create(&target).file("create", &target)?;
        command.stdout_to(file).limit(limit).check().map(drop)
    }
}

/// The children of a process.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

/// Whether a process is number 1 in the innermost of its process namespaces, and still lives.
fn is_first_process(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .trim()
    };
    let numbers: Vec<&str> = field("NSpid:").split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1") && !field("State:").starts_with('Z')
}
