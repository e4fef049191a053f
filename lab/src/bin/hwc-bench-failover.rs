//! Ten kills of the live node of a WordPress site under load through another node: how many
//! requests fail, how long until answers flow again, and how far back acknowledged writes are lost.
//!
//! Prints a table and writes `target/bench/failover.json`. Real nodes, real WordPress; the load is
//! two WordPress pages, twenty small PHP pages and twenty files a second, and a row every 100 ms.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use hwc_lab::cluster::{self, Login};
use hwc_lab::deadline::{Deadline, wait_until};
use hwc_lab::load::{Answer, Load, Stream, Target, get};
use hwc_lab::{Lab, LabOptions, interrupt};
use serde::Serialize;
use serde_json::Value;

const DOMAIN: &str = "bench.example";
/// Load before each kill: long enough for everything to be warm and copied.
const BEFORE: Duration = Duration::from_secs(4);
/// Load after each kill: longer than the front door's longest wait.
const AFTER: Duration = Duration::from_secs(14);
/// Until a node that came back has caught up.
const RECOVER_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(120);

/// Kill the live node of a WordPress site under load, again and again.
#[derive(Parser)]
#[command(name = "hwc-bench-failover")]
struct Arguments {
    /// How often.
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// The lab's name.
    #[arg(long, default_value = "bench-failover")]
    id: String,
    /// Where the figures go.
    #[arg(long, default_value = "target/bench/failover.json")]
    output: PathBuf,
}

/// What one kill showed.
struct Kill {
    live: String,
    through: String,
    requests: usize,
    failed: Vec<String>,
    first_answer: Option<Duration>,
    lost_rows: usize,
    lost_write_age: Duration,
}

#[derive(Serialize)]
struct Figures {
    kills: usize,
    requests: usize,
    failed_requests: usize,
    first_answer_s: Spread,
    lost_write_age_s: Spread,
}

#[derive(Serialize)]
struct Spread {
    median: f64,
    max: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    interrupt::watch()?;
    let options = LabOptions::new(arguments.id.parse()?, 3);
    let progress = options.progress;
    let lab = Lab::up(options)?;
    let admin = Login {
        login: "admin".to_owned(),
        password: "bench-password-1".to_owned(),
    };
    cluster::begin(&lab, &admin, progress)?;
    prepare_site(&lab)?;
    progress.say("WordPress is installed");
    let mut kills = Vec::new();
    for number in 1..=arguments.kills {
        let kill = kill_once(&lab, number)?;
        progress.say(format!(
            "kill {number}: {} died, asked through {}: first answer {}, {} failed, {} rows lost",
            kill.live,
            kill.through,
            kill.first_answer.map_or_else(
                || "never".to_owned(),
                |t| format!("{:.2} s", t.as_secs_f64())
            ),
            kill.failed.len(),
            kill.lost_rows,
        ));
        for failure in kill.failed.iter().take(5) {
            progress.say(format!("  failed: {failure}"));
        }
        kills.push(kill);
    }
    report(&kills, &arguments.output)
}

fn prepare_site(lab: &Lab) -> Result<()> {
    let customer = Login {
        login: "bench".to_owned(),
        password: "bench-password-2".to_owned(),
    };
    cluster::create_customer(lab, "n1", &customer, "Bench")?;
    cluster::hwc(
        lab,
        "n1",
        &["site", "create", DOMAIN, "--account", "bench"],
        "",
    )?;
    wait_protected(lab)?;
    let install = [
        "app",
        "install",
        DOMAIN,
        "wordpress",
        "--title",
        "Bench",
        "--admin-email",
        "bench@customer.example",
    ];
    cluster::hwc(lab, "n1", &install, "bench-password-3")?;
    let site = site(lab)?;
    let folder = format!("/srv/hwc/live/{}/public_html", site["files"]["id"]);
    let live = live_node(&site)?;
    let put = |name: &str, content: &str| -> Result<()> {
        let path = format!("{folder}/{name}");
        let node = lab.node(&live)?;
        node.exec_command(["tee", &path])?
            .stdin_bytes(content)
            .check()?;
        let owner = format!("--reference={folder}/index.php");
        node.exec_command(["chown", &owner, &path])?.check()?;
        Ok(())
    };
    put("hello.php", "<?php echo 'hello ', PHP_VERSION;")?;
    put("file.txt", &"A file of some length. ".repeat(200))?;
    put("write.php", WRITE_PHP)?;
    put("rows.php", ROWS_PHP)?;
    wait_protected(lab)
}

const WRITE_PHP: &str = r#"<?php
require __DIR__ . '/wp-config.php';
global $wpdb;
$wpdb->query('create table if not exists bench_row (run varchar(40), n int, primary key (run, n))');
$done = $wpdb->insert('bench_row', ['run' => $_GET['run'], 'n' => (int) $_GET['n']]);
if ($done === false) { http_response_code(500); }
echo $done ? 'written' : 'not written';
"#;

const ROWS_PHP: &str = r#"<?php
require __DIR__ . '/wp-config.php';
global $wpdb;
foreach ($wpdb->get_col($wpdb->prepare('select n from bench_row where run = %s', $_GET['run'])) as $n) { echo $n, "\n"; }
"#;

fn kill_once(lab: &Lab, number: usize) -> Result<Kill> {
    wait_protected(lab)?;
    let site = site(lab)?;
    let live = live_node(&site)?;
    let nodes = lab.nodes();
    let through = nodes
        .iter()
        .find(|node| node.name() != live)
        .context("another node")?;
    let namespace = std::path::Path::new("/run/netns").join(lab.id().namespace("client"));
    let target = Target {
        namespace,
        node: through.address(),
        host: DOMAIN.to_owned(),
    };
    let run = format!("{number}-{live}");
    let load = Load::start(&target, &streams(&run));
    std::thread::sleep(BEFORE);
    let killed_at = load.elapsed();
    lab.kill(&live)?;
    std::thread::sleep(AFTER);
    let answers = load.finish();
    let present = rows(&target, &run)?;
    lab.start(&live, START_LIMIT)?;
    Ok(judge(
        &answers,
        &present,
        killed_at,
        live,
        through.name().to_owned(),
    ))
}

