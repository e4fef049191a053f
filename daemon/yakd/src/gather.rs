//! Takes the typed parts that files are rendered from out of the registry.
//!
//! Whatever is unfit (a user id that belongs to the system, one id given out twice) is left out
//! and named in a problem: one bad object disables at most its own site or database.

use crate::hosts::Hosts;
use hwc_api::desired::{Database, Desired, NativePasswordHash, PhpVersion, Site};
use hwc_api::ids::{DatabaseId, DatasetId, SiteId};
use hwc_api::names::{DatabaseName, DatabaseUser, DomainName};
use hwc_api::problem::{Problem, ProblemCode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The Unix user and group id of a site or database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(u32);

impl TenantId {
    /// Ids below belong to Debian and to people (adduser.conf counts up from 1000).
    const LEAST: u32 = 100_000;
    /// The greatest that every tool takes for a positive number.
    const GREATEST: u32 = 0x7fff_ffff;

    /// Takes an id that nothing but us may use.
    #[must_use]
    pub const fn parse(id: u32) -> Option<Self> {
        if id >= Self::LEAST && id <= Self::GREATEST {
            Some(Self(id))
        } else {
            None
        }
    }

    /// As a number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// What is rendered for one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePart {
    /// Which site.
    pub id: SiteId,
    /// Where its files are.
    pub dataset: DatasetId,
    /// Whom they belong to.
    pub owner: TenantId,
    /// Its main domain.
    pub main_domain: DomainName,
    /// Its other domains.
    pub aliases: Vec<DomainName>,
    /// Which PHP runs it.
    pub php: PhpVersion,
    /// Whether its account is suspended.
    pub is_suspended: bool,
}

impl SitePart {
    /// Its Unix user and group.
    #[must_use]
    pub fn unix_name(&self) -> String {
        format!("site-{}", self.id)
    }
}

/// What is rendered for one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePart {
    /// Which database.
    pub id: DatabaseId,
    /// Where its data directory is.
    pub dataset: DatasetId,
    /// Whom it belongs to.
    pub owner: TenantId,
    /// Its name.
    pub name: DatabaseName,
    /// Its one user.
    pub user: DatabaseUser,
    /// The user's password.
    pub password_hash: NativePasswordHash,
}

impl DatabasePart {
    /// Its Unix user and group.
    #[must_use]
    pub fn unix_name(&self) -> String {
        format!("db-{}", self.id)
    }
}

/// Everything that this node's services should look after.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The sites, by id.
    pub sites: BTreeMap<SiteId, SitePart>,
    /// The databases, by id.
    pub databases: BTreeMap<DatabaseId, DatabasePart>,
    /// Which names are which site's.
    pub hosts: Arc<Hosts>,
    /// What was left out, and why.
    pub problems: Vec<Problem>,
}

/// What a dataset holds, with everything that is needed to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatasetPart {
    /// A site.
    Site(SitePart),
    /// A database.
    Database(DatabasePart),
}

impl DatasetPart {
    /// Which dataset.
    #[must_use]
    pub const fn dataset(&self) -> DatasetId {
        match self {
            Self::Site(site) => site.dataset,
            Self::Database(database) => database.dataset,
        }
    }

    /// Whom it belongs to.
    #[must_use]
    pub const fn owner(&self) -> TenantId {
        match self {
            Self::Site(site) => site.owner,
            Self::Database(database) => database.owner,
        }
    }
}

impl Wanted {
    /// What belongs to a dataset.
    #[must_use]
    pub fn part_of(&self, dataset: DatasetId) -> Option<DatasetPart> {
        let site = self.sites.values().find(|site| site.dataset == dataset);
        let database = || self.databases.values().find(|db| db.dataset == dataset);
        site.cloned()
            .map(DatasetPart::Site)
            .or_else(|| database().cloned().map(DatasetPart::Database))
    }
}

/// Takes the parts out of the registry.
#[must_use]
pub fn gather(desired: &Desired) -> Wanted {
    let mut gathering = Gathering::default();
    gathering.wanted.hosts = Arc::new(Hosts::of(desired));
    for site in desired.sites.values() {
        gathering.site(desired, site);
    }
    for database in desired.databases.values() {
        gathering.database(desired, database);
    }
    gathering.wanted
}

#[derive(Default)]
struct Gathering {
    wanted: Wanted,
    owners: BTreeSet<TenantId>,
    domains: BTreeSet<DomainName>,
}

