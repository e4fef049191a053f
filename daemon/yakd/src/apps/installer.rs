//! Installs an application into a live site: check, fetch, unpack, configure, install, verify.
//!
//! Everything is made beside the site's files, in a folder of its own, and swapped in by one
//! rename when the application is ready; until then visitors see what was there, and after a
//! failure they do again. Nothing runs as root that a customer's bytes reach: unpacking and PHP run
//! as the site's user inside the site's walls, files are written with the site's rights.
//!
//! The database is created before, through the registry; that its creator drops it after a failure
//! is the creator's business.

mod request;
mod verify;

pub use request::{DatabaseAccess, InstallRequest};

use super::archive;
use super::catalogue::{Access, App, Catalogue, Format, Step, Version};
use super::progress::Teller;
use super::sandboxed::Sandboxed;
use super::scripts;
use crate::config::NodeConfig;
use crate::error::{YakdError, disk_full, internal, is_disk_full};
use crate::gather::{SitePart, gather};
use crate::home::{Home, Owner, as_owner, remove_tree};
use crate::render::{Places, site_places};
use crate::systemd;
use hwc_api::desired::{Desired, InstalledApp};
use hwc_api::ids::SiteId;
use hwc_api::job::{JobProgress, StepState};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::clock::Clock;
use hwc_runtime::command::Output;
use minijinja::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::watch;

/// Downloads on their way; only open files without a name.
const DOWNLOADS: &str = "/var/tmp";
/// Beginning of the names of folders in which applications are made ready.
const FRESH_PREFIX: &str = ".hwc-install-";
/// The document root, below the dataset.
const DOCUMENT_ROOT: &str = "public_html";
/// How much of a failed command's words is kept for the log.
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;

/// Installs applications of the catalogue.
#[derive(Debug, Clone)]
pub struct Installer {
    config: NodeConfig,
    clock: Clock,
    catalogue: Arc<Catalogue>,
    busy: Arc<Mutex<BTreeSet<SiteId>>>,
}

impl Installer {
    /// An installer for this node.
    #[must_use]
    pub fn new(config: NodeConfig, clock: Clock, catalogue: Arc<Catalogue>) -> Self {
        Self {
            config,
            clock,
            catalogue,
            busy: Arc::default(),
        }
    }

    /// The catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What can be said at once, before a job is begun: unknown application, wrong fields.
    ///
    /// # Errors
    /// What is wrong, with the field.
    pub fn check(&self, request: &InstallRequest) -> Result<(&App, Version), Problem> {
        let app = self.catalogue.app(&request.app)?;
        request.check(app)?;
        let version = app.version(&self.config.mirror, request.version.as_deref())?;
        Ok((app, version))
    }

    /// Installs. `progress` hears of every step.
    ///
    /// # Errors
    /// What went wrong; then the site is as it was.
    pub async fn install(
        &self,
        desired: &Desired,
        request: InstallRequest,
        progress: watch::Sender<JobProgress>,
    ) -> Result<InstalledApp, Problem> {
        let (app, version) = self.check(&request)?;
        let site = self.site(desired, request.site)?;
        let _turn = self.take_turn(request.site)?;
        let teller = Teller::new(request.job, &step_names(app), self.clock.clone(), progress);
        let installation = Installation {
            config: &self.config,
            clock: &self.clock,
            app,
            version: &version,
            places: site_places(&self.config, &site),
            sandboxed: Sandboxed::new(&self.config, &site, request.job),
            fresh: PathBuf::from(format!("{FRESH_PREFIX}{}", request.job)),
            site,
            request: &request,
            teller: &teller,
        };
        let result = installation.run().await;
        match &result {
            Ok(_) => teller.end(StepState::Done),
            Err(problem) => {
                teller.log(&problem.message);
                teller.end(StepState::Failed);
            }
        }
        result
    }

    fn site(&self, desired: &Desired, site: SiteId) -> Result<SitePart, Problem> {
        let mut wanted = gather(desired);
        let absent = || Problem::new(ProblemCode::NotFound, "there is no such site");
        wanted.sites.remove(&site).ok_or_else(absent)
    }

    fn take_turn(&self, site: SiteId) -> Result<Turn, Problem> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if !busy.insert(site) {
            let message = "something is being installed into this site already; wait for its end";
            return Err(Problem::new(ProblemCode::SiteBusy, message));
        }
        Ok(Turn {
            site,
            busy: Arc::clone(&self.busy),
        })
    }
}

/// One installation per site at a time.
struct Turn {
    site: SiteId,
    busy: Arc<Mutex<BTreeSet<SiteId>>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.site);
    }
}

