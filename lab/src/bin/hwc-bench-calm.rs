//! An hour of an unquiet network: one packet in a hundred is lost, and every half minute a node
//! stands still for five seconds. Whatever goes live anew although its node ran is a false failover.
//!
//! A node that stands still for five seconds is to be replaced; it must not take others along when
//! it wakes. Prints a table and writes `target/bench/calm.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hwc_lab::bench::{self, Site, say};
use hwc_lab::deadline::Deadline;
use hwc_lab::{Lab, LabOptions, Progress, cluster, interrupt};
use serde::Serialize;
use serde_json::Value;

const DOMAINS: [&str; 6] = [
    "one.example",
    "two.example",
    "three.example",
    "four.example",
    "five.example",
    "six.example",
];
/// Between the beginnings of two freezes.
const ROUND: Duration = Duration::from_secs(30);
/// How long a node stands still.
const FREEZE: Duration = Duration::from_secs(5);
/// When a node has woken, what was begun because it stood still is done after this.
const AFTERMATH: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(1);

/// Count what goes live anew although its node ran.
#[derive(Parser)]
#[command(name = "hwc-bench-calm")]
struct Arguments {
    /// For how long.
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// Packets lost, in percent.
    #[arg(long, default_value_t = 1.0)]
    loss: f64,
    /// The lab's name.
    #[arg(long, default_value = "bench-calm")]
    id: String,
    /// Where the figures go.
    #[arg(long, default_value = "target/bench/calm.json")]
    output: PathBuf,
}

#[derive(Debug, Default, Serialize)]
struct Figures {
    minutes: u32,
    loss_percent: f64,
    freezes: usize,
    freeze_s: u64,
    /// Of datasets whose node stood still.
    failovers: usize,
    /// Of datasets whose node ran.
    false_failovers: usize,
    looks: usize,
}

/// Under which epoch a dataset is live, and where.
type Lives = BTreeMap<u64, (u64, u64)>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    interrupt::watch()?;
    let options = LabOptions::new(arguments.id.parse()?, 3);
    let progress = options.progress;
    let lab = Lab::up(options)?;
    bench::begin(&lab, progress)?;
    cluster::hwc(&lab, "n1", &["cluster", "balancing", "--off"], "")?;
    let sites = DOMAINS.iter().map(|domain| Site::create(&lab, domain));
    let sites = sites.collect::<Result<Vec<_>, _>>()?;
    let first = sites.first().context("a site")?;
    first.install_wordpress()?;
    first.wait_protected()?;
    // Not all of them on one node.
    for (domain, node) in DOMAINS.iter().zip(["n1", "n2", "n3"].iter().cycle()) {
        let site = sites.iter().find(|site| site.domain() == *domain);
        if site.is_some_and(|site| site.live_node().is_ok_and(|live| live != *node)) {
            cluster::hwc(&lab, "n1", &["site", "move", domain, node, "--wait"], "")?;
        }
    }
    let nodes: Vec<_> = lab.nodes().iter().map(|n| n.name().to_owned()).collect();
    lab.loss(arguments.loss, &nodes)?;
    progress.say("the sites are spread; the unquiet hour begins");
    let mut calm = Calm {
        lab: &lab,
        nodes: node_ids(&lab)?,
        known: Lives::new(),
        stood_still: BTreeMap::new(),
        figures: Figures {
            minutes: arguments.minutes,
            loss_percent: arguments.loss,
            freeze_s: FREEZE.as_secs(),
            ..Figures::default()
        },
    };
    let end = Deadline::after(Duration::from_secs(60) * arguments.minutes);
    for name in nodes.iter().cycle() {
        if end.has_passed() {
            break;
        }
        calm.round(name, progress)?;
    }
    lab.heal()?;
    // Nothing is found where nothing was seen.
    ensure!(
        calm.known.len() > DOMAINS.len(),
        "only {} of the sites' datasets were seen live",
        calm.known.len()
    );
    let figures = calm.figures;
    say(&format!(
        "\nminutes  loss  freezes  failovers of frozen nodes  false failovers\n{:>7}  {:>3}%  {:>7}  {:>25}  {:>15}",
        figures.minutes,
        figures.loss_percent,
        figures.freezes,
        figures.failovers,
        figures.false_failovers,
    ));
    Ok(bench::write(&figures, &arguments.output)?)
}

struct Calm<'lab> {
    lab: &'lab Lab,
    nodes: BTreeMap<u64, String>,
    known: Lives,
    /// Until when what happens to a node's datasets may be because it stood still.
    stood_still: BTreeMap<String, Deadline>,
    figures: Figures,
}

impl Calm<'_> {
    /// A node stands still for a while, and has woken for a longer while.
    fn round(&mut self, name: &str, progress: Progress) -> Result<()> {
        let round = Deadline::after(ROUND);
        self.lab.freeze(name)?;
        self.figures.freezes += 1;
        self.stood_still
            .insert(name.to_owned(), Deadline::after(FREEZE + AFTERMATH));
        while round.elapsed() < FREEZE {
            self.look(Some(name), progress)?;
            sleep(LOOK);
        }
        self.lab.thaw(name)?;
        while !round.has_passed() {
            self.look(None, progress)?;
            sleep(LOOK);
        }
        Ok(())
    }

    /// Looks what is live where, through a node that runs; what nobody can tell now is told later.
    fn look(&mut self, frozen: Option<&str>, progress: Progress) -> Result<()> {
        let is_running = |name: &&String| Some(name.as_str()) != frozen;
        let node = self.nodes.values().find(is_running).context("a node")?;
        self.figures.looks += 1;
        for domain in DOMAINS {
            let Ok(explained) = cluster::hwc(self.lab, node, &["explain", domain], "") else {
                continue;
            };
            for (dataset, now) in lives(&explained) {
                let before = self.known.insert(dataset, now);
                let Some(before) = before.filter(|before| before.0 < now.0) else {
                    continue;
                };
                let name = self.nodes.get(&before.1);
                let excused = name.and_then(|name| self.stood_still.get(name));
                if excused.is_some_and(|until| !until.has_passed()) {
                    self.figures.failovers += 1;
                } else {
                    self.figures.false_failovers += 1;
                    progress.say(format!(
                        "dataset {dataset} of {domain}: epoch {} at {name:?} became {} at {:?}",
                        before.0,
                        now.0,
                        self.nodes.get(&now.1)
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What an explanation tells as live, dataset by dataset.
fn lives(explained: &Value) -> Lives {
    let datasets = explained["datasets"].as_array().cloned();
    let live = |dataset: &Value| {
        let is_live = dataset["state"] == "live";
        let (epoch, by) = (
            dataset["epoch"]["counter"].as_u64()?,
            dataset["by"].as_u64()?,
        );
        is_live.then_some((dataset["dataset"].as_u64()?, (epoch, by)))
    };
    datasets.iter().flatten().filter_map(live).collect()
}

fn node_ids(lab: &Lab) -> Result<BTreeMap<u64, String>> {
    let nodes = cluster::hwc(lab, "n1", &["node", "list"], "")?;
    let node = |view: &Value| Some((view["id"].as_u64()?, view["name"].as_str()?.to_owned()));
    let nodes: BTreeMap<_, _> = nodes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(node)
        .collect();
    ensure!(
        nodes.len() == lab.nodes().len(),
        "not every node has a number"
    );
    Ok(nodes)
}
