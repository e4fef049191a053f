//! The cgroups of a lab: `/hwclab/ID/NODE` in every hierarchy that the machine has.
//!
//! Works with the unified hierarchy alone and with cgroup v1 beside it. Freezing and killing use
//! cgroup v2, which knows both for a whole tree. Every node needs its own cgroup in *every*
//! hierarchy before systemd-nspawn starts: otherwise all nodes would share one `payload` and
//! kill each other's services. Kernel's words: Documentation/admin-guide/cgroup-v2.rst.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, FileContext, Result};
use crate::mounts::{self, Mount};

/// The cgroup that holds all labs.
pub(crate) const TOP: &str = "hwclab";
/// How long the kernel may take to end or freeze every process of a cgroup.
const KERNEL_LIMIT: Duration = Duration::from_secs(20);
/// What units of a node may limit.
const CONTROLLERS: [&str; 4] = ["cpu", "io", "memory", "pids"];
/// v1: processes can't enter before these have a value.
const CPUSET_FILES: [&str; 2] = ["cpuset.mems", "cpuset.cpus"];

/// Where the machine's cgroup hierarchies are mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchies {
    /// cgroup v2.
    pub unified: PathBuf,
    /// cgroup v1, one per set of controllers.
    pub legacy: Vec<PathBuf>,
}

impl Hierarchies {
    /// This machine's.
    ///
    /// # Errors
    /// When there is no cgroup v2.
    pub fn detect() -> Result<Self> {
        Self::from_mounts(&mounts::current()?)
    }

    /// Finds them among all mounts.
    ///
    /// # Errors
    /// When there is no cgroup v2.
    pub fn from_mounts(all: &[Mount]) -> Result<Self> {
        let of_kind = |kind: &str| {
            let mut points: Vec<PathBuf> = Vec::new();
            for mount in all.iter().filter(|mount| {
                mount.kind == kind && mount.mount_point.starts_with("/sys/fs/cgroup")
            }) {
                if !points.contains(&mount.mount_point) {
                    points.push(mount.mount_point.clone());
                }
            }
            points
        };
        let unified = of_kind("cgroup2").into_iter().next().ok_or_else(|| Error::Machine {
            what: "no cgroup v2 hierarchy is mounted below /sys/fs/cgroup".into(),
            advice: "boot with systemd.unified_cgroup_hierarchy=1, or mount it: mount -t cgroup2 none /sys/fs/cgroup/unified".into(),
        })?;
        Ok(Self {
            unified,
            legacy: of_kind("cgroup"),
        })
    }

    /// The cgroup with this path below [`TOP`] in every hierarchy.
    fn all(&self, path: &str) -> Vec<PathBuf> {
        let roots = std::iter::once(&self.unified).chain(&self.legacy);
        roots.map(|root| root.join(TOP).join(path)).collect()
    }

    /// The cgroup with this path below [`TOP`] in the unified hierarchy.
    pub(crate) fn unified(&self, path: &str) -> PathBuf {
        self.unified.join(TOP).join(path)
    }

    /// Makes a cgroup in every hierarchy and opens its `cgroup.procs`, for
    /// [`crate::command::Command::in_cgroups`]. `unified_leaf` is the cgroup in the unified
    /// hierarchy, where processes may only be in leaves.
    pub(crate) fn make(&self, path: &str, unified_leaf: &str) -> Result<Vec<OwnedFd>> {
        self.delegate_controllers(unified_leaf);
        let mut opened = Vec::new();
        let mut directories = vec![self.unified(unified_leaf)];
        directories.extend(self.legacy.iter().map(|root| root.join(TOP).join(path)));
        for directory in directories {
            fs::create_dir_all(&directory).file("create", &directory)?;
            inherit_cpuset(&directory)?;
            let procs = directory.join("cgroup.procs");
            opened.push(
                fs::File::options()
                    .write(true)
                    .open(&procs)
                    .file("open", &procs)?
                    .into(),
            );
        }
        Ok(opened)
    }

    /// Where cgroup v2 is alone, its controllers are handed down as far as the lab, so that limits of
    /// units work in the nodes. Without them a lab works all the same: refusals are passed over.
    fn delegate_controllers(&self, path: &str) {
        if !self.legacy.is_empty() {
            return;
        }
        let lab = path.split('/').next().unwrap_or_default();
        for level in [
            self.unified.clone(),
            self.unified.join(TOP),
            self.unified(lab),
        ] {
            let _ = fs::create_dir_all(&level);
            for controller in CONTROLLERS {
                let _ = fs::write(
                    level.join("cgroup.subtree_control"),
                    format!("+{controller}"),
                );
            }
        }
    }

