//! PHP pools, database start files and systemd units of all sites and databases, and the settings
//! that all database servers share.

use crate::check;
use crate::dataset::Datasets;
use crate::error::YakdError;
use crate::files::{Applied, FileSet};
use crate::gather::{DatasetPart, Wanted};
use crate::render::{self, UNIT_TERRITORIES, database_settings, dataset_files, marks};
use crate::systemd;
use hwc_api::desired::PhpVersion;
use hwc_api::problem::{Problem, ProblemCode};
use std::path::Path;
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
    let (applied, _) = accepted.into_checked().apply(root, UNIT_TERRITORIES)?;
    datasets.know_units().await?;
    restart_changed(datasets, &applied).await?;
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

/// What was started with another configuration is restarted: the sockets go on listening meanwhile,
/// so that requests wait and none is lost.
async fn restart_changed(datasets: &Datasets, applied: &FileSet<Applied>) -> Result<(), YakdError> {
    for started in datasets.running.started().await {
        let own = dataset_files(&datasets.config, &started.part)?;
        let mark = marks::of(applied, |path| own.files().contains_key(path));
        let is_wanted = own
            .files()
            .keys()
            .any(|path| applied.files().contains_key(path));
        if is_wanted && mark != started.mark {
            let service = render::places(&datasets.config, &started.part).service_unit;
            systemd::try_restart(&[&service]).await?;
            datasets.running.restarted(started.part.dataset(), mark);
        }
    }
    Ok(())
}
