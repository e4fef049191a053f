//! A WordPress site that moves, and the ways to it: for tests of what is open meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::bench::Site;
use hwc_lab::cluster;
use hwc_lab::deadline::{Deadline, wait_until};
use serde_json::Value;

use super::sql::{Account, Session};
use super::text;
use super::visits::{Download, Way};

const DOMAIN: &str = "moves.example";
/// Until a gate closes, once a move is asked for.
const GATE_LIMIT: Duration = Duration::from_secs(60);
/// A large file.
pub const LARGE: (&str, usize) = ("large.bin", 20);
/// Requests of a visitor who stays, ten a second: longer than a move.
const STAY: u32 = 120;
/// Until a site that moved is seen to be live.
const SOON: Duration = Duration::from_secs(5);
/// How often an installation, or a move, is asked for.
const TRIES: usize = 3;

/// Connects, says that it is at work, writes its row once it may.
const WORK_PHP: &str = r#"<?php
define('SHORTINIT', true);
require __DIR__ . '/wp-config.php';
mysqli_report(MYSQLI_REPORT_OFF);
$run = $_POST['run'];
$n = (int) $_POST['n'];
$db = mysqli_connect('localhost', DB_USER, DB_PASSWORD, DB_NAME);
if (!$db) { http_response_code(500); die(mysqli_connect_error()); }
touch(__DIR__ . "/began-$run-$n");
for ($turn = 0; $turn < 1000 && !file_exists(__DIR__ . "/go-$run"); $turn++) { usleep(50000); clearstatcache(); }
if (!$db->query("insert into moves_row values ('$run', $n)")) { http_response_code(500); die($db->error); }
file_put_contents(__DIR__ . '/rows.txt', "$run $n\n", FILE_APPEND | LOCK_EX);
echo 'written';
"#;

/// A part of a site with a gate of its own.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Files,
    Database,
}

/// A WordPress site, its database, and the ways to both.
#[derive(Debug)]
pub struct Place<'lab> {
    pub lab: &'lab Lab,
    pub site: Site<'lab>,
    account: Account,
    /// Of the large file.
    pub sum: String,
}

impl<'lab> Place<'lab> {
    /// Makes the site, with a page that writes, and a large file.
    pub fn prepare(lab: &'lab Lab) -> Self {
        let site = Site::create(lab, DOMAIN).unwrap();
        // A machine that is busy with other things is told to try again.
        let is_installed = (0..TRIES).any(|_| site.install_wordpress().is_ok());
        assert!(is_installed);
        site.put("file.txt", &"A file of some length. ".repeat(200))
            .unwrap();
        site.put("work.php", WORK_PHP).unwrap();
        let node = site.live_node().unwrap();
        let sum = fill(lab, &site, LARGE.0, LARGE.1);
        let account = Account::of_wordpress(lab, &site);
        let mut session = Session::open(lab, &node, &account);
        session.get("create table moves_row (run varchar(40), n int)");
        session.get("create table moves_id (id int auto_increment primary key)");
        gather(lab, &site);
        site.wait_protected().unwrap();
        Self {
            lab,
            site,
            account,
            sum,
        }
    }

    /// Where the site is live, and where it is not.
    pub fn ends(&self) -> (String, String) {
        let live = self.site.live_node().unwrap();
        let nodes = self.lab.nodes();
        let other = nodes.iter().find(|node| node.name() != live).unwrap();
        (live, other.name().to_owned())
    }

    /// Moves it; gives the receipts. On a machine that is busy with other things a move may be called
    /// off because it takes too long: it is asked for again then, and the receipts tell of both.
    pub fn move_to(&self, node: &str) -> Vec<Value> {
        let ended = || {
            let moves = cluster::hwc(self.lab, "n1", &["moves", DOMAIN], "").unwrap();
            let ended = moves["ended"].as_array().unwrap().iter();
            ended.map(|view| view["move"].clone()).collect::<Vec<_>>()
        };
        let before: BTreeSet<_> = ended().iter().map(|it| it["id"].as_u64()).collect();
        let words = ["site", "move", DOMAIN, node, "--wait"];
        let moved = (0..TRIES).any(|_| {
            let _told = cluster::hwc(self.lab, "n1", &words, "");
            self.is_at(node)
        });
        assert!(moved, "{:#?}", ended());
        let mut receipts = ended();
        receipts.retain(|it| !before.contains(&it["id"].as_u64()));
        receipts
    }

    /// Whether all of it is live on a node, or soon is.
    fn is_at(&self, node: &str) -> bool {
        let is_live = || {
            let view = self.site.view().unwrap();
            let parts = [&view["files"], &view["databases"][0]["dataset"]];
            let is_here = parts.iter().all(|it| it["live_node"]["name"] == *node);
            Ok(is_here.then_some(()))
        };
        wait_until("the site to be there", Deadline::after(SOON), is_live).is_ok()
    }

    /// Waits until a node has closed a part's gate for a move.
    pub fn until_closed(&self, node: &str, part: Part) {
        let site = self.site.view().unwrap();
        let id = match part {
            Part::Files => &site["files"]["id"],
            Part::Database => &site["databases"][0]["dataset"]["id"],
        };
        let closed =
            |it: &Value| &it["move"]["dataset"] == id && !it["move"]["gate_closed_at"].is_null();
        wait_until("a gate to close", Deadline::after(GATE_LIMIT), || {
            let moves = cluster::hwc(self.lab, node, &["moves", DOMAIN], "")?;
            let under_way = moves["under_way"].as_array().unwrap();
            Ok(under_way.iter().any(closed).then_some(()))
        })
        .unwrap();
    }

