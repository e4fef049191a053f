//! From a domain or a database user to a dataset, and from a dataset to its live node.
//!
//! Pure: built from the registry and from what the nodes say of themselves, swapped whole. A new
//! table shares with the one before it what did not change: the names while the registry stands
//! still, which is nearly always. Where a request goes is decided in [`destination`].

use hwc_api::desired::{DatasetContent, Desired, NativePasswordHash};
use hwc_api::ids::{DatabaseId, DatasetId, NodeId, SiteId};
use hwc_api::names::{DatabaseUser, DomainName};
use hwc_api::ownership::Epoch;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What the live node of a dataset says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveRoute {
    /// The node that says it is live.
    pub node: NodeId,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Whether it lets requests through; not while draining or before its services are ready.
    pub is_open: bool,
}

/// Where the requests for a dataset go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To this node, under this epoch.
    Open {
        /// The live node.
        node: NodeId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// Nowhere yet: they wait.
    Waiting,
}

/// The site that answers for a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteEntry {
    /// The site.
    pub site: SiteId,
    /// Where its files are.
    pub dataset: DatasetId,
    /// Whether its account is suspended.
    pub is_suspended: bool,
}

/// The database that a user belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseEntry {
    /// The database.
    pub database: DatabaseId,
    /// Where its data directory is.
    pub dataset: DatasetId,
    /// Whether its account is suspended.
    pub is_suspended: bool,
}

/// What follows from the registry alone.
#[derive(Debug, Default)]
struct Names {
    /// The registry index it was made from.
    index: u64,
    /// By the domain's text: looked up for every request, never gone through.
    sites: HashMap<String, SiteEntry>,
    users: BTreeMap<DatabaseUser, DatabaseEntry>,
    databases: BTreeMap<DatabaseId, DatabaseEntry>,
    passwords: BTreeMap<DatabaseId, NativePasswordHash>,
    panel: BTreeSet<DomainName>,
    suspended: BTreeSet<DatasetId>,
}

/// Everything that routing needs to know; cheap to clone.
#[derive(Debug, Clone)]
pub struct RoutingTable {
    me: NodeId,
    names: Arc<Names>,
    routes: Arc<BTreeMap<DatasetId, LiveRoute>>,
    /// Names that this node's web server has not read of; nearly always none.
    unread: Arc<BTreeSet<String>>,
}

impl RoutingTable {
    /// A table that knows no name and no route.
    #[must_use]
    pub fn empty(me: NodeId) -> Self {
        Self {
            me,
            names: Arc::default(),
            routes: Arc::default(),
            unread: Arc::default(),
        }
    }

    /// The table of node `me` for this registry and these live nodes. The panel's domains are those
    /// of the cluster's settings.
    #[must_use]
    pub fn build(desired: &Desired, routes: BTreeMap<DatasetId, LiveRoute>, me: NodeId) -> Self {
        Self {
            me,
            names: Arc::new(Names::build(desired)),
            routes: Arc::new(routes),
            unread: Arc::default(),
        }
    }

    /// The table that follows this one; shares the names if the registry has not changed.
    #[must_use]
    pub fn followed_by(&self, desired: &Desired, routes: BTreeMap<DatasetId, LiveRoute>) -> Self {
        if self.names.index == desired.index {
            return self.with_routes(routes);
        }
        Self::build(desired, routes, self.me).with_unread(Arc::clone(&self.unread))
    }

    /// This table with other live nodes and the same names.
    #[must_use]
    pub fn with_routes(&self, routes: BTreeMap<DatasetId, LiveRoute>) -> Self {
        Self {
            me: self.me,
            names: Arc::clone(&self.names),
            routes: Arc::new(routes),
            unread: Arc::clone(&self.unread),
        }
    }

    /// This table, with the names of sites that this node's web server has not read of, or would take
    /// for another site's. Requests for them are held here.
    #[must_use]
    pub fn with_unread(self, unread: Arc<BTreeSet<String>>) -> Self {
        Self { unread, ..self }
    }

    /// The node whose table it is.
    #[must_use]
    pub const fn me(&self) -> NodeId {
        self.me
    }

    /// The site that answers for a domain.
    #[must_use]
    pub fn site(&self, domain: &DomainName) -> Option<SiteEntry> {
        self.site_of_host(domain.as_str())
    }

    /// The site that answers for a host, written as domains are: small letters, no dot at the end.
    #[must_use]
    pub fn site_of_host(&self, host: &str) -> Option<SiteEntry> {
        self.names.sites.get(host).copied()
    }

    /// A host's name as domains are written, if this node's web server has not read of it.
    pub(crate) fn unread_name(&self, host: &str) -> Option<String> {
        if self.unread.is_empty() {
            return None;
        }
        let name = DomainName::parse(host).ok()?.to_string();
        self.unread.contains(&name).then_some(name)
    }

    /// The database of a user.
    #[must_use]
    pub fn database_of_user(&self, user: &DatabaseUser) -> Option<DatabaseEntry> {
        self.names.users.get(user).copied()
    }