fn streams(run: &str) -> Vec<Stream> {
    let stream = |name, path: &str, per_second| Stream {
        name,
        path: path.to_owned(),
        per_second,
    };
    vec![
        stream("wordpress", "/", 2),
        stream("php", "/hello.php", 20),
        stream("file", "/file.txt", 20),
        stream("row", &format!("/write.php?run={run}&n={{n}}"), 10),
    ]
}

fn rows(target: &Target, run: &str) -> Result<Vec<u64>> {
    let target = target.clone();
    let path = format!("/rows.php?run={run}");
    // A thread of its own: it enters the client's network and stays there.
    let asked = std::thread::spawn(move || get(&target, &path))
        .join()
        .map_err(|_| anyhow!("asking for rows panicked"))?;
    let (status, body) = asked?;
    ensure!(status == 200, "asking for the rows gave {status}: {body}");
    Ok(body
        .lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect())
}

/// A row is lost when it was acknowledged before the kill and is absent afterwards. The age is that
/// of the oldest such row at the moment of the kill: how far back the loss reaches.
fn judge(
    answers: &[Answer],
    present: &[u64],
    killed_at: Duration,
    live: String,
    through: String,
) -> Kill {
    let failed = |answer: &&Answer| answer.result != Ok(200);
    let words = |answer: &Answer| {
        format!(
            "{} {} at {:.2} s: {:?}",
            answer.stream,
            answer.number,
            answer.began.as_secs_f64(),
            answer.result
        )
    };
    let after = answers
        .iter()
        .filter(|a| a.stream == "php" && a.began >= killed_at && a.result == Ok(200));
    let lost: Vec<_> = answers
        .iter()
        .filter(|a| {
            a.stream == "row"
                && a.result == Ok(200)
                && a.ended <= killed_at
                && !present.contains(&a.number)
        })
        .collect();
    Kill {
        live,
        through,
        requests: answers.len(),
        failed: answers.iter().filter(failed).map(words).collect(),
        first_answer: after.map(|a| a.ended.saturating_sub(killed_at)).min(),
        lost_rows: lost.len(),
        lost_write_age: lost
            .iter()
            .map(|a| killed_at.saturating_sub(a.ended))
            .max()
            .unwrap_or_default(),
    }
}

fn site(lab: &Lab) -> Result<Value> {
    let sites = lab
        .nodes()
        .iter()
        .find_map(|node| cluster::hwc(lab, node.name(), &["site", "list"], "").ok());
    let sites = sites.context("no node answers")?;
    let sites = sites.as_array().cloned().unwrap_or_default();
    sites
        .into_iter()
        .find(|site| site["domains"][0] == DOMAIN)
        .context("the site is gone")
}

fn live_node(site: &Value) -> Result<String> {
    let live = site["files"]["live_node"]["name"].as_str();
    live.map(str::to_owned).context("the site is live nowhere")
}

/// Waits until every dataset of the site is live and has an up-to-date copy in reach.
fn wait_protected(lab: &Lab) -> Result<()> {
    cluster::wait_until_whole(lab, lab.nodes().len())?;
    let is_protected = |dataset: &Value| {
        let copies = dataset["copies"].as_array().cloned().unwrap_or_default();
        dataset["state"] == "live"
            && !copies.is_empty()
            && copies.iter().all(|copy| copy["age_ms"] == 0)
    };
    Ok(wait_until(
        "the site to be protected",
        Deadline::after(RECOVER_LIMIT),
        || {
            let Ok(site) = site(lab) else { return Ok(None) };
            let databases = site["databases"].as_array().cloned().unwrap_or_default();
            let is_whole = is_protected(&site["files"])
                && databases.iter().all(|d| is_protected(&d["dataset"]));
            Ok(is_whole.then_some(()))
        },
    )?)
}

fn report(kills: &[Kill], output: &PathBuf) -> Result<()> {
    let never = AFTER.as_secs_f64();
    let first: Vec<_> = kills
        .iter()
        .map(|kill| kill.first_answer.map_or(never, |t| t.as_secs_f64()))
        .collect();
    let ages: Vec<_> = kills
        .iter()
        .map(|kill| kill.lost_write_age.as_secs_f64())
        .collect();
    let figures = Figures {
        kills: kills.len(),
        requests: kills.iter().map(|kill| kill.requests).sum(),
        failed_requests: kills.iter().map(|kill| kill.failed.len()).sum(),
        first_answer_s: spread(first),
        lost_write_age_s: spread(ages),
    };
    say(&format!(
        "\nkills  requests  failed  first answer median / max  lost writes reach back median / max\n\
         {:>5}  {:>8}  {:>6}  {:>10.2} s / {:>5.2} s       {:>12.2} s / {:>5.2} s",
        figures.kills,
        figures.requests,
        figures.failed_requests,
        figures.first_answer_s.median,
        figures.first_answer_s.max,
        figures.lost_write_age_s.median,
        figures.lost_write_age_s.max,
    ));
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(output, serde_json::to_string_pretty(&figures)? + "\n")
        .with_context(|| format!("write {}", output.display()))
}

fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let median = values.get(values.len() / 2).copied().unwrap_or_default();
    Spread {
        median,
        max: values.last().copied().unwrap_or_default(),
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its table")]
fn say(text: &str) {
    println!("{text}");
}
