//! Unpacks an archive from standard input into a new folder of the working directory.
//!
//! Runs in a process of its own, as the site's user and inside the site's walls; what it makes of
//! a hostile archive can hurt that site alone. Still it takes regular files and folders only, with
//! plain relative names; links, devices and special bits are refused or dropped; number, size,
//! depth and compression ratio are bounded. Paths are opened through cap-std.

use crate::apps::catalogue::ArchiveFormat;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt, PermissionsExt};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

/// More files than any web application has.
const ENTRIES_MAX: u64 = 200_000;
/// All files together.
const BYTES_MAX: u64 = 4 << 30;
/// How many times larger than the archive its content may be; PHP code packs about 1:4.
const RATIO_MAX: u64 = 100;
/// Content below this is not held against the ratio: small archives of small texts pack well.
const RATIO_FREE_BYTES: u64 = 64 << 20;
/// How much is written between two looks at the bounds.
const PIECE_BYTES: u64 = 1 << 20;
/// Folders in folders.
const DEPTH_MAX: usize = 64;

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The arguments are not as documented at [`run`].
    #[error("usage: unpack FORMAT INTO TOP")]
    Usage,
    /// Reading the archive or writing a file failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The zip file is broken.
    #[error("the zip file is broken: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A name that is not a plain relative path.
    #[error("the archive has the name {0:?}, which leads elsewhere")]
    Name(PathBuf),
    /// A link, device or other special file.
    #[error("the archive has {0:?}, which is neither a file nor a folder")]
    Kind(PathBuf),
    /// A bound is passed.
    #[error("the archive has {0}")]
    Bound(&'static str),
    /// There is nothing in it, or nothing below its top folder.
    #[error("the archive is empty")]
    Empty,
}

/// Entry point of the child process: `FORMAT INTO TOP`, where FORMAT is `tar.gz` or `zip`, INTO
/// the new folder and TOP the folder inside the archive (`-` for none). Tells `progress N` (0 to
/// 100) on standard output.
///
/// # Errors
/// Says what is wrong with the archive; the caller prints it. The half-made folder is left for the
/// parent to remove.
pub fn run(arguments: &[String]) -> Result<(), UnpackError> {
    let [format, into, top] = arguments else {
        return Err(UnpackError::Usage);
    };
    let format = ArchiveFormat::of_name(&format!("x.{format}")).ok_or(UnpackError::Usage)?;
    let top = (top != "-").then_some(top.as_str());
    let archive = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let home = Dir::open_ambient_dir(".", ambient_authority())?;
    let mut told = None;
    unpack(archive, format, &home, into, top, &mut |percent| {
        if told != Some(percent) {
            told = Some(percent);
            // A parent that went away doesn't want to know.
            let _closed = writeln!(io::stdout(), "progress {percent}");
        }
    })
}

/// Unpacks into the new folder `into` of `home`.
///
/// # Errors
/// As [`run`].
pub fn unpack(
    archive: File,
    format: ArchiveFormat,
    home: &Dir,
    into: &str,
    top: Option<&str>,
    tell: &mut dyn FnMut(u8),
) -> Result<(), UnpackError> {
    let packed = archive.metadata()?.len();
    home.create_dir_with(into, &folder_mode())?;
    let mut unpacking = Unpacking {
        target: home.open_dir(into)?,
        top,
        packed,
        entries: 0,
        bytes: 0,
    };
    match format {
        ArchiveFormat::TarGz => unpacking.tar(archive, tell)?,
        ArchiveFormat::Zip => unpacking.zip(archive, tell)?,
    }
    if unpacking.target.entries()?.next().is_none() {
        return Err(UnpackError::Empty);
    }
    tell(100);
    Ok(())
}

fn folder_mode() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o755);
    builder
}

struct Unpacking<'a> {
    target: Dir,
    top: Option<&'a str>,
    packed: u64,
    entries: u64,
    bytes: u64,
}