impl Gathering {
    fn site(&mut self, desired: &Desired, site: &Site) {
        if is_deleted(desired, site.dataset) {
            return;
        }
        let name = site.unix_name();
        let Some(owner) = self.owner(&name, site.uid) else {
            return;
        };
        let mut domains = site.domains.iter();
        let Some(main_domain) = domains.next().cloned() else {
            self.refuse(&name, "it has no domain");
            return;
        };
        if let Some(taken) = site.domains.iter().find(|d| self.domains.contains(*d)) {
            let reason = format!("its domain {taken} belongs to another site");
            self.refuse(&name, &reason);
            return;
        }
        self.domains.extend(site.domains.iter().cloned());
        let account = desired.accounts.get(&site.account);
        let part = SitePart {
            id: site.id,
            dataset: site.dataset,
            owner,
            main_domain,
            aliases: domains.cloned().collect(),
            php: site.php,
            is_suspended: account.is_some_and(|account| account.is_suspended),
        };
        self.wanted.sites.insert(site.id, part);
    }

    fn database(&mut self, desired: &Desired, database: &Database) {
        if is_deleted(desired, database.dataset) {
            return;
        }
        let Some(owner) = self.owner(&database.unix_name(), database.uid) else {
            return;
        };
        let part = DatabasePart {
            id: database.id,
            dataset: database.dataset,
            owner,
            name: database.name.clone(),
            user: database.user.clone(),
            password_hash: database.password_hash.clone(),
        };
        self.wanted.databases.insert(database.id, part);
    }

    fn owner(&mut self, name: &str, uid: u32) -> Option<TenantId> {
        let Some(owner) = TenantId::parse(uid) else {
            self.refuse(name, &format!("the user id {uid} belongs to the system"));
            return None;
        };
        if !self.owners.insert(owner) {
            self.refuse(name, &format!("the user id {uid} is in use already"));
            return None;
        }
        Some(owner)
    }

    fn refuse(&mut self, name: &str, reason: &str) {
        let message = format!("{name} is not served: {reason}");
        let problem = Problem::new(ProblemCode::ConfigurationRefused, message).detail(reason);
        self.wanted.problems.push(problem);
    }
}

fn is_deleted(desired: &Desired, dataset: DatasetId) -> bool {
    desired
        .datasets
        .get(&dataset)
        .is_none_or(|dataset| dataset.is_deleted)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hwc_api::desired::{Dataset, DatasetContent};
    use hwc_api::ids::{AccountId, NodeId};
    use hwc_api::time::WallTime;

    /// A registry with one site of the given user id and domain, in dataset 12.
    pub(crate) fn one_site(uid: u32, domain: &str) -> Desired {
        let mut desired = Desired::default();
        add_site(&mut desired, 7, 12, uid, domain);
        desired
    }

    pub(crate) fn add_site(desired: &mut Desired, id: u32, dataset: u32, uid: u32, domain: &str) {
        let site = Site {
            id: SiteId(id),
            account: AccountId(1),
            dataset: DatasetId(dataset),
            uid,
            domains: vec![DomainName::parse(domain).expect("a domain")],
            php: PhpVersion::V8_4,
            app: None,
            pin: None,
            hold_until: None,
            created_at: WallTime(0),
        };
        let content = DatasetContent::Site(site.id);
        desired.sites.insert(site.id, site);
        add_dataset(desired, dataset, content);
    }

    pub(crate) fn add_dataset(desired: &mut Desired, id: u32, content: DatasetContent) {
        let dataset = Dataset {
            id: DatasetId(id),
            content,
            replicas: vec![NodeId(1)],
            copies: 1,
            created_index: 1,
            is_deleted: false,
        };
        desired.datasets.insert(dataset.id, dataset);
    }

    #[test]
    fn ids_of_the_system_are_refused() {
        for uid in [0, 1, 33, 1000, 65_534, 65_535, 99_999, u32::MAX] {
            let wanted = gather(&one_site(uid, "shop.example"));
            assert!(wanted.sites.is_empty(), "{uid}");
            assert_eq!(wanted.problems.len(), 1, "{uid}");
        }
        let wanted = gather(&one_site(200_000, "shop.example"));
        assert_eq!((wanted.sites.len(), wanted.problems.len()), (1, 0));
    }

    #[test]
    fn an_id_or_domain_given_out_twice_disables_only_the_later_one() {
        let mut desired = one_site(200_000, "shop.example");
        add_site(&mut desired, 8, 13, 200_000, "other.example");
        add_site(&mut desired, 9, 14, 200_002, "shop.example");
        let wanted = gather(&desired);
        assert_eq!(wanted.sites.keys().collect::<Vec<_>>(), [&SiteId(7)]);
        assert_eq!(wanted.problems.len(), 2);
    }

    #[test]
    fn a_deleted_dataset_is_not_wanted() {
        let mut desired = one_site(200_000, "shop.example");
        for dataset in desired.datasets.values_mut() {
            dataset.is_deleted = true;
        }
        assert_eq!(gather(&desired), Wanted::default());
    }
}
