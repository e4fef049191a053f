//! Many sessions write while their database moves back and forth: every number that was
//! acknowledged is there once, and none is there twice.
#![allow(
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that fails says where"
)]

mod support;

use hwc_awesome_proxy::Limits;
use hwc_runtime::lifecycle::Tasks;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::mariadb::{Mariadb, PASSWORD, USER};
use support::moves::{Places, direct};
use support::sql::{Failure, Sql};
use support::{TestNode, soon};

/// What the writers know.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    is_over: AtomicBool,
    /// Single statements that failed.
    plain_failures: AtomicU64,
    /// Numbers and whether they were acknowledged.
    written: Mutex<BTreeMap<u64, Fate>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    /// An error to the statement that would have made it last.
    Refused,
    /// The session ended in that statement.
    Unknown,
    /// Its transaction was lost before that.
    Lost,
}

impl Fate {
    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Told(error) => {
                assert_eq!(error.code, 1053, "{error:?}");
                Self::Refused
            }
            Failure::Broken(_) => Self::Unknown,
        }
    }
}

impl Ledger {
    fn note(&self, number: u64, fate: Fate) {
        self.written.lock().expect("whole").insert(number, fate);
    }

    fn count(&self, fate: Fate) -> usize {
        let written = self.written.lock().expect("whole");
        written.values().filter(|known| **known == fate).count()
    }
}

/// How a writer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One statement each.
    Plain,
    /// The same as a prepared statement.
    Prepared,
    /// Two in a transaction, with a pause of so many milliseconds between.
    Transaction(u64),
}

async fn write(ledger: Arc<Ledger>, socket: PathBuf, kind: Kind) {
    while !ledger.is_over.load(Ordering::SeqCst) {
        let Ok(mut sql) = Sql::connect(&socket, USER, PASSWORD).await else {
            panic!("no session");
        };
        let prepared = sql.prepare("insert into numbers values (?)").await;
        let prepared = prepared.expect("prepared");
        let mut has_types = false;
        while !ledger.is_over.load(Ordering::SeqCst) {
            let number = ledger.next.fetch_add(2, Ordering::SeqCst);
            let failed = match kind {
                Kind::Plain => {
                    let insert = format!("insert into numbers values ({number})");
                    plain(&ledger, number, sql.query(&insert).await.map(drop))
                }
                Kind::Prepared => {
                    let value = i64::try_from(number).expect("small");
                    let done = sql.execute(prepared, &[value], !has_types, 0).await;
                    has_types = true;
                    plain(&ledger, number, done.map(drop))
                }
                Kind::Transaction(pause) => transaction(&ledger, &mut sql, number, pause).await,
            };
            if let Some(Failure::Broken(_)) = failed {
                break;
            }
        }
    }
}

fn plain(ledger: &Ledger, number: u64, done: Result<(), Failure>) -> Option<Failure> {
    let fate = done.as_ref().map_or_else(Fate::of, |()| Fate::Acknowledged);
    if fate != Fate::Acknowledged {
        ledger.plain_failures.fetch_add(1, Ordering::SeqCst);
    }
    ledger.note(number, fate);
    done.err()
}

