//! What the lab remembers: one directory per lab, and a note in `/run` that says where it is.
//!
//! `STATE/ID/lab.json` is the [`Record`]; `STATE/ID/up` exists once everything is up;
//! `STATE/ID/lock` is held (shared by commands, exclusively by up, down and gc) so that nobody
//! removes what another command is using. STATE is `/var/lib/hwc-lab` or `HWC_LAB_STATE`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::deadline::{self, Deadline, wait_until};
use crate::error::{Error, FileContext, Result};
use crate::names::{self, LabId};
use crate::subnet::Subnet;

const DEFAULT_STATE: &str = "/var/lib/hwc-lab";
/// One symbolic link per lab, to its directory: namespaces and cgroups are the machine's, but
/// state directories are the user's choice. Gone after a reboot, as are the namespaces.
const INDEX: &str = "/run/hwc-lab";

/// What a lab is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub id: String,
    /// Its network.
    pub subnet: Subnet,
    /// Its nodes in order.
    pub nodes: Vec<NodeRecord>,
    /// The image that the nodes stand on.
    pub image: PathBuf,
    /// Application archives, bound into every node.
    pub apps: PathBuf,
    /// Size of each node's data pool.
    pub disk_bytes: u64,
    /// What of ours is bound into the nodes.
    pub binds: BindSources,
    /// The process that takes the lab down when it ends; `None` for a lab that stays.
    pub owner: Option<Process>,
    /// The machine's boot in which the lab was made.
    pub boot: String,
    /// Seconds since 1970.
    pub made_at: u64,
}

impl Record {
    /// The names of all nodes.
    pub fn node_names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }
}

/// A node's name and address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeRecord {
    /// `n1`, `n2`…
    pub name: String,
    /// Its address in the lab's network.
    pub address: Ipv4Addr,
}

/// Directories from which our programs and files are bound into the nodes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BindSources {
    /// Holds `hwcd`, `hwc` and `hwc-panel`.
    pub bin: Option<PathBuf>,
    /// The panel's built site.
    pub site: Option<PathBuf>,
    /// The source tree: `apps/`, `locales/`, `daemon/systemd/`.
    pub repository: Option<PathBuf>,
}

/// A process, told apart from later ones with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Clock ticks since boot when it started (proc_pid_stat(5), field 22).
    pub started: u64,
}

impl Process {
    /// This one.
    pub fn current() -> Option<Self> {
        Self::find(std::process::id())
    }

    /// The one that has this number.
    pub fn find(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            pid,
            started: start_of_living(&stat)?,
        })
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        Self::find(self.pid).as_ref() == Some(self)
    }
}

/// When the process of a `/proc/PID/stat` started; `None` for one that is dead and only waits for its parent to notice.
fn start_of_living(stat: &str) -> Option<u64> {
    // The name in parentheses may hold anything; fields are counted from behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    let started = fields.nth(18)?.parse().ok()?;
    (!is_dead).then_some(started)
}

/// What is wrong with the network on purpose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// Members of different groups don't reach each other; empty for no partition.
    pub partition: Vec<Vec<String>>,
    /// Members cut off from everybody.
    pub isolated: BTreeSet<String>,
    /// Percent of frames lost, per member.
    pub loss_percent: BTreeMap<String, f64>,
    /// Megabit per second in each direction, per member.
    pub rate_mbit: BTreeMap<String, f64>,
    /// Milliseconds that every frame takes longer in each direction, per member.
    pub delay_ms: BTreeMap<String, u64>,
}

/// A port of this machine that leads into the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The members that are tried, in this order.
    pub targets: Vec<String>,
    /// The port on those.
    pub target_port: u16,
}

/// Where a lab's files are.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    id: LabId,
    path: PathBuf,
}

/// The directory that holds the state of all labs.
pub fn state_root() -> PathBuf {
    directory_from_environment("HWC_LAB_STATE", DEFAULT_STATE)
}

