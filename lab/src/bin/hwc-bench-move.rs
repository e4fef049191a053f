//! A hundred moves of a WordPress site with a gigabyte of files and its database, back and forth
//! under two hundred requests a second: how many requests fail, whether a POST is lost or doubled,
//! how long visitors are paused.
//!
//! Prints a table and writes `target/bench/move.json`. Real nodes, real WordPress, visitors as
//! browsers are: keep-alive over HTTP/1.1 and HTTP/2, in TLS, through every node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use hwc_lab::bench::{self, Site, Spread, say};
use hwc_lab::cluster;
use hwc_lab::deadline::{Deadline, wait_until};
use hwc_lab::visitors::{Plan, Version, Visit, Visitors};
use hwc_lab::{Lab, LabOptions, interrupt};
use serde::Serialize;

const DOMAIN: &str = "bench.example";
/// Load before the first move: long enough for everything to be warm.
const WARM_UP: Duration = Duration::from_secs(5);
/// Load between two moves.
const BETWEEN: Duration = Duration::from_millis(700);
/// Until the site is live, before it is moved on.
const LIVE_LIMIT: Duration = Duration::from_secs(120);

/// Move a WordPress site back and forth under load.
#[derive(Parser)]
#[command(name = "hwc-bench-move")]
struct Arguments {
    /// How often.
    #[arg(long, default_value_t = 100)]
    moves: usize,
    /// Megabytes of files in the site, besides WordPress.
    #[arg(long, default_value_t = 1_000)]
    megabytes: u32,
    /// The lab's name.
    #[arg(long, default_value = "bench-move")]
    id: String,
    /// Where the figures go.
    #[arg(long, default_value = "target/bench/move.json")]
    output: PathBuf,
}

#[derive(Serialize)]
struct Figures {
    moves: usize,
    requests: usize,
    failed: usize,
    lost_posts: usize,
    duplicated_posts: usize,
    db_connect_errors: usize,
    /// How long a gate was closed, by the receipts: the site's files or its database, whichever was
    /// closed longer.
    pause_ms: Spread<u64>,
    /// The longest that a visitor of a file or of a small PHP page waited while a site moved.
    visitor_wait_ms: Spread<u64>,
    /// WordPress's own pages included.
    longest_answer_ms: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    interrupt::watch()?;
    let options = LabOptions::new(arguments.id.parse()?, 3);
    let progress = options.progress;
    let lab = Lab::up(options)?;
    bench::begin(&lab, progress)?;
    cluster::hwc(&lab, "n1", &["cluster", "balancing", "--off"], "")?;
    let site = prepare_site(&lab, arguments.megabytes)?;
    progress.say("WordPress is installed and copied");

    let nodes: Vec<_> = lab.nodes().iter().map(|node| node.address()).collect();
    let namespace = Path::new("/run/netns").join(lab.id().namespace("client"));
    let visitors = Visitors::start(&namespace, &nodes, DOMAIN, &plans());
    std::thread::sleep(WARM_UP);
    let (mut failed_moves, mut moves) = (0, Vec::new());
    for number in 1..=arguments.moves {
        let to = elsewhere(&site)?;
        let began = visitors.elapsed();
        let words = ["site", "move", DOMAIN, &to, "--wait"];
        if let Err(error) = cluster::hwc(&lab, "n3", &words, "") {
            failed_moves += 1;
            progress.say(format!("move {number} to {to}: {error}"));
        }
        moves.push((began, visitors.elapsed()));
        if number % 10 == 0 {
            progress.say(format!("{number} moves, {} requests", visitors.count()));
        }
        std::thread::sleep(BETWEEN);
    }
    let visits = visitors.finish().map_err(|error| anyhow!(error))?;
    let rows = rows(&namespace, &nodes)?;
    let figures = report(&lab, &visits, &rows, &moves, &arguments.output)?;
    ensure!(failed_moves == 0, "{failed_moves} moves came to nothing");
    let harm = figures.failed + figures.lost_posts + figures.duplicated_posts;
    ensure!(harm == 0, "visitors noticed: see the table");
    Ok(())
}

/// Two hundred requests a second, as the issue wants them.
fn plans() -> Vec<Plan> {
    let plan = |name, path: &str, per_second, version| Plan {
        name,
        path: path.to_owned(),
        body: None,
        per_second,
        version,
    };
    let post = |name, run: &str, per_second, version| Plan {
        name,
        path: "/row.php".to_owned(),
        body: Some(format!("run={run}&n={{n}}")),
        per_second,
        version,
    };
    vec![
        plan("front page", "/", 1, Version::Two),
        plan("search", "/?s=hello", 1, Version::One),
        plan("read row", "/row.php?run=two&n={n}", 39, Version::One),
        plan("file", "/file.txt", 50, Version::One),
        plan("file h2", "/file.txt", 49, Version::Two),
        post("write row", "one", 30, Version::One),
        post("write row h2", "two", 30, Version::Two),
    ]
}

