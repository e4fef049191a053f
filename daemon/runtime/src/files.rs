//! Write a file whole or not at all: temporary name beside it, fsync, rename, fsync of the folder.
//!
//! For the daemon's own folders and for `/etc`. Paths inside a customer's home are never written
//! through here (see yakd's `home`).

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Owner and permission bits of a written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode {
    /// Permission bits, such as `0o640`.
    pub bits: u32,
    /// Owner; none leaves the daemon's own (root).
    pub owner: Option<u32>,
    /// Group; none leaves the daemon's own (root).
    pub group: Option<u32>,
}

impl FileMode {
    /// Readable by everyone.
    pub const PUBLIC: Self = Self {
        bits: 0o644,
        owner: None,
        group: None,
    };
    /// For root alone.
    pub const SECRET: Self = Self {
        bits: 0o600,
        owner: None,
        group: None,
    };
}

/// Replaces `path` with `content`; after an error or a crash the old file is there, whole.
///
/// # Errors
/// When the folder is missing, the disk is full, or a permission is lacking.
pub fn write_atomically(path: &Path, content: &[u8], mode: FileMode) -> io::Result<()> {
    let (folder, temporary) = temporary_beside(path)?;
    let _turn = take_turn(path);
    let result = write_temporary(&temporary, content, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(folder)?.sync_all());
    if result.is_err() {
        // The rename may have happened; then there is nothing left to remove.
        let _absent = fs::remove_file(&temporary);
    }
    result
}

/// Like [`write_atomically`], but leaves a file that is equal already untouched. Says whether it
/// wrote.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_if_changed(path: &Path, content: &[u8], mode: FileMode) -> io::Result<bool> {
    let is_equal = match fs::symlink_metadata(path) {
        Ok(metadata) => {
            metadata.is_file()
                && metadata.permissions().mode() & 0o7777 == mode.bits
                && metadata.len() == content.len() as u64
                && fs::read(path)? == content
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if is_equal {
        return Ok(false);
    }
    write_atomically(path, content, mode).map(|()| true)
}

/// Two writers of one file take turns: they share its temporary name, which a crash leaves behind
/// and the next writer removes.
fn take_turn(path: &Path) -> MutexGuard<'static, ()> {
    const STRIPES: usize = 64;
    static TURNS: [Mutex<()>; STRIPES] = [const { Mutex::new(()) }; STRIPES];
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    let stripe = usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or_default();
    // The index is below the length.
    TURNS[stripe].lock().unwrap_or_else(PoisonError::into_inner)
}

fn temporary_beside(path: &Path) -> io::Result<(&Path, std::path::PathBuf)> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "path without folder or name");
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .ok_or_else(invalid)?;
    let name = path.file_name().ok_or_else(invalid)?.to_string_lossy();
    Ok((folder, folder.join(format!(".{name}.hwc-new"))))
}

fn write_temporary(temporary: &Path, content: &[u8], mode: FileMode) -> io::Result<()> {
    match fs::remove_file(temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    file.write_all(content)?;
    if mode.owner.is_some() || mode.group.is_some() {
        chown(temporary, mode.owner, mode.group)?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode.bits))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_writers_of_one_file_don_t_disturb_each_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("unit.slice");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for round in 0..20 {
                        let content = format!("{writer} {round}");
                        write_atomically(path, content.as_bytes(), FileMode::PUBLIC)
                            .expect("written");
                    }
                });
            }
        });
        let names = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(names, 1, "a temporary file was left");
    }

    #[test]
    fn a_file_is_replaced_whole_and_only_when_different() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("settings");
        assert!(write_if_changed(&path, b"one", FileMode::SECRET).expect("written"));
        assert!(!write_if_changed(&path, b"one", FileMode::SECRET).expect("equal"));
        assert!(write_if_changed(&path, b"two", FileMode::SECRET).expect("written"));
        assert_eq!(fs::read(&path).expect("readable"), b"two");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("absent/settings");
        assert!(write_atomically(&path, b"x", FileMode::PUBLIC).is_err());
    }
}