/// A directory that an environment variable may name; absolute in any case.
pub(crate) fn directory_from_environment(variable: &str, default: &str) -> PathBuf {
    let named = std::env::var_os(variable)
        .filter(|name| !name.is_empty())
        .map_or_else(|| default.into(), PathBuf::from);
    // Fails only without a working directory; then a relative name has no meaning anyway.
    std::path::absolute(&named).unwrap_or(named)
}

impl StateDirectory {
    /// Where this lab is if it is up, else where it would be made.
    pub fn of(id: &LabId) -> Self {
        let path = fs::read_link(Path::new(INDEX).join(id.as_str()))
            .unwrap_or_else(|_| state_root().join(id.as_str()));
        Self {
            id: id.clone(),
            path,
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of a node.
    pub fn node(&self, name: &str) -> PathBuf {
        self.nodes().join(name)
    }

    /// The directory above all nodes'.
    pub fn nodes(&self) -> PathBuf {
        self.path.join("nodes")
    }

    /// Makes the directory and notes it in `/run`.
    pub(crate) fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.path).file("create", &self.path)?;
        fs::create_dir_all(INDEX).file("create", INDEX)?;
        let link = Path::new(INDEX).join(self.id.as_str());
        match std::os::unix::fs::symlink(&self.path, &link) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other.file("create", link),
        }
    }

    /// Removes it with the note; nothing may be mounted below any more.
    pub(crate) fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).file("remove", &self.path);
            }
            Ok(()) | Err(_) => {}
        }
        // Absent for half-made labs. The directories vanish with the last lab and stay otherwise.
        let _ = fs::remove_file(Path::new(INDEX).join(self.id.as_str()));
        let _ = fs::remove_dir(INDEX);
        Ok(())
    }

    /// The record, if there is one.
    pub(crate) fn record(&self) -> Result<Option<Record>> {
        read_json(&self.path.join("lab.json"))
    }

    pub(crate) fn write_record(&self, record: &Record) -> Result<()> {
        write_json(&self.path.join("lab.json"), record)
    }

    /// Whether the lab came up completely.
    pub(crate) fn is_up(&self) -> bool {
        self.path.join("up").exists()
    }

    pub(crate) fn mark_up(&self) -> Result<()> {
        let path = self.path.join("up");
        fs::write(&path, "").file("write", path)
    }

    pub(crate) fn faults(&self) -> Result<Faults> {
        Ok(read_json(&self.path.join("faults.json"))?.unwrap_or_default())
    }

    pub(crate) fn write_faults(&self, faults: &Faults) -> Result<()> {
        write_json(&self.path.join("faults.json"), faults)
    }

    pub(crate) fn forwards(&self) -> Result<Vec<Forward>> {
        Ok(read_json(&self.path.join("forwards.json"))?.unwrap_or_default())
    }

    pub(crate) fn write_forwards(&self, forwards: &[Forward]) -> Result<()> {
        write_json(&self.path.join("forwards.json"), &forwards)
    }

    /// The lock of the whole lab.
    pub(crate) fn lock(&self, sharing: Sharing, deadline: Deadline) -> Result<Flock<File>> {
        lock_file(
            &self.path.join("lock"),
            sharing,
            self.id.as_str(),
            deadline,
            || {},
        )
    }

    /// A lock for one part: a node, or the faults.
    pub(crate) fn lock_part(&self, part: &str, deadline: Deadline) -> Result<Flock<File>> {
        lock_file(
            &self.path.join(format!("lock-{part}")),
            Sharing::Exclusive,
            self.id.as_str(),
            deadline,
            || {},
        )
    }

    /// The lab's lock if nobody has it.
    pub(crate) fn try_lock(&self) -> Option<Flock<File>> {
        let file = open_lock(&self.path.join("lock")).ok()?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
    }
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    Shared,
    Exclusive,
}

/// The lock of all labs: held while one is begun or judged.
pub(crate) fn lock_all(deadline: Deadline) -> Result<Flock<File>> {
    let root = state_root();
    fs::create_dir_all(&root).file("create", &root)?;
    lock_file(
        &root.join(".lock"),
        Sharing::Exclusive,
        "all labs",
        deadline,
        || {},
    )
}

