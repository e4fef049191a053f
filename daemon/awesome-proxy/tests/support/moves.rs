//! Databases that move between the nodes of a test: planned, with everything that clients notice.

use super::mariadb::{Mariadb, PASSWORD, USER};
use super::sql::{Failure, Sql};
use super::{Behind, Cluster, DATABASE, TestNode, epoch};
use hwc_api::desired::{Desired, NativePasswordHash};
use hwc_api::ids::NodeId;
use hwc_awesome_proxy::{Limits, LiveRoute, RoutingTable};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long those inside may take to leave, where a test does not say.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Three nodes: two with a server of the database each, and one that has only clients.
pub struct Places {
    pub cluster: Cluster,
    pub one: TestNode,
    pub two: TestNode,
    pub three: TestNode,
    epochs: AtomicU32,
}

/// A registry that knows the password of the database's user.
pub fn registry() -> Desired {
    let mut desired = super::desired();
    let hash = Sha1::digest(Sha1::digest(PASSWORD.as_bytes()));
    let digits: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    for database in desired.databases.values_mut() {
        database.password_hash = NativePasswordHash::parse(&format!("*{digits}")).expect("a hash");
    }
    desired
}

impl Places {
    /// With node one live.
    pub fn new(one: &Path, two: &Path, limits: Limits) -> Self {
        let cluster = Cluster::new();
        let node = |id: u16, socket: &Path| {
            let behind = Behind {
                database: socket.to_owned(),
                limits: limits.clone(),
                ..Behind::apache(([127, 0, 0, 1], 1).into())
            };
            let node = cluster.node(id, behind);
            let table = RoutingTable::build(&registry(), BTreeMap::new(), NodeId(id));
            node.proxy.set_routes(table);
            node
        };
        let places = Self {
            one: node(1, one),
            two: node(2, two),
            three: node(3, Path::new("/nonexistent")),
            epochs: AtomicU32::new(0),
            cluster,
        };
        places.open(&places.one);
        places
    }

    /// Makes a node live and lets all know.
    pub fn open(&self, node: &TestNode) {
        let counter = self.epochs.fetch_add(1, Ordering::SeqCst) + 1;
        node.open(DATABASE, counter);
        self.tell(node.id, counter);
    }

    fn tell(&self, live: NodeId, counter: u32) {
        let route = LiveRoute {
            node: live,
            epoch: epoch(counter, live.0),
            is_open: true,
        };
        for node in [&self.one, &self.two, &self.three] {
            let routes = BTreeMap::from([(DATABASE, route)]);
            node.proxy
                .set_routes(node.proxy.routes().with_routes(routes));
        }
    }

    /// Closes a node's gate, as for a move; gives how many had to be cut off.
    pub async fn leave(&self, node: &TestNode, limit: Duration) -> usize {
        node.proxy.close_gate(DATABASE);
        let left = node.proxy.drain(DATABASE, limit).await;
        if left > 0 {
            node.proxy.fence(DATABASE);
        }
        left
    }

    /// A whole move, where all leave in time.
    pub async fn move_to(&self, from: &TestNode, to: &TestNode) {
        assert_eq!(self.leave(from, DRAIN).await, 0);
        self.open(to);
    }
}

/// Two servers that tell themselves apart by a table, `place`, with one word.
pub async fn two_servers() -> (Mariadb, Mariadb) {
    let servers = tokio::join!(Mariadb::start(), Mariadb::start());
    for (server, word) in [(&servers.0, "one"), (&servers.1, "two")] {
        let mut sql = direct(server).await;
        for statement in [
            "create table place (word varchar(9))",
            "create table numbers (n bigint primary key)",
            &format!("insert into place values ('{word}')"),
        ] {
            sql.query(statement).await.expect("done");
        }
    }
    servers
}

/// A session at a server, past all doors.
pub async fn direct(server: &Mariadb) -> Sql {
    // The account is made after the socket is there.
    for _ in 0..200 {
        if let Ok(sql) = Sql::connect(&server.socket, USER, PASSWORD).await {
            return sql;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server takes nobody")
}

/// A session through a node's door.
pub async fn session(node: &TestNode) -> Sql {
    session_with(node, 0).await.expect("a session")
}

/// The same with capabilities.
pub async fn session_with(node: &TestNode, capabilities: u32) -> Result<Sql, Failure> {
    Sql::connect_with(&node.mysql_socket, USER, PASSWORD, capabilities).await
}

/// Numbers in a server's table.
pub async fn numbers(server: &Mariadb) -> String {
    let mut sql = direct(server).await;
    sql.text("select group_concat(n order by n) from numbers")
        .await
}
