//! Desired state: the registry as one value, the same on every node.
//!
//! Each node derives it from its own database after every applied change and hands it out as an
//! `Arc<Desired>`; the rooms of the daemon compare it with what is and mend the difference.

use crate::balancing::Balancing;
use crate::ids::{
    AccountId, ClusterId, DatabaseId, DatasetId, JobId, MoveId, NodeId, SessionId, SiteId, TokenId,
};
use crate::job::Job;
use crate::moves::MoveReceipt;
use crate::names::{
    DatabaseName, DatabaseUser, DomainName, EmailAddress, LoginName, NodeName, ZoneName,
};
use crate::network::Network;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Everything that the registry holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desired {
    /// Index of the last applied change; grows by one with each.
    pub index: u64,
    /// Settings of the cluster as a whole; none before `hwc cluster init`.
    pub cluster: Option<Cluster>,
    /// All nodes, removed ones too (their ids are not reused).
    pub nodes: BTreeMap<NodeId, Node>,
    /// All accounts.
    pub accounts: BTreeMap<AccountId, Account>,
    /// All sites.
    pub sites: BTreeMap<SiteId, Site>,
    /// All databases.
    pub databases: BTreeMap<DatabaseId, Database>,
    /// All datasets, deleted ones too while their trash is kept.
    pub datasets: BTreeMap<DatasetId, Dataset>,
    /// Jobs that run, and the newest ended ones.
    pub jobs: BTreeMap<JobId, Job>,
    /// Receipts of the newest ended moves, oldest first.
    pub moves: BTreeMap<MoveId, MoveReceipt>,
    /// API tokens, by id.
    pub tokens: BTreeMap<TokenId, ApiToken>,
    /// Sessions that were ended before they expired.
    pub revoked_sessions: BTreeSet<SessionId>,
    /// Join tokens. Used and expired ones stay for a while, so that a second use is told why it is
    /// refused.
    pub join_tokens: BTreeMap<String, JoinToken>,
}

impl Desired {
    /// The nodes that belong to the cluster today.
    pub fn active_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| !node.is_removed)
    }

    /// The site that answers for a domain.
    #[must_use]
    pub fn site_of_domain(&self, domain: &DomainName) -> Option<&Site> {
        self.sites
            .values()
            .find(|site| site.domains.contains(domain))
    }

    /// The account with this login name.
    #[must_use]
    pub fn account_of_login(&self, login: &LoginName) -> Option<&Account> {
        self.accounts
            .values()
            .find(|account| account.login == *login)
    }

    /// The databases of a site.
    pub fn databases_of_site(&self, site: SiteId) -> impl Iterator<Item = &Database> {
        self.databases
            .values()
            .filter(move |database| database.site == Some(site))
    }
}

/// Settings of the cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The cluster's identity.
    pub id: ClusterId,
    /// What people call it.
    pub name: String,
    /// Host names under which every node serves the panel, besides its own address.
    pub panel_domains: Vec<DomainName>,
    /// Copies of each new dataset, the live one included; 2 unless changed.
    pub copies: u8,
    /// How load is spread.
    pub balancing: Balancing,
    /// The kind of network between the nodes. A daemon follows it from its next start on.
    #[serde(default)]
    pub network: Network,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Its host name.
    pub name: NodeName,
    /// The address at which the other nodes reach it.
    pub address: IpAddr,
    /// The registry index at which it joined. A dataset created later than this may be begun empty
    /// here; an older one may not (the node would be a wiped one).
    pub join_index: u64,
    /// Whether it was taken out of the cluster for good.
    pub is_removed: bool,
    /// Where it stands: nodes of one zone may fail together.
    pub zone: ZoneName,
    /// The services that an administrator switched off on it.
    pub switched_off: BTreeSet<NodeService>,
    /// Set while it is being emptied, and stays until it is put back to use.
    pub drain: Option<Drain>,
}

impl Node {
    /// Whether it may hold datasets, and sites may be live on it.
    #[must_use]
    pub fn is_hosting(&self) -> bool {
        !self.is_removed && !self.switched_off.contains(&NodeService::Hosting)
    }

    /// Whether new datasets may come to it.
    #[must_use]
    pub fn takes_datasets(&self) -> bool {
        self.is_hosting() && self.drain.is_none()
    }
}

/// A service of a node that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeService {
    /// Holding datasets and serving them. A voter without it is a witness.
    Hosting,
    /// The front doors: HTTP and the panel for visitors.
    FrontDoors,
    /// Keeping the settings as one of the voters.
    Voting,
}

/// A node that is being emptied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Who asked for it.
    pub by: AccountId,
    /// When.
    pub since: WallTime,
    /// What it is for; may be empty.
    pub note: String,
    /// Whether datasets may be left with fewer copies than they should have.
    pub may_lack_copies: bool,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the cluster; sees every account.
    Administrator,
    /// Owns sites; sees its own only.
    Customer,
}

