//! A node's two disks: images on loop devices, how they are mounted, and how they look after a power cut.
//!
//! Both are btrfs. It never overwrites what the last finished transaction refers to, so a
//! plain copy of the image, read from the front (where the superblock is) while no process
//! writes, is what a real disk would hold.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::Command;
use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, FileContext, Result};
use crate::mounts;

/// Room for what a node writes outside its pool. Sparse: costs what is used.
const SYSTEM_BYTES: u64 = 16 << 30;
/// The data pool: every user may delete subvolumes that are theirs; reads write nothing.
const POOL_OPTIONS: &str = "noatime,user_subvol_rm_allowed,subvolid=5";
const SYSTEM_OPTIONS: &str = "noatime";
/// The images.
const IMAGES: [&str; 2] = ["system.img", "pool.img"];
/// Where the primary superblock is, and the generation in it (btrfs on-disk format).
const SUPERBLOCK_AT: u64 = 64 << 10;
const GENERATION_AT: u64 = SUPERBLOCK_AT + 72;
/// A copy during which the filesystem committed twice is taken again, this often.
const COPY_ATTEMPTS: usize = 5;
/// Copying gigabytes on a busy machine.
const COPY_LIMIT: Duration = Duration::from_secs(300);
/// How long a loop device may stay after its filesystem was unmounted.
const RELEASE_LIMIT: Duration = Duration::from_secs(15);

/// Where the pool is mounted outside the node.
pub(super) fn pool_mount(directory: &Path) -> PathBuf {
    directory.join("pool")
}

/// Makes both disks, empty.
pub(super) fn create(directory: &Path, label: &str, pool_bytes: u64) -> Result<()> {
    for (image, bytes) in IMAGES.into_iter().zip([SYSTEM_BYTES, pool_bytes]) {
        let path = directory.join(image);
        let file = File::create(&path).file("create", &path)?;
        file.set_len(bytes).file("size", &path)?;
        Command::new("mkfs.btrfs")
            .args(["--quiet", "--label", label])
            .arg(&path)
            .check()?;
    }
    for mount_point in ["root", "system", "pool"] {
        let path = directory.join(mount_point);
        fs::create_dir_all(&path).file("create", path)?;
    }
    Ok(())
}

/// Mounts what is not mounted yet. Gives the pool's device.
pub(super) fn mount(directory: &Path, image: &Path) -> Result<String> {
    let (system, root, pool) = (
        directory.join("system"),
        directory.join("root"),
        pool_mount(directory),
    );
    if mounts::at(&system)?.is_none() {
        mounts::image(&directory.join("system.img"), SYSTEM_OPTIONS, &system)?;
    }
    if mounts::at(&root)?.is_none() {
        let (upper, work) = (system.join("upper"), system.join("work"));
        fs::create_dir_all(&upper).file("create", &upper)?;
        fs::create_dir_all(&work).file("create", &work)?;
        mounts::overlay(image, &upper, &work, &root)?;
    }
    if mounts::at(&pool)?.is_none() {
        mounts::image(&directory.join("pool.img"), POOL_OPTIONS, &pool)?;
    }
    let mounted = mounts::at(&pool)?
        .ok_or_else(|| Error::Input(format!("{} is not mounted", pool.display())))?;
    Ok(mounted.source)
}

/// Copies both disks beside themselves; the node's processes must be stopped.
pub(super) fn copy_as_they_are(directory: &Path) -> Result<()> {
    for image in IMAGES {
        copy_consistently(&directory.join(image), &cut(directory, image))?;
    }
    Ok(())
}

/// Makes the copies the node's disks; nothing may be mounted any more.
pub(super) fn put_copies_in_place(directory: &Path) -> Result<()> {
    for image in IMAGES {
        let path = directory.join(image);
        fs::rename(cut(directory, image), &path).file("put in place", path)?;
    }
    Ok(())
}

fn cut(directory: &Path, image: &str) -> PathBuf {
    directory.join(format!("{image}.cut"))
}

/// What the copied superblock refers to is intact as long as at most one transaction was finished
/// since: space that a transaction frees is written to by the next one at the earliest.
fn copy_consistently(image: &Path, copy: &Path) -> Result<()> {
    for _ in 0..COPY_ATTEMPTS {
        Command::new("cp")
            .args(["--sparse=auto", "--reflink=auto"])
            .arg(image)
            .arg(copy)
            .limit(COPY_LIMIT)
            .check()?;
        if generation(image)? <= generation(copy)?.saturating_add(1) {
            return Ok(());
        }
    }
    Err(Error::Machine {
        what: format!(
            "{} was written to during each of {COPY_ATTEMPTS} attempts to copy it",
            image.display()
        ),
        advice: "the machine's disk is too slow for a power cut of a node with this much data"
            .into(),
    })
}

fn generation(image: &Path) -> Result<u64> {
    let file = File::open(image).file("open", image)?;
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, GENERATION_AT)
        .file("read", image)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Two filesystems with the same identity must never be mounted together: waits for the kernel to let go of the images.
pub(super) fn wait_until_released(directory: &Path) -> Result<()> {
    let what = format!(
        "the release of the disks in {} (a process of another mount namespace may hold them)",
        directory.display()
    );
    wait_until(&what, Deadline::after(RELEASE_LIMIT), || {
        let is_held = mounts::loop_backing_files()
            .iter()
            .any(|(_, file)| file.starts_with(directory));
        Ok((!is_held).then_some(()))
    })
}
