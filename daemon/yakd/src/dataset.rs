//! Starting and stopping what belongs to one live dataset. On the path of a failover: no checker
//! runs here, and nothing waits for the reconciler.
//!
//! The conductor says when: it calls `start` after the dataset became live here, and `stop` before
//! it gives it up. Nothing else starts anything, so that a fence can't be undone by a reconciler
//! that looked at older settings.

use crate::config::NodeConfig;
use crate::database_template::Template;
use crate::error::YakdError;
use crate::files::FileSet;
use crate::gather::{DatabasePart, DatasetPart, SitePart, Wanted, gather};
use crate::home::{self, Home, Owner, as_owner};
use crate::render::{self, Places};
use crate::{processes, systemd};
use hwc_api::desired::Desired;
use hwc_api::ids::DatasetId;
use hwc_runtime::clock::Clock;
use hwc_runtime::command::run;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For how long a service may end by itself at a planned stop. A database writes its logs and
/// closes its tables in some 100 ms; whatever takes longer is killed and recovers at the next
/// start.
const PLANNED_GRACE: Duration = Duration::from_secs(2);

/// Why a dataset is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// It may be live elsewhere already: not one more byte. Everything is killed.
    Fence,
    /// A move, an update, a deletion: services may end by themselves first.
    Planned,
}

/// What runs for datasets, as far as this daemon started it.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<BTreeMap<DatasetId, Arc<Slot>>>);

/// What was started for a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub part: DatasetPart,
    /// The mark of the files that it was started with.
    pub mark: String,
}

/// One dataset's.
#[derive(Debug, Default)]
struct Slot {
    /// Held while it is started or stopped.
    change: tokio::sync::Mutex<()>,
    started: Mutex<Option<Started>>,
}

impl Slot {
    fn started(&self) -> Option<Started> {
        let started = self.started.lock();
        started.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, started: Option<Started>) {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = started;
    }

    /// What is started, after a change that is under way. What is only being prepared has nothing
    /// that runs yet and isn't waited for: a database's first start may take long.
    async fn settled(&self) -> Option<Started> {
        self.started()?;
        let _settled = self.change.lock().await;
        self.started()
    }
}

impl Running {
    fn slot(&self, dataset: DatasetId) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(dataset).or_default())
    }

    fn all(&self) -> Vec<(DatasetId, Arc<Slot>)> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots
            .iter()
            .map(|(id, slot)| (*id, Arc::clone(slot)))
            .collect()
    }

    /// Everything that was started here once.
    pub(crate) fn datasets(&self) -> Vec<DatasetId> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.keys().copied().collect()
    }

    /// What is started.
    pub(crate) async fn started(&self) -> Vec<Started> {
        let mut started = Vec::new();
        for (_, slot) in self.all() {
            started.extend(slot.settled().await);
        }
        started
    }

    /// What is started for a dataset runs with these files from now on.
    pub(crate) fn restarted(&self, dataset: DatasetId, mark: String) {
        let slot = self.slot(dataset);
        let mut started = slot.started.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(started) = started.as_mut() {
            started.mark = mark;
        }
    }
}

/// What starting and stopping needs.
#[derive(Debug)]
pub(crate) struct Datasets {
    pub config: NodeConfig,
    pub clock: Clock,
    pub template: Template,
    pub running: Running,
    pub newest: Newest,
    pub unit_news: UnitNews,
}

/// Whether systemd may know unit files in an older form: who wrote them may have been cut short before
/// they told.
#[derive(Debug, Default)]
pub(crate) struct UnitNews {
    written: AtomicU64,
    known: AtomicU64,
}

impl UnitNews {
    /// Unit files were written.
    fn write(&self) {
        self.written.fetch_add(1, Ordering::SeqCst);
    }

    fn is_there(&self) -> bool {
        self.known.load(Ordering::SeqCst) < self.written.load(Ordering::SeqCst)
    }
}

