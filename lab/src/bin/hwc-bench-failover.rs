//! Twenty kills of the live node of a WordPress site under load through another node: how many
//! requests fail, how long until answers flow again, and how far back acknowledged writes are lost.
//! Then ten silent deaths: the cable is cut first, as when a machine loses its power, so that no
//! kernel refuses what is sent to it.
//!
//! Prints a table and writes `target/bench/failover.json`. Real nodes, real WordPress; the load is
//! two WordPress pages, twenty small PHP pages and twenty files a second, and a row every 100 ms.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use hwc_lab::bench::{self, Site, Spread, say};
use hwc_lab::load::{Answer, Load, Stream, Target, get};
use hwc_lab::{Lab, LabOptions, interrupt};
use serde::Serialize;

const DOMAIN: &str = "bench.example";
/// Load before each kill: long enough for everything to be warm and copied.
const BEFORE: Duration = Duration::from_secs(4);
/// Load after each kill: longer than the front door's longest wait.
const AFTER: Duration = Duration::from_secs(14);
const START_LIMIT: Duration = Duration::from_secs(120);

/// Kill the live node of a WordPress site under load, again and again.
#[derive(Parser)]
#[command(name = "hwc-bench-failover")]
struct Arguments {
    /// How often.
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// How often with its cable cut.
    #[arg(long, default_value_t = 10)]
    silent: usize,
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
    #[serde(flatten)]
    killed: Deaths,
    /// Those whose cable was cut.
    silent: Option<Deaths>,
}

#[derive(Serialize)]
struct Deaths {
    kills: usize,
    requests: usize,
    failed_requests: usize,
    first_answer_s: Spread<f64>,
    lost_write_age_s: Spread<f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    interrupt::watch()?;
    let options = LabOptions::new(arguments.id.parse()?, 3);
    let progress = options.progress;
    let lab = Lab::up(options)?;
    bench::begin(&lab, progress)?;
    let site = prepare_site(&lab)?;
    progress.say("WordPress is installed");
    let killed = kills(&lab, &site, arguments.kills, Death::Loud)?;
    let silent = kills(&lab, &site, arguments.silent, Death::Silent)?;
    let figures = Figures {
        killed: deaths(&killed)?,
        silent: (!silent.is_empty()).then(|| deaths(&silent)).transpose()?,
    };
    tell(&figures);
    bench::write(&figures, &arguments.output)?;
    let silent = figures.silent.iter();
    let failed: usize = silent
        .chain([&figures.killed])
        .map(|d| d.failed_requests)
        .sum();
    ensure!(failed == 0, "{failed} requests failed");
    Ok(())
}

/// How a node dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// All its processes at once: what is sent to it is refused.
    Loud,
    /// The same with its cable cut: nothing comes back.
    Silent,
}

fn kills(lab: &Lab, site: &Site<'_>, count: usize, death: Death) -> Result<Vec<Kill>> {
    let mut kills = Vec::new();
    for number in 1..=count {
        let kill = kill_once(lab, site, number, death)?;
        let first = kill
            .first_answer
            .map(|t| format!("{:.2} s", t.as_secs_f64()));
        say(&format!(
            "{death:?} death {number}: {} died, asked through {}: first answer {}, {} failed, {} rows lost",
            kill.live,
            kill.through,
            first.unwrap_or_else(|| "never".to_owned()),
            kill.failed.len(),
            kill.lost_rows,
        ));
        for failure in kill.failed.iter().take(5) {
            say(&format!("  failed: {failure}"));
        }
        kills.push(kill);
    }
    Ok(kills)
}

fn prepare_site(lab: &Lab) -> Result<Site<'_>> {
    let site = Site::create(lab, DOMAIN)?;
    site.install_wordpress()?;
    site.put("hello.php", "<?php echo 'hello ', PHP_VERSION;")?;
    site.put("file.txt", &"A file of some length. ".repeat(200))?;
    site.put("write.php", WRITE_PHP)?;
    site.put("rows.php", ROWS_PHP)?;
    Ok(site)
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

fn kill_once(lab: &Lab, site: &Site<'_>, number: usize, death: Death) -> Result<Kill> {
    site.wait_protected()?;
    let live = site.live_node()?;
    let nodes = lab.nodes();
    let through = nodes
        .iter()
        .find(|node| node.name() != live)
        .context("another node")?;
    let namespace = Path::new("/run/netns").join(lab.id().namespace("client"));
    let target = Target {
        namespace,
        node: through.address(),
        host: DOMAIN.to_owned(),
    };
    let run = format!("{death:?}-{number}-{live}");
    let load = Load::start(&target, &streams(&run));
    std::thread::sleep(BEFORE);
    let killed_at = load.elapsed();
    if death == Death::Silent {
        lab.isolate(&live)?;
    }
    lab.kill(&live)?;
    std::thread::sleep(AFTER);
    let answers = load.finish();
    let present = rows(&target, &run)?;
    if death == Death::Silent {
        lab.rejoin(&live)?;
    }
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

fn deaths(kills: &[Kill]) -> Result<Deaths> {
    let never = AFTER.as_secs_f64();
    let first: Vec<_> = kills
        .iter()
        .map(|kill| kill.first_answer.map_or(never, |t| t.as_secs_f64()))
        .collect();
    let ages: Vec<_> = kills
        .iter()
        .map(|kill| kill.lost_write_age.as_secs_f64())
        .collect();
    Ok(Deaths {
        kills: kills.len(),
        requests: kills.iter().map(|kill| kill.requests).sum(),
        failed_requests: kills.iter().map(|kill| kill.failed.len()).sum(),
        first_answer_s: Spread::of(first).context("no kills")?,
        lost_write_age_s: Spread::of(ages).context("no kills")?,
    })
}

fn tell(figures: &Figures) {
    say(
        "\ndeaths        requests  failed  first answer median / max  lost writes reach back median / max",
    );
    let killed = (Death::Loud, &figures.killed);
    let silent = figures.silent.iter().map(|silent| (Death::Silent, silent));
    for (death, figures) in [killed].into_iter().chain(silent) {
        let death = format!("{death:?}");
        say(&format!(
            "{:>4} {death:<6}   {:>8}  {:>6}  {:>10.2} s / {:>5.2} s       {:>12.2} s / {:>5.2} s",
            figures.kills,
            figures.requests,
            figures.failed_requests,
            figures.first_answer_s.median,
            figures.first_answer_s.max,
            figures.lost_write_age_s.median,
            figures.lost_write_age_s.max,
        ));
    }
}
