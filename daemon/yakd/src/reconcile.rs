//! The room's front door: [`Yakd`] keeps this node's services equal to the registry.
//!
//! `reconcile` takes the full state and no hints, is idempotent, runs one at a time, and is quick
//! when nothing changed. `start_dataset` and `stop_dataset` go past it: they are on the path of a
//! failover.

pub(crate) mod accounts;
mod apache;
mod loaded;
mod services;
mod units;
mod virtual_host;

use crate::config::NodeConfig;
use crate::database_template::Template;
use crate::dataset::{Datasets, Newest, Running, StopKind, UnitNews};
use crate::error::YakdError;
use crate::gather::{DatasetPart, Wanted};
use crate::hosts::Hosts;
use crate::render;
use hwc_api::desired::Desired;
use hwc_api::ids::{DatabaseId, DatasetId};
use hwc_api::observed::{ServiceObserved, ServiceState};
use hwc_api::problem::Problem;
use hwc_runtime::clock::{Clock, Moment};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a state that was put in place is believed without reading all files again: somebody
/// may have edited one by hand.
const BELIEVED_FOR: Duration = Duration::from_secs(300);

/// What came of reconciling.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Index of the registry change that the services follow; with problems, as far as they could.
    pub applied_index: u64,
    /// What could not be brought about.
    pub problems: Vec<Problem>,
    /// How the services stand.
    pub services: Vec<ServiceObserved>,
}

/// Keeps Apache, PHP, MariaDB and accounts of this node equal to the registry.
#[derive(Debug)]
pub struct Yakd {
    datasets: Datasets,
    apache: apache::Apache,
    /// What hinders the template of databases.
    template_problem: Mutex<Option<Problem>>,
    memory: tokio::sync::Mutex<Option<Memory>>,
}

/// The last run that went without a problem.
#[derive(Debug)]
struct Memory {
    wanted: Arc<Wanted>,
    at: Moment,
}

impl Yakd {
    /// A room with this configuration. Nothing is touched yet.
    #[must_use]
    pub fn new(config: NodeConfig, clock: Clock) -> Self {
        let template = Template::new(&config);
        Self {
            datasets: Datasets {
                config,
                clock,
                template,
                running: Running::default(),
                newest: Newest::default(),
                unit_news: UnitNews::default(),
            },
            apache: apache::Apache::default(),
            template_problem: Mutex::default(),
            memory: tokio::sync::Mutex::new(None),
        }
    }