/// The newest settings that anybody brought. A run of the reconciler may hold older ones than a
/// start that overtook it; what it would stop or remove is looked up here first.
#[derive(Debug, Default)]
pub(crate) struct Newest(Mutex<(u64, Arc<Wanted>)>);

impl Newest {
    /// Takes settings if they are newer, and gives the newest.
    pub(crate) fn note(&self, desired: &Desired) -> Arc<Wanted> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if desired.index >= newest.0 {
            *newest = (desired.index, Arc::new(gather(desired)));
        }
        Arc::clone(&newest.1)
    }

    /// The newest.
    pub(crate) fn get(&self) -> Arc<Wanted> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&newest.1)
    }
}

impl Datasets {
    /// Brings up what a live dataset needs; returns what was started, when its socket takes
    /// connections.
    pub(crate) async fn start(
        &self,
        wanted: &Wanted,
        dataset: DatasetId,
    ) -> Result<DatasetPart, YakdError> {
        let part = wanted
            .part_of(dataset)
            .ok_or(YakdError::UnknownDataset(dataset))?;
        let slot = self.running.slot(dataset);
        let _change = slot.change.lock().await;
        let places = render::places(&self.config, &part);
        self.ensure_account(wanted, &part).await?;
        let mark = self.ensure_units(&part).await?;
        let home = Home::open(&places.dataset).map_err(YakdError::file("open", &places.dataset))?;
        match &part {
            DatasetPart::Site(site) => prepare_site(home, site, &places).await?,
            DatasetPart::Database(database) => {
                self.prepare_database(home, database, &places).await?;
            }
        }
        // Remembered before it is started: whatever comes of that, stopping will look for it.
        let started = part.clone();
        slot.note(Some(Started {
            part: started,
            mark,
        }));
        systemd::start(&[&places.socket_unit]).await?;
        if let DatasetPart::Site(site) = &part {
            self.open_door(site, &places)?;
        }
        tracing::info!(dataset.id = %dataset, unit = places.socket_unit, "started");
        Ok(part)
    }

