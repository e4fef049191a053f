//! `hwc site …`.

use super::table::{age, size, table};
use super::{Failure, Session, say};
use anyhow::anyhow;
use clap::Subcommand;
use hwc_api::ids::{AccountId, SiteId};
use hwc_api::names::{DomainName, LoginName};
use hwc_api::v1::{
    CopyView, CreateSite, CreateSiteBody, DatasetView, DeleteSite, DeleteSiteBody, ListAccounts,
    ListSites, LiveState, SiteView,
};

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
            session.print(&sites, |sites| sites_table(sites))
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
            session.print(&site, |site| sites_table(std::slice::from_ref(site)))
        }
        Command::Delete { domain, yes } => {
            let site = find(session, &domain).await?;
            if !yes {
                say(&format!(
                    "{domain} has {} database(s); they go with it.",
                    site.databases.len()
                ));
                return Err(anyhow!("add --yes to delete {domain}").into());
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
    found.ok_or_else(|| anyhow!("there is no site {domain}").into())
}

/// The account of a sign-in name.
pub async fn account_id(session: &Session, login: &LoginName) -> Result<AccountId, Failure> {
    let accounts = session.client.call(&ListAccounts).await?;
    let found = accounts.iter().find(|account| account.login == *login);
    found
        .map(|account| account.id)
        .ok_or_else(|| anyhow!("there is no account {login}").into())
}

/// Sites with their datasets, a line each.
#[must_use]
pub fn sites_table(sites: &[SiteView]) -> String {
    let mut rows = Vec::new();
    for site in sites {
        let name = format!("{} ({})", site.title, number(site.id));
        rows.push(row(name, &site.files));
        for database in &site.databases {
            rows.push(row(format!("  db {}", database.name), &database.dataset));
        }
    }
    table(&["SITE", "STATE", "LIVE ON", "USED", "COPIES"], &rows)
}

fn number(site: SiteId) -> String {
    format!("site {site}")
}

fn row(name: String, dataset: &DatasetView) -> Vec<String> {
    let live = dataset
        .live_node
        .as_ref()
        .map_or_else(|| "-".to_owned(), |node| node.name.to_string());
    let copies: Vec<_> = dataset.copies.iter().map(copy).collect();
    vec![
        name,
        state(dataset.state).to_owned(),
        live,
        size(dataset.used_bytes),
        copies.join(", "),
    ]
}

fn copy(copy: &CopyView) -> String {
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
