//! Jobs: work that takes longer than a moment, with progress that anyone concerned can watch.
//!
//! The registry holds a job's beginning and end ([`Job`]); what happens in between is told by the
//! node that runs it ([`JobProgress`]), many times a second if need be.

use crate::ids::{AccountId, JobId, NodeId, SiteId};
use crate::problem::Problem;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// A job as the registry knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is done.
    pub kind: JobKind,
    /// For whom.
    pub account: AccountId,
    /// Which node does it.
    pub node: NodeId,
    /// When it began.
    pub started_at: WallTime,
    /// How it ended; none while it runs.
    pub outcome: Option<JobOutcome>,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum JobKind {
    /// Installs an application of the catalogue into a site.
    InstallApp {
        /// The site.
        site: SiteId,
        /// The catalogue's name of the application.
        app: String,
        /// The version that is installed.
        version: String,
    },
    /// Moves a site and its databases to another node.
    MoveSite {
        /// The site.
        site: SiteId,
        /// Where.
        to: NodeId,
        /// Who asked for it; unknown of jobs of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<AccountId>,
    },
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOutcome {
    /// When.
    pub ended_at: WallTime,
    /// What went wrong; none when all is well.
    pub problem: Option<Problem>,
}

/// How far a job is, told by the node that runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProgress {
    /// Which job.
    pub job: JobId,
    /// Its steps in order.
    pub steps: Vec<JobStep>,
    /// The newest lines of its log, oldest first; machine words, no secrets.
    pub log: Vec<String>,
}

/// One step of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStep {
    /// Name of the step; its text is the message `job-step-<name>` of the locale.
    pub name: String,
    /// How it stands.
    pub state: StepState,
    /// How far it is, 0 to 100, where that can be told.
    pub percent: Option<u8>,
    /// How long it took or has taken, milliseconds.
    pub elapsed_ms: u64,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Its turn has not come.
    Waiting,
    /// At work.
    Running,
    /// Done.
    Done,
    /// Failed; the job ends here.
    Failed,
}
