//! MySQL sessions through the front door, with the real client and a real server.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use hwc_runtime::lifecycle::Tasks;
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;
use support::mariadb::{Mariadb, PASSWORD, Through, USER, client};
use support::{Behind, Cluster, DATABASE, PATIENCE, TestNode, soon, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

fn behind(database: &Path, limits: Limits) -> Behind {
    Behind {
        database: database.to_owned(),
        limits,
        ..Behind::apache(([127, 0, 0, 1], 1).into())
    }
}

/// Begins a session in the background.
fn begin(tasks: &Tasks, node: &TestNode, sql: &'static str) -> oneshot::Receiver<(String, String)> {
    let (sender, receiver) = oneshot::channel();
    let socket = node.mysql_socket.clone();
    tasks.spawn("mysql client", async move {
        let output = client(&Through::Socket(&socket), USER, PASSWORD, sql).await;
        let _nobody = sender.send((output.text(), output.complaint()));
    });
    receiver
}

async fn in_flight(node: &TestNode, count: usize) {
    until(|| {
        let stats = node.proxy.stats();
        stats
            .datasets
            .get(&DATABASE)
            .is_some_and(|s| s.in_flight == count)
    })
    .await;
}

#[tokio::test]
async fn sessions_by_socket_and_by_port_reach_the_databases_own_server() {
    let server = Mariadb::start().await;
    let cluster = Cluster::new();
    let node = cluster.node(1, behind(&server.socket, Limits::default()));
    node.open(DATABASE, 1);
    for through in [
        Through::Socket(&node.mysql_socket),
        Through::Tcp(node.mysql),
    ] {
        let sql = "select current_user(), database(); \
            create table if not exists numbers (n int, t longtext); delete from numbers; \
            insert into numbers values (1, repeat('a', 1000000)), (2, 'b'); \
            select sum(n), sum(length(t)) from numbers; \
            prepare p from 'select ? + 1'; set @a = 41; execute p using @a;";
        let output = client(&through, USER, PASSWORD, sql).await;
        assert_eq!(
            output.text(),
            "shop_user@localhost\tshop\n3\t1000001\n42\n",
            "{}",
            output.complaint()
        );
        let wrong = client(&through, USER, "wrong", "select 1").await;
        assert_eq!(
            wrong.complaint(),
            "ERROR 1045 (28000): Access denied for user 'shop_user'@'localhost' (using password: YES)"
        );
        // The server knows this one; it is not routed, and looks like any stranger.
        for user in [
            "other_user",
            "nobody_at_all",
            "root",
            "mysql",
            "mariadb.sys",
            "Shop_User",
        ] {
            let refused = client(&through, user, PASSWORD, "select 1").await;
            assert_eq!(
                refused.complaint(),
                format!(
                    "ERROR 1045 (28000): Access denied for user '{user}'@'localhost' (using password: YES)"
                )
            );
        }
        let foreign = client(&through, USER, PASSWORD, "use mysql").await;
        assert!(
            foreign.complaint().contains("ERROR 1044"),
            "{}",
            foreign.complaint()
        );
    }
    in_flight(&node, 0).await;
    assert_eq!(node.proxy.stats().total.served, 2 * 2);
}

#[tokio::test]
async fn a_login_waits_for_the_live_node_and_flows_to_it_through_another() {
    let server = Mariadb::start().await;
    let cluster = Cluster::new();
    let one = cluster.node(1, behind(Path::new("/nonexistent"), Limits::default()));
    let two = cluster.node(2, behind(&server.socket, Limits::default()));
    let here = begin(&cluster.tasks, &two, "select 'here'");
    let there = begin(
        &cluster.tasks,
        &one,
        "select 'there', repeat('x', 300000) = ''",
    );
    one.until_waiting(DATABASE, 1).await;
    two.until_waiting(DATABASE, 1).await;
    // First a route that is not true yet: node two says that it is not here.
    one.routes(&[(DATABASE, 2, 4)]);
    two.open(DATABASE, 5);
    assert_eq!(soon(here).await.expect("ended").0, "here\n");
    one.routes(&[(DATABASE, 2, 5)]);
    let (said, complaint) = soon(there).await.expect("ended");
    assert_eq!(said, "there\t0\n", "{complaint}");
    let wrong = client(&Through::Tcp(one.mysql), USER, "wrong", "select 1").await;
    assert!(
        wrong
            .complaint()
            .starts_with("ERROR 1045 (28000): Access denied"),
        "{}",
        wrong.complaint()
    );
    assert_eq!(one.proxy.stats().total.waited, 1);
}

#[tokio::test]
async fn a_fence_ends_sessions_and_new_ones_wait() {
    let server = Mariadb::start().await;
    let cluster = Cluster::new();
    let one = cluster.node(1, behind(Path::new("/nonexistent"), Limits::default()));
    let two = cluster.node(2, behind(&server.socket, Limits::default()));
    two.open(DATABASE, 1);
    one.routes(&[(DATABASE, 2, 1)]);
    let near = begin(&cluster.tasks, &two, "select sleep(60)");
    let far = begin(&cluster.tasks, &one, "select sleep(60)");
    in_flight(&two, 2).await;
    until(|| one.proxy.stats().total.served + two.proxy.stats().total.served == 2).await;
    two.proxy.close_gate(DATABASE);
    assert_eq!(
        two.proxy.drain(DATABASE, Duration::from_millis(20)).await,
        2
    );
    two.proxy.fence(DATABASE);
    for session in [near, far] {
        let (_, complaint) = soon(session).await.expect("ended");
        assert!(complaint.contains("ERROR 1053 (08S01)"), "{complaint}");
    }
    // A fence that comes out of the blue gives no time for words.
    two.open(DATABASE, 2);
    one.routes(&[(DATABASE, 2, 2)]);
    let near = begin(&cluster.tasks, &two, "select sleep(60)");
    let far = begin(&cluster.tasks, &one, "select sleep(60)");
    in_flight(&two, 2).await;
    until(|| two.proxy.stats().total.statements >= 4).await;
    two.proxy.fence(DATABASE);
    for session in [near, far] {
        let (_, complaint) = soon(session).await.expect("ended");
        let is_lost = ["ERROR 2006", "ERROR 2013"]
            .iter()
            .any(|code| complaint.contains(code));
        assert!(is_lost, "{complaint}");
    }
    assert_eq!(two.proxy.drain(DATABASE, PATIENCE).await, 0);
    let next = begin(&cluster.tasks, &two, "select 'again'");
    two.until_waiting(DATABASE, 1).await;
    two.open(DATABASE, 3);
    assert_eq!(soon(next).await.expect("ended").0, "again\n");
}

#[tokio::test]
async fn a_suspended_account_loses_its_sessions_and_gets_no_new_ones() {
    let server = Mariadb::start().await;
    let cluster = Cluster::new();
    let node = cluster.node(1, behind(&server.socket, Limits::default()));
    node.open(DATABASE, 1);
    let running = begin(&cluster.tasks, &node, "select sleep(60)");
    in_flight(&node, 1).await;
    let mut desired = support::desired();
    desired.index += 1;
    for account in desired.accounts.values_mut() {
        account.is_suspended = true;
    }
    let table = node
        .proxy
        .routes()
        .followed_by(&desired, Default::default());
    node.proxy.set_routes(table);
    soon(running).await.expect("ended");
    let refused = client(&Through::Tcp(node.mysql), USER, PASSWORD, "select 1").await;
    assert!(
        refused.complaint().contains("suspended"),
        "{}",
        refused.complaint()
    );
}

#[tokio::test]
async fn without_a_live_node_the_client_is_told_to_come_back() {
    let limits = Limits {
        wait: Duration::from_millis(200),
        mysql_sessions: 1,
        ..Limits::default()
    };
    let cluster = Cluster::new();
    let node = cluster.node(1, behind(Path::new("/nonexistent"), limits));
    for _ in 0..2 {
        let output = client(&Through::Tcp(node.mysql), USER, PASSWORD, "select 1").await;
        assert!(
            output.complaint().starts_with("ERROR 1040 (08004)"),
            "{}",
            output.complaint()
        );
        // The gate is open, and no server behind it.
        node.open(DATABASE, 1);
    }
    let _first = TcpStream::connect(node.mysql).await.expect("connected");
    let _greeted = soon(_first.readable()).await;
    let output = client(&Through::Tcp(node.mysql), USER, PASSWORD, "select 1").await;
    assert!(
        output.complaint().contains("Too many connections"),
        "{}",
        output.complaint()
    );
}

/// Sends bytes after the greeting; gives what comes until the end.
async fn say(node: &TestNode, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(node.mysql).await.expect("connected");
    let mut head = [0; 4];
    soon(stream.read_exact(&mut head))
        .await
        .expect("a greeting");
    let mut greeting = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
    soon(stream.read_exact(&mut greeting))
        .await
        .expect("a greeting");
    assert!(greeting.starts_with(b"\x0a11.8.3-MariaDB\0"));
    let _closed = stream.write_all(bytes).await;
    let mut rest = Vec::new();
    let _reset = soon(stream.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn odd_first_packets_are_refused_in_time() {
    let limits = Limits {
        head: Duration::from_millis(200),
        ..Limits::default()
    };
    let cluster = Cluster::new();
    let node = cluster.node(1, behind(Path::new("/nonexistent"), limits));
    // Silence, and one byte at a time without end.
    assert!(say(&node, b"").await.is_empty());
    assert!(say(&node, b"\x20").await.is_empty());
    // Longer than a login can be.
    assert!(say(&node, b"\xff\xff\xff\x01").await.is_empty());
    let said = |rest: &[u8]| String::from_utf8_lossy(rest).into_owned();
    assert!(said(&say(&node, b"\0\0\0\x01").await).contains("Bad handshake"));
    assert!(said(&say(&node, b"\x01\0\0\x07a").await).contains("Bad handshake"));
    // The request for TLS, which was not offered.
    let mut tls = vec![32, 0, 0, 1];
    tls.extend_from_slice(&0x000a_aa00_u32.to_le_bytes());
    tls.extend_from_slice(&[0; 28]);
    assert!(said(&say(&node, &tls).await).contains("TLS is not offered"));
    // A client of MySQL 4.0.
    assert!(said(&say(&node, b"\x06\0\0\x01\x05\0\0\0\x01u").await).contains("too old"));
    until(|| node.proxy.stats().total.in_flight == 0).await;
}

#[test]
fn no_first_packet_hurts() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (_cluster, node) = runtime.block_on(async {
        let limits = Limits {
            head: Duration::from_millis(20),
            wait: Duration::from_millis(20),
            ..Limits::default()
        };
        let cluster = Cluster::new();
        let node = cluster.node(1, behind(Path::new("/nonexistent"), limits));
        (cluster, node)
    });
    proptest!(ProptestConfig::with_cases(48), |(
        payload in proptest::collection::vec(any::<u8>(), 0..120),
        capabilities in any::<u32>(),
        has_head in any::<bool>(),
    )| {
        let mut bytes = Vec::new();
        if has_head {
            let length = u32::try_from(payload.len() + 4).expect("short").to_le_bytes();
            bytes.extend_from_slice(&[length[0], length[1], length[2], 1]);
            bytes.extend_from_slice(&(capabilities | 0x0008_8200).to_le_bytes());
        }
        bytes.extend_from_slice(&payload);
        let answer = runtime.block_on(say(&node, &bytes));
        // Nothing, or one error packet.
        prop_assert!(answer.is_empty() || answer.get(4) == Some(&0xff), "{:?}", answer);
    });
}
