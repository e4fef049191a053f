//! A daemon that is restarted, and one that is killed, while visitors ask for a site without a
//! pause: over connections that stay, HTTP/1.1 and HTTP/2, in TLS, with rows written by POST.

#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

mod support;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::cluster::{self, Login};
use hwc_lab::deadline::{Deadline, wait_until};
use hwc_lab::load::enter;
use hwc_lab::visitors::{Plan, Version, Visit, Visitors};
use serde_json::Value;
use support::{lab, text};

const DOMAIN: &str = "restart.example";
/// Load before and after what happens.
const CALM: Duration = Duration::from_secs(3);
/// Until the site is live and copied.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// Until a daemon that gave way is gone.
const GONE_LIMIT: Duration = Duration::from_secs(75);

const ROW_PHP: &str = r#"<?php
file_put_contents(__DIR__ . '/rows.txt', $_POST['n'] . "\n", FILE_APPEND | LOCK_EX);
echo 'written';
"#;

#[test]
fn a_restart_fails_no_request_and_a_crash_refuses_no_connection() {
    let Some(lab) = lab("restart", 2) else { return };
    prepare(&lab);
    for node in [entrance(&lab), live_node(&lab)] {
        restart_under_load(&lab, &node);
    }
    kill_under_load(&lab);
}

/// The daemon of `node` is restarted as an upgrade does it.
fn restart_under_load(lab: &Lab, node: &str) {
    wait_protected(lab);
    let before = rows(lab);
    let (visitors, strangers) = begin(lab);
    std::thread::sleep(CALM);
    text(lab, node, &["systemctl", "restart", "hwcd"]);
    let lingering = lingerers(lab, node);
    std::thread::sleep(CALM);
    let (visits, refused) = (visitors.finish().unwrap(), strangers.finish());
    let failed: Vec<_> = visits.iter().filter_map(complaint).collect();
    eprintln!(
        "{node} restarted: {} requests, {} failed, {refused:?} refused, lingering: {lingering:?}",
        visits.len(),
        failed.len()
    );
    let some: Vec<_> = failed.iter().take(10).collect();
    assert_eq!(some, Vec::<&String>::new(), "{} at {node}", failed.len());
    assert_eq!(refused, Vec::<String>::new());
    let posted = visits.iter().filter(|visit| visit.plan == "row").count();
    let written = rows(lab);
    let new: Vec<_> = written
        .iter()
        .map(|(row, times)| times - before.get(row).unwrap_or(&0))
        .collect();
    assert_eq!(new.iter().sum::<usize>(), posted, "every row once");
    // It holds nothing but visitors' connections, and not for long.
    assert_eq!(lingering.len(), 1, "{lingering:?}");
    let asked = Deadline::after(GONE_LIMIT);
    wait_until("the old daemon to end", asked, || {
        Ok(lingerers(lab, node).is_empty().then_some(()))
    })
    .unwrap();
    let late = asked.elapsed().as_secs_f64();
    eprintln!("{node}: the old daemon ended {late:.1} s after the last visitor");
}

/// The daemon proper is killed: who is connected notices, and who comes is not refused.
fn kill_under_load(lab: &Lab) {
    wait_protected(lab);
    let strangers = Strangers::start(lab);
    std::thread::sleep(CALM);
    let node = live_node(lab);
    text(
        lab,
        &node,
        &["pkill", "-KILL", "-f", "^/usr/bin/hwcd .* internal worker$"],
    );
    std::thread::sleep(CALM);
    assert_eq!(strangers.finish(), Vec::<String>::new());
    cluster::wait_until_whole(lab, lab.nodes().len()).unwrap();
    let left = lingerers(lab, &node);
    assert_eq!(left, Vec::<String>::new(), "a crash leaves nothing");
}

fn begin(lab: &Lab) -> (Visitors, Strangers) {
    let nodes: Vec<_> = lab.nodes().iter().map(|node| node.address()).collect();
    let plan = |name, path: &str, per_second, version| Plan {
        name,
        path: path.to_owned(),
        body: None,
        per_second,
        version,
    };
    let row = Plan {
        body: Some("n={n}".to_owned()),
        ..plan("row", "/row.php", 5, Version::One)
    };
    let plans = [
        plan("file", "/file.txt", 20, Version::One),
        plan("file h2", "/file.txt", 20, Version::Two),
        row,
    ];
    let visitors = Visitors::start(&namespace(lab), &nodes, DOMAIN, &plans);
    (visitors, Strangers::start(lab))
}

fn namespace(lab: &Lab) -> PathBuf {
    Path::new("/run/netns").join(lab.id().namespace("client"))
}

/// What is wrong with a visit, if something is.
fn complaint(visit: &Visit) -> Option<String> {
    let what = match &visit.result {
        Ok((200, _)) => return None,
        Ok((status, body)) => format!("{status} {}", String::from_utf8_lossy(body)),
        Err(error) => error.clone(),
    };
    let began = visit.began.as_secs_f64();
    let took = (visit.ended - visit.began).as_secs_f64();
    Some(format!(
        "{} {} at {began:.2} s for {took:.2} s: {what:.200}",
        visit.plan, visit.number
    ))
}