    /// Ends every process in a cgroup and below at once, frozen ones too, and waits until all are gone.
    pub(crate) fn kill(&self, path: &str) -> Result<()> {
        let directory = self.unified(path);
        let kill = directory.join("cgroup.kill");
        match fs::write(&kill, "1") {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).file("write", kill),
        }
        let what = format!("the end of all processes in {}", directory.display());
        wait_until(&what, Deadline::after(KERNEL_LIMIT), || {
            Ok((!self.is_populated(path)).then_some(()))
        })
    }

    /// Whether any process lives in a cgroup or below.
    pub(crate) fn is_populated(&self, path: &str) -> bool {
        self.event(path, "populated")
    }

    /// Stops or lets go every process of a cgroup, and waits for the kernel to have done it.
    pub(crate) fn set_frozen(&self, path: &str, frozen: bool) -> Result<()> {
        let file = self.unified(path).join("cgroup.freeze");
        fs::write(&file, if frozen { "1" } else { "0" }).file("write", &file)?;
        let what = format!(
            "{} of {}",
            if frozen { "freezing" } else { "thawing" },
            self.unified(path).display()
        );
        wait_until(&what, Deadline::after(KERNEL_LIMIT), || {
            Ok((self.is_frozen(path) == frozen).then_some(()))
        })
    }

    /// Whether every process of a cgroup is stopped.
    pub(crate) fn is_frozen(&self, path: &str) -> bool {
        self.event(path, "frozen")
    }

    fn event(&self, path: &str, name: &str) -> bool {
        let text = fs::read_to_string(self.unified(path).join("cgroup.events")).unwrap_or_default();
        text.lines()
            .any(|line| line.split_once(' ') == Some((name, "1")))
    }

    /// The processes directly in a cgroup of the unified hierarchy.
    pub(crate) fn processes(&self, path: &str) -> Vec<u32> {
        let text = fs::read_to_string(self.unified(path).join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Removes a cgroup and everything below from every hierarchy; its processes must be gone.
    pub(crate) fn remove(&self, path: &str) -> Result<()> {
        for directory in self.all(path) {
            // A process that has just died may keep its cgroup for a moment.
            let what = format!("removing cgroup {}", directory.display());
            wait_until(&what, Deadline::after(KERNEL_LIMIT), || {
                match remove_tree(&directory) {
                    Ok(()) => Ok(Some(())),
                    Err(error) if error.raw_os_error() == Some(nix::libc::EBUSY) => Ok(None),
                    Err(error) => Err(error).file("remove cgroup", &directory),
                }
            })?;
        }
        Ok(())
    }

    /// Removes the cgroup above all labs when no lab is left.
    pub(crate) fn remove_top_if_empty(&self) {
        for directory in self.all("") {
            // Fails while another lab lives in it, which is what we want.
            let _ = fs::remove_dir(directory);
        }
    }

    /// The ids that have a cgroup in any hierarchy.
    pub(crate) fn lab_ids(&self) -> Vec<String> {
        let entries = self
            .all("")
            .into_iter()
            .filter_map(|top| fs::read_dir(top).ok())
            .flatten()
            .flatten();
        entries
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }
}

/// rmdir from the bottom up; control files vanish with their directory.
fn remove_tree(directory: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries.flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(directory)
}

/// v1 cpuset: a new cgroup has no processors; give it and its parents those of the level above.
fn inherit_cpuset(directory: &Path) -> Result<()> {
    if !directory.join(CPUSET_FILES[0]).exists() || directory.join("cgroup.controllers").exists() {
        return Ok(());
    }
    let mut levels: Vec<&Path> = directory
        .ancestors()
        .take_while(|level| level.join(CPUSET_FILES[0]).exists())
        .collect();
    levels.reverse();
    for pair in levels.windows(2) {
        let [parent, child] = pair else { continue };
        for name in CPUSET_FILES {
            let file = child.join(name);
            if fs::read_to_string(&file)
                .file("read", &file)?
                .trim()
                .is_empty()
            {
                let inherited =
                    fs::read_to_string(parent.join(name)).file("read", parent.join(name))?;
                fs::write(&file, inherited).file("write", &file)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const UNIFIED: &str =
        "26 25 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const LEGACY: &str = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";

    #[test]
    fn hybrid_machines_have_both_kinds() {
        let found = Hierarchies::from_mounts(&mounts::parse(HYBRID)).unwrap();
        assert_eq!(found.unified, Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(
            found.legacy,
            [
                Path::new("/sys/fs/cgroup/cpu"),
                Path::new("/sys/fs/cgroup/systemd")
            ]
        );
        assert_eq!(found.all("demo/n1").len(), 3);
    }

    #[test]
    fn unified_machines_have_one() {
        let found = Hierarchies::from_mounts(&mounts::parse(UNIFIED)).unwrap();
        assert_eq!(
            found.unified("demo/n1"),
            Path::new("/sys/fs/cgroup/hwclab/demo/n1")
        );
        assert!(found.legacy.is_empty());
    }

    #[test]
    fn without_version_two_the_way_out_is_told() {
        let error = Hierarchies::from_mounts(&mounts::parse(LEGACY))
            .unwrap_err()
            .to_string();
        assert!(error.contains("mount -t cgroup2"), "{error}");
    }
}
