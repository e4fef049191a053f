//! `hwc site …`: list, create, show and delete sites; moves, pins and holds in files beside.

use super::move_words::state as moving_state;
use super::table::{age, size, table};
use super::{Failure, Session, site_move, site_stay};
use clap::Subcommand;
use hwc_api::ids::{AccountId, SiteId};
use hwc_api::names::{DomainName, LoginName};
use hwc_api::problem::ProblemCode;
use hwc_api::time::WallTime;
use hwc_api::v1::{
    CopyView, CreateSite, CreateSiteBody, DatasetView, DeleteSite, DeleteSiteBody, ListAccounts,
    ListSites, LiveState, SiteView,
};
use hwc_runtime::clock::Clock;

/// Sites.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// All sites: where live, which copies, how old.
    List,
    /// Create a site.
    Create {
        /// Its main domain.
        domain: String,
        /// The sign-in name of its owner.
        #[arg(long)]
        account: LoginName,
        /// Number of copies, the live one included; the cluster's default otherwise.
        #[arg(long)]
        copies: Option<u8>,
    },
    /// Show one site.
    Show {
        /// Its domain.
        domain: DomainName,
    },
    /// Move a site and its databases to another node. Visitors notice nothing but a pause.
    Move(site_move::Arguments),
    /// Pin a site to a node, or let it go.
    Pin(site_stay::Pin),
    /// Keep a site from being moved to spread load.
    Hold(site_stay::Hold),
    /// Delete a site with its databases.
    Delete {
        /// Its main domain.
        domain: DomainName,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => {
            let sites = session.client.call(&ListSites).await?;
            session.print(&sites, |sites| sites_table(sites, Clock::system().wall()))
        }
        Command::Create {
            domain,
            account,
            copies,
        } => {
            let account = Some(account_id(session, &account).await?);
            let call = CreateSite {
                body: CreateSiteBody {
                    domain,
                    account,
                    copies,
                },
            };
            let site = session.client.call(&call).await?;
            session.print(&site, |site| {
                format!("{} is created (site {}).", site.title, site.id)
            })
        }
        Command::Show { domain } => {
            let site = find(session, &domain).await?;
            session.print(&site, |site| {
                let table = sites_table(std::slice::from_ref(site), Clock::system().wall());
                format!("{table}\n{}", datasets_text(site))
            })
        }
        Command::Move(arguments) => site_move::run(session, arguments).await,
        Command::Pin(pin) => site_stay::pin(session, pin).await,
        Command::Hold(hold) => site_stay::hold(session, hold).await,
        Command::Delete { domain, yes } => {
            let site = find(session, &domain).await?;
            if !yes {
                session.explain(&format!(
                    "{domain} has {} database(s); they go with it.",
                    site.databases.len()
                ));
                let advice = format!("add --yes to delete {domain}");
                return Err(Failure::NotConfirmed(advice));
            }
            let body = DeleteSiteBody {
                confirm: domain.to_string(),
            };
            let done = session
                .client
                .call(&DeleteSite {
                    site: site.id,
                    body,
                })
                .await?;
            session.print(&done, |_| format!("{domain} is deleted."))
        }
    }
}

/// The site of a domain.
pub async fn find(session: &Session, domain: &DomainName) -> Result<SiteView, Failure> {
    let sites = session.client.call(&ListSites).await?;
    let found = sites.into_iter().find(|site| site.domains.contains(domain));
    found.ok_or_else(|| Failure::Unknown(ProblemCode::NotFound, format!("site {domain}")))
}

/// The account of a sign-in name.
pub async fn account_id(session: &Session, login: &LoginName) -> Result<AccountId, Failure> {
    let accounts = session.client.call(&ListAccounts).await?;
    let found = accounts.iter().find(|account| account.login == *login);
    found
        .map(|account| account.id)
        .ok_or_else(|| Failure::Unknown(ProblemCode::NotFound, format!("account {login}")))
}

/// The numbers of a site's datasets, by which journals and logs name them.
fn datasets_text(site: &SiteView) -> String {
    let databases = site.databases.iter();
    let databases =
        databases.map(|database| format!("db {} {}", database.name, database.dataset.id));
    let all: Vec<_> = std::iter::once(format!("files {}", site.files.id))
        .chain(databases)
        .collect();
    format!("Datasets: {}", all.join(", "))
}

/// The column of the live node.
const LIVE_ON: usize = 2;

/// Sites with their datasets, a line each.
#[must_use]
pub fn sites_table(sites: &[SiteView], now: WallTime) -> String {
    let mut rows = Vec::new();
    for site in sites {
        let name = format!("{} ({})", site.title, number(site.id));
        let mut first = row(name, &site.files, now);
        if let Some(live) = first.get_mut(LIVE_ON) {
            live.push_str(&stay(site));
        }
        rows.push(first);
        for database in &site.databases {
            let name = format!("  db {}", database.name);
            rows.push(row(name, &database.dataset, now));
        }
    }
    table(&["SITE", "STATE", "LIVE ON", "USED", "COPIES"], &rows)
}

fn number(site: SiteId) -> String {
    format!("site {site}")
}

/// Where a site is to stay.
fn stay(site: &SiteView) -> String {
    match (&site.pin, site.hold_until) {
        (Some(node), _) => format!(" (pinned to {})", node.name),
        (None, Some(_)) => " (held)".to_owned(),
        (None, None) => String::new(),
    }
}

fn row(name: String, dataset: &DatasetView, now: WallTime) -> Vec<String> {
    let live = dataset
        .live_node
        .as_ref()
        .map_or_else(|| "-".to_owned(), |node| node.name.to_string());
    let copies: Vec<_> = dataset.copies.iter().map(copy).collect();
    vec![
        name,
        dataset_state(dataset, now),
        live,
        size(dataset.used_bytes),
        copies.join(", "),
    ]
}

/// How a dataset stands, and the move that it is in; “hwc moves” says where it goes.
fn dataset_state(dataset: &DatasetView, now: WallTime) -> String {
    let state = state(dataset.state);
    dataset.moving.as_ref().map_or_else(
        || state.to_owned(),
        |progress| format!("{state}, move: {}", moving_state(progress, now)),
    )
}

/// How fresh a copy is.
#[must_use]
pub fn copy(copy: &CopyView) -> String {
    let freshness = match (copy.is_reachable, copy.is_complete, copy.age_ms) {
        (false, _, _) => "out of reach".to_owned(),
        (true, false, _) => "being made".to_owned(),
        (true, true, Some(0)) => "up to date".to_owned(),
        (true, true, Some(milliseconds)) => format!("{} old", age(milliseconds)),
        (true, true, None) => "age unknown".to_owned(),
    };
    format!("{}: {freshness}", copy.node.name)
}

const fn state(state: LiveState) -> &'static str {
    match state {
        LiveState::Live => "live",
        LiveState::Starting => "starting",
        LiveState::Moving => "moving",
        LiveState::Down => "down",
    }
}
