//! A daemon that is restarted, once and again, one that is stopped, and one that is killed, while
//! visitors ask for a site without a pause: over connections that stay, HTTP/1.1 and HTTP/2, in TLS,
//! with rows written by POST. And what becomes of other connections: of the panel's, of
//! downloads. The fates are those of `docs/decisions/0007-restart-without-loss.md`.

#![allow(
    clippy::unwrap_used,
    reason = "tests may panic; clippy's own exemption misses helpers outside #[test] functions"
)]

#[path = "support/feed.rs"]
mod feed;
#[path = "support/strangers.rs"]
mod strangers;
mod support;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use feed::Feed;
use hwc_lab::bench::{self, Site};
use hwc_lab::cluster::{self, Login};
use hwc_lab::deadline::{Deadline, wait_until};
use hwc_lab::visitors::{Plan, Version, Visit, Visitors};
use hwc_lab::{Lab, Output, Progress};
use strangers::{Strangers, idle, namespace};
use support::{lab, text};

const DOMAIN: &str = "restart.example";
/// Load before and after what happens.
const CALM: Duration = Duration::from_secs(3);
/// Until the site answers at every node.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// Until a daemon that gave way is gone, once its visitors are.
const GONE_LIMIT: Duration = Duration::from_secs(15);
/// So long visitors' connections last at most in a daemon that gave way.
const LINGER_LIMIT: Duration = Duration::from_secs(60);
/// So many daemons that gave way may be at one time.
const LINGERERS_MAX: usize = 2;
/// A file that is downloaded for longer than a restart takes: 40 s at this many bytes a second.
const LARGE: (&str, &str) = ("count=120", "3M");
/// The close code of a WebSocket that is to come back (RFC 6455, as registered with IANA).
const COME_BACK: u16 = 1012;

const ROW_PHP: &str = r#"<?php
file_put_contents(__DIR__ . '/rows.txt', $_POST['n'] . "\n", FILE_APPEND | LOCK_EX);
echo 'written';
"#;

#[test]
fn a_restart_fails_no_request_and_a_crash_refuses_no_connection() {
    let Some(lab) = lab("restart", 2) else { return };
    let site = prepare(&lab);
    for node in [entrance(&site), site.live_node().unwrap()] {
        restart_under_load(&site, &node);
    }
    restart_again_and_again(&site);
    restart_with_open_pages(&site);
    stop_with_visitors(&site);
    kill_under_load(&site);
    kill_between_files_and_reload(&site);
}

/// The daemon of `node` is restarted as an upgrade does it.
fn restart_under_load(site: &Site<'_>, node: &str) {
    let lab = site.lab();
    let load = Load::begin(site);
    std::thread::sleep(CALM);
    restart(lab, node);
    let lingering = lingerers(lab, node);
    std::thread::sleep(CALM);
    load.finish(&format!("{node} restarted"));
    // It holds nothing but visitors' connections, and not for long.
    assert_eq!(lingering.len(), 1, "{lingering:?}");
    wait_gone(lab, node, GONE_LIMIT);
}

/// Three restarts in a row, with a download under way at each that outlasts them all: nobody else
/// notices, and the oldest daemon is told to go when there are too many.
fn restart_again_and_again(site: &Site<'_>) {
    let (lab, node) = (site.lab(), entrance(site));
    let load = Load::begin(site);
    let mut downloads = Vec::new();
    let mut lingering = Vec::new();
    for _ in 0..3 {
        downloads.push(download(lab, &node));
        std::thread::sleep(CALM);
        restart(lab, &node);
        lingering.push(lingerers(lab, &node).len());
    }
    wait_until("the oldest to go", Deadline::after(GONE_LIMIT), || {
        let left = lingerers(lab, &node).len();
        Ok((left <= LINGERERS_MAX).then_some(()))
    })
    .unwrap();
    std::thread::sleep(CALM);
    load.finish(&format!(
        "{node} restarted thrice, lingering: {lingering:?}"
    ));
    let downloads = downloads
        .into_iter()
        .map(|download| download.join().unwrap());
    let codes: Vec<_> = downloads.map(|download| download.code).collect();
    eprintln!("{node}: downloads ended with {codes:?}");
    assert_eq!(codes.last(), Some(&0), "{codes:?}");
    // What is cut off does not pass for whole.
    assert!(
        codes.iter().all(|code| [0, 18, 56].contains(code)),
        "{codes:?}"
    );
    wait_gone(lab, &node, GONE_LIMIT);
}

/// What becomes of the panel's WebSockets: at the restarted node, and at another one.
fn restart_with_open_pages(site: &Site<'_>) {
    let lab = site.lab();
    site.wait_protected().unwrap();
    let (live, other) = (site.live_node().unwrap(), entrance(site));
    let login = administrator();
    let here = Feed::open(lab, &live, &login);
    let mut elsewhere = Feed::open(lab, &other, &login);
    restart(lab, &live);
    assert_eq!(here.closed(), Some(COME_BACK));
    Feed::open(lab, &live, &login).is_open();
    elsewhere.is_open();
    wait_gone(lab, &live, GONE_LIMIT);
}

