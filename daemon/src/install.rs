//! Installing applications: from the API call on any node to the work on the site's live node.
//!
//! The node that was asked checks what can be checked, creates the database, notes the job in the
//! registry and hands the order to the live node, which works through the installer's steps and
//! tells its progress on its board. The end goes into the registry again. A job whose node dies is
//! ended as interrupted by the registry's leader.

use crate::api::Now;
use crate::conductor::input::{Input, Inputs, OwnFact};
use crate::moves::left_over;
use crate::picture::{LiveNode, Picture};
use crate::place;
use hwc_api::change::{Applied, Change};
use hwc_api::desired::{Desired, NativePasswordHash, Site};
use hwc_api::ids::{DatabaseId, DatasetId, JobId, NodeId};
use hwc_api::job::{Job, JobKind, JobOutcome, JobProgress};
use hwc_api::names::{DatabaseName, DatabaseUser, EmailAddress};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{AppView, InstallAppBody, NodeHealth};
use hwc_group::Group;
use hwc_registry::Registry;
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use hwc_runtime::random::readable_secret;
use hwc_yakd::apps::{DatabaseAccess, InstallRequest, Installer};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The name of the call that brings an [`Order`] to the live node.
pub const INSTALL_CALL: &str = "install";
/// Length of a database user's password: 24 characters of 5.8 bits. Only the site's files know it.
const DATABASE_PASSWORD_LENGTH: usize = 24;
/// How long a new database may take to be served.
const DATABASE_LIVE_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take after a start until it is known who serves a site.
const ROUTES_LIMIT: Duration = Duration::from_secs(30);
/// How long a site that is just being opened, or moves, is waited for.
const OPENING_LIMIT: Duration = Duration::from_secs(15);
/// How long the live node may take to accept an order.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// What the live node is told to do.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    /// The job.
    pub job: JobId,
    /// The site.
    pub site: hwc_api::ids::SiteId,
    /// What the customer filled in.
    pub body: InstallAppBody,
    /// The application's database, where it needs one.
    pub database: Option<OrderedDatabase>,
}

/// The database made for an installation.
#[derive(Clone, Serialize, Deserialize)]
pub struct OrderedDatabase {
    /// Which.
    pub id: DatabaseId,
    /// Its user's password; nowhere but here and in the application's configuration.
    pub password: String,
}

/// Starts installations, and carries them out.
#[derive(Clone)]
pub struct InstallJobs {
    /// This node.
    pub me: NodeId,
    /// The settings.
    pub registry: Registry,
    /// The newest settings.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// The newest picture.
    pub picture: watch::Receiver<Arc<Picture>>,
    /// The other nodes.
    pub group: Group,
    /// Archives that need not be fetched.
    pub mirror: std::path::PathBuf,
    /// Does it, and knows what can be installed.
    pub installer: Arc<Installer>,
    /// Where progress goes.
    pub inputs: Inputs,
    /// Time.
    pub clock: Clock,
    /// Tasks.
    pub tasks: Tasks,
}

impl std::fmt::Debug for InstallJobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstallJobs")
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

impl InstallJobs {
    /// The catalogue as the API shows it.
    #[must_use]
    pub fn catalogue_views(&self) -> Vec<AppView> {
        self.installer.catalogue().views(&self.mirror)
    }

    /// Begins an installation.
    ///
    /// # Errors
    /// When the request is wrong, the site is not served, or has work under way.
    pub async fn start(
        &self,
        now: &Now,
        site: &Site,
        body: InstallAppBody,
    ) -> Result<JobId, Problem> {
        let planned = plan_database(site)?;
        // The job's id comes later; what the customer filled in is judged here.
        let asked = request(JobId(0), site, &body, Some(planned.access()))?;
        let (app, version) = self.installer.check(&asked)?;
        let live = serving(self.picture.clone(), site.dataset)
            .await
            .ok_or_else(|| {
                let message = "The site is not being served just now; try again in a moment.";
                Problem::new(ProblemCode::SiteNotLive, message)
            })?;
        let kind = JobKind::InstallApp {
            site: site.id,
            app: app.app.clone(),
            version: version.version.clone(),
        };
        let start = Change::StartJob {
            kind,
            account: site.account,
            node: live.node,
            now: now.at,
        };
        let applied = self.registry.change(start).await?;
        let Applied::Job(job) = applied else {
            return Err(unexpected(&applied));
        };
        let planned = app.needs.database.then_some(planned);
        // The job exists from here on; whatever goes wrong ends it.
        if let Err(problem) = self.order(now, site, job, body, live.node, planned).await {
            self.finish(job, Some(problem.clone())).await;
            return Err(problem);
        }
        Ok(job)
    }

