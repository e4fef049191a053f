//! Sites, as their owner sees them: where live, how well protected.

use super::{JobView, Nothing, call_with_body, call_without_body};
use crate::desired::{InstalledApp, PhpVersion};
use crate::ids::{AccountId, DatabaseId, DatasetId, NodeId, SiteId};
use crate::moves::MoveProgress;
use crate::names::{DatabaseName, DatabaseUser, DomainName, NodeName};
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// How a site, or a dataset of it, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiveState {
    /// Served.
    Live,
    /// A node is taking it over, or it was just made: requests wait.
    Starting,
    /// It moves to another node: requests wait.
    Moving,
    /// No node in reach can serve it.
    Down,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteView {
    /// Its id.
    pub id: SiteId,
    /// Its owner.
    pub account: AccountId,
    /// The owner's name.
    pub account_name: String,
    /// Main domain first.
    pub domains: Vec<DomainName>,
    /// The main domain as people write it.
    pub title: String,
    /// PHP version.
    pub php: PhpVersion,
    /// The installed application.
    pub app: Option<InstalledApp>,
    /// How the site as a whole stands: the worst of its datasets.
    pub state: LiveState,
    /// Its files.
    pub files: DatasetView,
    /// Its databases.
    pub databases: Vec<DatabaseView>,
    /// The newest job of each kind on it, the newest first.
    pub jobs: Vec<JobView>,
    /// The node that it is pinned to.
    pub pin: Option<NodeRef>,
    /// Until then it is not moved to spread load.
    pub hold_until: Option<WallTime>,
    /// When it was created.
    pub created_at: WallTime,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseView {
    /// Its id.
    pub id: DatabaseId,
    /// Its name.
    pub name: DatabaseName,
    /// Its user.
    pub user: DatabaseUser,
    /// Where it is.
    pub dataset: DatasetView,
}

/// Where a dataset is live and which copies it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetView {
    /// Its id.
    pub id: DatasetId,
    /// How it stands.
    pub state: LiveState,
    /// The node that serves it.
    pub live_node: Option<NodeRef>,
    /// Bytes in it.
    pub used_bytes: u64,
    /// The copies on other nodes.
    pub copies: Vec<CopyView>,
    /// Number of divergent copies that are kept.
    pub divergent_copies: u32,
    /// The move that it is in.
    pub moving: Option<MoveProgress>,
}

/// A node, named.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeRef {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: NodeName,
}

/// A copy on another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyView {
    /// Where.
    pub node: NodeRef,
    /// Whether the node is in reach.
    pub is_reachable: bool,
    /// Whether it is complete at all.
    pub is_complete: bool,
    /// How old the newest state that it holds is, milliseconds; 0 when it has everything.
    pub age_ms: Option<u64>,
}

/// `GET /sites`: the sites of my account; all sites for administrators.
#[derive(Debug, Clone, Copy)]
pub struct ListSites;
call_without_body!(ListSites, Get, Vec<SiteView>, |_call| "/sites".to_owned());

/// `GET /sites/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct ReadSite {
    /// Which.
    pub site: SiteId,
}
call_without_body!(ReadSite, Get, SiteView, |call| format!(
    "/sites/{}",
    call.site
));

/// `POST /sites`: create a site.
#[derive(Debug, Clone)]
pub struct CreateSite {
    /// What is sent.
    pub body: CreateSiteBody,
}
call_with_body!(CreateSite, Post, CreateSiteBody, SiteView, |_call| "/sites"
    .to_owned());

/// A new site.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSiteBody {
    /// The main domain, as typed.
    pub domain: String,
    /// For whom; administrators only, my own account otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Number of copies, the live one included; the cluster's default otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u8>,
}

/// `DELETE /sites/{id}`: delete a site with its databases. `confirm` must repeat the main domain.
#[derive(Debug, Clone)]
pub struct DeleteSite {
    /// Which.
    pub site: SiteId,
    /// What is sent.
    pub body: DeleteSiteBody,
}
call_with_body!(DeleteSite, Delete, DeleteSiteBody, Nothing, |call| format!(
    "/sites/{}",
    call.site
));

/// Confirmation of a deletion.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteSiteBody {
    /// The site's main domain.
    pub confirm: String,
}
