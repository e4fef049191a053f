//! A small cluster for the tests of the views: desired and observed state, built up call by call.

use super::Scene;
use crate::api::Now;
use crate::picture::Picture;
use hwc_api::balancing::Balancing;
use hwc_api::desired::{
    Account, Cluster, Database, Dataset, DatasetContent, Desired, Drain, Limits,
    NativePasswordHash, Node, PhpVersion, Role, Site,
};
use hwc_api::ids::{AccountId, ClusterId, DatabaseId, DatasetId, MoveId, NodeId, SiteId};
use hwc_api::moves::{MovePhase, MoveProgress, MoveReason, MoveReceipt, MoveReport, Pause};
use hwc_api::names::{
    DatabaseName, DatabaseUser, DomainName, EmailAddress, LoginName, NodeName, ZoneName,
};
use hwc_api::observed::DatasetObserved;
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage, RouteRecord};
use hwc_api::time::WallTime;
use hwc_api::v1::NodeHealth;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The owner of everything.
pub const MARA: AccountId = AccountId(1);
/// When every drain began.
pub const DRAINED_AT: WallTime = WallTime(1_000_000);
/// Bytes in every dataset.
const USED_BYTES: u64 = 1_000;

/// Desired and observed state.
pub struct Sample {
    pub desired: Desired,
    pub picture: Picture,
    pub now: WallTime,
}

impl Sample {
    /// Nodes `n1`, `n2` and so on, all up.
    pub fn with_nodes(count: u16) -> Self {
        let ids = 1..=count;
        let desired = Desired {
            cluster: Some(Cluster {
                id: ClusterId("c".repeat(32)),
                name: "Test".to_owned(),
                panel_domains: Vec::new(),
                copies: 2,
                balancing: Balancing::default(),
                network: hwc_api::network::Network::Lan,
            }),
            nodes: ids.clone().map(|id| (NodeId(id), node(id))).collect(),
            accounts: BTreeMap::from([(MARA, account())]),
            ..Desired::default()
        };
        let picture = Picture {
            health: ids.map(|id| (NodeId(id), NodeHealth::Up)).collect(),
            ..Picture::default()
        };
        Self {
            desired,
            picture,
            now: DRAINED_AT,
        }
    }