    async fn order(
        &self,
        now: &Now,
        site: &Site,
        job: JobId,
        body: InstallAppBody,
        live: NodeId,
        planned: Option<PlannedDatabase>,
    ) -> Result<(), Problem> {
        let database = match planned {
            Some(planned) => Some(self.create_database(now, site, live, planned).await?),
            None => None,
        };
        let order = Order {
            job,
            site: site.id,
            body,
            database,
        };
        if live == self.me {
            self.carry_out(order);
            return Ok(());
        }
        let json = serde_json::to_vec(&order).map_err(|error| internal(&error))?;
        let called = self
            .group
            .calls
            .call(live, INSTALL_CALL, json.into(), CALL_LIMIT)
            .await;
        called.map(drop).map_err(|error| internal(&error))
    }

    /// A database for a site, with its copies where the site's are, live where the site is.
    async fn create_database(
        &self,
        now: &Now,
        site: &Site,
        live: NodeId,
        planned: PlannedDatabase,
    ) -> Result<OrderedDatabase, Problem> {
        let change = Change::CreateDatabase {
            account: site.account,
            site: Some(site.id),
            name: planned.name,
            user: planned.user,
            password_hash: native_hash(&planned.password)?,
            replicas: place::beside(now, site.dataset, live),
            copies: place::copies_of(now, site.dataset),
            now: now.at,
        };
        let applied = self.registry.change(change).await?;
        let Applied::Database(id) = applied else {
            return Err(unexpected(&applied));
        };
        Ok(OrderedDatabase {
            id,
            password: planned.password,
        })
    }

    /// Works an order off, on the site's live node.
    pub fn carry_out(&self, order: Order) {
        let jobs = self.clone();
        self.tasks
            .spawn_until_stopped(format!("install job {}", order.job), async move {
                let job = order.job;
                let database = order.database.as_ref().map(|database| database.id);
                let problem = jobs.install(order).await.err();
                if problem.is_some() {
                    jobs.drop_database(database).await;
                }
                jobs.finish(job, problem).await;
            });
    }

    async fn install(&self, order: Order) -> Result<(), Problem> {
        let (progress, mut newest) = watch::channel(JobProgress {
            job: order.job,
            steps: Vec::new(),
            log: Vec::new(),
        });
        let inputs = self.inputs.clone();
        let job = order.job;
        self.tasks
            .spawn_until_stopped(format!("progress of job {job}"), async move {
                while newest.changed().await.is_ok() {
                    let shown = newest.borrow_and_update().clone();
                    let _stopped = inputs.send(Input::Own(OwnFact::Job(job, Some(shown))));
                }
            });
        let (site, database) = self.wait_until_live(&order).await?;
        let desired = Arc::clone(&self.desired.borrow());
        let request = request(job, &site, &order.body, database)?;
        let app = self.installer.install(&desired, request, progress).await?;
        self.registry
            .change(Change::SetApp {
                site: site.id,
                app: Some(app),
            })
            .await
            .map(drop)
    }

    /// The site, and its database once it is served.
    async fn wait_until_live(
        &self,
        order: &Order,
    ) -> Result<(Site, Option<DatabaseAccess>), Problem> {
        let mut desired = self.desired.clone();
        let wanted = |desired: &Desired| {
            let has_database = order
                .database
                .as_ref()
                .is_none_or(|d| desired.databases.contains_key(&d.id));
            has_database && desired.sites.contains_key(&order.site)
        };
        let known = tokio::time::timeout(
            DATABASE_LIVE_LIMIT,
            desired.wait_for(|desired| wanted(desired)),
        );
        let desired = match known.await {
            Ok(Ok(desired)) => Arc::clone(&desired),
            Ok(Err(_)) | Err(_) => return Err(crate::api::not_found("site")),
        };
        let site = desired
            .sites
            .get(&order.site)
            .cloned()
            .ok_or_else(|| crate::api::not_found("site"))?;
        let Some(ordered) = &order.database else {
            return Ok((site, None));
        };
        let database = desired
            .databases
            .get(&ordered.id)
            .ok_or_else(|| crate::api::not_found("database"))?;
        let mut picture = self.picture.clone();
        let is_live = |picture: &Arc<Picture>| {
            picture
                .live_node(database.dataset)
                .is_some_and(|live| live.route.is_open)
        };
        let live = tokio::time::timeout(DATABASE_LIVE_LIMIT, picture.wait_for(is_live));
        if !matches!(live.await, Ok(Ok(_))) {
            let message = "The site's database did not come up in time; try again.";
            return Err(Problem::new(ProblemCode::InstallFailed, message).detail("database"));
        }
        let access = DatabaseAccess {
            name: database.name.clone(),
            user: database.user.clone(),
            password: ordered.password.clone().into(),
        };
        Ok((site, Some(access)))
    }

