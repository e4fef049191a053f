//! Sets of files on their way to disk: `FileSet<Rendered>` → checked → `FileSet<Applied>`.
//!
//! The type says what has happened: only a checked set can be applied. A set is a whole: what lies
//! in its territory and is not in it is removed.

use crate::error::YakdError;
use hwc_runtime::files::{FileMode, write_if_changed};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Rendered, and nobody has judged it.
#[derive(Debug, Clone)]
pub enum Rendered {}
/// The service's own checker takes it.
#[derive(Debug, Clone)]
pub enum Checked {}
/// On disk.
#[derive(Debug, Clone)]
pub enum Applied {}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// A text with its permission bits; root owns it.
    Text {
        /// Permission bits.
        mode: u32,
        /// Its group; root's where none.
        group: Option<u32>,
        /// What it says.
        text: String,
    },
    /// A symbolic link to this place.
    Link(PathBuf),
}

impl File {
    /// A text that everybody may read.
    #[must_use]
    pub const fn public(text: String) -> Self {
        Self::Text {
            mode: 0o644,
            group: None,
            text,
        }
    }

    /// A text for root alone.
    #[must_use]
    pub const fn secret(text: String) -> Self {
        Self::Text {
            mode: 0o600,
            group: None,
            text,
        }
    }

    /// A text for root and the processes of one tenant.
    #[must_use]
    pub const fn of_group(group: u32, text: String) -> Self {
        Self::Text {
            mode: 0o640,
            group: Some(group),
            text,
        }
    }
}

/// Files that belong together, by absolute path.
#[derive(Debug, Clone)]
pub struct FileSet<State> {
    files: BTreeMap<PathBuf, File>,
    state: PhantomData<State>,
}

/// What applying a set changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that were not there before.
    pub added: Vec<PathBuf>,
    /// Files that were there with another content.
    pub replaced: Vec<PathBuf>,
    /// Files that are gone.
    pub removed: Vec<PathBuf>,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.replaced.is_empty() && self.removed.is_empty()
    }

    /// All paths that have another content than before.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.added.iter().chain(&self.replaced).chain(&self.removed)
    }
}

/// Files of one folder that are ours: those whose name has this beginning and one of these endings.
#[derive(Debug, Clone, Copy)]
pub struct Territory {
    /// The folder.
    pub folder: &'static str,
    /// Beginning of the names.
    pub prefix: &'static str,
    /// Endings of the names.
    pub suffixes: &'static [&'static str],
}

impl Territory {
    /// Whether a file of this name in the folder is ours.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        name.starts_with(self.prefix) && self.suffixes.iter().any(|suffix| name.ends_with(suffix))
    }
}

impl Default for FileSet<Rendered> {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl<State> FileSet<State> {
    const fn new(files: BTreeMap<PathBuf, File>) -> Self {
        Self {
            files,
            state: PhantomData,
        }
    }

    /// The files.
    #[must_use]
    pub const fn files(&self) -> &BTreeMap<PathBuf, File> {
        &self.files
    }
}

impl FileSet<Rendered> {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, file: File) {
        self.files.insert(path.into(), file);
    }

    /// Adds all files of another set.
    pub fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
    }

    /// For a checker: the set as one that was judged.
    pub(crate) fn into_checked(self) -> FileSet<Checked> {
        FileSet::new(self.files)
    }

    /// Which of the files are not on disk below `root` as they should be.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn pending(&self, root: &Path) -> Result<Vec<PathBuf>, YakdError> {
        let mut pending = Vec::new();
        for (path, file) in &self.files {
            let target = below(root, path);
            if !is_there(&target, file).map_err(YakdError::file("read", &target))? {
                pending.push(path.clone());
            }
        }
        Ok(pending)
    }

    /// Writes the set below another folder, for a checker to look at.
    ///
    /// # Errors
    /// When a file can't be written.
    pub(crate) fn stage(&self, root: &Path) -> Result<(), YakdError> {
        for (path, file) in &self.files {
            write(&below(root, path), file)?;
        }
        Ok(())
    }
}