const ROW_PHP: &str = r#"<?php
define('SHORTINIT', true);
require __DIR__ . '/wp-config.php';
mysqli_report(MYSQLI_REPORT_OFF);
$db = @mysqli_connect('localhost', DB_USER, DB_PASSWORD, DB_NAME);
if (!$db) { http_response_code(500); die('database connection: ' . mysqli_connect_error()); }
$run = $_REQUEST['run']; $n = (int) ($_REQUEST['n'] ?? 0);
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $insert = $db->prepare('insert into bench_row (run, n) values (?, ?)');
    if (!$insert || !$insert->bind_param('si', $run, $n) || !$insert->execute()) { http_response_code(500); die('not written: ' . $db->error); }
    die('written');
}
if (isset($_GET['all'])) {
    $rows = $db->query('select run, n, count(*) from bench_row group by run, n');
    if (!$rows) { http_response_code(500); die($db->error); }
    while ($row = $rows->fetch_row()) { echo implode(' ', $row), "\n"; }
    die();
}
$read = $db->prepare('select count(*) from bench_row where run = ? and n = ?');
if (!$read || !$read->bind_param('si', $run, $n) || !$read->execute()) { http_response_code(500); die('not read: ' . $db->error); }
echo $read->get_result()->fetch_row()[0];
"#;

const TABLE_PHP: &str = r#"<?php
define('SHORTINIT', true);
require __DIR__ . '/wp-config.php';
$db = mysqli_connect('localhost', DB_USER, DB_PASSWORD, DB_NAME);
$db->query('create table if not exists bench_row (id bigint auto_increment primary key, run varchar(40), n int, key (run, n))');
echo 'made';
"#;

fn prepare_site(lab: &Lab, megabytes: u32) -> Result<Site<'_>> {
    let site = Site::create(lab, DOMAIN)?;
    site.install_wordpress()?;
    site.put("file.txt", &"A file of some length. ".repeat(200))?;
    site.put("row.php", ROW_PHP)?;
    site.put("table.php", TABLE_PHP)?;
    let node = lab.node(&site.live_node()?)?;
    let folder = site.folder()?;
    let media = format!("{folder}/wp-content/uploads/bench");
    node.exec_command(["mkdir", "-p", &media])?.check()?;
    for number in 0..megabytes.div_ceil(10) {
        let (from, to) = ("if=/dev/urandom", format!("of={media}/{number}.bin"));
        let words = ["dd", from, &to, "bs=1M", "count=10", "status=none"];
        node.exec_command(words)?.check()?;
    }
    let owner = format!("--reference={folder}");
    let own = ["chown", "-R", &owner, &media];
    node.exec_command(own)?.check()?;
    site.wait_protected()?;
    let nodes: Vec<_> = lab.nodes().iter().map(|node| node.address()).collect();
    let namespace = Path::new("/run/netns").join(lab.id().namespace("client"));
    let made = ask(&namespace, &nodes, "/table.php")?;
    ensure!(made == "made", "the table was not made: {made}");
    Ok(site)
}

/// Asks once, as a visitor.
fn ask(namespace: &Path, nodes: &[std::net::Ipv4Addr], path: &str) -> Result<String> {
    let plan = Plan {
        name: "once",
        path: path.to_owned(),
        body: None,
        per_second: 1,
        version: Version::One,
    };
    let visitors = Visitors::start(namespace, nodes, DOMAIN, &[plan]);
    let deadline = Deadline::after(Duration::from_secs(60));
    wait_until("an answer", deadline, || {
        Ok((visitors.count() > 0).then_some(()))
    })?;
    let visits = visitors.finish().map_err(|error| anyhow!(error))?;
    let first = visits.into_iter().next().context("no answer")?;
    let (status, body) = first.result.map_err(|error| anyhow!(error))?;
    let body = String::from_utf8_lossy(&body).into_owned();
    ensure!(status == 200, "{path} answered {status}: {body}");
    Ok(body)
}

/// How often each row is there.
fn rows(namespace: &Path, nodes: &[std::net::Ipv4Addr]) -> Result<BTreeMap<(String, u64), usize>> {
    let text = ask(namespace, nodes, "/row.php?run=all&all=1")?;
    let row = |line: &str| {
        let mut words = line.split(' ');
        let run = words.next()?.to_owned();
        let n = words.next()?.parse().ok()?;
        Some(((run, n), words.next()?.parse().ok()?))
    };
    Ok(text.lines().filter_map(row).collect())
}

/// Where the site is not, once it is live.
fn elsewhere(site: &Site<'_>) -> Result<String> {
    let deadline = Deadline::after(LIVE_LIMIT);
    let live = wait_until("the site to be live", deadline, || {
        Ok(site.live_node().ok())
    })?;
    Ok(if live == "n1" { "n2" } else { "n1" }.to_owned())
}

