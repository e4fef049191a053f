//! Everything that root does inside a customer's dataset goes through here.
//!
//! Two walls. Paths are resolved by openat2 below the dataset's own folder and without any link
//! (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS), so that a link in the way is an error, wherever it
//! stands and however fast it is swapped. And the work is done with the owner's file rights, in a
//! thread of its own that gave up root's ([`as_owner`]), so that whatever slips through can touch
//! only what the owner could touch anyway.

mod owner;
mod tree;

pub use owner::{Owner, as_owner};
pub use tree::{SourceTree, copy_tree, remove_tree};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How every path below a dataset is resolved.
pub(crate) const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// The folder of a live dataset, held open.
#[derive(Debug)]
pub struct Home(OwnedFd);

impl Home {
    /// Opens the folder of a dataset. The path is the daemon's own (ids and fixed words).
    ///
    /// # Errors
    /// When it is absent or no folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(folder, flags, Mode::empty())?;
        Ok(Self(opened))
    }

    /// Gives a fresh dataset (one that still belongs to root) to its owner, for `group` to enter.
    /// One that has an owner already is left as it is: its owner may have closed it further.
    ///
    /// # Errors
    /// When the folder can't be changed.
    pub fn give_to(&self, owner: Owner, group: u32, mode: u32) -> io::Result<()> {
        let stat = rustix::fs::fstat(&self.0)?;
        if stat.st_uid == owner.uid {
            return Ok(());
        }
        let user = rustix::fs::Uid::from_raw(owner.uid);
        let group = rustix::fs::Gid::from_raw(group);
        // First the mode: between the two calls nobody has more than in the end.
        rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode))?;
        rustix::fs::fchown(&self.0, Some(user), Some(group))?;
        Ok(())
    }

    /// Whether something of this name is there, whatever it is.
    ///
    /// # Errors
    /// When that can't be told, for example because a link is in the way.
    pub fn exists(&self, path: &Path) -> io::Result<bool> {
        let (folder, name) = self.parent(path)?;
        match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes a folder; one that is there already is left as it is.
    ///
    /// # Errors
    /// When something else is there, or it can't be made.
    pub fn ensure_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        match self.create_folder(path, mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.open_folder(path).map(drop)
            }
            other => other,
        }
    }

    /// Makes a folder that must not be there yet.
    ///
    /// # Errors
    /// When something is there, or it can't be made.
    pub fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(mode))?;
        Ok(())
    }

    /// The names in a folder; at most `most`.
    ///
    /// # Errors
    /// When it is absent, no folder, or behind a link.
    pub fn names(&self, path: &Path, most: usize) -> io::Result<Vec<Vec<u8>>> {
        let folder = self.open_folder(path)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
            if names.len() >= most {
                break;
            }
        }
        Ok(names)
    }

    /// Writes a file whole or not at all, in the place of one that is there.
    ///
    /// # Errors
    /// When a folder on the way is absent or a link, or the disk is full.
    pub fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(".hwc-new");
        let temporary = Path::new(&temporary);
        match rustix::fs::unlinkat(&folder, temporary, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let opened = rustix::fs::openat2(&folder, temporary, flags, mode, RESOLVE)?;
        let mut file = File::from(opened);
        file.write_all(content)?;
        rustix::fs::fchmod(&file, mode)?;
        file.sync_all()?;
        rustix::fs::renameat(&folder, temporary, &folder, name)?;
        Ok(())
    }

    /// Renames within the dataset; the new name must be free.
    ///
    /// # Errors
    /// When the old one is absent, the new one taken, or a link in the way.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_folder, from_name) = self.parent(from)?;
        let (to_folder, to_name) = self.parent(to)?;
        let flags = RenameFlags::NOREPLACE;
        rustix::fs::renameat_with(&from_folder, from_name, &to_folder, to_name, flags)?;
        Ok(())
    }

    /// Swaps two entries of the dataset in one step; both must be there.
    ///
    /// # Errors
    /// When one is absent, or a link in the way.
    pub fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let (one_folder, one_name) = self.parent(one)?;
        let (other_folder, other_name) = self.parent(other)?;
        let flags = RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(&one_folder, one_name, &other_folder, other_name, flags)?;
        Ok(())
    }

    /// Waits until what was done in a folder is on disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        rustix::fs::fsync(self.open_folder(path)?)?;
        Ok(())
    }

    pub(crate) fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat2(&self.0, path, flags, Mode::empty(), RESOLVE)?;
        Ok(opened)
    }

    /// The folder that a path is in, opened, and the path's last word.
    pub(crate) fn parent<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a Path)> {
        let invalid =
            || io::Error::new(io::ErrorKind::InvalidInput, "not a path below the dataset");
        let name = path.file_name().ok_or_else(invalid)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _none => PathBuf::from("."),
        };
        Ok((self.open_folder(&folder)?, Path::new(name)))
    }
}

impl AsFd for Home {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests;
