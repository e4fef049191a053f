//! `mariadbd --help --verbose` on a staged copy of the common settings: it reads them all, refuses
//! unknown ones, and starts nothing.

use crate::check::empty_folder;
use crate::error::YakdError;
use crate::files::{FileSet, Rendered, below};
use crate::render::database_settings;
use hwc_runtime::command::run;
use std::path::Path;

/// Judges the settings.
///
/// # Errors
/// [`YakdError::Refused`] with MariaDB's words.
pub async fn check(files: &FileSet<Rendered>, staging: &Path) -> Result<(), YakdError> {
    empty_folder(staging)?;
    files.stage(staging)?;
    let settings = below(staging, Path::new(database_settings::PATH));
    let words = [
        format!("--defaults-file={}", settings.display()),
        "--user=mysql".to_owned(),
        "--datadir=/nonexistent".to_owned(),
        "--help".to_owned(),
        "--verbose".to_owned(),
    ];
    let output = run("/usr/sbin/mariadbd", words).output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(YakdError::Refused {
        service: "MariaDB",
        complaint: output.complaint(),
    })
}