/// The names of the steps that an application's installation has, in order.
fn step_names(app: &App) -> Vec<&'static str> {
    let mut names = vec!["check", "fetch", "unpack"];
    for step in &app.steps {
        let name = name_of(step);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

const fn name_of(step: &Step) -> &'static str {
    match step {
        Step::Write { .. } => "configure",
        Step::Php { .. } => "install",
        Step::Verify { .. } => "verify",
    }
}

struct Installation<'a> {
    config: &'a NodeConfig,
    clock: &'a Clock,
    app: &'a App,
    version: &'a Version,
    site: SitePart,
    places: Places,
    sandboxed: Sandboxed,
    /// Where the application is made ready, below the dataset.
    fresh: PathBuf,
    request: &'a InstallRequest,
    teller: &'a Teller,
}

impl Installation<'_> {
    async fn run(&self) -> Result<InstalledApp, Problem> {
        self.teller.begin("check");
        self.clear_leftovers().await?;
        if !self.request.replace && !is_empty(&self.site, &self.places).await? {
            return Err(Problem::new(
                ProblemCode::SiteNotEmpty,
                "the site holds files already; confirm that they may be replaced",
            ));
        }
        let result = self.make_and_swap().await;
        // After a success this removes what was replaced, after a failure what was half-made.
        let cleared = self.clear_leftovers().await;
        result?;
        cleared?;
        Ok(InstalledApp {
            app: self.app.app.clone(),
            version: self.version.version.clone(),
        })
    }

    async fn make_and_swap(&self) -> Result<(), Problem> {
        self.teller.begin("fetch");
        let client = archive::client().map_err(|error| internal(&error))?;
        let tell = |percent| self.teller.percent(percent);
        let archive = archive::fetch(self.version, &client, Path::new(DOWNLOADS), tell).await?;
        let (name, bytes) = (&self.app.app, self.version.bytes);
        self.teller.log(&format!(
            "{name} {}: {bytes} bytes, checksum right",
            self.version.version
        ));
        self.teller.begin("unpack");
        self.unpack(archive).await?;
        let values = self.request.values(&self.site, &self.places, &self.fresh);
        let is_inside = |step: &&Step| !matches!(step, Step::Verify { .. });
        for step in self.app.steps.iter().filter(is_inside) {
            self.step(step, &values).await?;
        }
        self.swap().await?;
        let verified = self.verify().await;
        if verified.is_err() {
            self.teller.log("putting back what was there before");
            self.swap().await?;
        }
        verified
    }

    /// Removes what this or an interrupted installation left beside the document root.
    async fn clear_leftovers(&self) -> Result<(), Problem> {
        self.with_home(|home| {
            for name in home.names(Path::new("."), usize::MAX)? {
                let Ok(name) = String::from_utf8(name) else {
                    continue;
                };
                if name.starts_with(FRESH_PREFIX) {
                    remove_tree(home, Path::new(&name))?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn unpack(&self, archive: File) -> Result<(), Problem> {
        let program = self
            .config
            .unpacker
            .iter()
            .map(|word| word.clone().into_os_string());
        let top = self.version.top.clone().unwrap_or_else(|| "-".to_owned());
        let arguments = [
            self.version.format.as_str().into(),
            self.fresh.clone().into_os_string(),
            top.into(),
        ];
        let run = self.sandboxed.command("unpack", program.chain(arguments));
        let mut command = run.into_command();
        command.stdin(Stdio::from(archive));
        let started = command.spawn();
        let mut child = started.map_err(|error| internal(&error))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let follow = async {
            let Some(stdout) = stdout else { return };
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(percent) = line.strip_prefix("progress ").and_then(|p| p.parse().ok()) {
                    self.teller.percent(percent);
                }
            }
        };
        let listen = async {
            let mut complaint = Vec::new();
            if let Some(stderr) = stderr {
                // What was read before an error is worth having.
                let _partial = stderr
                    .take(COMPLAINT_BYTES_MAX)
                    .read_to_end(&mut complaint)
                    .await;
            }
            String::from_utf8_lossy(&complaint).into_owned()
        };
        let whole = async { tokio::join!(follow, listen, child.wait()) };
        let ended = tokio::time::timeout(super::sandboxed::DEADLINE, whole).await;
        let ((), complaint, status) =
            ended.map_err(|_late| self.failed("unpack", "it took too long"))?;
        let status = status.map_err(|error| internal(&error))?;
        self.teller.log(&complaint);
        if status.success() {
            Ok(())
        } else {
            Err(self.failed("unpack", complaint.trim()))
        }
    }

    async fn step(&self, step: &Step, values: &Value) -> Result<(), Problem> {
        let name = name_of(step);
        if self.teller.running().as_deref() != Some(name) {
            self.teller.begin(name);
        }
        match step {
            Step::Write {
                path,
                access,
                format,
                content,
            } => self.write(path, *access, *format, content, values).await,
            Step::Php { script, success } => self.php(script, success, values).await,
            Step::Verify { .. } => Ok(()),
        }
    }

    async fn write(
        &self,
        path: &str,
        access: Access,
        format: Format,
        content: &str,
        values: &Value,
    ) -> Result<(), Problem> {
        let content = scripts::fill(content, format, values)
            .map_err(|error| self.failed("configure", &error.to_string()))?;
        let mode = match access {
            Access::Public => 0o644,
            Access::Secret => 0o600,
        };
        let target = self.fresh.join(path);
        self.teller.log(&format!("writing {path}"));
        self.with_home(move |home| home.write(&target, content.as_bytes(), mode))
            .await
    }

    async fn php(&self, script: &str, success: &str, values: &Value) -> Result<(), Problem> {
        let script = scripts::fill(script, Format::Php, values)
            .map_err(|error| self.failed("install", &error.to_string()))?;
        // Through standard input: it contains passwords.
        let program = format!("/usr/bin/php{}", self.site.php.as_str());
        let words = [
            program.as_str(),
            "-d",
            "display_errors=stderr",
            "-d",
            "memory_limit=256M",
        ];
        let run = self
            .sandboxed
            .command("php", words.map(OsString::from))
            .input(script);
        let output = run.output().await.map_err(|error| internal(&error))?;
        let said = self.hide_secrets(&words_of(&output));
        self.teller.log(&said);
        // An application that gives up often ends with success and a page of HTML.
        if output.status.success() && output.text().trim_end().ends_with(success) {
            Ok(())
        } else {
            Err(self.failed("install", &said))
        }
    }

    /// Puts the fresh folder in the place of the document root, or back.
    async fn swap(&self) -> Result<(), Problem> {
        let fresh = self.fresh.clone();
        self.with_home(move |home| {
            home.exchange(&fresh, Path::new(DOCUMENT_ROOT))?;
            home.sync_folder(Path::new("."))
        })
        .await?;
        // PHP has cached the old files under the same names. Requests wait at the socket meanwhile.
        systemd::try_restart(&[&self.places.service_unit])
            .await
            .map_err(|error| error.to_problem())
    }

    async fn verify(&self) -> Result<(), Problem> {
        for step in &self.app.steps {
            if let Step::Verify { path } = step {
                self.teller.begin("verify");
                let page = verify::Page {
                    domain: &self.site.main_domain,
                    path,
                    title: &self.request.title,
                };
                page.check(self.clock, self.teller)
                    .await
                    .map_err(|reason| self.failed("verify", &reason))?;
            }
        }
        Ok(())
    }

    /// Does something inside the dataset with the site's own rights.
    async fn with_home<W>(&self, work: W) -> Result<(), Problem>
    where
        W: FnOnce(&Home) -> io::Result<()> + Send + 'static,
    {
        with_home(&self.site, &self.places, work).await
    }

    fn failed(&self, step: &str, reason: &str) -> Problem {
        let title = &self.app.title;
        let reason: String = reason.chars().take(500).collect();
        Problem::new(
            ProblemCode::InstallFailed,
            format!("{title} could not be installed; the site is as it was. Step {step}: {reason}"),
        )
        .detail(step)
    }

    fn hide_secrets(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in self.request.secrets() {
            shown = shown.replace(secret, "…");
        }
        shown
    }
}

fn words_of(output: &Output) -> String {
    format!(
        "{}\n{}",
        output.text(),
        String::from_utf8_lossy(&output.stderr)
    )
    .trim()
    .to_owned()
}

/// Whether the document root has nothing in it.
async fn is_empty(site: &SitePart, places: &Places) -> Result<bool, Problem> {
    let root = Path::new(DOCUMENT_ROOT);
    with_home(site, places, move |home| {
        home.names(root, 1).map(|names| names.is_empty())
    })
    .await
}

async fn with_home<T, W>(site: &SitePart, places: &Places, work: W) -> Result<T, Problem>
where
    T: Send + 'static,
    W: FnOnce(&Home) -> io::Result<T> + Send + 'static,
{
    let folder = places.dataset.clone();
    let home = Home::open(&folder).map_err(|error| {
        let message = "the site's files are not on this node just now; try again in a moment";
        tracing::debug!(folder = %folder.display(), %error, "the dataset can't be opened");
        Problem::new(ProblemCode::SiteNotLive, message)
    })?;
    let done = as_owner(Owner::from(site.owner), move || work(&home)).await;
    match done.map_err(|error| error.to_problem())? {
        Ok(value) => Ok(value),
        Err(error) if is_disk_full(&error) => Err(disk_full()),
        Err(error) => Err(YakdError::file("work in", folder)(error).to_problem()),
    }
}
