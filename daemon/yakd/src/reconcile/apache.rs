//! Apache: judged as a whole, swapped in, reloaded gracefully, and only when it has read something
//! else: Apache itself says what ([`super::loaded`]).

use super::loaded::{self, Need};
use super::virtual_host;
use crate::check;
use crate::config::NodeConfig;
use crate::dataset::Datasets;
use crate::error::{YakdError, chain};
use crate::gather::{SitePart, Wanted};
use crate::hosts::Hosts;
use crate::render::apache::{TERRITORIES, render};
use crate::render::marks::{Marks, mark};
use crate::systemd::{self, UnitState};
use hwc_api::problem::{Problem, ProblemCode};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const UNIT: &str = "apache2.service";
/// Where it listens: [`crate::render::apache::LISTEN`].
pub(crate) const ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));

/// How long a site that comes up waits for its virtual host. One that Apache refuses, or an Apache
/// that is down, is the reconciler's to report; the other nodes would fare no better.
const VIRTUAL_HOST_LIMIT: Duration = Duration::from_secs(10);
/// How long Apache may take to read its new configuration once it was told: some milliseconds a
/// hundred sites, much more on a busy machine.
const LOAD_LIMIT: Duration = Duration::from_secs(10);

/// Apache's configuration, changed by one at a time.
#[derive(Debug, Default)]
pub(crate) struct Apache {
    changing: tokio::sync::Mutex<()>,
    /// The names of the settings that it follows; none before that is known.
    hosts: watch::Sender<Option<Arc<Hosts>>>,
}

impl Apache {
    /// The names that Apache answers for as the settings want it, as far as it can; none before that
    /// is known.
    pub(crate) fn hosts(&self) -> watch::Receiver<Option<Arc<Hosts>>> {
        self.hosts.subscribe()
    }

    /// Makes Apache's configuration the newest wanted one; gives the sites that had to be left out.
    /// Returns when Apache has read it.
    pub(crate) async fn reconcile(&self, datasets: &Datasets) -> Result<Vec<Problem>, YakdError> {
        let _changing = self.changing.lock().await;
        // Looked up here: who waited may know older settings than who went before.
        let wanted = datasets.newest.get();
        let problems = put_in_place(&datasets.config, &wanted).await?;
        // Of a site that was left out it has all that it will have.
        self.hosts.send_if_modified(|hosts| {
            let is_new = hosts.as_ref() != Some(&wanted.hosts);
            *hosts = Some(Arc::clone(&wanted.hosts));
            is_new
        });
        Ok(problems)
    }

    /// Returns when Apache has the virtual host of a site that comes up here. Nearly always it has:
    /// every node has every site's. A new site may be live before the reconciler comes to it.
    pub(crate) async fn wait_for(&self, datasets: &Datasets, site: &SitePart) {
        if self.has(site).await {
            return;
        }
        let bringing = async {
            if let Err(error) = self.reconcile(datasets).await {
                tracing::warn!(site.id = %site.id, error = chain(&error), "Apache does not follow");
            }
        };
        let brought = tokio::time::timeout(VIRTUAL_HOST_LIMIT, bringing).await;
        if brought.is_err() || !self.has(site).await {
            let domain = &site.main_domain;
            tracing::warn!(site.id = %site.id, %domain, "comes up without its virtual host");
        }
    }

    async fn has(&self, site: &SitePart) -> bool {
        let names = || std::iter::once(&site.main_domain).chain(&site.aliases);
        let hosts = self.hosts.borrow().clone();
        match hosts {
            Some(hosts) => hosts.have(site.id, site.is_suspended, names()),
            None => {
                for name in names() {
                    if !virtual_host::is_loaded(ADDRESS, name).await {
                        return false;
                    }
                }
                true
            }
        }
    }
}

async fn put_in_place(config: &NodeConfig, wanted: &Wanted) -> Result<Vec<Problem>, YakdError> {
    let root = Path::new("/");
    let (files, left_out) = render(config, wanted)?;
    let (files, marks) = mark(files)?;
    let mut problems: Vec<_> = left_out.into_iter().map(unwritable).collect();
    if files.pending(root)?.is_empty() && !has_leftovers(&files)? {
        follow(&marks, false).await?;
        return Ok(problems);
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
    // Without those that were left out.
    let (accepted, marks) = mark(accepted)?;
    let (_, changes) = accepted.into_checked().apply(root, TERRITORIES)?;
    if follow(&marks, !changes.is_empty()).await? {
        let files = changes.paths().count();
        tracing::info!(files, "Apache follows the registry");
    }
    Ok(problems)
}

/// Has Apache read what is in place, if it has not. Says whether something had to be done.
async fn follow(marks: &Marks, has_changed: bool) -> Result<bool, YakdError> {
    let states = systemd::states(&[UNIT.to_owned()]).await?;
    let unit = states.first().copied().unwrap_or(UnitState::Failed);
    let said = match unit {
        UnitState::Active => loaded::marks(ADDRESS).await,
        UnitState::Inactive | UnitState::Failed => None,
    };
    match loaded::need(unit, said.as_ref(), marks, has_changed) {
        Need::Nothing => return Ok(false),
        Need::Unknown => return Err(YakdError::Silent { service: "Apache" }),
        Need::Start => {
            systemd::reload_if_behind(&[UNIT]).await?;
            systemd::start(&[UNIT]).await?;
        }
        Need::Restart => {
            systemd::reload_if_behind(&[UNIT]).await?;
            systemd::try_restart(&[UNIT]).await?;
        }
        Need::Reload => systemd::reload_or_start(UNIT).await?,
    }
    // It reads after systemd has answered.
    let reading = tokio::time::timeout(LOAD_LIMIT, loaded::has(ADDRESS, marks)).await;
    reading.map_err(|_late| YakdError::Silent { service: "Apache" })?;
    Ok(true)
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