/// A node is stopped with many connections open: everything ends, and systemd has to kill nothing.
fn stop_with_visitors(site: &Site<'_>) {
    let (lab, node) = (site.lab(), entrance(site));
    site.wait_protected().unwrap();
    let address = lab.address(&node).unwrap();
    let downloads: Vec<_> = (0..3).map(|_| download(lab, &node)).collect();
    let many: Vec<_> = [80, 443, 8443]
        .into_iter()
        .flat_map(|port| idle(lab, SocketAddr::from((address, port)), 100))
        .collect();
    std::thread::sleep(CALM);
    let asked = Deadline::after(LINGER_LIMIT);
    text(lab, &node, &["systemctl", "stop", "hwcd"]);
    let stopped = asked.elapsed().as_secs_f64();
    let result = ["systemctl", "show", "--property=Result", "--value", "hwcd"];
    assert_eq!(text(lab, &node, &result).trim(), "success");
    eprintln!("{node}: stopped within {stopped:.1} s");
    // Nobody follows: they are not kept for long.
    wait_gone(lab, &node, GONE_LIMIT);
    let left = lab.exec(&node, &["pgrep", "-x", "hwcd"]).unwrap().text();
    assert_eq!(left, "");
    drop(many);
    for download in downloads {
        let code = download.join().unwrap().code;
        assert_ne!(code, 0, "it was not whole");
    }
    text(lab, &node, &["systemctl", "start", "hwcd"]);
    cluster::wait_until_whole(lab, lab.nodes().len()).unwrap();
}

/// The daemon proper is killed: who is connected notices, and who comes is not refused.
fn kill_under_load(site: &Site<'_>) {
    let lab = site.lab();
    site.wait_protected().unwrap();
    let strangers = Strangers::start(lab);
    std::thread::sleep(CALM);
    let node = site.live_node().unwrap();
    kill(lab, &node);
    std::thread::sleep(CALM);
    assert_eq!(strangers.finish(), Vec::<String>::new());
    cluster::wait_until_whole(lab, lab.nodes().len()).unwrap();
    let left = lingerers(lab, &node);
    assert_eq!(left, Vec::<String>::new(), "a crash leaves nothing");
}

/// A daemon that is killed when Apache's new files are in place, and Apache was not told: the next one
/// asks Apache what it has read.
fn kill_between_files_and_reload(site: &Site<'_>) {
    let (lab, node) = (site.lab(), entrance(site));
    let id = site.view().unwrap()["id"].to_string();
    let folder = "/etc/apache2/sites-enabled";
    let files = [
        format!("{folder}/hwc-site-{id}.conf"),
        format!("{folder}/zz-hwc-loaded.conf"),
    ];
    let read = |path: &String| lab.exec(&node, &["cat", path]).unwrap().stdout;
    let right = files.each_ref().map(read);
    let put = |path: &String, content: &[u8]| {
        let put = lab.node(&node).unwrap().exec_command(["tee", path]);
        put.unwrap().stdin_bytes(content).check().unwrap();
    };
    let is_known = || answer_of_apache(lab, &node).contains(" 200 ");
    assert!(is_known());
    // What Apache has read before: another name, another mark.
    for (path, content) in files.iter().zip(&right) {
        let older = String::from_utf8_lossy(content);
        let older = older.replace(DOMAIN, "another.example");
        put(
            path,
            older
                .replace("Hwc-Configuration ", "Hwc-Configuration older-")
                .as_bytes(),
        );
    }
    text(lab, &node, &["systemctl", "reload", "apache2"]);
    wait_until(
        "Apache to forget the site",
        Deadline::after(READY_LIMIT),
        || Ok((!is_known()).then_some(())),
    )
    .unwrap();
    for (path, content) in files.iter().zip(&right) {
        put(path, content);
    }
    kill(lab, &node);
    wait_until(
        "Apache to know the site",
        Deadline::after(READY_LIMIT),
        || Ok(is_known().then_some(())),
    )
    .unwrap();
}

/// The status line with which a node's own Apache answers for the site.
fn answer_of_apache(lab: &Lab, node: &str) -> String {
    let ask = format!(
        "$head = ['method' => 'HEAD', 'header' => 'Host: {DOMAIN}', 'ignore_errors' => true];\
         @file_get_contents('http://127.0.0.1:8080/hwc-empty-site.html', false, \
         stream_context_create(['http' => $head])); echo $http_response_header[0] ?? '';"
    );
    text(lab, node, &["php", "-r", &ask])
}

fn restart(lab: &Lab, node: &str) {
    text(lab, node, &["systemctl", "restart", "hwcd"]);
}