    /// A database.
    #[must_use]
    pub fn database(&self, database: DatabaseId) -> Option<DatabaseEntry> {
        self.names.databases.get(&database).copied()
    }

    /// The hash of the password of a database's user.
    #[must_use]
    pub fn password_hash(&self, database: DatabaseId) -> Option<&NativePasswordHash> {
        self.names.passwords.get(&database)
    }

    /// Whether the panel answers for a domain.
    #[must_use]
    pub fn is_panel(&self, domain: &DomainName) -> bool {
        self.names.panel.contains(domain)
    }

    /// Whether anything answers for a domain; for others no certificate is made.
    #[must_use]
    pub fn is_known(&self, domain: &DomainName) -> bool {
        self.is_panel(domain) || self.names.sites.contains_key(domain.as_str())
    }

    /// Whether the account that a dataset belongs to is suspended.
    #[must_use]
    pub fn is_suspended(&self, dataset: DatasetId) -> bool {
        self.names.suspended.contains(&dataset)
    }

    /// Where the requests for a dataset go.
    #[must_use]
    pub fn route(&self, dataset: DatasetId) -> Route {
        match self.routes.get(&dataset) {
            Some(live) if live.is_open => Route::Open {
                node: live.node,
                epoch: live.epoch,
            },
            Some(_) | None => Route::Waiting,
        }
    }
}

impl Names {
    fn build(desired: &Desired) -> Self {
        let mut names = Self {
            index: desired.index,
            ..Self::default()
        };
        let suspended = |account| {
            desired
                .accounts
                .get(account)
                .is_some_and(|account| account.is_suspended)
        };
        let is_served = |dataset: &DatasetId, content: DatasetContent| {
            desired
                .datasets
                .get(dataset)
                .is_some_and(|entry| !entry.is_deleted && entry.content == content)
        };
        for site in desired.sites.values() {
            if !is_served(&site.dataset, DatasetContent::Site(site.id)) {
                continue;
            }
            let entry = SiteEntry {
                site: site.id,
                dataset: site.dataset,
                is_suspended: suspended(&site.account),
            };
            names.mark(entry.dataset, entry.is_suspended);
            for domain in &site.domains {
                names.sites.insert(domain.to_string(), entry);
            }
        }
        for database in desired.databases.values() {
            if !is_served(&database.dataset, DatasetContent::Database(database.id)) {
                continue;
            }
            let entry = DatabaseEntry {
                database: database.id,
                dataset: database.dataset,
                is_suspended: suspended(&database.account),
            };
            names.mark(entry.dataset, entry.is_suspended);
            names.users.insert(database.user.clone(), entry);
            names.databases.insert(database.id, entry);
            let hash = database.password_hash.clone();
            names.passwords.insert(database.id, hash);
        }
        if let Some(cluster) = &desired.cluster {
            names.panel.extend(cluster.panel_domains.iter().cloned());
        }
        names
    }

    fn mark(&mut self, dataset: DatasetId, is_suspended: bool) {
        if is_suspended {
            self.suspended.insert(dataset);
        }
    }
}

/// Where one request goes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To this node's own services, under this epoch.
    Here(Epoch),
    /// To another node.
    Peer {
        /// The live node.
        node: NodeId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// Nowhere yet.
    Wait,
}

