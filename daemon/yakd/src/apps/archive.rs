//! An archive of the catalogue, at hand and proven: from the mirror folder or over https, and in
//! either case with the catalogue's sha256.
//!
//! The file that was proven is the file that is unpacked: it is handed on open, not by name.

use super::catalogue::{Source, Version};
use crate::error::{disk_full, internal, is_disk_full};
use hwc_api::problem::{Problem, ProblemCode};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// For connecting and for each pause between two pieces.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Two redirects are usual (from a download page to a mirror); more is a loop.
const REDIRECTS_MAX: usize = 5;

/// Gets the archive of a version. `tell` hears how far it is, 0 to 100.
///
/// # Errors
/// [`ProblemCode::ArchiveChecksum`] when what came is not what the catalogue pins,
/// [`ProblemCode::ArchiveUnavailable`] when nothing came.
pub async fn fetch(
    version: &Version,
    client: &reqwest::Client,
    downloads: &Path,
    tell: impl Fn(u8) + Send + Sync,
) -> Result<File, Problem> {
    let mut last = unavailable("the catalogue names no source");
    for source in &version.sources {
        let result = match source {
            Source::Mirror(path) => open_in_mirror(path),
            Source::Https(address) => {
                download(client, address, version.bytes, downloads, &tell).await
            }
        };
        match result {
            Ok(file) => return prove(file, version).await,
            Err(problem) => last = problem,
        }
    }
    Err(last)
}

/// A client that speaks https only and follows few redirects.
///
/// # Errors
/// When TLS can't be set up.
pub fn client() -> reqwest::Result<reqwest::Client> {
    builder().build()
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
        .connect_timeout(PAUSE_MAX)
        .read_timeout(PAUSE_MAX)
}

fn unavailable(reason: impl std::fmt::Display) -> Problem {
    Problem::new(
        ProblemCode::ArchiveUnavailable,
        format!("the archive of the application could not be had: {reason}"),
    )
}

fn open_in_mirror(path: &Path) -> Result<File, Problem> {
    File::open(path).map_err(|error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        unavailable(format_args!("{name} in the mirror folder: {error}"))
    })
}

async fn download(
    client: &reqwest::Client,
    address: &str,
    bytes: u64,
    downloads: &Path,
    tell: &(impl Fn(u8) + Send + Sync),
) -> Result<File, Problem> {
    let sent = client.get(address).send().await;
    let mut answer = sent
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| unavailable(error.without_url()))?;
    let mut file = anonymous(downloads)?;
    let mut got = 0_u64;
    while let Some(piece) = answer
        .chunk()
        .await
        .map_err(|e| unavailable(e.without_url()))?
    {
        got = got.saturating_add(piece.len() as u64);
        if got > bytes {
            return Err(wrong_checksum("it is larger than the catalogue says"));
        }
        file.write_all(&piece).map_err(|error| written(&error))?;
        let percent = got.saturating_mul(100).checked_div(bytes).unwrap_or(0);
        tell(u8::try_from(percent).unwrap_or(100));
    }
    Ok(file)
}

/// A file without a name, gone with its last handle.
fn anonymous(downloads: &Path) -> Result<File, Problem> {
    std::fs::create_dir_all(downloads).map_err(|error| written(&error))?;
    let flags =
        rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let opened = rustix::fs::open(downloads, flags, rustix::fs::Mode::RUSR);
    opened
        .map(File::from)
        .map_err(|errno| written(&errno.into()))
}

fn written(error: &io::Error) -> Problem {
    if is_disk_full(error) {
        disk_full()
    } else {
        internal(error)
    }
}

fn wrong_checksum(reason: &str) -> Problem {
    Problem::new(
        ProblemCode::ArchiveChecksum,
        format!(
            "the archive of the application is not the one in the catalogue ({reason}); nothing was installed"
        ),
    )
}

/// Reads the whole file and compares; gives it back at its beginning.
async fn prove(file: File, version: &Version) -> Result<File, Problem> {
    let (expected, bytes) = (version.sha256, version.bytes);
    let proving = tokio::task::spawn_blocking(move || {
        let mut file = file;
        file.seek(SeekFrom::Start(0))?;
        let mut hash = Sha256::new();
        // One byte more than there should be is enough to know.
        let read = io::copy(&mut (&mut file).take(bytes.saturating_add(1)), &mut hash)?;
        file.seek(SeekFrom::Start(0))?;
        Ok::<_, io::Error>((file, read, <[u8; 32]>::from(hash.finalize())))
    });
    let (file, read, found) = proving
        .await
        .map_err(|error| internal(&error))?
        .map_err(|error| unavailable(&error))?;
    if read != bytes {
        return Err(wrong_checksum("its size differs"));
    }
    if found != expected {
        return Err(wrong_checksum("its sha256 differs"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
