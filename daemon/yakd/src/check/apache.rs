//! `apache2 -t` on a staged copy of `/etc/apache2`: our files as they would be, all others as
//! they are, by link.

use super::{Checker, Culprit, Verdict, culprits, empty_folder};
use crate::error::YakdError;
use crate::files::{File, FileSet, Rendered, Territory};
use crate::render::apache::TERRITORIES;
use crate::render::vhost;
use hwc_runtime::command::run;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Debian's folder.
const CONFIGURATION: &str = "/etc/apache2";
/// Folders that are partly ours: staged file by file.
const SHARED: [&str; 3] = ["conf-enabled", "mods-enabled", "sites-enabled"];
/// What `/etc/apache2/envvars` sets; the checker is run without a shell.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("APACHE_RUN_USER", "www-data"),
    ("APACHE_RUN_GROUP", "www-data"),
    ("APACHE_PID_FILE", "/run/apache2/apache2.pid"),
    ("APACHE_RUN_DIR", "/run/apache2"),
    ("APACHE_LOCK_DIR", "/run/lock/apache2"),
    ("APACHE_LOG_DIR", "/var/log/apache2"),
];

/// Judges the set. The second part names the virtual hosts that are refused; the set that comes
/// back is without them, except for those that `previous` (their file on disk) can stand in for.
///
/// # Errors
/// [`YakdError::Refused`] when Apache refuses what all sites share.
pub async fn check(
    files: FileSet<Rendered>,
    staging: &Path,
) -> Result<(FileSet<Rendered>, Vec<Culprit>), YakdError> {
    let (sites, common): (Vec<_>, Vec<_>) = files
        .files()
        .keys()
        .cloned()
        .partition(|path| is_site(path));
    let checker = Apache {
        files: &files,
        common,
        staging,
    };
    if let Verdict::Refused(complaint) = checker.judge(&[]).await? {
        return Err(YakdError::Refused {
            service: "Apache",
            complaint,
        });
    }
    let refused = culprits(&checker, &sites).await?;
    let mut accepted = FileSet::default();
    for (path, file) in files.files() {
        if !refused.iter().any(|culprit| culprit.path == *path) {
            accepted.add(path, file.clone());
        }
    }
    // The last good one of a refused site stays, if Apache takes it beside the others.
    for culprit in &refused {
        if let Ok(text) = std::fs::read_to_string(&culprit.path) {
            accepted.add(&culprit.path, File::secret(text));
        }
    }
    Ok((accepted, refused))
}

fn is_site(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.starts_with("/etc/apache2/sites-enabled") && name.starts_with("hwc-site-")
}

struct Apache<'a> {
    files: &'a FileSet<Rendered>,
    common: Vec<PathBuf>,
    staging: &'a Path,
}

impl Checker for Apache<'_> {
    async fn judge(&self, chosen: &[PathBuf]) -> Result<Verdict, YakdError> {
        let paths: BTreeSet<_> = self.common.iter().chain(chosen).cloned().collect();
        stage(self.files, &paths, self.staging)?;
        for path in &paths {
            if let Some(folder) = log_folder(path) {
                std::fs::create_dir_all(&folder).map_err(YakdError::file("create", &folder))?;
            }
        }
        let root = self.staging.join(CONFIGURATION.trim_start_matches('/'));
        let mut command = run(
            "/usr/sbin/apache2",
            ["-t", "-f", "apache2.conf", "-d"]
                .map(Path::new)
                .into_iter()
                .chain([root.as_path()]),
        );
        for (name, value) in ENVIRONMENT {
            command = command.env(name, value);
        }
        let output = command.output().await?;
        if output.status.success() {
            Ok(Verdict::Accepted)
        } else {
            Ok(Verdict::Refused(said(&output.complaint(), &root)))
        }
    }
}

/// The folder that the logs of a virtual host go to.
pub(crate) fn log_folder(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let number = name.strip_prefix("hwc-site-")?.strip_suffix(".conf")?;
    number
        .parse()
        .ok()
        .map(|site| PathBuf::from(vhost::log_folder(site)))
}

/// Apache's words without the warnings about folders of sites that are live elsewhere, and without
/// the name of the staging folder.
fn said(complaint: &str, root: &Path) -> String {
    let words = complaint.replace(&*root.to_string_lossy(), CONFIGURATION);
    let lines = words.lines().filter(|line| !line.contains("AH00112"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Builds the staged copy: `paths` of the set, and links to what is not ours.
fn stage(
    files: &FileSet<Rendered>,
    paths: &BTreeSet<PathBuf>,
    staging: &Path,
) -> Result<(), YakdError> {
    empty_folder(staging)?;
    let mut staged = FileSet::default();
    for path in paths.iter().filter(|path| path.starts_with(CONFIGURATION)) {
        if let Some(file) = files.files().get(path) {
            staged.add(path, file.clone());
        }
    }
    let real = Path::new(CONFIGURATION);
    for name in names(real)? {
        let path = real.join(&name);
        if SHARED.contains(&name.as_str()) {
            link_others(&path, files, &mut staged)?;
        } else if !staged.files().contains_key(&path) {
            staged.add(&path, File::Link(path.clone()));
        }
    }
    staged.stage(staging)
}

/// Adds links to the files of a shared folder that are not ours.
fn link_others(
    folder: &Path,
    ours: &FileSet<Rendered>,
    staged: &mut FileSet<Rendered>,
) -> Result<(), YakdError> {
    for name in names(folder)? {
        let path = folder.join(&name);
        let will_go = TERRITORIES
            .iter()
            .any(|territory| is_in(territory, folder, &name));
        if !will_go && !ours.files().contains_key(&path) {
            staged.add(&path, File::Link(path.clone()));
        }
    }
    Ok(())
}

fn is_in(territory: &Territory, folder: &Path, name: &str) -> bool {
    Path::new(territory.folder) == folder && territory.holds(name)
}

fn names(folder: &Path) -> Result<Vec<String>, YakdError> {
    let entries = std::fs::read_dir(folder).map_err(YakdError::file("list", folder))?;
    let names = entries
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok());
    Ok(names.collect())
}
