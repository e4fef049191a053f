//! Apache: judged as a whole, swapped in, reloaded gracefully, and only when something changed.

use crate::check;
use crate::config::NodeConfig;
use crate::error::YakdError;
use crate::gather::Wanted;
use crate::render::apache::{TERRITORIES, render};
use crate::systemd;
use hwc_api::problem::{Problem, ProblemCode};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const UNIT: &str = "apache2.service";

/// Makes Apache's configuration the wanted one; gives the sites that had to be left out.
pub(crate) async fn reconcile(
    config: &NodeConfig,
    wanted: &Wanted,
) -> Result<Vec<Problem>, YakdError> {
    let root = Path::new("/");
    let (files, left_out) = render(config, wanted)?;
    let mut problems: Vec<_> = left_out.into_iter().map(unwritable).collect();
    let has_leftovers = has_leftovers(&files)?;
    if files.pending(root)?.is_empty() && !has_leftovers {
        return start_if_down(problems).await;
    }
    for path in files.files().keys() {
        if let Some(folder) = check::apache::log_folder(path) {
            make_log_folder(&folder)?;
        }
    }
    let (accepted, refused) =
        check::apache::check(files, &config.run.join("yakd/staged-apache")).await?;
    for culprit in refused {
        let name = culprit
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let message = format!(
            "Apache refuses {name}; the other sites are served: {}",
            culprit.complaint
        );
        let problem = Problem::new(ProblemCode::ConfigurationRefused, message);
        problems.push(problem.detail(culprit.complaint));
    }
    let (_, changes) = accepted.into_checked().apply(root, TERRITORIES)?;
    if changes.is_empty() {
        return start_if_down(problems).await;
    }
    let drop_in = Path::new("/etc/systemd/system/apache2.service.d");
    if changes.paths().any(|path| path.starts_with(drop_in)) {
        systemd::daemon_reload().await?;
        // Walls are only built at a start.
        systemd::try_restart(&[UNIT]).await?;
    }
    systemd::reload_or_start(UNIT).await?;
    tracing::info!(
        files = changes.paths().count(),
        "Apache follows the registry"
    );
    Ok(problems)
}

async fn start_if_down(problems: Vec<Problem>) -> Result<Vec<Problem>, YakdError> {
    let states = systemd::states(&[UNIT.to_owned()]).await?;
    if states != [systemd::UnitState::Active] {
        systemd::start(&[UNIT]).await?;
    }
    Ok(problems)
}

fn unwritable(reason: String) -> Problem {
    let message = format!("a site is left out of Apache's configuration: {reason}");
    Problem::new(ProblemCode::ConfigurationRefused, message).detail(reason)
}

/// Whether there is something of ours that must go.
fn has_leftovers(files: &crate::files::FileSet<crate::files::Rendered>) -> Result<bool, YakdError> {
    for territory in TERRITORIES {
        let folder = PathBuf::from(territory.folder);
        let entries = std::fs::read_dir(&folder).map_err(YakdError::file("list", &folder))?;
        for name in entries
            .flatten()
            .filter_map(|e| e.file_name().into_string().ok())
        {
            if territory.holds(&name) && !files.files().contains_key(&folder.join(&name)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Root's and the log readers' alone: Apache opens the files as root, so nobody else may be able
/// to put a link there.
fn make_log_folder(folder: &Path) -> Result<(), YakdError> {
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o750)))
        .map_err(YakdError::file("make", folder))
}
