//! What makes the installed system a good node: a table of steps and the code that applies them.
//!
//! Two aims: boot fast and cleanly in a container; leave to hwcd what hwcd owns (ports 80 and 443,
//! PHP-FPM units, MariaDB instances).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::run_inside;
use crate::error::{FileContext, Result};

/// One change to the installed system. Paths are inside it.
#[derive(Debug)]
pub(super) enum Step {
    /// A unit that must never start.
    Mask(&'static str),
    /// A file with this content.
    Write(&'static str, &'static str),
    /// A file or directory that must not be there.
    Remove(&'static str),
    /// A directory to be emptied.
    Empty(&'static str),
    /// A program to be run inside.
    Run(&'static str, &'static [&'static str]),
}

use Step::{Empty, Mask, Remove, Run, Write};

pub(super) const STEPS: &[Step] = &[
    // Every node has its own identity.
    Remove("/etc/hostname"),
    Remove("/etc/resolv.conf"),
    Remove("/etc/ssh/ssh_host_rsa_key"),
    Remove("/etc/ssh/ssh_host_rsa_key.pub"),
    Remove("/etc/ssh/ssh_host_ecdsa_key"),
    Remove("/etc/ssh/ssh_host_ecdsa_key.pub"),
    Remove("/etc/ssh/ssh_host_ed25519_key"),
    Remove("/etc/ssh/ssh_host_ed25519_key.pub"),
    Write("/etc/machine-id", ""),
    // No modules and no hardware in a container, no console to log in at.
    Mask("systemd-modules-load.service"),
    Mask("modprobe@.service"),
    Mask("kmod-static-nodes.service"),
    Mask("systemd-binfmt.service"),
    Mask("proc-sys-fs-binfmt_misc.automount"),
    Mask("sys-kernel-debug.mount"),
    Mask("sys-kernel-tracing.mount"),
    Mask("sys-kernel-config.mount"),
    Mask("dev-hugepages.mount"),
    Mask("systemd-pcrphase.service"),
    Mask("systemd-pcrphase-sysinit.service"),
    Mask("systemd-pstore.service"),
    Mask("systemd-random-seed.service"),
    Mask("systemd-repart.service"),
    Mask("systemd-firstboot.service"),
    Mask("systemd-machine-id-commit.service"),
    Mask("systemd-update-utmp.service"),
    Mask("systemd-update-utmp-runlevel.service"),
    Mask("systemd-journald-audit.socket"),
    Mask("console-getty.service"),
    Mask("getty-static.service"),
    Mask("getty@tty1.service"),
    // Nothing wakes up by itself in the middle of a measurement.
    Mask("apt-daily.timer"),
    Mask("apt-daily-upgrade.timer"),
    Mask("dpkg-db-backup.timer"),
    Mask("e2scrub_all.timer"),
    Mask("e2scrub_reap.service"),
    Mask("fstrim.timer"),
    Mask("phpsessionclean.timer"),
    // The journal survives a kill, so that `hwc-lab logs` can tell what a dead node last said.
    Write(
        "/etc/systemd/journald.conf.d/lab.conf",
        "[Journal]\nStorage=persistent\nSystemMaxUse=64M\nForwardToConsole=no\n",
    ),
    Write(
        "/etc/systemd/system.conf.d/lab.conf",
        "[Manager]\nShowStatus=no\nDefaultTimeoutStopSec=10s\n",
    ),
    // A host key of its own at the first start; one kind, because RSA keys cost a second of CPU.
    Write(
        "/etc/systemd/system/ssh-host-key.service",
        "[Unit]\nConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n\n[Service]\nType=oneshot\n\
         ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N \"\" -f /etc/ssh/ssh_host_ed25519_key\n",
    ),
    Write(
        "/etc/systemd/system/ssh.service.d/lab.conf",
        "[Unit]\nWants=ssh-host-key.service\nAfter=ssh-host-key.service\n",
    ),
    // hwcd runs one PHP-FPM unit per site and one MariaDB instance per database.
    Mask("php8.4-fpm.service"),
    Mask("mariadb.service"),
    Empty("/var/lib/mysql"),
    // Ports 80 and 443 are AwesomeProxy's; Apache answers behind it.
    Remove("/etc/apache2/sites-enabled/000-default.conf"),
    Write("/etc/apache2/ports.conf", "Listen 127.0.0.1:8080\n"),
    Write(
        "/etc/apache2/conf-enabled/lab.conf",
        "ServerName localhost\n",
    ),
    Run(
        "a2enmod",
        &[
            "-q",
            "proxy_fcgi",
            "setenvif",
            "rewrite",
            "headers",
            "expires",
        ],
    ),
    // Mount points.
    Write("/srv/hwc/.keep", ""),
    Remove("/srv/hwc/.keep"),
    // The package lists were only needed to build the image.
    Empty("/var/lib/apt/lists"),
    Empty("/var/cache/apt"),
    Remove("/etc/apt/apt.conf.d/99mmdebstrap"),
];

/// Applies all steps to the system in `root`.
pub(super) fn apply(root: &Path) -> Result<()> {
    for step in STEPS {
        match step {
            Mask(unit) => {
                let link = inside(root, "/etc/systemd/system").join(unit);
                remove(&link)?;
                symlink("/dev/null", &link).file("mask", &link)?;
            }
            Write(path, content) => write(&inside(root, path), content)?,
            Remove(path) => remove(&inside(root, path))?,
            Empty(path) => {
                let directory = inside(root, path);
                for entry in fs::read_dir(&directory).file("read", &directory)?.flatten() {
                    remove(&entry.path())?;
                }
            }
            Run(program, args) => run_inside(root, program, args)?,
        }
    }
    Ok(())
}

fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn write(path: &Path, content: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).file("create", parent)?;
    }
    // A link would lead out of the image.
    remove(path)?;
    fs::write(path, content).file("write", path)
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.file("remove", path)
}