impl Unpacking<'_> {
    fn tar(&mut self, archive: File, tell: &mut dyn FnMut(u8)) -> Result<(), UnpackError> {
        let mut position = archive.try_clone()?;
        let gzip = flate2::read::MultiGzDecoder::new(io::BufReader::new(archive));
        let mut tar = tar::Archive::new(gzip);
        for entry in tar.entries()? {
            let mut entry = entry?;
            let name = entry.path()?.into_owned();
            let kind = entry.header().entry_type();
            let is_executable = entry.header().mode()? & 0o111 != 0;
            // Headers for the whole archive, such as git's comment, are not entries.
            if kind.is_pax_global_extensions() {
                continue;
            }
            if kind.is_dir() {
                self.folder(&name)?;
            } else if kind.is_file() {
                self.file(&name, is_executable, &mut entry)?;
            } else {
                return Err(UnpackError::Kind(name));
            }
            let read = position.stream_position()?;
            tell(self.percent(read));
        }
        Ok(())
    }

    fn zip(&mut self, archive: File, tell: &mut dyn FnMut(u8)) -> Result<(), UnpackError> {
        let mut zip = zip::ZipArchive::new(io::BufReader::new(archive))?;
        let count = zip.len();
        for index in 0..count {
            let mut entry = zip.by_index(index)?;
            let name = PathBuf::from(entry.name()?.into_owned());
            let mode = entry.unix_mode();
            let is_special =
                mode.is_some_and(|mode| !matches!(mode & 0o170_000, 0 | 0o040_000 | 0o100_000));
            if is_special {
                return Err(UnpackError::Kind(name));
            }
            if entry.is_dir() {
                self.folder(&name)?;
            } else {
                self.file(
                    &name,
                    mode.is_some_and(|mode| mode & 0o111 != 0),
                    &mut entry,
                )?;
            }
            let percent = (index + 1) * 100 / count;
            tell(u8::try_from(percent).unwrap_or(100));
        }
        Ok(())
    }

    fn percent(&self, read: u64) -> u8 {
        let percent = read
            .saturating_mul(100)
            .checked_div(self.packed)
            .unwrap_or(0);
        u8::try_from(percent).unwrap_or(100).min(100)
    }

    fn folder(&mut self, name: &Path) -> Result<(), UnpackError> {
        self.count()?;
        if let Some(path) = self.place(name)? {
            self.make_folders(&path)?;
        }
        Ok(())
    }

    fn file(
        &mut self,
        name: &Path,
        is_executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        self.count()?;
        let Some(path) = self.place(name)? else {
            return Ok(());
        };
        if let Some(parent) = path.parent() {
            self.make_folders(parent)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o644);
        let mut file = self.target.open_with(&path, &options)?;
        loop {
            let written = io::copy(&mut content.take(PIECE_BYTES), &mut file)?;
            self.bytes = self.bytes.saturating_add(written);
            self.weigh()?;
            if written < PIECE_BYTES {
                break;
            }
        }
        if is_executable {
            file.set_permissions(cap_std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    fn make_folders(&self, path: &Path) -> Result<(), UnpackError> {
        let mut so_far = PathBuf::new();
        for word in path.components() {
            so_far.push(word);
            match self.target.create_dir_with(&so_far, &folder_mode()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    const fn count(&mut self) -> Result<(), UnpackError> {
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            return Err(UnpackError::Bound("too many files"));
        }
        Ok(())
    }

    const fn weigh(&self) -> Result<(), UnpackError> {
        if self.bytes > BYTES_MAX {
            return Err(UnpackError::Bound("more data than any application"));
        }
        let is_bomb =
            self.bytes > RATIO_FREE_BYTES && self.bytes > self.packed.saturating_mul(RATIO_MAX);
        if is_bomb {
            return Err(UnpackError::Bound(
                "data packed so tightly that it must be a trap",
            ));
        }
        Ok(())
    }

    /// Where an entry goes, below the new folder; none for the top folder itself.
    fn place(&self, name: &Path) -> Result<Option<PathBuf>, UnpackError> {
        let leads_elsewhere = || UnpackError::Name(name.to_owned());
        let text = name.to_str().ok_or_else(leads_elsewhere)?;
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(leads_elsewhere());
        }
        let mut words = Vec::new();
        for component in name.components() {
            match component {
                Component::Normal(word) => words.push(word),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(leads_elsewhere());
                }
            }
        }
        let mut words = words.into_iter();
        if let Some(top) = self.top {
            match words.next() {
                None => return Ok(None),
                Some(first) if first == top => {}
                Some(_) => return Err(leads_elsewhere()),
            }
        }
        let path: PathBuf = words.collect();
        if path.components().count() > DEPTH_MAX {
            return Err(UnpackError::Bound("folders nested too deeply"));
        }
        Ok((!path.as_os_str().is_empty()).then_some(path))
    }
}

#[cfg(test)]
mod tests;
