//! Apache: judged as a whole, swapped in, reloaded gracefully, and only when something changed.

use super::virtual_host;
use crate::check;
use crate::config::NodeConfig;
use crate::dataset::Datasets;
use crate::error::{YakdError, chain};
use crate::gather::{SitePart, Wanted};
use crate::render::apache::{TERRITORIES, render};
use crate::systemd;
use hwc_api::problem::{Problem, ProblemCode};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const UNIT: &str = "apache2.service";
/// Where it listens: [`crate::render::apache::LISTEN`].
pub(crate) const ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));

/// How long a site that comes up waits for its virtual host. One that Apache refuses, or an Apache
/// that is down, is the reconciler's to report; the other nodes would fare no better.
const VIRTUAL_HOST_LIMIT: Duration = Duration::from_secs(10);
/// Of that, once Apache has been told: how long it may take to read its new configuration.
const RELOAD_LIMIT: Duration = Duration::from_secs(3);

/// Apache's configuration, changed by one at a time.
#[derive(Debug, Default)]
pub(crate) struct Apache {
    /// What is in place is newer than what Apache was told to read: who changed it was cut short.
    is_behind: tokio::sync::Mutex<bool>,
}

impl Apache {
    /// Makes Apache's configuration the newest wanted one; gives the sites that had to be left out.
    pub(crate) async fn reconcile(&self, datasets: &Datasets) -> Result<Vec<Problem>, YakdError> {
        let mut is_behind = self.is_behind.lock().await;
        // Looked up here: who waited may know older settings than who went before.
        let wanted = datasets.newest.get();
        put_in_place(&datasets.config, &wanted, &mut is_behind).await
    }

    /// Returns when Apache has the virtual host of a site that comes up here. Nearly always it has:
    /// every node has every site's. A new site may be live before the reconciler comes to it.
    pub(crate) async fn wait_for(&self, datasets: &Datasets, site: &SitePart) {
        let domain = &site.main_domain;
        if virtual_host::is_loaded(ADDRESS, domain).await {
            return;
        }
        let bringing = async {
            if let Err(error) = self.reconcile(datasets).await {
                tracing::warn!(site.id = %site.id, error = chain(&error), "Apache does not follow");
            }
            tokio::time::timeout(RELOAD_LIMIT, virtual_host::loaded(ADDRESS, domain)).await
        };
        match tokio::time::timeout(VIRTUAL_HOST_LIMIT, bringing).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(site.id = %site.id, %domain, "comes up without its virtual host");
            }
        }
    }
}

async fn put_in_place(
    config: &NodeConfig,
    wanted: &Wanted,
    is_behind: &mut bool,
) -> Result<Vec<Problem>, YakdError> {
    let root = Path::new("/");
    let (files, left_out) = render(config, wanted)?;
    let mut problems: Vec<_> = left_out.into_iter().map(unwritable).collect();
    let has_leftovers = has_leftovers(&files)?;
    if files.pending(root)?.is_empty() && !has_leftovers && !*is_behind {
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
    let was_behind = std::mem::replace(is_behind, true);
    let (_, changes) = accepted.into_checked().apply(root, TERRITORIES)?;
    if changes.is_empty() && !was_behind {
        *is_behind = false;
        return start_if_down(problems).await;
    }
    let drop_in = Path::new("/etc/systemd/system/apache2.service.d");
    if was_behind || changes.paths().any(|path| path.starts_with(drop_in)) {
        systemd::daemon_reload().await?;
    }
    if changes.paths().any(|path| path.starts_with(drop_in)) {
        // Walls are only built at a start.
        systemd::try_restart(&[UNIT]).await?;
    }
    systemd::reload_or_start(UNIT).await?;
    *is_behind = false;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apache_is_asked_where_it_listens() {
        assert_eq!(ADDRESS.to_string(), crate::render::apache::LISTEN);
    }
}
