//! The catalogue of one-click applications, and installing from it.

use super::{call_with_body, call_without_body};
use crate::ids::{JobId, SiteId};
use crate::job::{Job, JobProgress};
use serde::{Deserialize, Serialize};

/// An application of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppView {
    /// The catalogue's name of it, such as `wordpress`.
    pub app: String,
    /// What people call it.
    pub title: String,
    /// The version that would be installed.
    pub version: String,
    /// What it is for, one sentence, English.
    pub summary: String,
    /// Its home page.
    pub homepage: String,
    /// Size of the archive, bytes.
    pub archive_bytes: u64,
    /// Whether it needs a database.
    pub needs_database: bool,
    /// Whether the archive is at hand on the node that was asked.
    pub is_available: bool,
}

/// `GET /apps`: the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct ListApps;
call_without_body!(ListApps, Get, Vec<AppView>, |_call| "/apps".to_owned());

/// `POST /sites/{id}/apps`: install an application into a site.
#[derive(Debug, Clone)]
pub struct InstallApp {
    /// Into which.
    pub site: SiteId,
    /// What is sent.
    pub body: InstallAppBody,
}
call_with_body!(InstallApp, Post, InstallAppBody, JobView, |call| format!(
    "/sites/{}/apps",
    call.site
));

/// What to install, and how it begins.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallAppBody {
    /// The catalogue's name of the application.
    pub app: String,
    /// The title of the new web site.
    pub title: String,
    /// The application's first administrator.
    pub admin_login: String,
    /// The administrator's e-mail address.
    pub admin_email: String,
    /// The administrator's password, at least 10 characters.
    pub admin_password: String,
    /// The language of the new web site, such as `en_US` or `de_DE`.
    #[serde(default = "english")]
    pub language: String,
    /// Whether files that are there may be replaced.
    #[serde(default)]
    pub replace: bool,
}

fn english() -> String {
    "en_US".to_owned()
}

impl std::fmt::Debug for InstallAppBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstallAppBody")
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

/// A job with its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Beginning and end.
    #[serde(flatten)]
    pub job: Job,
    /// What happens in between; none before the first report.
    pub progress: Option<JobProgress>,
}

/// `GET /jobs/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct ReadJob {
    /// Which.
    pub job: JobId,
}
call_without_body!(ReadJob, Get, JobView, |call| format!("/jobs/{}", call.job));