impl FileSet<Checked> {
    /// Puts the set on disk below `root` (`/`, but in tests), each file whole or not at all, and
    /// removes what lies in the territories and is not in the set. Untouched where equal.
    ///
    /// # Errors
    /// When a file can't be written; those before it are written, and the next run mends the rest.
    pub fn apply(
        self,
        root: &Path,
        territories: &[Territory],
    ) -> Result<(FileSet<Applied>, Changes), YakdError> {
        let mut changes = Changes::default();
        for (path, file) in &self.files {
            let target = below(root, path);
            let was_there = fs::symlink_metadata(&target).is_ok();
            if write(&target, file)? {
                let list = if was_there {
                    &mut changes.replaced
                } else {
                    &mut changes.added
                };
                list.push(path.clone());
            }
        }
        for territory in territories {
            changes.removed.extend(self.clear(root, territory)?);
        }
        Ok((FileSet::new(self.files), changes))
    }

    fn clear(&self, root: &Path, territory: &Territory) -> Result<Vec<PathBuf>, YakdError> {
        let mut removed = Vec::new();
        for name in names_in(&below(root, Path::new(territory.folder)))? {
            let path = Path::new(territory.folder).join(&name);
            if !territory.holds(&name) || self.files.contains_key(&path) {
                continue;
            }
            let target = below(root, &path);
            fs::remove_file(&target).map_err(YakdError::file("remove", &target))?;
            removed.push(path);
        }
        Ok(removed)
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>, YakdError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(YakdError::file("list", folder)(error)),
    };
    // A name that is no text is none of ours.
    let names = entries
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok());
    Ok(names.collect())
}

/// An absolute path, seen below another root.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn is_there(target: &Path, file: &File) -> io::Result<bool> {
    let found = match file {
        File::Text { text, .. } => fs::read(target).map(|content| content == text.as_bytes()),
        File::Link(to) => fs::read_link(target).map(|link| link == *to),
    };
    match found {
        Ok(is_equal) => Ok(is_equal),
        // EINVAL: not a link.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Writes one file if it differs; says whether it wrote.
fn write(target: &Path, file: &File) -> Result<bool, YakdError> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(YakdError::file("create", folder))?;
    }
    let written = match file {
        File::Text { mode, group, text } => {
            let mode = FileMode {
                bits: *mode,
                owner: None,
                group: *group,
            };
            write_if_changed(target, text.as_bytes(), mode)
        }
        File::Link(to) => link(target, to),
    };
    written.map_err(YakdError::file("write", target))
}

fn link(target: &Path, to: &Path) -> io::Result<bool> {
    if fs::read_link(target).is_ok_and(|link| link == to) {
        return Ok(false);
    }
    let mut temporary = target.as_os_str().to_owned();
    temporary.push(".hwc-new");
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    std::os::unix::fs::symlink(to, &temporary)?;
    fs::rename(&temporary, target)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Territory = Territory {
        folder: "/etc/x",
        prefix: "hwc-",
        suffixes: &[".conf"],
    };

    fn set(entries: &[(&str, &str)]) -> FileSet<Checked> {
        let mut set = FileSet::default();
        for (path, text) in entries {
            set.add(*path, File::public((*text).to_owned()));
        }
        set.into_checked()
    }

    #[test]
    fn a_set_is_a_whole_and_others_files_are_left_alone() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let first = set(&[("/etc/x/hwc-1.conf", "one"), ("/etc/x/hwc-2.conf", "two")]);
        let (_, changes) = first.apply(root.path(), &[OURS]).expect("applied");
        assert_eq!(changes.added.len(), 2);
        fs::write(root.path().join("etc/x/admin.conf"), "mine").expect("written");

        let second = set(&[("/etc/x/hwc-1.conf", "other")]);
        let (_, changes) = second.clone().apply(root.path(), &[OURS]).expect("applied");
        assert_eq!(changes.replaced, [PathBuf::from("/etc/x/hwc-1.conf")]);
        assert_eq!(changes.removed, [PathBuf::from("/etc/x/hwc-2.conf")]);
        assert!(root.path().join("etc/x/admin.conf").exists());

        let (_, changes) = second.apply(root.path(), &[OURS]).expect("applied");
        assert!(changes.is_empty(), "{changes:?}");
    }

    #[test]
    fn pending_files_are_those_that_differ() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let mut set = FileSet::default();
        set.add("/etc/a", File::public("a".into()));
        set.add("/etc/l", File::Link("../b".into()));
        assert_eq!(set.pending(root.path()).expect("read").len(), 2);
        set.clone()
            .into_checked()
            .apply(root.path(), &[])
            .expect("applied");
        assert!(set.pending(root.path()).expect("read").is_empty());
    }
}
