//! Changes of the registry: typed commands, validated and applied in one transaction on every
//! node, in the same order.
//!
//! A change carries everything that is not decided by the registry itself: moments, hashes of
//! secrets, placements. Applying is a pure function of the registry and the change, so that every
//! node comes to the same result.

use crate::balancing::Balancing;
use crate::desired::{
    Cluster, Drain, InstalledApp, Limits, NativePasswordHash, Node, NodeService, PhpVersion, Role,
};
use crate::ids::{
    AccountId, DatabaseId, DatasetId, JobId, MoveId, NodeId, SessionId, SiteId, TokenId,
};
use crate::job::{JobKind, JobOutcome};
use crate::moves::MoveReport;
use crate::names::{
    DatabaseName, DatabaseUser, DomainName, EmailAddress, LoginName, NodeName, ZoneName,
};
use crate::network::Network;
use crate::problem::Problem;
use crate::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One change of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// The first change of all: names the cluster and its first node.
    InitCluster {
        /// The cluster's settings.
        cluster: Cluster,
        /// The first node, id 1.
        name: NodeName,
        /// Its address.
        address: IpAddr,
    },
    /// Permits one more node to join.
    CreateJoinToken {
        /// SHA-256 of the secret, hexadecimal.
        secret_hash: String,
        /// After this it is void.
        expires_at: WallTime,
    },
    /// A node joins with a join token. Answered with its [`NodeId`].
    JoinNode {
        /// SHA-256 of the token's secret, hexadecimal.
        secret_hash: String,
        /// Its host name.
        name: NodeName,
        /// Its address.
        address: IpAddr,
        /// The moment of asking, judged against the token's expiry.
        now: WallTime,
    },
    /// Takes a node out for good.
    RemoveNode {
        /// The node.
        node: NodeId,
    },
    /// Gives up nodes that are gone for good, and what only they hold. They can never return.
    DeclareLost {
        /// The nodes.
        nodes: BTreeSet<NodeId>,
    },
    /// Creates an account. Answered with its [`AccountId`].
    CreateAccount {
        /// Sign-in name.
        login: LoginName,
        /// Display name.
        name: String,
        /// Contact.
        email: EmailAddress,
        /// Role.
        role: Role,
        /// Limits.
        limits: Limits,
        /// argon2id hash of the password, PHC string form.
        password_hash: String,
        /// When.
        now: WallTime,
    },
    /// Sets a new password; ends all sessions of the account.
    SetPassword {
        /// The account.
        account: AccountId,
        /// argon2id hash, PHC string form.
        password_hash: String,
        /// Sessions issued before this moment are void.
        now: WallTime,
    },
    /// Suspends an account (ends its sessions) or lifts the suspension.
    SetSuspended {
        /// The account.
        account: AccountId,
        /// Whether it is suspended.
        is_suspended: bool,
        /// Sessions issued before this moment are void.
        now: WallTime,
    },
    /// Deletes an account that owns nothing any more.
    DeleteAccount {
        /// The account.
        account: AccountId,
    },
    /// Creates a site and its dataset. Answered with its [`SiteId`].
    CreateSite {
        /// Owner.
        account: AccountId,
        /// Main domain first; at least one.
        domains: Vec<DomainName>,
        /// PHP version.
        php: PhpVersion,
        /// The nodes that hold its dataset, the first to be live first.
        replicas: Vec<NodeId>,
        /// Copies that it should have, the live one included; more than nodes were named where
        /// there are too few nodes just now.
        copies: u8,
        /// When.
        now: WallTime,
    },
    /// Deletes a site and its databases; their datasets become trash.
    DeleteSite {
        /// The site.
        site: SiteId,
    },
    /// Notes which application a site runs.
    SetApp {
        /// The site.
        site: SiteId,
        /// The application, or none.
        app: Option<InstalledApp>,
    },
    /// Creates a database and its dataset. Answered with its [`DatabaseId`].
    CreateDatabase {
        /// Owner.
        account: AccountId,
        /// The site it is for.
        site: Option<SiteId>,
        /// Name, unique in the cluster.
        name: DatabaseName,
        /// User, unique in the cluster.
        user: DatabaseUser,
        /// Hash of the user's password.
        password_hash: NativePasswordHash,
        /// The nodes that hold its dataset, the first to be live first.
        replicas: Vec<NodeId>,
        /// Copies that it should have, the live one included.
        copies: u8,
        /// When.
        now: WallTime,
    },
    /// Deletes a database; its dataset becomes trash.
    DeleteDatabase {
        /// The database.
        database: DatabaseId,
    },
    /// Changes the nodes that hold a site's dataset, or a database's. Refused as
    /// [`Conflict`](crate::problem::ProblemCode::Conflict) when they are others than expected.
    SetReplicas {
        /// The dataset.
        dataset: DatasetId,
        /// The nodes as whoever asks saw them.
        expected: Vec<NodeId>,
        /// The nodes, the preferred live node first.
        replicas: Vec<NodeId>,
    },
    /// Says in which zone a node stands.
    SetZone {
        /// The node.
        node: NodeId,
        /// Its zone.
        zone: ZoneName,
    },
    /// Switches services of a node off, and all others on.
    SetServices {
        /// The node.
        node: NodeId,
        /// What is off.
        switched_off: BTreeSet<NodeService>,
    },
    /// Begins to empty a node.
    DrainNode {
        /// The node.
        node: NodeId,
        /// By whom and what for.
        drain: Drain,
    },
    /// Puts a drained node, or one that is being drained, back to use.
    UndrainNode {
        /// The node.
        node: NodeId,
    },
    /// Pins a site to a node, or lets it go.
    PinSite {
        /// The site.
        site: SiteId,
        /// The node; none to let it go.
        node: Option<NodeId>,
    },
    /// Keeps a site from being moved to spread load for a while.
    HoldSite {
        /// The site.
        site: SiteId,
        /// Until when; none to let it go.
        until: Option<WallTime>,
    },
    /// Changes how load is spread.
    SetBalancing {
        /// The rules.
        balancing: Balancing,
    },
    /// Says what kind of network is between the nodes.
    SetNetwork {
        /// The kind.
        network: Network,
    },
    /// Keeps the receipt of a move that ended. Answered with its [`MoveId`].
    NoteMove {
        /// What happened.
        report: MoveReport,
    },
    /// Ends a session before it expires.
    RevokeSession {
        /// The session.
        session: SessionId,
        /// When it would have expired; after that the revocation is forgotten.
        expires_at: WallTime,
        /// When.
        now: WallTime,
    },
    /// Creates an API token. Answered with its [`TokenId`].
    CreateToken {
        /// For whom it acts.
        account: AccountId,
        /// What its owner calls it.
        label: String,
        /// SHA-256 of the secret, hexadecimal.
        secret_hash: String,
        /// When.
        now: WallTime,
        /// After this it is void.
        expires_at: WallTime,
    },
    /// Deletes an API token.
    DeleteToken {
        /// The token.
        token: TokenId,
    },
    /// Notes that a job begins; refused while the site has another one. Answered with its
    /// [`JobId`].
    StartJob {
        /// What is done.
        kind: JobKind,
        /// For whom.
        account: AccountId,
        /// Which node does it.
        node: NodeId,
        /// When.
        now: WallTime,
    },
    /// Notes how a job ended.
    FinishJob {
        /// The job.
        job: JobId,
        /// How it ended.
        outcome: JobOutcome,
    },
}

/// What applying a change gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Applied {
    /// Done; nothing was created.
    Done,
    /// A node was created.
    Node(Node),
    /// An account was created.
    Account(AccountId),
    /// A site was created.
    Site(SiteId),
    /// A database was created.
    Database(DatabaseId),
    /// A token was created.
    Token(TokenId),
    /// A job was created.
    Job(JobId),
    /// A receipt was kept.
    Move(MoveId),
}

/// The answer to a change: what it gave, or why it was refused and changed nothing.
pub type ChangeResult = Result<Applied, Problem>;
