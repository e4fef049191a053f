//! Changes for tests: a small cluster with an administrator and a customer.

use hwc_api::balancing::Balancing;
use hwc_api::change::Change;
use hwc_api::desired::{
    Cluster, Drain, InstalledApp, Limits, NativePasswordHash, NodeService, PhpVersion, Role,
};
use hwc_api::ids::{
    AccountId, ClusterId, DatabaseId, DatasetId, JobId, NodeId, SessionId, SiteId, TokenId,
};
use hwc_api::job::{JobKind, JobOutcome};
use hwc_api::moves::{MoveReason, MoveReport, Pause};
use hwc_api::names::{
    DatabaseName, DatabaseUser, DomainName, EmailAddress, LoginName, NodeName, ZoneName,
};
use hwc_api::network::Network;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(crate) const NOW: WallTime = WallTime(1_000_000);
pub(crate) const ADMINISTRATOR: AccountId = AccountId(1);
pub(crate) const CUSTOMER: AccountId = AccountId(2);
pub(crate) const OTHER_CUSTOMER: AccountId = AccountId(3);

/// Two nodes, an administrator, a customer with room for one site and two databases, another one.
pub(crate) fn small_cluster() -> Vec<Change> {
    vec![
        init(),
        join_token("token-2"),
        join("token-2", "beta", "10.0.0.2"),
        account("root", Role::Administrator, 0, 0),
        account("carla", Role::Customer, 1, 2),
        account("otto", Role::Customer, 5, 5),
    ]
}

/// The small cluster, and one of everything else: every kind of change at least once.
pub(crate) fn everything() -> Vec<Change> {
    let mut changes = small_cluster();
    changes.extend([
        site(CUSTOMER, &["shop.example", "www.shop.example"], &[1, 2]),
        database(CUSTOMER, Some(1), "shop", "shop_user", &[2, 1]),
        database(CUSTOMER, None, "spare", "spare_user", &[1]),
        set_app(1, Some("wordpress")),
        start_job(1, CUSTOMER, 2),
        finish_job(1),
        start_job(1, CUSTOMER, 1),
        create_token(CUSTOMER, "api-1"),
        create_token(CUSTOMER, "api-2"),
        Change::DeleteToken { token: TokenId(2) },
        revoke(1, 5_000_000),
        revoke(2, 6_000_000),
        set_password(CUSTOMER, NOW),
        suspend(OTHER_CUSTOMER, true),
        set_replicas(1, &[1, 2], &[2]),
        Change::DeleteDatabase {
            database: DatabaseId(2),
        },
        Change::DeleteAccount {
            account: OTHER_CUSTOMER,
        },
        site(ADMINISTRATOR, &["intern.example"], &[1]),
        Change::DeleteSite { site: SiteId(2) },
        join_token("token-3"),
        join("token-3", "gamma", "10.0.0.3"),
        Change::RemoveNode { node: NodeId(3) },
        join_token("token-4"),
        join("token-4", "delta", "10.0.0.4"),
        set_zone(1, "attic"),
        switch_off(4, [NodeService::Hosting, NodeService::FrontDoors]),
        set_replicas(1, &[2], &[2, 1]),
        drain(1, true),
        pin(1, Some(2)),
        hold(1, Some(NOW)),
        Change::SetNetwork {
            network: Network::Wan,
        },
        Change::SetBalancing {
            balancing: Balancing {
                is_on: false,
                ..Balancing::default()
            },
        },
        note_move(1, 2, 1),
        note_move(1, 1, 2),
        Change::UndrainNode { node: NodeId(1) },
        drain(1, true),
        join_token("token-5"),
        join("token-5", "epsilon", "10.0.0.5"),
        Change::DeclareLost {
            nodes: BTreeSet::from([NodeId(5)]),
        },
        join_token("token-6"),
    ]);
    changes
}

pub(crate) fn init() -> Change {
    Change::InitCluster {
        cluster: cluster(),
        name: node_name("alpha"),
        address: address("10.0.0.1"),
    }
}

pub(crate) fn cluster() -> Cluster {
    Cluster {
        id: ClusterId("0123456789abcdef0123456789abcdef".to_owned()),
        name: "Test".to_owned(),
        panel_domains: vec![domain("panel.example")],
        copies: 2,
        balancing: Balancing::default(),
        network: Network::Lan,
    }
}

pub(crate) fn join_token(secret: &str) -> Change {
    Change::CreateJoinToken {
        secret_hash: secret.to_owned(),
        expires_at: NOW.plus_ms(1_000),
    }
}

pub(crate) fn join(secret: &str, name: &str, at: &str) -> Change {
    join_at(secret, name, at, NOW)
}

pub(crate) fn join_at(secret: &str, name: &str, at: &str, now: WallTime) -> Change {
    Change::JoinNode {
        secret_hash: secret.to_owned(),
        name: node_name(name),
        address: address(at),
        now,
    }
}

pub(crate) fn account(login: &str, role: Role, sites: u32, databases: u32) -> Change {
    Change::CreateAccount {
        login: LoginName::parse(login).expect("login"),
        name: format!("The account of {login}"),
        email: EmailAddress::parse("someone@example.com").expect("email"),
        role,
        limits: Limits { sites, databases },
        password_hash: "$argon2id$first".to_owned(),
        now: NOW,
    }
}

pub(crate) fn set_password(account: AccountId, now: WallTime) -> Change {
    Change::SetPassword {
        account,
        password_hash: "$argon2id$second".to_owned(),
        now,
    }
}

