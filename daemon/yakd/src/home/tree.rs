//! Whole trees inside a dataset: copying a template into it, removing one.

use super::{Home, RESOLVE};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Deeper than any application goes; a customer's deeper tree is refused instead of followed.
const DEPTH_MAX: usize = 1_000;

/// A tree of the daemon's own, its files held open, so that a thread without root's rights can
/// copy it.
#[derive(Debug)]
pub struct SourceTree(Vec<(PathBuf, Option<File>)>);

impl SourceTree {
    /// Opens all files of a tree. Parents come before what is in them.
    ///
    /// # Errors
    /// When something can't be read, or is neither file nor folder.
    pub fn open(root: &Path) -> io::Result<Self> {
        let mut entries = Vec::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let path = folder.join(entry.file_name());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    entries.push((path.clone(), None));
                    waiting.push(path);
                } else if kind.is_file() {
                    let mut options = std::fs::OpenOptions::new();
                    options.read(true).custom_flags(libc::O_NOFOLLOW);
                    entries.push((path.clone(), Some(options.open(entry.path())?)));
                } else {
                    return Err(io::Error::other("a template has only files and folders"));
                }
            }
        }
        Ok(Self(entries))
    }
}

/// Copies a tree into a new folder of a dataset, by reflink where the filesystem can. Folders get
/// mode 0700, files 0600. On disk when it returns.
///
/// # Errors
/// When the folder is there already, or writing fails; a half-made copy is left for the caller to
/// remove.
pub fn copy_tree(home: &Home, source: &SourceTree, to: &Path) -> io::Result<()> {
    home.create_folder(to, 0o700)?;
    let top = home.open_folder(to)?;
    for (path, file) in &source.0 {
        match file {
            None => rustix::fs::mkdirat(&top, path, Mode::from_raw_mode(0o700))?,
            Some(file) => copy_file(&top, path, file)?,
        }
    }
    // Once for all: one flush of the filesystem is much faster than one for each of 200 files.
    rustix::fs::syncfs(&top)?;
    Ok(())
}

fn copy_file(top: &OwnedFd, path: &Path, source: &File) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(top, path, flags, Mode::from_raw_mode(0o600), RESOLVE)?;
    let mut target = File::from(opened);
    if rustix::fs::ioctl_ficlone(&target, source).is_err() {
        io::copy(&mut &*source, &mut target)?;
    }
    Ok(())
}

/// Removes what is at a path, whole. What is not there is no error.
///
/// # Errors
/// When a link is in the way, the tree is absurdly deep, or something can't be removed.
pub fn remove_tree(home: &Home, path: &Path) -> io::Result<()> {
    let (folder, name) = match home.parent(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let name = CString::new(name.as_os_str().as_encoded_bytes())?;
    remove_entry(&folder, &name, 0)
}

fn remove_entry(folder: &OwnedFd, name: &CString, depth: usize) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other("the folders are nested too deeply"));
    }
    let stat = match rustix::fs::statat(folder, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        rustix::fs::unlinkat(folder, name.as_c_str(), AtFlags::empty())?;
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(
        folder.as_fd(),
        name.as_c_str(),
        flags,
        Mode::empty(),
        RESOLVE,
    )?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&opened)? {
        let entry = entry?;
        let inner = entry.file_name();
        if inner != c"." && inner != c".." {
            names.push(inner.to_owned());
        }
    }
    for inner in names {
        remove_entry(&opened, &inner, depth + 1)?;
    }
    rustix::fs::unlinkat(folder, name.as_c_str(), AtFlags::REMOVEDIR)?;
    Ok(())
}
