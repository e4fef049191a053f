//! `hwc app …`: the catalogue, and installing from it with live progress.

use super::sites::find;
use super::table::{size, table};
use super::{Failure, Session, complain};
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use hwc_api::job::StepState;
use hwc_api::names::DomainName;
use hwc_api::v1::{AppView, InstallApp, InstallAppBody, JobView, ListApps, ReadJob};
use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

/// How often progress is asked for.
const PROGRESS_PAUSE: Duration = Duration::from_millis(300);
/// Asked at most this often: a quarter of an hour.
const PROGRESS_TRIES: u32 = 3_000;

/// Applications.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The catalogue.
    List,
    /// Install an application into a site.
    Install(Install),
}

/// What to install.
#[derive(Debug, Args)]
pub struct Install {
    /// The site's domain.
    domain: DomainName,
    /// The application, such as `wordpress`.
    app: String,
    /// Title of the new web site.
    #[arg(long)]
    title: String,
    /// The application's administrator.
    #[arg(long, default_value = "admin")]
    admin_login: String,
    /// The administrator's e-mail address.
    #[arg(long)]
    admin_email: String,
    /// Language of the new web site.
    #[arg(long, default_value = "en_US")]
    language: String,
    /// Replace the files that are there.
    #[arg(long)]
    replace: bool,
}

pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => {
            let apps = session.client.call(&ListApps).await?;
            session.print(&apps, |apps| apps_table(apps))
        }
        Command::Install(install) => run_install(session, install).await,
    }
}

fn apps_table(apps: &[AppView]) -> String {
    let rows: Vec<_> = apps
        .iter()
        .map(|app| {
            vec![
                app.app.clone(),
                app.version.clone(),
                size(app.archive_bytes),
                app.summary.clone(),
            ]
        })
        .collect();
    table(&["APP", "VERSION", "SIZE", "WHAT IT IS"], &rows)
}

async fn run_install(session: &Session, install: Install) -> Result<(), Failure> {
    let site = find(session, &install.domain).await?;
    let mut password = String::new();
    complain("Password of the application's administrator (standard input):");
    std::io::stdin()
        .read_to_string(&mut password)
        .context("read the password")?;
    let body = InstallAppBody {
        app: install.app,
        title: install.title,
        admin_login: install.admin_login,
        admin_email: install.admin_email,
        admin_password: password.trim_end_matches(['\r', '\n']).to_owned(),
        language: install.language,
        replace: install.replace,
    };
    let mut view = session
        .client
        .call(&InstallApp {
            site: site.id,
            body,
        })
        .await?;
    let mut told = BTreeSet::new();
    for _ in 0..PROGRESS_TRIES {
        if !session.is_json {
            tell(&view, &mut told);
        }
        if let Some(outcome) = &view.job.outcome {
            return match &outcome.problem {
                None => session.print(&view, |_| format!("Installed: https://{}/", install.domain)),
                Some(problem) => Err(anyhow!("{}", problem.message).into()),
            };
        }
        tokio::time::sleep(PROGRESS_PAUSE).await;
        view = session.client.call(&ReadJob { job: view.job.id }).await?;
    }
    Err(anyhow!("the installation still runs after a quarter of an hour; see “hwc status”").into())
}

/// Tells each finished step once.
fn tell(view: &JobView, told: &mut BTreeSet<String>) {
    let Some(progress) = &view.progress else {
        return;
    };
    for step in &progress.steps {
        let is_news = matches!(step.state, StepState::Done | StepState::Failed);
        if is_news && told.insert(step.name.clone()) {
            complain(&format!("{} ({} ms)", step.name, step.elapsed_ms));
        }
    }
}
