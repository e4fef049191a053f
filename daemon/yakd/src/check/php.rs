//! `php-fpm -t` on staged copies of the pools that are new or changed.

use super::{Checker, Culprit, Verdict, culprits, empty_folder};
use crate::error::YakdError;
use crate::files::{File, FileSet, Rendered};
use hwc_api::desired::PhpVersion;
use hwc_runtime::command::run;
use std::path::{Path, PathBuf};

/// Judges the pools at `paths` of the set; gives those that are refused.
///
/// # Errors
/// When the checker can't be run.
pub async fn check(
    files: &FileSet<Rendered>,
    paths: &[PathBuf],
    php: PhpVersion,
    staging: &Path,
) -> Result<Vec<Culprit>, YakdError> {
    let checker = Php {
        files,
        php,
        staging,
    };
    culprits(&checker, paths).await
}

struct Php<'a> {
    files: &'a FileSet<Rendered>,
    php: PhpVersion,
    staging: &'a Path,
}

impl Checker for Php<'_> {
    async fn judge(&self, chosen: &[PathBuf]) -> Result<Verdict, YakdError> {
        empty_folder(self.staging)?;
        let pools = self.staging.join("pools");
        empty_folder(&pools)?;
        let mut staged = FileSet::default();
        for path in chosen {
            if let (Some(name), Some(file)) = (path.file_name(), self.files.files().get(path)) {
                staged.add(pools.join(name), file.clone());
            }
        }
        let main = self.staging.join("main.conf");
        let include = format!("[global]\ninclude = {}/*.conf\n", pools.display());
        staged.add(&main, File::public(include));
        staged.stage(Path::new("/"))?;
        let program = format!("/usr/sbin/php-fpm{}", self.php.as_str());
        let words = [Path::new("-t"), Path::new("-y"), main.as_path()];
        let output = run(program, words).output().await?;
        if output.status.success() {
            Ok(Verdict::Accepted)
        } else {
            Ok(Verdict::Refused(output.complaint()))
        }
    }
}