/// Takes a lock; `on_wait` is called once when it is not free.
pub(crate) fn lock_file(
    path: &Path,
    sharing: Sharing,
    id: &str,
    deadline: Deadline,
    on_wait: impl FnOnce(),
) -> Result<Flock<File>> {
    let kind = match sharing {
        Sharing::Shared => FlockArg::LockSharedNonblock,
        Sharing::Exclusive => FlockArg::LockExclusiveNonblock,
    };
    let mut file = Some(open_lock(path)?);
    let mut on_wait = Some(on_wait);
    let attempt = wait_until("", deadline, || {
        let Some(unlocked) = file.take() else {
            return Ok(None);
        };
        match Flock::lock(unlocked, kind) {
            Ok(lock) => Ok(Some(lock)),
            Err((unlocked, Errno::EWOULDBLOCK)) => {
                file = Some(unlocked);
                if let Some(on_wait) = on_wait.take() {
                    on_wait();
                }
                Ok(None)
            }
            Err((_, errno)) => Err(errno).file("lock", path),
        }
    });
    match attempt {
        Err(Error::Deadline { limit, .. }) => Err(Error::Busy {
            id: id.to_owned(),
            waited: limit,
            lock: path.into(),
        }),
        other => other,
    }
}

fn open_lock(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .file("open", path)
}

/// All labs that have a directory, here or noted in `/run`.
pub fn lab_ids() -> Vec<LabId> {
    let names_in = |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().flatten();
    let entries = names_in(state_root()).chain(names_in(INDEX.into()));
    let ids: BTreeSet<LabId> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    ids.into_iter().collect()
}

/// The networks that labs use.
pub(crate) fn subnets_in_use() -> Result<BTreeSet<Subnet>> {
    let mut subnets = BTreeSet::new();
    for id in lab_ids() {
        subnets.extend(
            StateDirectory::of(&id)
                .record()?
                .map(|record| record.subnet),
        );
    }
    Ok(subnets)
}

/// The images that labs stand on. A record that can't be read keeps no image: it can't be started either.
pub(crate) fn images_in_use() -> BTreeSet<PathBuf> {
    let records = lab_ids()
        .into_iter()
        .filter_map(|id| StateDirectory::of(&id).record().ok().flatten());
    records.map(|record| record.image).collect()
}

/// A node that was killed on purpose keeps its lab from being taken for a wreck.
pub(crate) fn killed_mark(node_directory: &Path) -> PathBuf {
    node_directory.join("killed")
}

/// The error for a lab that is not up.
pub(crate) fn no_lab(id: &LabId) -> Error {
    let up: Vec<String> = lab_ids().iter().map(|id| id.to_string()).collect();
    let hint = match up.is_empty() {
        true => format!("start one with `hwc-lab up 3 --id {id}`"),
        false => format!("labs on this machine: {}", names::join(&up)),
    };
    Error::NoLab {
        id: id.to_string(),
        hint,
    }
}

/// The machine's present boot.
pub(crate) fn boot() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    Ok(fs::read_to_string(path)
        .file("read", path)?
        .trim()
        .to_owned())
}

/// Now, for [`Record::made_at`].
pub(crate) fn made_at() -> u64 {
    deadline::unix_seconds()
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .file("understand", path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).file("read", path),
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(value).file("render", path)?;
    let temporary = path.with_extension("json.new");
    fs::write(&temporary, bytes).file("write", &temporary)?;
    fs::rename(&temporary, path).file("rename", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_is_dead() {
        let stat = |state| {
            format!("7 (a ) b) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20")
        };
        assert_eq!(start_of_living(&stat("S")), Some(4711));
        assert_eq!(start_of_living(&stat("Z")), None);
    }

    #[test]
    fn a_process_is_not_mistaken_for_a_later_one_with_its_number() {
        let this = Process::current().unwrap();
        assert!(this.is_alive());
        assert!(
            !Process {
                started: this.started + 1,
                ..this
            }
            .is_alive()
        );
    }
}
