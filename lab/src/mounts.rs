//! What is mounted where: reads `/proc/self/mountinfo`, mounts, and unmounts with patience.
//!
//! `parse` is pure. Format: proc_pid_mountinfo(5).

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::command::Command;
use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, FileContext, Result};

/// How long a filesystem may stay busy after its last process died.
const UNMOUNT_LIMIT: Duration = Duration::from_secs(15);

/// One line of mountinfo, the fields that we use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The directory inside the filesystem that is mounted.
    pub root: PathBuf,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Filesystem type.
    pub kind: String,
    /// Device or name.
    pub source: String,
    /// Options of the filesystem itself; for cgroup v1 its controllers.
    pub super_options: Vec<String>,
}

/// All mounts of this process, in the order in which they were mounted.
///
/// # Errors
/// When `/proc` can't be read.
pub fn current() -> Result<Vec<Mount>> {
    let path = "/proc/self/mountinfo";
    Ok(parse(&std::fs::read_to_string(path).file("read", path)?))
}

/// Reads the text of a mountinfo file; lines that are none are skipped.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let root = PathBuf::from(unescape(left.next()?));
    let mount_point = PathBuf::from(unescape(left.next()?));
    let mut right = right.split(' ');
    let kind = right.next()?.to_owned();
    let source = unescape(right.next()?);
    let super_options = right
        .next()
        .unwrap_or_default()
        .split(',')
        .map(str::to_owned)
        .collect();
    Some(Mount {
        root,
        mount_point,
        kind,
        source,
        super_options,
    })
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escaped, character) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        plain = plain.replace(escaped, character);
    }
    plain
}

/// The mount on top of exactly this directory.
///
/// # Errors
/// When `/proc` can't be read.
pub fn at(mount_point: &Path) -> Result<Option<Mount>> {
    Ok(current()?
        .into_iter()
        .rev()
        .find(|mount| mount.mount_point == mount_point))
}

/// Everything mounted at or below a directory, the latest first.
///
/// # Errors
/// When `/proc` can't be read.
pub fn below(directory: &Path) -> Result<Vec<Mount>> {
    let mut mounts = current()?;
    mounts.retain(|mount| mount.mount_point.starts_with(directory));
    mounts.reverse();
    Ok(mounts)
}

/// An overlay of `upper` on the read-only `lower`.
pub(crate) fn overlay(lower: &Path, upper: &Path, work: &Path, target: &Path) -> Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &options])
        .arg(target)
        .check()
        .map(drop)
}

/// A filesystem image on a loop device that frees itself with the mount.
pub(crate) fn image(image: &Path, options: &str, target: &Path) -> Result<()> {
    Command::new("mount")
        .args(["-o", &format!("loop,{options}")])
        .arg(image)
        .arg(target)
        .check()
        .map(drop)
}

/// Mounts a directory onto itself and shares what happens below with every copy of the mount
/// table, so that unmounting here unmounts in the namespaces of bystanders too.
pub(crate) fn share(directory: &Path) -> Result<()> {
    rustix::mount::mount_bind(directory, directory).file("bind", directory)?;
    rustix::mount::mount_change(directory, MountPropagationFlags::SHARED).file("share", directory)
}

/// A bind mount that ends with this value.
#[derive(Debug)]
pub(crate) struct BindGuard(PathBuf);

impl BindGuard {
    pub(crate) fn new(source: &str, target: PathBuf) -> Result<Self> {
        rustix::mount::mount(
            source,
            &target,
            c"",
            MountFlags::BIND | MountFlags::REC,
            None,
        )
        .file("bind", &target)?;
        rustix::mount::mount_change(
            &target,
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
        )
        .file("make private", &target)?;
        Ok(Self(target))
    }
}

impl Drop for BindGuard {
    fn drop(&mut self) {
        // Detached at once for new users, gone when the last process leaves: nothing to wait for.
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Unmounts, waiting while the filesystem is busy.
///
/// # Errors
/// When it stays busy.
pub(crate) fn unmount(target: &Path) -> Result<()> {
    let what = format!("unmount {} (still in use)", target.display());
    wait_until(
        &what,
        Deadline::after(UNMOUNT_LIMIT),
        || match rustix::mount::unmount(target, UnmountFlags::NOFOLLOW) {
            // EINVAL: not, or no longer, a mount point.
            Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Ok(Some(())),
            Err(rustix::io::Errno::BUSY) => Ok(None),
            Err(errno) => Err(Error::File {
                verb: "unmount",
                path: target.into(),
                source: errno.into(),
            }),
        },
    )
}

/// The files behind the loop devices that are in use.
pub fn loop_backing_files() -> Vec<(String, PathBuf)> {
    let Ok(devices) = std::fs::read_dir("/sys/block") else {
        return Vec::new();
    };
    let backing = |name: String| {
        let file = std::fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).ok()?;
        Some((format!("/dev/{name}"), PathBuf::from(file.trim_end())))
    };
    devices
        .flatten()
        .filter_map(|entry| backing(entry.file_name().into_string().ok()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 master:2 - tmpfs tmpfs rw,mode=755
90 31 7:0 /top /srv/with\\040space rw - btrfs /dev/loop0 rw,noatime,subvolid=5
garbage
";

    #[test]
    fn optional_fields_and_escapes_are_understood() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0].kind, "tmpfs");
        assert_eq!(mounts[1].mount_point, Path::new("/srv/with space"));
        assert_eq!(mounts[1].root, Path::new("/top"));
        assert_eq!(mounts[1].source, "/dev/loop0");
        assert_eq!(mounts[1].super_options, ["rw", "noatime", "subvolid=5"]);
    }
}
