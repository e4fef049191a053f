//! Whether this machine can carry a lab, asked before anything is made.

use std::path::Path;

use crate::cgroup::Hierarchies;
use crate::command::Command;
use crate::error::{Error, FileContext, Result};

/// Programs that a lab runs, and the Debian packages that bring them.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nft", "nftables"),
    ("systemd-nspawn", "systemd-container"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
    ("mount", "mount"),
    ("ethtool", "ethtool"),
];
/// Programs that building an image needs on top.
const IMAGE_PROGRAMS: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("dpkg-deb", "dpkg"),
    ("apt-config", "apt"),
    ("chroot", "coreutils"),
];

/// Insists on root.
///
/// # Errors
/// [`Error::NotRoot`].
pub fn require_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err(Error::NotRoot)
    }
}

/// Insists on what nodes need, and finds the cgroup hierarchies.
///
/// # Errors
/// With what is missing and how to get it.
pub fn require_lab() -> Result<Hierarchies> {
    require_root()?;
    require_programs(PROGRAMS)?;
    require_filesystem("btrfs")?;
    require_filesystem("overlay")?;
    if !Path::new("/dev/loop-control").exists() {
        return Err(Error::Machine {
            what: "no loop devices (/dev/loop-control is missing)".into(),
            advice: "load the kernel module: modprobe loop".into(),
        });
    }
    Hierarchies::detect()
}

/// Insists on what building an image needs.
///
/// # Errors
/// With what is missing and how to get it.
pub fn require_image_tools() -> Result<()> {
    require_root()?;
    require_programs(IMAGE_PROGRAMS)
}

fn require_programs(programs: &[(&str, &str)]) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    };
    let missing: Vec<_> = programs
        .iter()
        .filter(|(program, _)| !is_there(program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<_> = missing.iter().map(|(program, _)| *program).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(Error::Machine {
        what: format!("not installed: {}", programs.join(", ")),
        advice: format!(
            "apt-get install --no-install-recommends {}",
            packages.join(" ")
        ),
    })
}

/// Insists on a filesystem of the kernel; on ordinary machines it may be a module that nobody has loaded yet.
fn require_filesystem(name: &str) -> Result<()> {
    if knows_filesystem(name)? {
        return Ok(());
    }
    // Without modprobe, or without the module, the answer below says it.
    let _ = Command::new("modprobe").arg(name).run();
    if knows_filesystem(name)? {
        return Ok(());
    }
    Err(Error::Machine {
        what: format!("no {name} in this kernel"),
        advice: format!(
            "boot a kernel that has it (Debian's do; in a container, load it on the host: modprobe {name})"
        ),
    })
}

fn knows_filesystem(name: &str) -> Result<bool> {
    let path = "/proc/filesystems";
    let text = std::fs::read_to_string(path).file("read", path)?;
    Ok(text
        .lines()
        .any(|line| line.split_whitespace().next_back() == Some(name)))
}