    /// A database that was made for an installation that failed is of no use to anyone.
    async fn drop_database(&self, database: Option<DatabaseId>) {
        let Some(database) = database else { return };
        if let Err(problem) = self
            .registry
            .change(Change::DeleteDatabase { database })
            .await
        {
            tracing::warn!(database.id = %database, %problem, "the database of a failed installation stays");
        }
    }

    async fn finish(&self, job: JobId, problem: Option<Problem>) {
        match &problem {
            None => tracing::info!(job.id = %job, "installed"),
            Some(problem) => {
                tracing::warn!(job.id = %job, code = %problem.code, "not installed: {problem}")
            }
        }
        let outcome = JobOutcome {
            ended_at: self.clock.wall(),
            problem,
        };
        if let Err(problem) = self
            .registry
            .change(Change::FinishJob { job, outcome })
            .await
        {
            tracing::error!(job.id = %job, %problem, "the end of a job is not in the registry");
        }
    }

    /// Ends the jobs of nodes that died: done by the registry's leader, again and again until the
    /// registry has it.
    pub async fn end_interrupted(&self) {
        let (desired, picture) = (
            Arc::clone(&self.desired.borrow()),
            Arc::clone(&self.picture.borrow()),
        );
        if picture.registry_leader != Some(self.me) {
            return;
        }
        let is_dead = |node: NodeId| node != self.me && picture.health(node) == NodeHealth::Down;
        for job in desired
            .jobs
            .values()
            .filter(|job| job.outcome.is_none() && is_dead(job.node))
        {
            let message = "The server that did this work failed. Start it again.";
            self.finish(
                job.id,
                Some(Problem::new(ProblemCode::JobInterrupted, message)),
            )
            .await;
        }
    }

    /// Ends the jobs that this node had under way before it was restarted.
    pub async fn end_own_left_over(&self) {
        let desired = Arc::clone(&self.desired.borrow());
        for job in desired
            .jobs
            .values()
            .filter(|job| job.outcome.is_none() && job.node == self.me)
        {
            self.note_forgotten_move(job).await;
            let message = "The server that did this work was restarted. Start it again.";
            self.finish(
                job.id,
                Some(Problem::new(ProblemCode::JobInterrupted, message)),
            )
            .await;
        }
    }

    /// The list of moves says of an asked one that it was not carried out.
    async fn note_forgotten_move(&self, job: &Job) {
        let JobKind::MoveSite { site, to, .. } = &job.kind else {
            return;
        };
        let files = self.desired.borrow().sites.get(site).map(|s| s.dataset);
        let Some(files) = files else { return };
        // It may be live where it was to go all the same; that is known once the others were heard.
        let mut picture = self.picture.clone();
        let is_live = |picture: &Arc<Picture>| picture.live_node(files).is_some();
        let known = tokio::time::timeout(ROUTES_LIMIT, picture.wait_for(is_live));
        let is_known = matches!(known.await, Ok(Ok(_)));
        let report = {
            let (desired, picture) = (self.desired.borrow(), self.picture.borrow());
            left_over::receipt(&desired, &picture, job, self.clock.wall())
        };
        let Some(report) = report else { return };
        tracing::info!(job.id = %job.id, site.id = %site, node.id = %to, is_known, "a restart ended a move");
        if let Err(problem) = self.registry.change(Change::NoteMove { report }).await {
            tracing::error!(job.id = %job.id, %problem, "the receipt of a move is lost");
        }
    }
}