    pub fn scene(&self) -> Scene<'_> {
        Scene {
            desired: &self.desired,
            picture: &self.picture,
            now: self.now,
        }
    }

    /// As the endpoints get it.
    pub fn now(&self) -> Now {
        Now {
            desired: Arc::new(self.desired.clone()),
            picture: Arc::new(self.picture.clone()),
            at: self.now,
        }
    }

    pub fn site(&mut self, id: u32, dataset: u32, domain: &str, replicas: &[u16]) {
        let site = Site {
            id: SiteId(id),
            account: MARA,
            dataset: DatasetId(dataset),
            uid: 200_000 + id,
            domains: vec![DomainName::parse(domain).expect("a domain")],
            php: PhpVersion::V8_4,
            app: None,
            pin: None,
            hold_until: None,
            created_at: WallTime::default(),
        };
        self.desired.sites.insert(site.id, site);
        self.dataset(dataset, DatasetContent::Site(SiteId(id)), replicas);
    }

    pub fn database(&mut self, id: u32, dataset: u32, site: Option<u32>, replicas: &[u16]) {
        let name = format!("db_{id}");
        let hash = format!("*{}", "A".repeat(40));
        let database = Database {
            id: DatabaseId(id),
            account: MARA,
            site: site.map(SiteId),
            dataset: DatasetId(dataset),
            uid: 300_000 + id,
            name: DatabaseName::parse(&name).expect("a name"),
            user: DatabaseUser::parse(&name).expect("a name"),
            password_hash: NativePasswordHash::parse(&hash).expect("a hash"),
            created_at: WallTime::default(),
        };
        self.desired.databases.insert(database.id, database);
        self.dataset(dataset, DatasetContent::Database(DatabaseId(id)), replicas);
    }

    fn dataset(&mut self, id: u32, content: DatasetContent, replicas: &[u16]) {
        let dataset = Dataset {
            id: DatasetId(id),
            content,
            replicas: replicas.iter().copied().map(NodeId).collect(),
            copies: 2,
            created_index: 1,
            is_deleted: false,
        };
        self.desired.datasets.insert(dataset.id, dataset);
    }

    /// A node holds a whole copy.
    pub fn holds(&mut self, dataset: u32, node: u16) {
        let record = HolderRecord {
            boot: hwc_api::ids::BootId(1),
            state: HolderState::Replica,
            is_contending: false,
            has_copy: true,
            is_deleted: false,
            epoch: Epoch::NONE,
            seen: Epoch::NONE,
            lineage: Lineage::genesis(),
            heard: Vec::new(),
            against: Epoch::NONE,
            divergent: Vec::new(),
            moving_to: None,
            head_taken_at: WallTime::default(),
        };
        let holders = self.picture.holders.entry(DatasetId(dataset)).or_default();
        holders.insert(NodeId(node), record);
    }

    /// A node serves a dataset, and no other one does.
    pub fn live(&mut self, dataset: u32, node: u16) {
        self.holds(dataset, node);
        let (dataset, node) = (DatasetId(dataset), NodeId(node));
        let route = RouteRecord {
            state: HolderState::Live,
            epoch: Epoch::NONE,
            is_open: true,
        };
        let observed = DatasetObserved {
            dataset,
            head: None,
            used_bytes: USED_BYTES,
            replicas: BTreeMap::new(),
        };
        let routes = BTreeMap::from([(node, route)]);
        self.picture.routes.insert(dataset, routes);
        let reports = BTreeMap::from([(node, observed)]);
        self.picture.datasets.insert(dataset, reports);
    }

    /// A node tells that it moves a dataset away.
    pub fn moving(&mut self, dataset: u32, from: u16, to: u16, started_at: i64) {
        let progress = MoveProgress {
            dataset: DatasetId(dataset),
            from: NodeId(from),
            to: NodeId(to),
            reason: MoveReason::Balance,
            phase: MovePhase::Copying,
            started_at: WallTime(started_at),
            due_at: None,
            rounds: 1,
            sent_bytes: 10,
            behind_bytes: 20,
            gate_closed_at: None,
        };
        let moves = self.picture.moves.entry(DatasetId(dataset)).or_default();
        moves.insert(NodeId(from), progress);
    }

    pub fn receipt(
        &mut self,
        id: u32,
        dataset: u32,
        from: u16,
        to: u16,
        reason: MoveReason,
        ended_at: i64,
    ) {
        let report = MoveReport {
            dataset: DatasetId(dataset),
            from: NodeId(from),
            to: NodeId(to),
            reason,
            started_at: WallTime(ended_at - 5),
            ended_at: WallTime(ended_at),
            problem: None,
            rounds: 1,
            sent_bytes: 10,
            http: Pause::default(),
            mysql: Pause::default(),
        };
        let id = MoveId(id);
        self.desired.moves.insert(id, MoveReceipt { id, report });
    }

    /// A node is being emptied since [`DRAINED_AT`], for Mara.
    pub fn drain(&mut self, node: u16, may_lack_copies: bool) {
        let node = self.desired.nodes.get_mut(&NodeId(node)).expect("a node");
        node.drain = Some(Drain {
            by: MARA,
            since: DRAINED_AT,
            note: String::new(),
            may_lack_copies,
        });
    }

    /// The same, for somebody else.
    pub fn drain_by(&mut self, node: u16, by: AccountId) {
        self.drain(node, false);
        let node = self.desired.nodes.get_mut(&NodeId(node)).expect("a node");
        node.drain.as_mut().expect("just set").by = by;
    }
}

fn node(id: u16) -> Node {
    Node {
        id: NodeId(id),
        name: NodeName::parse(&format!("n{id}")).expect("a name"),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        join_index: 0,
        is_removed: false,
        zone: ZoneName::default(),
        switched_off: BTreeSet::new(),
        drain: None,
    }
}

fn account() -> Account {
    Account {
        id: MARA,
        login: LoginName::parse("mara").expect("a login"),
        name: "Mara".to_owned(),
        email: EmailAddress::parse("mara@example.org").expect("an address"),
        role: Role::Customer,
        limits: Limits::default(),
        password_hash: String::new(),
        sessions_valid_from: WallTime::default(),
        is_suspended: false,
        created_at: WallTime::default(),
    }
}
