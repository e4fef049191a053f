//! Runs thousands of simulated clusters, each from a seed, and tells what it saw.
//!
//! A failing seed is told with the command that replays it. With `--bugs` every rule of the protocol
//! that can be switched off is, one after the other, until a seed turns red. The last lines are a
//! table; the same goes to `target/bench/simulation.json`. `hwc-simulate scale` runs one large
//! cluster instead.

#![expect(clippy::print_stdout, reason = "what it tells is its result")]

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use hwc_group::profile::Profile;
use hwc_simulator::bugs::{self, SeededBug};
use hwc_simulator::campaign::{self, Campaign};
use hwc_simulator::report::{Report, write_json};
use hwc_simulator::scale::{self, ScaleSetup};
use hwc_simulator::{Course, Verbosity, run_seed};
use hwc_state_machine::StateMachine;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Runs simulated clusters.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// How many simulated minutes each.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// So many nodes in each, instead of 2 to 9.
    #[arg(long)]
    nodes: Option<u16>,
    /// Break this rule.
    #[arg(long)]
    bug: Option<String>,
    /// Run this one seed and print its log.
    #[arg(long)]
    replay: Option<u64>,
    /// How much of it is logged.
    #[arg(long, value_enum, default_value_t = Log::Story)]
    log: Log,
    /// Afterwards break each rule in turn, and look how soon it is noticed.
    #[arg(long)]
    bugs: bool,
    /// Where the result goes.
    #[arg(long, default_value = "target/bench/simulation.json")]
    output: PathBuf,
}

#[derive(Subcommand)]
enum Instead {
    /// Runs one large cluster; says how fast it agrees, and what that takes.
    Scale(ScaleOptions),
}

#[derive(Args)]
struct ScaleOptions {
    /// How many nodes.
    #[arg(long, default_value_t = 1_000)]
    nodes: u16,
    /// How many datasets, each with three copies.
    #[arg(long, default_value_t = 100_000)]
    datasets: u32,
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Prints all figures as JSON, and nothing else.
    #[arg(long)]
    json: bool,
    /// Where the result goes.
    #[arg(long, default_value = "target/bench/simulation.json")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Log {
    /// What an operator would tell.
    Story,
    /// Every event and action.
    Steps,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(Instead::Scale(options)) = &options.instead {
        return run_scale(options);
    }
    let bug = match &options.bug {
        Some(name) => Some(bugs::named(name).context("no such rule")?),
        None => None,
    };
    let mut course = Course::ordinary(bug.map_or(StateMachine::new, |bug| bug.brain));
    course.length = Duration::from_secs(options.minutes * 60);
    course.nodes = options.nodes;
    if let Some(seed) = options.replay {
        return replay(seed, &options, course);
    }
    let campaign = Campaign {
        course,
        from: options.from,
        seeds: options.seeds,
    };
    let mut report = Report::default();
    let began = now();
    let found = campaign::run(&campaign, |done, outcome| {
        if let Some(failure) = &outcome.failure {
            println!("seed {}: {failure}", outcome.seed);
            println!("  {}", campaign::replay_command(outcome.seed, &course, bug));
        }
        if done.is_multiple_of(200) {
            println!("{done} seeds after {:.0?}", now() - began);
        }
    });
    report.take(&campaign, &found, now() - began);
    if options.bugs {
        for bug in bugs::ALL {
            report
                .bugs
                .insert(bug.name, seeds_until_caught(bug, &course));
        }
    }
    println!("{report}");
    write_json(&options.output, &report).context("write the result")?;
    ensure!(
        found.failures.is_empty(),
        "{} seeds failed",
        found.failures.len()
    );
    Ok(())
}

fn replay(seed: u64, options: &Options, mut course: Course) -> Result<()> {
    course.verbosity = match options.log {
        Log::Story => Verbosity::Story,
        Log::Steps => Verbosity::Steps,
    };
    let outcome = run_seed(seed, &course);
    for line in &outcome.log {
        println!("{line}");
    }
    println!("{:#?}", outcome.tally);
    match outcome.failure {
        Some(failure) => anyhow::bail!("seed {seed}: {failure}"),
        None => Ok(()),
    }
}

fn run_scale(options: &ScaleOptions) -> Result<()> {
    let setup = ScaleSetup {
        seed: options.seed,
        ..ScaleSetup::of(options.nodes, options.datasets, processor_time)
    };
    let figures = scale::run(setup, |news| {
        if !options.json {
            println!("{:.0?}: {news}", processor_time());
        }
    })?;
    let wan = ScaleSetup {
        profile: Profile::Wan,
        ..setup
    };
    let wan = scale::detection(wan).context("the same far apart")?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        println!(
            "{figures}far apart, all know a death    {:.1} s",
            wan.as_secs_f64()
        );
        println!("processor time               {:.0?}", processor_time());
    }
    let mut report = Report::default();
    report.large = Some(figures.summary());
    write_json(&options.output, &report).context("write the result")?;
    let mistakes = figures.false_deaths;
    ensure!(
        mistakes == 0,
        "{mistakes} times a living node was declared dead"
    );
    Ok(())
}

/// What this thread has had of processors: others may be at work on them.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// How many seeds it takes to notice a broken rule.
fn seeds_until_caught(bug: &SeededBug, course: &Course) -> Option<u64> {
    let campaign = Campaign {
        course: Course {
            brain: bug.brain,
            ..*course
        },
        from: 0,
        seeds: campaign::BUG_SEEDS_MAX,
    };
    let (seed, failure) = campaign::first_red(&campaign, StateMachine::new)?;
    println!("{} is noticed by seed {seed}: {failure}", bug.name);
    Some(seed + 1)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the machine took, not the simulated clusters"
)]
fn now() -> Instant {
    Instant::now()
}