    /// Starts again what was started and does not listen any more.
    pub(crate) async fn heal(&self, wanted: &Wanted) -> Result<(), YakdError> {
        for (dataset, slot) in self.running.all() {
            let Some(Started { part, .. }) = slot.settled().await else {
                continue;
            };
            let unit = render::places(&self.config, &part).socket_unit;
            let states = systemd::states(std::slice::from_ref(&unit)).await?;
            if states != [systemd::UnitState::Active] && wanted.part_of(dataset).is_some() {
                tracing::warn!(dataset.id = %dataset, unit, "should listen and does not");
                // Under the lock again: a stop in between has emptied the slot.
                let _change = slot.change.lock().await;
                if slot.started().is_some() {
                    systemd::start(&[&unit]).await?;
                    if let DatasetPart::Site(site) = &part {
                        self.open_door(site, &render::places(&self.config, &part))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Stops everything that could write to a dataset and waits until nothing is left.
    pub(crate) async fn stop(&self, dataset: DatasetId, kind: StopKind) -> Result<(), YakdError> {
        let slot = self.running.slot(dataset);
        let _change = slot.change.lock().await;
        let Some(Started { part, .. }) = slot.started() else {
            return Ok(());
        };
        self.stop_part(&part, kind).await?;
        slot.note(None);
        tracing::info!(dataset.id = %dataset, ?kind, "stopped");
        Ok(())
    }

    async fn stop_part(&self, part: &DatasetPart, kind: StopKind) -> Result<(), YakdError> {
        let uid = part.owner().number();
        let places = render::places(&self.config, part);
        if let DatasetPart::Site(site) = part {
            self.close_door(site)?;
        }
        match kind {
            // At once; a connection that comes now starts it anew, until the socket is gone.
            StopKind::Fence => processes::kill_all(uid, &self.clock).await?,
            StopKind::Planned => {
                // The socket first: nothing can start the service again.
                systemd::stop(&[&places.socket_unit]).await?;
                let units = [places.service_unit.as_str()];
                let stop = systemd::stop(&units);
                if tokio::time::timeout(PLANNED_GRACE, stop).await.is_err() {
                    tracing::warn!(
                        unit = places.service_unit,
                        "did not end in time and is killed"
                    );
                }
            }
        }
        processes::kill_all(uid, &self.clock).await?;
        systemd::stop(&[&places.socket_unit, &places.service_unit, &places.slice]).await?;
        processes::kill_all(uid, &self.clock).await
    }

    /// Stops whatever an earlier run of the daemon left behind: nothing resumes serving by itself.
    pub(crate) async fn stop_everything(&self) -> Result<(), YakdError> {
        let patterns = ["hwc-php@*", "hwc-db@*"];
        let words = ["stop", "--"].into_iter().chain(patterns);
        run("systemctl", words).success().await?;
        for (_, uid) in crate::reconcile::accounts::present()? {
            processes::kill_all(uid, &self.clock).await?;
        }
        let doors = self.config.run.join("php");
        for door in std::fs::read_dir(&doors)
            .map_err(YakdError::file("list", &doors))?
            .flatten()
        {
            std::fs::remove_file(door.path()).map_err(YakdError::file("remove", door.path()))?;
        }
        Ok(())
    }

    /// The account is made by the reconciler; where that has not come to it yet, now.
    async fn ensure_account(&self, wanted: &Wanted, part: &DatasetPart) -> Result<(), YakdError> {
        let name = match part {
            DatasetPart::Site(site) => site.unix_name(),
            DatasetPart::Database(database) => database.unix_name(),
        };
        let uid = part.owner().number();
        let present = crate::reconcile::accounts::present()?;
        if present.get(&name) != Some(&uid) {
            crate::reconcile::accounts::create(wanted).await?;
        }
        Ok(())
    }

    /// Gives the mark of the dataset's files.
    async fn ensure_units(&self, part: &DatasetPart) -> Result<String, YakdError> {
        let mut files = render::dataset_files(&self.config, part)?;
        let mark = render::marks::of(&files, |_| true);
        if matches!(part, DatasetPart::Database(_)) {
            files.merge(render::database_settings::render(&self.config)?);
        }
        let root = Path::new("/");
        if !files.pending(root)?.is_empty() {
            let applied = FileSet::into_checked(files).apply(root, &[]);
            // Some may be written although others can't be.
            self.unit_news.write();
            applied?;
        }
        if self.unit_news.is_there() {
            self.know_units().await?;
        }
        Ok(mark)
    }

    /// Makes systemd know the unit files as they are.
    pub(crate) async fn know_units(&self) -> Result<(), YakdError> {
        // What is written while systemd is asked may be too late for the answer.
        let written = self.unit_news.written.load(Ordering::SeqCst);
        systemd::reload_if_behind(&["hwc-*"]).await?;
        self.unit_news.known.fetch_max(written, Ordering::SeqCst);
        Ok(())
    }

    async fn prepare_database(
        &self,
        home: Home,
        database: &DatabasePart,
        places: &Places,
    ) -> Result<(), YakdError> {
        let owner = Owner::from(database.owner);
        let folder = &places.dataset;
        home.give_to(owner, owner.gid, 0o700)
            .map_err(YakdError::file("give away", folder))?;
        let data = Path::new("data");
        let look = as_owner(owner, move || home.exists(data).map(|is| (home, is)));
        let (home, is_there) = look.await?.map_err(YakdError::file("look into", folder))?;
        if is_there {
            return Ok(());
        }
        let source = self.template.open().await?;
        let copied = as_owner(owner, move || {
            let temporary = Path::new("data.new");
            home::remove_tree(&home, temporary)?;
            home::copy_tree(&home, &source, temporary)?;
            home.rename(temporary, data)?;
            home.sync_folder(Path::new("."))
        });
        copied
            .await?
            .map_err(YakdError::file("begin the data directory in", folder))
    }

    /// Gives the socket its second name, where Apache finds it.
    fn open_door(&self, site: &SitePart, places: &Places) -> Result<(), YakdError> {
        let door = render::php_door(&self.config, site);
        self.close_door(site)?;
        std::fs::hard_link(&places.socket, &door).map_err(YakdError::file("link", door))
    }

    fn close_door(&self, site: &SitePart) -> Result<(), YakdError> {
        let door = render::php_door(&self.config, site);
        match std::fs::remove_file(&door) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(YakdError::file("remove", door)(error)),
        }
    }

    /// The folders of the sockets: volatile, hence made at each start of the daemon.
    pub(crate) fn ensure_run_folders(&self) -> Result<(), YakdError> {
        let run = &self.config.run;
        let folders = [
            (run.clone(), 0o711, 0),
            (run.join("fpm"), 0o700, 0),
            (run.join("db"), 0o711, 0),
            (run.join("yakd"), 0o700, 0),
            // Apache passes through; nobody lists.
            (run.join("php"), 0o710, render::APACHE_GROUP_ID),
            // The MySQL front door's; there for the sites' units to see it when it comes.
            ("/run/mysqld".into(), 0o755, 0),
        ];
        for (folder, mode, group) in folders {
            std::fs::create_dir_all(&folder)
                .and_then(|()| std::os::unix::fs::chown(&folder, Some(0), Some(group)))
                .and_then(|()| {
                    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode))
                })
                .map_err(YakdError::file("make", &folder))?;
        }
        Ok(())
    }
}

/// Makes the folders that a site's dataset begins with.
async fn prepare_site(home: Home, site: &SitePart, places: &Places) -> Result<(), YakdError> {
    let owner = Owner::from(site.owner);
    let folder = &places.dataset;
    // Apache's group may pass to public_html; nobody else gets in.
    home.give_to(owner, render::APACHE_GROUP_ID, 0o710)
        .map_err(YakdError::file("give away", folder))?;
    let made = as_owner(owner, move || {
        for (name, mode) in [("public_html", 0o755), ("logs", 0o700), ("sessions", 0o700)] {
            let path = Path::new(name);
            if !home.exists(path)? {
                home.create_folder(path, mode)?;
            }
        }
        Ok(())
    });
    made.await?
        .map_err(YakdError::file("make the folders of", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::tests::one_site;

    fn start_of(wanted: &Wanted, dataset: DatasetId) -> Option<Started> {
        wanted.part_of(dataset).map(|part| Started {
            part,
            mark: String::new(),
        })
    }

    #[test]
    fn units_that_were_written_are_news_until_systemd_was_asked_after_that() {
        let news = UnitNews::default();
        assert!(!news.is_there());
        news.write();
        let asked = news.written.load(Ordering::SeqCst);
        news.write();
        news.known.fetch_max(asked, Ordering::SeqCst);
        assert!(news.is_there(), "written while it was asked");
        news.known.fetch_max(asked + 1, Ordering::SeqCst);
        assert!(!news.is_there());
    }

    #[tokio::test]
    async fn what_is_being_prepared_holds_nobody_up() {
        let running = Running::default();
        let (prepared, started) = (DatasetId(11), DatasetId(12));
        let wanted = gather(&one_site(200_000, "shop.example"));
        running.slot(started).note(start_of(&wanted, started));
        let slot = running.slot(prepared);
        let _change = slot.change.lock().await;
        let found = tokio::time::timeout(Duration::from_secs(5), running.started()).await;
        let datasets = found.map(|found| found.iter().map(|s| s.part.dataset()).collect());
        assert_eq!(datasets, Ok(vec![started]));
        assert_eq!(running.datasets(), [prepared, started]);
    }

    #[tokio::test]
    async fn what_is_being_stopped_is_waited_for() {
        let running = Running::default();
        let wanted = gather(&one_site(200_000, "shop.example"));
        let slot = running.slot(DatasetId(12));
        slot.note(start_of(&wanted, DatasetId(12)));
        let change = slot.change.lock().await;
        let stopping = async {
            tokio::task::yield_now().await;
            slot.note(None);
            drop(change);
        };
        let (started, ()) = tokio::join!(running.started(), stopping);
        assert_eq!(started, []);
    }
}