    /// Once, at the daemon's start and before anything else: makes the folders of the sockets and
    /// stops whatever an earlier run left behind. No node resumes serving by itself.
    ///
    /// # Errors
    /// When something that could write to a dataset can't be stopped.
    pub async fn prepare(&self) -> Result<(), YakdError> {
        self.datasets.ensure_run_folders()?;
        self.datasets.stop_everything().await?;
        self.datasets.know_units().await
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &NodeConfig {
        &self.datasets.config
    }

    /// The host names that Apache answers for as the settings want it, as far as it can; none before
    /// that is known. Requests for names of newer settings are better held back.
    #[must_use]
    pub fn hosts(&self) -> watch::Receiver<Option<Arc<Hosts>>> {
        self.apache.hosts()
    }

    /// Where the front door finds Apache.
    #[must_use]
    pub fn http_upstream(&self) -> SocketAddr {
        apache::ADDRESS
    }

    /// The socket at which the front door finds the server of a database that is live here.
    #[must_use]
    pub fn mysql_endpoint(&self, database: DatabaseId) -> PathBuf {
        self.config().run.join(format!("db/{database}.sock"))
    }

    /// Makes the services follow the registry. `live` are the datasets that are live here.
    pub async fn reconcile(&self, desired: &Desired, live: &BTreeSet<DatasetId>) -> Report {
        let mut memory = self.memory.lock().await;
        let wanted = self.datasets.newest.note(desired);
        let now = self.datasets.clock.now();
        let is_believed = memory
            .as_ref()
            .is_some_and(|memory| memory.wanted == wanted && now.since(memory.at) < BELIEVED_FOR);
        let mut problems = wanted.problems.clone();
        if !is_believed {
            let found = self.bring_about(&wanted).await;
            *memory = found.is_empty().then(|| Memory {
                wanted: Arc::clone(&wanted),
                at: now,
            });
            problems.extend(found);
        }
        problems.extend(self.template_problem());
        if let Err(error) = self.datasets.heal(&wanted).await {
            problems.push(error.to_problem());
        }
        let services = match services::observe(&self.datasets, &wanted, live).await {
            Ok((services, found)) => {
                problems.extend(found);
                services
            }
            Err(error) => {
                problems.push(error.to_problem());
                Vec::new()
            }
        };
        let is_down = |service: &ServiceObserved| service.state == ServiceState::Failed;
        if services
            .iter()
            .any(|s| s.name == services::APACHE && is_down(s))
        {
            // The next run starts it.
            *memory = None;
        }
        Report {
            applied_index: desired.index,
            problems,
            services,
        }
    }

    /// Each service by itself: what hinders one does not hold up the others.
    async fn bring_about(&self, wanted: &Arc<Wanted>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut note = |result: Result<Vec<Problem>, YakdError>| match result {
            Ok(found) => problems.extend(found),
            Err(error) => problems.push(error.to_problem()),
        };
        note(self.datasets.ensure_run_folders().map(|()| Vec::new()));
        note(self.stop_unwanted().await);
        note(accounts::reconcile(&self.datasets, wanted).await);
        note(units::reconcile(&self.datasets, wanted).await);
        note(self.apache.reconcile(&self.datasets).await);
        problems
    }

    /// Stops what runs for sites and databases that the registry does not have any more.
    async fn stop_unwanted(&self) -> Result<Vec<Problem>, YakdError> {
        let mut problems = Vec::new();
        for dataset in self.datasets.running.datasets() {
            if self.datasets.newest.get().part_of(dataset).is_none()
                && let Err(error) = self.datasets.stop(dataset, StopKind::Planned).await
            {
                problems.push(error.to_problem());
            }
        }
        Ok(problems)
    }

    /// Makes what every new database begins as a copy of, unless it is there. Once per node, and it
    /// takes seconds: done beside [`Self::reconcile`], after its first run, so that no site waits
    /// for it. What hinders it is in the next report.
    pub async fn make_database_template(&self) {
        let problem = match self.datasets.template.ensure().await {
            Ok(()) => None,
            Err(error) => Some(error.to_problem()),
        };
        let kept = self.template_problem.lock();
        *kept.unwrap_or_else(PoisonError::into_inner) = problem;
    }

    fn template_problem(&self) -> Option<Problem> {
        let kept = self.template_problem.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Brings up what a dataset that became live here needs. Returns when it is ready to serve:
    /// its socket takes connections, and the first one starts the service; Apache has a site's
    /// virtual host. Idempotent; may be cut short.
    ///
    /// # Errors
    /// When the dataset is unknown or its folder absent, or systemd refuses.
    pub async fn start_dataset(
        &self,
        desired: &Desired,
        dataset: DatasetId,
    ) -> Result<(), YakdError> {
        let wanted = self.datasets.newest.note(desired);
        match self.datasets.start(&wanted, dataset).await? {
            DatasetPart::Site(site) => self.apache.wait_for(&self.datasets, &site).await,
            DatasetPart::Database(_) => {}
        }
        Ok(())
    }

    /// Stops everything that could write to a dataset and returns when nothing is left that could.
    /// What was never started here is no error. Idempotent.
    ///
    /// # Errors
    /// When processes outlive SIGKILL, or systemd refuses: then the dataset must not be given up.
    pub async fn stop_dataset(&self, dataset: DatasetId, kind: StopKind) -> Result<(), YakdError> {
        self.datasets.stop(dataset, kind).await
    }

    /// The folder of a live dataset.
    #[must_use]
    pub fn dataset_folder(&self, dataset: DatasetId) -> PathBuf {
        render::dataset_folder(self.config(), dataset)
    }
}