/// Limits of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most sites.
    pub sites: u32,
    /// Most databases.
    pub databases: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sites: 10,
            databases: 20,
        }
    }
}

/// A hosting account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What its owner types to sign in.
    pub login: LoginName,
    /// What people call its owner.
    pub name: String,
    /// Where to reach its owner.
    pub email: EmailAddress,
    /// What it may do.
    pub role: Role,
    /// How much it may have.
    pub limits: Limits,
    /// The argon2id hash of its password, in PHC string form. Never leaves the daemon.
    pub password_hash: String,
    /// Sessions issued before this moment are void (password change, suspension).
    pub sessions_valid_from: WallTime,
    /// Signed in nowhere, and its sites answer that they are suspended.
    pub is_suspended: bool,
    /// When it was created.
    pub created_at: WallTime,
}

/// A PHP version that nodes can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PhpVersion {
    /// PHP 8.4, Debian 13's.
    #[serde(rename = "8.4")]
    V8_4,
}

impl PhpVersion {
    /// As in file and package names: `8.4`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V8_4 => "8.4",
        }
    }
}

/// One web application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// Who owns it.
    pub account: AccountId,
    /// Where its files are.
    pub dataset: DatasetId,
    /// The Unix user and group id of its files and processes, the same on every node.
    pub uid: u32,
    /// Its domains, the main one first; never empty.
    pub domains: Vec<DomainName>,
    /// Which PHP runs it.
    pub php: PhpVersion,
    /// The one-click application that was installed into it.
    pub app: Option<InstalledApp>,
    /// The node that it stays on while that node can serve it; its databases follow.
    pub pin: Option<NodeId>,
    /// Until then it is not moved to spread load.
    pub hold_until: Option<WallTime>,
    /// When it was created.
    pub created_at: WallTime,
}

impl Site {
    /// The main domain.
    #[must_use]
    pub fn main_domain(&self) -> Option<&DomainName> {
        self.domains.first()
    }

    /// The Unix user of its files and processes, `site-<id>`.
    #[must_use]
    pub fn unix_name(&self) -> String {
        format!("site-{}", self.id)
    }
}

/// Which application a site runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledApp {
    /// The catalogue's name of it, such as `wordpress`.
    pub app: String,
    /// The installed version.
    pub version: String,
}

/// One MariaDB database with its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its id.
    pub id: DatabaseId,
    /// Who owns it.
    pub account: AccountId,
    /// The site it belongs to, if it was made for one.
    pub site: Option<SiteId>,
    /// Where its data directory is.
    pub dataset: DatasetId,
    /// The Unix user and group id of its server process, the same on every node.
    pub uid: u32,
    /// The database's name; unique in the cluster.
    pub name: DatabaseName,
    /// The user's name; unique in the cluster.
    pub user: DatabaseUser,
    /// `mysql_native_password` hash of the user's password: `*` and 40 upper-case hexadecimal
    /// digits.
    pub password_hash: NativePasswordHash,
    /// When it was created.
    pub created_at: WallTime,
}

impl Database {
    /// The Unix user of its server process, `db-<id>`.
    #[must_use]
    pub fn unix_name(&self) -> String {
        format!("db-{}", self.id)
    }
}

/// MariaDB's `mysql_native_password` hash: `*` and 40 upper-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NativePasswordHash(String);

impl NativePasswordHash {
    /// Takes a hash as MariaDB writes it; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('*')?;
        let is_hash = digits.len() == 40
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        is_hash.then(|| Self(text.to_owned()))
    }

    /// The hash as MariaDB writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for NativePasswordHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a native password hash"))
    }
}

/// What a dataset holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetContent {
    /// The files of a site.
    Site(SiteId),
    /// The data directory of a database.
    Database(DatabaseId),
}

/// One copy-on-write filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its id.
    pub id: DatasetId,
    /// What it holds.
    pub content: DatasetContent,
    /// The nodes that should hold a copy, the preferred live node first; never empty.
    pub replicas: Vec<NodeId>,
    /// Copies that it should have, the live one included.
    pub copies: u8,
    /// The registry index of its creation.
    pub created_index: u64,
    /// Set when its site or database was deleted: nobody serves it, the copies become trash.
    pub is_deleted: bool,
}

/// A token for the API: a secret that acts for an account without signing in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// For whom it acts.
    pub account: AccountId,
    /// What its owner calls it.
    pub label: String,
    /// SHA-256 of the secret, hexadecimal.
    pub secret_hash: String,
    /// When it was made.
    pub created_at: WallTime,
    /// After this it is void.
    pub expires_at: WallTime,
}

/// Permission for one new node to join, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// SHA-256 of the secret, hexadecimal; also its key.
    pub secret_hash: String,
    /// After this it is void.
    pub expires_at: WallTime,
    /// The node that used it, once it was used.
    pub used_by: Option<NodeId>,
}