    /// The doors of all nodes, numbered.
    pub fn doors(&self) -> impl Iterator<Item = (usize, Way<'_>)> {
        (0..self.lab.nodes().len()).map(|n| (n, self.way(n)))
    }

    /// The door of one node.
    pub fn way(&self, n: usize) -> Way<'_> {
        Way {
            lab: self.lab,
            node: self.lab.nodes()[n].address(),
            domain: DOMAIN,
        }
    }

    /// A new connection to the database, in a node.
    pub fn connect(&self, node: &str) -> Session {
        Session::open(self.lab, node, &self.account)
    }

    /// Something at the door of every node.
    pub fn sessions<T>(&self, begin: impl Fn(&str, usize) -> T) -> Vec<T> {
        let nodes = self.lab.nodes();
        let begun = nodes
            .iter()
            .enumerate()
            .map(|(n, node)| begin(node.name(), n));
        begun.collect()
    }

    /// Visitors who stay on one connection, of each version at each door.
    pub fn stay<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Vec<ScopedJoinHandle<'scope, (u32, Vec<String>)>> {
        let versions = ["--http1.1", "--http2"];
        self.doors()
            .flat_map(|(_, way)| versions.map(|version| (way, version)))
            .map(|(way, version)| scope.spawn(move || way.stay("/file.txt", version, STAY)))
            .collect()
    }

    /// Posts at each door; returns when all are at work. One begins after the other: of two that come
    /// at the same moment PHP-FPM may take one only when the other is done (PHP's bug 69724).
    pub fn post<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        run: &'static str,
    ) -> Vec<ScopedJoinHandle<'scope, (String, String)>> {
        let (node, folder) = (self.site.live_node().unwrap(), self.site.folder().unwrap());
        let begin = |(n, way): (usize, Way<'scope>)| {
            let form = format!("run={run}&n={n}");
            let post = scope.spawn(move || way.post("/work.php", &form));
            let mark = format!("{folder}/began-{run}-{n}");
            wait_until("a request to begin", Deadline::after(GATE_LIMIT), || {
                let seen = self.lab.exec(&node, &["test", "-e", &mark])?;
                Ok(seen.is_success().then_some(()))
            })
            .unwrap();
            post
        };
        self.doors().map(begin).collect()
    }

    /// Lets requests that are at work end.
    pub fn let_go(&self, node: &str, run: &str) {
        let mark = format!("{}/go-{run}", self.site.folder().unwrap());
        text(self.lab, node, &["touch", &mark]);
    }

    /// How often a row was written.
    pub fn count(&self, session: &mut Session, run: &str) -> u32 {
        let question = format!("select count(*) from moves_row where run = '{run}'");
        session.get(&question).parse().unwrap()
    }

    /// The lines of a file of the site, in order.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let path = format!("{}/{name}", self.site.folder().unwrap());
        let content = text(self.lab, &self.site.live_node().unwrap(), &["cat", &path]);
        let mut lines: Vec<_> = content.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// A file of the site: in TLS at one door, without at the other.
    pub fn file<'a>(&self, name: &'a str, n: usize, to: &'a Path) -> Download<'a> {
        Download {
            scheme: ["http", "https"][n % 2],
            name,
            to,
        }
    }
}

/// Brings a site's database to where its files are.
fn gather(lab: &Lab, site: &Site<'_>) {
    let (view, live) = (site.view().unwrap(), site.live_node().unwrap());
    if view["databases"][0]["dataset"]["live_node"]["name"] != *live {
        let words = ["site", "move", DOMAIN, &live, "--wait"];
        cluster::hwc(lab, "n1", &words, "").unwrap();
    }
}

/// Makes a file of so many MiB among a site's pages; gives its checksum.
fn fill(lab: &Lab, site: &Site<'_>, name: &str, mib: usize) -> String {
    site.put(name, "").unwrap();
    let (node, folder) = (site.live_node().unwrap(), site.folder().unwrap());
    let path = format!("{folder}/{name}");
    let (into, count) = (format!("of={path}"), format!("count={mib}"));
    let words = [
        "dd",
        "if=/dev/urandom",
        &into,
        "bs=1M",
        &count,
        "status=none",
    ];
    text(lab, &node, &words);
    let sum = text(lab, &node, &["sha256sum", &path]);
    sum.split(' ').next().unwrap().to_owned()
}

/// Each visitor who stayed had one connection, and was answered.
pub fn check_stayed(stayers: Vec<ScopedJoinHandle<'_, (u32, Vec<String>)>>) {
    for stayer in stayers {
        let (connections, answers) = stayer.join().unwrap();
        assert_eq!(answers.len(), usize::try_from(STAY).unwrap());
        let expected = &answers[0];
        assert!(
            ["1.1 200", "2 200"].contains(&expected.as_str()),
            "{expected}"
        );
        assert!(
            answers.iter().all(|answer| answer == expected),
            "{answers:?}"
        );
        assert_eq!(connections, 1, "{expected}");
    }
}

/// What the receipts say in all.
pub fn total(receipts: &[Value], protocol: &str, what: &str) -> u64 {
    let counts = receipts.iter().map(|it| it[protocol][what].as_u64());
    counts.map(Option::unwrap).sum()
}
