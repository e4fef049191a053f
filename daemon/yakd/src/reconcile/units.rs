//! PHP pools, database start files and systemd units of all sites and databases, and the settings
//! that all database servers share.

use crate::check;
use crate::dataset::{Datasets, reload_units};
use crate::error::YakdError;
use crate::files::FileSet;
use crate::gather::{DatasetPart, Wanted};
use crate::render::{self, UNIT_TERRITORIES, database_settings, dataset_files};
use crate::systemd;
use hwc_api::desired::PhpVersion;
use hwc_api::problem::{Problem, ProblemCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Puts the files in place; gives what was refused.
pub(crate) async fn reconcile(
    datasets: &Datasets,
    wanted: &Arc<Wanted>,
) -> Result<Vec<Problem>, YakdError> {
    let mut wanted = Arc::clone(wanted);
    loop {
        let problems = put_in_place(datasets, &wanted).await?;
        let newest = datasets.newest.get();
        if *newest == *wanted {
            return Ok(problems);
        }
        // A start with newer settings has written units meanwhile, and this run removed them.
        wanted = newest;
    }
}

async fn put_in_place(datasets: &Datasets, wanted: &Wanted) -> Result<Vec<Problem>, YakdError> {
    let root = Path::new("/");
    let staging = datasets.config.run.join("yakd/staged");
    let mut problems = Vec::new();
    let settings = database_settings::render(&datasets.config)?;
    if !settings.pending(root)?.is_empty() {
        match check::database::check(&settings, &staging).await {
            Ok(()) => {
                settings.into_checked().apply(root, &[])?;
            }
            Err(error) => problems.push(error.to_problem()),
        }
    }
    let mut files = FileSet::default();
    for part in parts(wanted) {
        match dataset_files(&datasets.config, &part) {
            Ok(rendered) => files.merge(rendered),
            Err(error) => problems.push(YakdError::from(error).to_problem()),
        }
    }
    let pools: Vec<_> = files
        .pending(root)?
        .into_iter()
        .filter(|path| is_pool(path))
        .collect();
    let refused = check::php::check(&files, &pools, PhpVersion::V8_4, &staging).await?;
    let mut accepted = FileSet::default();
    for (path, file) in files.files() {
        let is_refused = refused.iter().any(|culprit| culprit.path == *path);
        match std::fs::read_to_string(path) {
            // The last good one stays.
            Ok(text) if is_refused => accepted.add(path, crate::files::File::public(text)),
            Err(_absent) if is_refused => {}
            _ => accepted.add(path, file.clone()),
        }
    }
    for culprit in refused {
        let message = format!(
            "PHP refuses {}; the old one stays: {}",
            culprit.path.display(),
            culprit.complaint
        );
        problems.push(
            Problem::new(ProblemCode::ConfigurationRefused, message).detail(culprit.complaint),
        );
    }
    let (_, changes) = accepted.into_checked().apply(root, UNIT_TERRITORIES)?;
    reload_units(&changes).await?;
    restart_changed(datasets, &changes.replaced).await?;
    Ok(problems)
}

fn is_pool(path: &Path) -> bool {
    path.starts_with("/etc/hwc/php")
}

fn parts(wanted: &Wanted) -> Vec<DatasetPart> {
    let sites = wanted.sites.values().cloned().map(DatasetPart::Site);
    let databases = wanted
        .databases
        .values()
        .cloned()
        .map(DatasetPart::Database);
    sites.chain(databases).collect()
}

/// What runs with an older configuration is restarted: the sockets go on listening meanwhile, so
/// that requests wait and none is lost.
async fn restart_changed(datasets: &Datasets, replaced: &[PathBuf]) -> Result<(), YakdError> {
    let mut units = Vec::new();
    for part in datasets.running.parts().await {
        let own = dataset_files(&datasets.config, &part)?;
        let service = render::places(&datasets.config, &part).service_unit;
        if own.files().keys().any(|path| replaced.contains(path)) {
            units.push(service);
        }
    }
    let units: Vec<_> = units.iter().map(String::as_str).collect();
    systemd::try_restart(&units).await
}
