//! Processor time per request of our front door, beside HAProxy, nginx and Apache's mod_proxy.
//!
//! One worker each, on a processor of its own; the web server behind them and the visitors share
//! the others. All run in turn, several rounds; the median of each counts. Prints a table and
//! writes a JSON file. Run it as `make bench-proxy`, which installs the other proxies first.

mod door;
mod load;
mod origin;
mod peers;
mod process;
mod report;

use anyhow::{Context, Result, bail};
use door::Behind;
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use load::{Load, Size};
use peers::Peer;
use process::Process;
use report::{Contender, Figures, Sample};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Visitors at one time.
const CONNECTIONS: usize = 64;
/// Before a measurement: connections opened, pools filled.
const WARM_UP: Duration = Duration::from_millis(700);
/// Until a proxy that was started listens.
const START_LIMIT: Duration = Duration::from_secs(10);

/// What is asked for on the command line.
struct Arguments {
    rounds: usize,
    seconds: f64,
    output: PathBuf,
    /// Names of contenders, with commas between them.
    only: Option<String>,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_role = words.first().is_some_and(|word| !word.starts_with("--"));
    // Threads take after the one that starts them: the visitors' place is settled before theirs.
    let places = if is_role { Places::ANY } else { places()? };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let tasks = Tasks::new();
    runtime.block_on(async {
        match words.as_slice() {
            ["origin"] => Ok(origin::run(&tasks).await?),
            ["door", folder, origin] => {
                let behind = Behind::WebServer(origin.parse()?);
                door::run(&tasks, Path::new(folder), behind, false).await
            }
            ["far-door", folder, origin] => {
                let behind = Behind::WebServer(origin.parse()?);
                door::run(&tasks, Path::new(folder), behind, true).await
            }
            ["near-door", folder, far] => {
                let behind = Behind::Node(far.parse()?);
                door::run(&tasks, Path::new(folder), behind, false).await
            }
            words => bench(&tasks, &places, &arguments(words)?).await,
        }
    })
}

fn arguments(words: &[&str]) -> Result<Arguments> {
    let mut arguments = Arguments {
        rounds: 5,
        seconds: 3.0,
        output: PathBuf::from("target/bench/proxy.json"),
        only: None,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words
            .next()
            .with_context(|| format!("{word} needs a value"))?;
        match *word {
            "--rounds" => arguments.rounds = value.parse()?,
            "--seconds" => arguments.seconds = value.parse()?,
            "--output" => arguments.output = PathBuf::from(value),
            "--only" => arguments.only = Some((*value).to_owned()),
            word => bail!("unknown: {word}; known: --rounds --seconds --output --only"),
        }
    }
    Ok(arguments)
}

async fn bench(tasks: &Tasks, places: &Places, arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    // Apache's worker is not root.
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    door::make_secrets(folder.path())?;
    let origin = Process::start_role(&["origin".to_owned()], places.others).await?;
    let origin_address = origin.address.context("the origin's address")?;
    let contenders: Vec<_> = Contender::ALL
        .into_iter()
        .filter(|contender| {
            let only = arguments.only.as_ref();
            only.is_none_or(|only| only.split(',').any(|name| name == contender.name()))
        })
        .collect();
    let mut figures = Figures::default();
    for round in 1..=arguments.rounds {
        for contender in &contenders {
            let running = start(*contender, folder.path(), origin_address, places).await?;
            for size in Size::ALL {
                let sample = measure(tasks, &running, size, arguments.seconds).await;
                let sample = sample.with_context(|| format!("measure {}", contender.name()))?;
                figures.add(*contender, size, sample);
            }
            for process in running.processes {
                process.end().await?;
            }
        }
        report::progress(round, arguments.rounds)?;
    }
    origin.end().await?;
    let mut versions = Vec::new();
    for peer in Peer::ALL {
        versions.push((peer.name(), process::version(&peer.program()).await?));
    }
    report::print(&figures, &versions)?;
    report::write(&figures, &arguments.output)
}

/// The processors: one for what is measured, one for everything else. On a machine with a single
/// one they share it.
struct Places {
    measured: Option<usize>,
    others: Option<usize>,
}

impl Places {
    const ANY: Self = Self {
        measured: None,
        others: None,
    };
}

/// Settles them; this thread and those that it starts from now on are among the others.
fn places() -> Result<Places> {
    let count = std::thread::available_parallelism()?.get();
    if count < 2 {
        return Ok(Places::ANY);
    }
    let mut set = nix::sched::CpuSet::new();
    set.set(1)?;
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?;
    Ok(Places {
        measured: Some(0),
        others: Some(1),
    })
}

/// A proxy at work.
struct Running {
    address: SocketAddr,
    processes: Vec<Process>,
}

async fn start(
    contender: Contender,
    folder: &Path,
    origin: SocketAddr,
    places: &Places,
) -> Result<Running> {
    let place = folder.to_str().context("a path in UTF-8")?.to_owned();
    let words =
        |role: &str, behind: SocketAddr| [role.to_owned(), place.clone(), behind.to_string()];
    let cpu = places.measured;
    let running = match contender {
        Contender::Ours => {
            let door = Process::start_role(&words("door", origin), cpu).await?;
            Running {
                address: door.address.context("an address")?,
                processes: vec![door],
            }
        }
        Contender::OursWithHop => {
            let far = Process::start_role(&words("far-door", origin), cpu).await?;
            let far_address = far.address.context("an address")?;
            let near = Process::start_role(&words("near-door", far_address), cpu).await?;
            Running {
                address: near.address.context("an address")?,
                processes: vec![near, far],
            }
        }
        Contender::Other(peer) => {
            let recipe = peer.prepare(folder, origin)?;
            let process = Process::start(&recipe.program, &recipe.arguments, cpu)?;
            Running {
                address: recipe.address,
                processes: vec![process],
            }
        }
    };
    until_listening(running.address)
        .await
        .with_context(|| format!("start {}", contender.name()))?;
    Ok(running)
}

async fn until_listening(address: SocketAddr) -> Result<()> {
    let connect = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(START_LIMIT, connect).await.is_err() {
        bail!("nothing listens on {address}");
    }
    Ok(())
}

async fn measure(tasks: &Tasks, running: &Running, size: Size, seconds: f64) -> Result<Sample> {
    let cpu_us = || -> Result<u64> { running.processes.iter().map(Process::cpu_us).sum() };
    let clock = Clock::system();
    let load = Load::begin(tasks, running.address, size, CONNECTIONS);
    tokio::time::sleep(WARM_UP).await;
    let (requests, cpu, begun) = (load.answered()?, cpu_us()?, clock.now());
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let (cpu, passed) = (cpu_us()? - cpu, clock.now().since(begun));
    let requests = load.answered()? - requests;
    load.end().await;
    if requests == 0 {
        bail!("no request was answered");
    }
    Ok(Sample {
        cpu_us: cpu as f64 / requests as f64,
        requests_per_s: requests as f64 / passed.as_secs_f64(),
    })
}