async fn transaction(ledger: &Ledger, sql: &mut Sql, number: u64, pause: u64) -> Option<Failure> {
    let before = async {
        sql.query("start transaction").await?;
        for number in [number, number + 1] {
            let insert = format!("insert into numbers values ({number})");
            sql.query(&insert).await?;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(())
    };
    let before: Result<(), Failure> = before.await;
    let (fate, failure) = match before {
        Err(failure) => (Fate::Lost, Some(failure)),
        Ok(()) => match sql.query("commit").await {
            Ok(_) => (Fate::Acknowledged, None),
            Err(failure) => (Fate::of(&failure), Some(failure)),
        },
    };
    ledger.note(number, fate);
    ledger.note(number + 1, fate);
    failure
}

/// Begins writers of all kinds at all doors.
fn begin(tasks: &Tasks, ledger: &Arc<Ledger>, places: &Places, pauses: [u64; 2]) {
    let nodes: [&TestNode; 3] = [&places.one, &places.two, &places.three];
    for node in nodes {
        for kind in [
            Kind::Plain,
            Kind::Prepared,
            Kind::Transaction(pauses[0]),
            Kind::Transaction(pauses[1]),
        ] {
            let (ledger, socket) = (Arc::clone(ledger), node.mysql_socket.clone());
            tasks.spawn("writer", write(ledger, socket, kind));
        }
    }
}

async fn end(ledger: &Ledger, tasks: &Tasks) {
    ledger.is_over.store(true, Ordering::SeqCst);
    let cut = tasks.stop(Duration::from_secs(60)).await;
    assert!(cut.is_empty(), "{cut:?}");
}

/// Compares what is in the table with what the writers know. So many sessions were cut.
async fn check(ledger: &Ledger, server: &Mariadb, cut: usize) {
    let mut sql = direct(server).await;
    let text = sql.text("select n from numbers").await;
    let rows: Vec<u64> = text.lines().map(|n| n.parse().expect("a number")).collect();
    let there: BTreeSet<u64> = rows.iter().copied().collect();
    assert_eq!(there.len(), rows.len(), "a number is there twice");
    let written = ledger.written.lock().expect("whole");
    for (number, fate) in written.iter() {
        match fate {
            Fate::Acknowledged => assert!(there.contains(number), "{number} is lost"),
            Fate::Lost => assert!(!there.contains(number), "{number} came back"),
            Fate::Refused | Fate::Unknown if cut > 0 => {}
            Fate::Refused => assert!(!there.contains(number), "{number} was refused"),
            Fate::Unknown => panic!("the session of {number} ended"),
        }
    }
    assert!(there.iter().all(|number| written.contains_key(number)));
    // A statement that nobody had to cut is held, never refused.
    let failed = ledger.plain_failures.load(Ordering::SeqCst);
    assert!(cut > 0 || failed == 0, "{failed} statements failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_the_gate_flips() {
    let server = Mariadb::start().await;
    let mut sql = direct(&server).await;
    sql.query("create table numbers (n bigint)")
        .await
        .expect("done");
    // Both nodes lead to one server: what is tested is who may write when, and what is sent.
    let places = Places::new(&server.socket, &server.socket, Limits::default());
    let (ledger, tasks) = (Arc::new(Ledger::default()), Tasks::new());
    begin(&tasks, &ledger, &places, [1, 700]);
    let (mut from, mut to) = (&places.one, &places.two);
    let mut cut = 0;
    for turn in 0..50 {
        tokio::time::sleep(Duration::from_millis(20 + turn % 7 * 10)).await;
        cut += soon(places.leave(from, Duration::from_millis(400))).await;
        tokio::time::sleep(Duration::from_millis(turn % 5 * 5)).await;
        places.open(to);
        std::mem::swap(&mut from, &mut to);
    }
    end(&ledger, &tasks).await;
    check(&ledger, &server, cut).await;
    let acknowledged = ledger.count(Fate::Acknowledged);
    assert!(acknowledged > 500, "{acknowledged}");
    assert!(ledger.count(Fate::Lost) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_servers_stop_and_start() {
    let (mut one, mut two) = (Mariadb::start().await, Mariadb::stopped());
    let mut sql = direct(&one).await;
    sql.query("create table numbers (n bigint) engine = innodb")
        .await
        .expect("done");
    drop(sql);
    let sockets: [&Path; 2] = [&one.socket.clone(), &two.socket.clone()];
    let places = Places::new(sockets[0], sockets[1], Limits::default());
    let (ledger, tasks) = (Arc::new(Ledger::default()), Tasks::new());
    begin(&tasks, &ledger, &places, [1, 900]);
    let mut cut = 0;
    for turn in 0..6 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let (from, to, old, new) = if turn % 2 == 0 {
            (&places.one, &places.two, &mut one, &mut two)
        } else {
            (&places.two, &places.one, &mut two, &mut one)
        };
        cut += soon(places.leave(from, Duration::from_millis(600))).await;
        old.stop().await;
        new.follow(old).await;
        new.run().await;
        places.open(to);
    }
    end(&ledger, &tasks).await;
    check(&ledger, &one, cut).await;
    assert!(ledger.count(Fate::Acknowledged) > 50);
}