/// The node that serves a dataset. One that is about to is waited for, as visitors wait for it.
async fn serving(
    mut picture: watch::Receiver<Arc<Picture>>,
    dataset: DatasetId,
) -> Option<LiveNode> {
    let open = |picture: &Picture| {
        let live = picture.live_node(dataset);
        live.filter(|live| live.route.is_open)
    };
    let is_opening = |picture: &Picture| {
        picture.live_node(dataset).is_some() || picture.is_being_claimed(dataset)
    };
    let decided = picture.wait_for(|picture| open(picture).is_some() || !is_opening(picture));
    let decided = tokio::time::timeout(OPENING_LIMIT, decided).await;
    let decided = decided.ok()?.ok()?;
    open(&decided)
}

/// A database that an installation will need.
struct PlannedDatabase {
    name: DatabaseName,
    user: DatabaseUser,
    password: String,
}

impl PlannedDatabase {
    fn access(&self) -> DatabaseAccess {
        DatabaseAccess {
            name: self.name.clone(),
            user: self.user.clone(),
            password: self.password.clone().into(),
        }
    }
}

/// Names that nobody else has, and a password.
fn plan_database(site: &Site) -> Result<PlannedDatabase, Problem> {
    let name = format!("s{}_{}", site.id, readable_secret(6).to_ascii_lowercase());
    Ok(PlannedDatabase {
        name: DatabaseName::parse(&name).map_err(|error| internal(&error))?,
        user: DatabaseUser::parse(&name).map_err(|error| internal(&error))?,
        password: readable_secret(DATABASE_PASSWORD_LENGTH),
    })
}

/// What the installer is asked for, from what the customer filled in.
fn request(
    job: JobId,
    site: &Site,
    body: &InstallAppBody,
    database: Option<DatabaseAccess>,
) -> Result<InstallRequest, Problem> {
    let admin_email =
        EmailAddress::parse(body.admin_email.trim_matches(' ')).map_err(|reason| {
            Problem::new(
                ProblemCode::Invalid,
                format!("The e-mail address {reason}."),
            )
            .field("admin_email")
            .detail(reason.to_string())
        })?;
    Ok(InstallRequest {
        job,
        site: site.id,
        app: body.app.clone(),
        version: None,
        title: body.title.trim().to_owned(),
        admin_login: body.admin_login.clone(),
        admin_email,
        admin_password: body.admin_password.clone().into(),
        language: body.language.clone(),
        replace: body.replace,
        database,
    })
}

/// MariaDB's `mysql_native_password` hash: `*` and the hexadecimal SHA-1 of the SHA-1.
fn native_hash(password: &str) -> Result<NativePasswordHash, Problem> {
    use sha1::{Digest, Sha1};
    let hash = Sha1::digest(Sha1::digest(password.as_bytes()));
    NativePasswordHash::parse(&format!("*{}", hex::encode_upper(hash)))
        .ok_or_else(|| internal(&"a hash of 20 bytes is not 40 digits"))
}

fn unexpected(applied: &Applied) -> Problem {
    internal(&format!("the registry answered with {applied:?}"))
}

fn internal(error: &dyn std::fmt::Display) -> Problem {
    crate::setup::internal("start the installation", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ownership::{Epoch, HolderState, RouteRecord};

    #[tokio::test]
    async fn a_site_that_is_being_opened_is_waited_for_and_one_that_is_not_is_told_at_once() {
        let (files, node) = (DatasetId(7), NodeId(2));
        let seen = |is_open| {
            let mut picture = Picture::default();
            let route = RouteRecord {
                state: HolderState::Live,
                epoch: Epoch::NONE,
                is_open,
            };
            picture.health.insert(node, NodeHealth::Up);
            picture.routes.insert(files, [(node, route)].into());
            Arc::new(picture)
        };
        let (sender, picture) = watch::channel(Arc::new(Picture::default()));
        assert!(serving(picture.clone(), files).await.is_none());
        sender.send_replace(seen(false));
        let opened = async {
            tokio::task::yield_now().await;
            sender.send_replace(seen(true));
        };
        let (live, _) = tokio::join!(serving(picture, files), opened);
        assert_eq!(live.map(|live| live.node), Some(node));
    }

    #[test]
    fn the_native_hash_is_mariadbs() {
        // SELECT PASSWORD('secret') in MariaDB 11.8.
        let hash = native_hash("secret").expect("a hash");
        assert_eq!(hash.as_str(), "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
    }
}