pub(crate) fn suspend(account: AccountId, is_suspended: bool) -> Change {
    Change::SetSuspended {
        account,
        is_suspended,
        now: NOW.plus_ms(10),
    }
}

pub(crate) fn site(account: AccountId, domains: &[&str], replicas: &[u16]) -> Change {
    Change::CreateSite {
        account,
        domains: domains.iter().map(|text| domain(text)).collect(),
        php: PhpVersion::V8_4,
        replicas: nodes(replicas),
        copies: 2,
        now: NOW,
    }
}

pub(crate) fn set_app(site: u32, app: Option<&str>) -> Change {
    Change::SetApp {
        site: SiteId(site),
        app: app.map(|app| InstalledApp {
            app: app.to_owned(),
            version: "6.9".to_owned(),
        }),
    }
}

pub(crate) fn database(
    account: AccountId,
    site: Option<u32>,
    name: &str,
    user: &str,
    replicas: &[u16],
) -> Change {
    let hash = format!("*{}", "0123456789ABCDEF0123".repeat(2));
    Change::CreateDatabase {
        account,
        site: site.map(SiteId),
        name: DatabaseName::parse(name).expect("database name"),
        user: DatabaseUser::parse(user).expect("database user"),
        password_hash: NativePasswordHash::parse(&hash).expect("hash"),
        replicas: nodes(replicas),
        copies: 2,
        now: NOW,
    }
}

pub(crate) fn set_replicas(dataset: u32, expected: &[u16], replicas: &[u16]) -> Change {
    Change::SetReplicas {
        dataset: DatasetId(dataset),
        expected: nodes(expected),
        replicas: nodes(replicas),
    }
}

pub(crate) fn set_zone(node: u16, zone: &str) -> Change {
    Change::SetZone {
        node: NodeId(node),
        zone: ZoneName::parse(zone).expect("zone"),
    }
}

pub(crate) fn switch_off(node: u16, services: impl IntoIterator<Item = NodeService>) -> Change {
    Change::SetServices {
        node: NodeId(node),
        switched_off: services.into_iter().collect(),
    }
}

pub(crate) fn drain(node: u16, may_lack_copies: bool) -> Change {
    Change::DrainNode {
        node: NodeId(node),
        drain: Drain {
            by: ADMINISTRATOR,
            since: NOW,
            note: "new disks".to_owned(),
            may_lack_copies,
        },
    }
}

pub(crate) fn pin(site: u32, node: Option<u16>) -> Change {
    Change::PinSite {
        site: SiteId(site),
        node: node.map(NodeId),
    }
}

pub(crate) fn hold(site: u32, until: Option<WallTime>) -> Change {
    Change::HoldSite {
        site: SiteId(site),
        until,
    }
}

pub(crate) fn note_move(dataset: u32, from: u16, to: u16) -> Change {
    Change::NoteMove {
        report: MoveReport {
            dataset: DatasetId(dataset),
            from: NodeId(from),
            to: NodeId(to),
            reason: MoveReason::Asked(CUSTOMER),
            started_at: NOW,
            ended_at: NOW.plus_ms(900),
            problem: Some(Problem::new(ProblemCode::NodeDown, "It died.").detail("beta")),
            rounds: 3,
            sent_bytes: u64::MAX,
            http: Pause {
                closed_ms: 120,
                held: 7,
                longest_wait_ms: 110,
                failed: 0,
            },
            mysql: Pause::default(),
        },
    }
}

pub(crate) fn start_move(site: u32, to: u16) -> Change {
    Change::StartJob {
        kind: JobKind::MoveSite {
            site: SiteId(site),
            to: NodeId(to),
            by: Some(ADMINISTRATOR),
        },
        account: CUSTOMER,
        node: NodeId(1),
        now: NOW,
    }
}

pub(crate) fn revoke(session: u8, expires_at: i64) -> Change {
    revoke_at(session, expires_at, NOW)
}

pub(crate) fn revoke_at(session: u8, expires_at: i64, now: WallTime) -> Change {
    Change::RevokeSession {
        session: SessionId([session; 16]),
        expires_at: WallTime(expires_at),
        now,
    }
}

pub(crate) fn create_token(account: AccountId, secret: &str) -> Change {
    Change::CreateToken {
        account,
        label: "deploy".to_owned(),
        secret_hash: secret.to_owned(),
        now: NOW,
        expires_at: NOW.plus_ms(1_000),
    }
}

pub(crate) fn start_job(site: u32, account: AccountId, node: u16) -> Change {
    Change::StartJob {
        kind: JobKind::InstallApp {
            site: SiteId(site),
            app: "wordpress".to_owned(),
            version: "6.9".to_owned(),
        },
        account,
        node: NodeId(node),
        now: NOW,
    }
}

pub(crate) fn finish_job(job: u32) -> Change {
    Change::FinishJob {
        job: JobId(job),
        outcome: JobOutcome {
            ended_at: NOW.plus_ms(500),
            problem: Some(Problem::new(ProblemCode::InstallFailed, "It failed.").detail("unpack")),
        },
    }
}

pub(crate) fn domain(text: &str) -> DomainName {
    DomainName::parse(text).expect("domain")
}

pub(crate) fn node_name(text: &str) -> NodeName {
    NodeName::parse(text).expect("node name")
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("address")
}

fn nodes(ids: &[u16]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}
