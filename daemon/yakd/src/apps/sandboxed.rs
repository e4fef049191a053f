//! Commands that an installation runs for a site: as a transient unit, with the site's own user,
//! walls and limits. A fence kills them with everything else of that user.

use crate::config::NodeConfig;
use crate::gather::SitePart;
use crate::render::{Places, php_units, site_places};
use hwc_api::ids::JobId;
use hwc_runtime::command::{Run, run};
use std::ffi::OsString;
use std::time::Duration;

/// For unpacking, and for an application's own installer on a slow disk.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);

/// Runs commands for one installation.
#[derive(Debug, Clone)]
pub(crate) struct Sandboxed {
    site: SitePart,
    places: Places,
    job: JobId,
}

impl Sandboxed {
    pub(crate) fn new(config: &NodeConfig, site: &SitePart, job: JobId) -> Self {
        Self {
            site: site.clone(),
            places: site_places(config, site),
            job,
        }
    }

    /// A command whose working directory is the dataset. `step` tells the units of one job apart.
    pub(crate) fn command(&self, step: &str, words: impl IntoIterator<Item = OsString>) -> Run {
        let mut arguments: Vec<OsString> = [
            "--quiet",
            "--pipe",
            "--wait",
            "--collect",
            "--service-type=exec",
            "--property=UMask=0022",
        ]
        .map(OsString::from)
        .to_vec();
        arguments.push(format!("--unit=hwc-job-{}-{step}", self.job).into());
        let limit = DEADLINE.as_secs();
        arguments.push(format!("--property=RuntimeMaxSec={limit}").into());
        let folder = self.places.dataset.display();
        arguments.push(format!("--property=WorkingDirectory={folder}").into());
        for (name, value) in php_units::properties(&self.site, &self.places) {
            arguments.push(format!("--property={name}={value}").into());
        }
        arguments.push("--".into());
        arguments.extend(words);
        run("systemd-run", arguments).deadline(DEADLINE + Duration::from_secs(10))
    }
}