/// Kills the daemon proper.
fn kill(lab: &Lab, node: &str) {
    let worker = "^/usr/bin/hwcd .* internal worker$";
    text(lab, node, &["pkill", "-KILL", "-f", worker]);
}

/// Begins to fetch the large file through a node, slowly.
fn download(lab: &Lab, node: &str) -> JoinHandle<Output> {
    let address = lab.address(node).unwrap();
    let (host, file) = (
        format!("host: {DOMAIN}"),
        format!("http://{address}/large.bin"),
    );
    let fetch = [
        "curl",
        "-s",
        "-f",
        "-o",
        "/dev/null",
        "--limit-rate",
        LARGE.1,
    ];
    let fetch = fetch.into_iter().chain(["-H", &host, &file]);
    let fetch = lab.client_command(fetch).unwrap().limit(LINGER_LIMIT * 3);
    std::thread::spawn(move || fetch.run().unwrap())
}

/// Visitors who ask without a pause, and strangers who come anew.
struct Load<'lab> {
    site: Site<'lab>,
    before: BTreeMap<String, usize>,
    visitors: Visitors,
    strangers: Strangers,
}

impl<'lab> Load<'lab> {
    fn begin(site: &Site<'lab>) -> Self {
        let lab = site.lab();
        site.wait_protected().unwrap();
        let before = rows(site);
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
        Self {
            site: *site,
            before,
            visitors: Visitors::start(&namespace(lab), &nodes, DOMAIN, &plans),
            strangers: Strangers::start(lab),
        }
    }

    /// Nobody was failed or refused, and every row was written once.
    fn finish(self, what: &str) {
        let (visits, refused) = (self.visitors.finish().unwrap(), self.strangers.finish());
        let failed: Vec<_> = visits.iter().filter_map(complaint).collect();
        eprintln!(
            "{what}: {} requests, {} failed, {} refused",
            visits.len(),
            failed.len(),
            refused.len()
        );
        let some: Vec<_> = failed.iter().take(10).collect();
        assert_eq!(some, Vec::<&String>::new(), "{}: {what}", failed.len());
        assert_eq!(refused, Vec::<String>::new());
        let posted = visits.iter().filter(|visit| visit.plan == "row").count();
        let new: usize = rows(&self.site)
            .iter()
            .map(|(row, times)| times - self.before.get(row).unwrap_or(&0))
            .sum();
        assert_eq!(new, posted, "every row once");
    }
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

fn administrator() -> Login {
    Login {
        login: "admin".to_owned(),
        password: "bench-password-1".to_owned(),
    }
}

fn prepare(lab: &Lab) -> Site<'_> {
    bench::begin(lab, Progress::quiet()).unwrap();
    cluster::hwc(lab, "n1", &["cluster", "balancing", "--off"], "").unwrap();
    let site = Site::create(lab, DOMAIN).unwrap();
    for (name, content) in [
        ("file.txt", "A file of some length. ".repeat(200).as_str()),
        ("row.php", ROW_PHP),
        ("rows.txt", ""),
        ("large.bin", ""),
    ] {
        site.put(name, content).unwrap();
    }
    let large = format!("of={}/large.bin", site.folder().unwrap());
    let write = [
        "dd",
        "if=/dev/urandom",
        &large,
        "bs=1M",
        LARGE.0,
        "status=none",
    ];
    text(lab, &site.live_node().unwrap(), &write);
    wait_until("the site to answer", Deadline::after(READY_LIMIT), || {
        let is_there = lab.nodes().iter().all(|node| answers(lab, node.address()));
        Ok(is_there.then_some(()))
    })
    .unwrap();
    site
}

/// Whether the site answers at a node's door.
fn answers(lab: &Lab, node: Ipv4Addr) -> bool {
    let host = format!("host: {DOMAIN}");
    let address = format!("http://{node}/file.txt");
    let ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"];
    let ask: Vec<_> = ask.into_iter().chain(["-H", &host, &address]).collect();
    lab.client(&ask).unwrap().text().trim() == "200"
}

/// A node through which visitors come, and where the site is not live.
fn entrance(site: &Site<'_>) -> String {
    let live = site.live_node().unwrap();
    let nodes = site.lab().nodes();
    let other = nodes.iter().find(|node| node.name() != live).unwrap();
    other.name().to_owned()
}

/// The rows that were written, and how often each.
fn rows(site: &Site<'_>) -> BTreeMap<String, usize> {
    let path = format!("{}/rows.txt", site.folder().unwrap());
    let lines = text(site.lab(), &site.live_node().unwrap(), &["cat", &path]);
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

/// Waits until only the newest daemon of a node is left.
fn wait_gone(lab: &Lab, node: &str, limit: Duration) {
    let asked = Deadline::after(limit);
    wait_until("the old daemons to end", asked, || {
        Ok(lingerers(lab, node).is_empty().then_some(()))
    })
    .unwrap();
    let late = asked.elapsed().as_secs_f64();
    eprintln!("{node}: the old daemons ended {late:.1} s after the last visitor");
}