/// Decides where a request goes. `gate` is this node's own gate for the dataset: the epoch it is
/// open under. The own gate beats what others say, unless they speak of a later epoch: whoever
/// learns a higher one stops at once.
#[must_use]
pub fn destination(me: NodeId, gate: Option<Epoch>, route: Route) -> Destination {
    match (gate, route) {
        (Some(own), Route::Open { node, epoch }) if node != me && epoch > own => {
            Destination::Peer { node, epoch }
        }
        (Some(own), Route::Open { .. } | Route::Waiting) => Destination::Here(own),
        (None, Route::Open { node, epoch }) if node != me => Destination::Peer { node, epoch },
        (None, Route::Open { .. } | Route::Waiting) => Destination::Wait,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hwc_api::ids::BootId;

    fn epoch(counter: u32, node: u16) -> Epoch {
        Epoch {
            counter,
            node: NodeId(node),
            boot: BootId(1),
        }
    }

    /// A registry with a panel, one site with two names, and its database.
    pub(crate) fn desired() -> Desired {
        serde_json::from_value(serde_json::json!({
            "index": 7,
            "cluster": { "id": "00", "name": "test", "panel_domains": ["panel.example"], "copies": 2,
                "balancing": hwc_api::balancing::Balancing::default() },
            "nodes": {},
            "accounts": {
                "1": { "id": 1, "login": "anna", "name": "Anna", "email": "anna@example.com",
                    "role": "customer", "limits": { "sites": 1, "databases": 1 },
                    "password_hash": "", "sessions_valid_from": 0, "is_suspended": false,
                    "created_at": 0 }
            },
            "sites": {
                "1": { "id": 1, "account": 1, "dataset": 1, "uid": 20001,
                    "domains": ["shop.example", "www.shop.example"], "php": "8.4", "app": null,
                    "created_at": 0 }
            },
            "databases": {
                "1": { "id": 1, "account": 1, "site": 1, "dataset": 2, "uid": 20002,
                    "name": "shop", "user": "shop_user",
                    "password_hash": "*0123456789ABCDEF0123456789ABCDEF01234567", "created_at": 0 }
            },
            "datasets": {
                "1": { "id": 1, "content": { "site": 1 }, "replicas": [1, 2], "created_index": 1,
                    "copies": 2, "is_deleted": false },
                "2": { "id": 2, "content": { "database": 1 }, "replicas": [1, 2],
                    "created_index": 1, "copies": 2, "is_deleted": false }
            },
            "jobs": {}, "moves": {}, "tokens": {}, "revoked_sessions": [], "join_tokens": {}
        }))
        .expect("a registry")
    }

    fn domain(name: &str) -> DomainName {
        DomainName::parse(name).expect("a domain")
    }

    #[test]
    fn names_lead_to_datasets_and_datasets_to_nodes() {
        let live = LiveRoute {
            node: NodeId(2),
            epoch: epoch(3, 2),
            is_open: true,
        };
        let table = RoutingTable::build(
            &desired(),
            BTreeMap::from([(DatasetId(1), live)]),
            NodeId(1),
        );
        let site = table.site(&domain("www.shop.example")).expect("a site");
        assert_eq!(site.dataset, DatasetId(1));
        assert_eq!(
            table.route(site.dataset),
            Route::Open {
                node: live.node,
                epoch: live.epoch
            }
        );
        let user = DatabaseUser::parse("shop_user").expect("a user");
        let database = table.database_of_user(&user).expect("a database");
        assert_eq!(database.dataset, DatasetId(2));
        assert_eq!(table.route(database.dataset), Route::Waiting);
        let hash = table.password_hash(database.database).expect("a hash");
        assert!(hash.as_str().starts_with("*0123"));
        assert!(table.is_panel(&domain("panel.example")));
        assert!(!table.is_known(&domain("other.example")));
        let closed = LiveRoute {
            is_open: false,
            ..live
        };
        let table = table.with_routes(BTreeMap::from([(DatasetId(1), closed)]));
        assert_eq!(table.route(DatasetId(1)), Route::Waiting);
    }

    #[test]
    fn what_the_web_server_has_not_read_stays_known_over_other_routes() {
        let mut desired = desired();
        let unread = Arc::new(BTreeSet::from(["www.shop.example".to_owned()]));
        let table = RoutingTable::build(&desired, BTreeMap::new(), NodeId(1));
        assert_eq!(table.unread_name("www.shop.example"), None);
        let table = table.with_unread(unread);
        desired.index += 1;
        for table in [
            table.with_routes(BTreeMap::new()),
            table.followed_by(&desired, BTreeMap::new()),
        ] {
            let name = table.unread_name("WWW.Shop.example");
            assert_eq!(name.as_deref(), Some("www.shop.example"));
            assert_eq!(table.unread_name("shop.example"), None);
        }
    }

    #[test]
    fn a_following_table_shares_the_names_while_the_registry_stands_still() {
        let mut desired = desired();
        let table = RoutingTable::build(&desired, BTreeMap::new(), NodeId(1));
        let next = table.followed_by(&desired, BTreeMap::new());
        assert!(Arc::ptr_eq(&table.names, &next.names));
        desired.index += 1;
        if let Some(account) = desired.accounts.values_mut().next() {
            account.is_suspended = true;
        }
        desired
            .datasets
            .get_mut(&DatasetId(2))
            .expect("there")
            .is_deleted = true;
        let next = next.followed_by(&desired, BTreeMap::new());
        assert!(next.is_suspended(DatasetId(1)) && !table.is_suspended(DatasetId(1)));
        assert!(next.database(DatabaseId(1)).is_none());
    }

    #[test]
    fn the_own_gate_beats_gossip_and_a_later_epoch_beats_the_own_gate() {
        let me = NodeId(1);
        let open = |node: u16, counter| Route::Open {
            node: NodeId(node),
            epoch: epoch(counter, node),
        };
        let peer = |node: u16, counter| Destination::Peer {
            node: NodeId(node),
            epoch: epoch(counter, node),
        };
        for (gate, route, expected) in [
            (None, Route::Waiting, Destination::Wait),
            // Gossip says that we serve; our own gate says that we don't.
            (None, open(1, 3), Destination::Wait),
            (None, open(2, 3), peer(2, 3)),
            // Gossip has not heard yet that we are live.
            (
                Some(epoch(4, 1)),
                Route::Waiting,
                Destination::Here(epoch(4, 1)),
            ),
            (
                Some(epoch(4, 1)),
                open(2, 3),
                Destination::Here(epoch(4, 1)),
            ),
            (Some(epoch(4, 1)), open(2, 5), peer(2, 5)),
            (
                Some(epoch(4, 1)),
                open(1, 3),
                Destination::Here(epoch(4, 1)),
            ),
        ] {
            assert_eq!(destination(me, gate, route), expected, "{gate:?} {route:?}");
        }
    }
}