fn report(
    lab: &Lab,
    visits: &[Visit],
    rows: &BTreeMap<(String, u64), usize>,
    moves: &[(Duration, Duration)],
    output: &Path,
) -> Result<Figures> {
    let is_fine = |visit: &&Visit| matches!(visit.result, Ok((200, _)));
    let failed: Vec<_> = visits.iter().filter(|visit| !is_fine(visit)).collect();
    for visit in failed.iter().take(20) {
        let what = match &visit.result {
            Ok((status, body)) => {
                let body = String::from_utf8_lossy(body);
                format!("{status} {}", body.chars().take(120).collect::<String>())
            }
            Err(error) => error.clone(),
        };
        let (began, took) = (visit.began, visit.ended.saturating_sub(visit.began));
        say(&format!(
            "failed: {} {} at {:.2} s after {:.2} s: {what}",
            visit.plan,
            visit.number,
            began.as_secs_f64(),
            took.as_secs_f64()
        ));
    }
    let no_database = |visit: &&&Visit| {
        let Ok((_, body)) = &visit.result else {
            return false;
        };
        let body = String::from_utf8_lossy(body);
        body.contains("database connection")
    };
    let run_of = |plan: &str| match plan {
        "write row" => Some("one"),
        "write row h2" => Some("two"),
        _ => None,
    };
    let lost = visits.iter().filter(is_fine).filter(|visit| {
        let run = run_of(visit.plan);
        run.is_some_and(|run| !rows.contains_key(&(run.to_owned(), visit.number)))
    });
    let figures = Figures {
        moves: moves.len(),
        requests: visits.len(),
        failed: failed.len(),
        lost_posts: lost.count(),
        duplicated_posts: rows.values().filter(|count| **count > 1).count(),
        db_connect_errors: failed.iter().filter(no_database).count(),
        pause_ms: pauses(lab)?,
        visitor_wait_ms: waits(visits, moves)?,
        longest_answer_ms: longest_ms(visits.iter()),
    };
    say(&format!(
        "\nmoves  requests  failed  lost POSTs  doubled POSTs  database errors  \
         gate closed median / max  visitor waits median / max  longest answer\n\
         {:>5}  {:>8}  {:>6}  {:>10}  {:>13}  {:>15}  {:>13} / {:>5} ms  {:>15} / {:>5} ms  {:>11} ms",
        figures.moves,
        figures.requests,
        figures.failed,
        figures.lost_posts,
        figures.duplicated_posts,
        figures.db_connect_errors,
        figures.pause_ms.median,
        figures.pause_ms.max,
        figures.visitor_wait_ms.median,
        figures.visitor_wait_ms.max,
        figures.longest_answer_ms,
    ));
    bench::write(&figures, output)?;
    Ok(figures)
}

/// How long each move kept visitors waiting, by their own watches.
fn waits(visits: &[Visit], moves: &[(Duration, Duration)]) -> Result<Spread<u64>> {
    let is_wordpress = |visit: &&Visit| matches!(visit.plan, "front page" | "search");
    let small: Vec<_> = visits.iter().filter(|visit| !is_wordpress(visit)).collect();
    let longest = |(from, until): &(Duration, Duration)| {
        let during = small
            .iter()
            .filter(|visit| visit.began <= *until && *from <= visit.ended);
        longest_ms(during.copied())
    };
    Spread::of(moves.iter().map(longest).collect()).context("no moves")
}

fn longest_ms<'a>(visits: impl Iterator<Item = &'a Visit>) -> u64 {
    let longest = visits.map(|visit| visit.ended.saturating_sub(visit.began));
    let longest = longest.max().unwrap_or_default();
    u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)
}

/// How long the gates were closed, by the receipts. Those of a site's files and of its database
/// bear the moment when their common move was decided.
fn pauses(lab: &Lab) -> Result<Spread<u64>> {
    let receipts = cluster::hwc(lab, "n3", &["moves", DOMAIN, "--limit", "2000"], "")?;
    let receipts = receipts["ended"].as_array().cloned().unwrap_or_default();
    let mut moves: BTreeMap<u64, u64> = BTreeMap::new();
    for receipt in receipts.iter().map(|receipt| &receipt["move"]) {
        if !receipt["problem"].is_null() {
            continue;
        }
        let closed = |protocol: &str| receipt[protocol]["closed_ms"].as_u64().unwrap_or_default();
        let began = receipt["started_at"].as_u64().context("no beginning")?;
        let longest = moves.entry(began).or_default();
        *longest = (*longest).max(closed("http")).max(closed("mysql"));
    }
    Spread::of(moves.into_values().collect()).context("no receipts")
}