/// Those who come anew, thirty times a second to every door of every node.
struct Strangers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Strangers {
    fn start(lab: &Lab) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let addresses: Vec<_> = lab.nodes().iter().map(|node| node.address()).collect();
        let doors: Vec<_> = addresses
            .into_iter()
            .flat_map(|node| [80, 443, 8443].map(|port| SocketAddr::from((node, port))))
            .collect();
        let (namespace, until) = (namespace(lab), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            enter(&namespace).unwrap();
            let mut refused = Vec::new();
            while !until.load(Ordering::SeqCst) {
                for door in &doors {
                    match TcpStream::connect_timeout(door, Duration::from_secs(5)) {
                        Ok(_met) => {}
                        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                            refused.push(format!("{door}"));
                        }
                        Err(error) => refused.push(format!("{door}: {error}")),
                    }
                }
                std::thread::sleep(Duration::from_millis(33));
            }
            refused
        });
        Self { stop, thread }
    }

    fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn prepare(lab: &Lab) {
    let login = |login: &str| Login {
        login: login.to_owned(),
        password: "restart-password-1".to_owned(),
    };
    cluster::begin(lab, &login("admin"), hwc_lab::Progress::quiet()).unwrap();
    cluster::hwc(lab, "n1", &["cluster", "balancing", "--off"], "").unwrap();
    cluster::create_customer(lab, "n1", &login("shop"), "Shop").unwrap();
    let create = ["site", "create", DOMAIN, "--account", "shop"];
    cluster::hwc(lab, "n1", &create, "").unwrap();
    wait_protected(lab);
    let (node, folder) = (live_node(lab), folder(lab));
    for (name, content) in [
        ("file.txt", "A file of some length. ".repeat(200).as_str()),
        ("row.php", ROW_PHP),
        ("rows.txt", ""),
    ] {
        let path = format!("{folder}/{name}");
        let put = lab.node(&node).unwrap().exec_command(["tee", &path]);
        put.unwrap().stdin_bytes(content).check().unwrap();
        let owner = format!("--reference={folder}");
        text(lab, &node, &["chown", &owner, &path]);
    }
    wait_until("the site to answer", Deadline::after(READY_LIMIT), || {
        let is_there = lab.nodes().iter().all(|node| answers(lab, node.address()));
        Ok(is_there.then_some(()))
    })
    .unwrap();
}

/// Whether the site answers at a node's door.
fn answers(lab: &Lab, node: Ipv4Addr) -> bool {
    let host = format!("host: {DOMAIN}");
    let address = format!("http://{node}/file.txt");
    let ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"];
    let ask: Vec<_> = ask.into_iter().chain(["-H", &host, &address]).collect();
    lab.client(&ask).unwrap().text().trim() == "200"
}

fn site(lab: &Lab) -> Value {
    let list = |node: &str| cluster::hwc(lab, node, &["site", "list"], "").ok();
    let sites = lab.nodes().iter().find_map(|node| list(node.name()));
    sites.unwrap()[0].clone()
}

fn live_node(lab: &Lab) -> String {
    let name = &site(lab)["files"]["live_node"]["name"];
    name.as_str().unwrap().to_owned()
}

/// A node through which visitors come, and where the site is not live.
fn entrance(lab: &Lab) -> String {
    let live = live_node(lab);
    let nodes = lab.nodes();
    let other = nodes.iter().find(|node| node.name() != live).unwrap();
    other.name().to_owned()
}

fn folder(lab: &Lab) -> String {
    format!("/srv/hwc/live/{}/public_html", site(lab)["files"]["id"])
}

/// The rows that were written, and how often each.
fn rows(lab: &Lab) -> BTreeMap<String, usize> {
    let path = format!("{}/rows.txt", folder(lab));
    let lines = text(lab, &live_node(lab), &["cat", &path]);
    let mut rows = BTreeMap::new();
    for line in lines.lines() {
        *rows.entry(line.to_owned()).or_default() += 1;
    }
    rows
}

/// The daemons of a node that only serve visitors' connections to their end.
fn lingerers(lab: &Lab, node: &str) -> Vec<String> {
    let found = lab.exec(node, &["pgrep", "-x", "hwcd-lingers"]).unwrap();
    found.text().lines().map(str::to_owned).collect()
}

/// Waits until the site is live and has an up-to-date copy.
fn wait_protected(lab: &Lab) {
    cluster::wait_until_whole(lab, lab.nodes().len()).unwrap();
    wait_until(
        "the site to be copied",
        Deadline::after(READY_LIMIT),
        || {
            let files = site(lab)["files"].clone();
            let copies = files["copies"].as_array().cloned().unwrap_or_default();
            let is_whole = files["state"] == "live"
                && !copies.is_empty()
                && copies.iter().all(|copy| copy["age_ms"] == 0);
            Ok(is_whole.then_some(()))
        },
    )
    .unwrap();
}
