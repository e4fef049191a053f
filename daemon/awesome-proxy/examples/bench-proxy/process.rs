//! The processes that are measured: started, watched, ended by their ids.

use anyhow::{Context, Result, bail};
use hwc_runtime::command::run;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// Until a program that was asked to end has.
const END_LIMIT: Duration = Duration::from_secs(20);
/// Ticks of /proc's processor times a second (sysconf `_SC_CLK_TCK`; 100 on all of Debian's
/// architectures).
const TICKS_PER_S: u64 = 100;

/// One started program; asked to end when dropped.
pub struct Process {
    child: Child,
    pid: Pid,
    /// Where it listens, for one of our own.
    pub address: Option<SocketAddr>,
}

impl Process {
    /// Starts a program on one processor (none: on any).
    pub fn start(program: &Path, arguments: &[String], cpu: Option<usize>) -> Result<Self> {
        let mut words: Vec<&OsStr> = Vec::new();
        let number = cpu.map(|cpu| cpu.to_string());
        if let Some(number) = &number {
            words.extend(["taskset", "-c", number].map(OsStr::new));
        }
        words.push(program.as_os_str());
        words.extend(arguments.iter().map(OsStr::new));
        let (first, rest) = words.split_first().context("a program")?;
        let child = run(first, rest)
            .into_command()
            // Some have children of their own, which they end when they are asked to end.
            .kill_on_drop(false)
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let pid = child.id().map(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self {
            pid: pid.context("it ended at once")?,
            child,
            address: None,
        })
    }

    /// Starts this program in another role and reads where it listens.
    pub async fn start_role(arguments: &[String], cpu: Option<usize>) -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut process = Self::start(&program, arguments, cpu)?;
        let output = process.child.stdout.take().context("its output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let address = line.trim().parse();
        process.address = Some(address.with_context(|| format!("{arguments:?} did not start"))?);
        Ok(process)
    }

    /// Asks it to end and waits until it has.
    pub async fn end(mut self) -> Result<()> {
        self.ask_to_end();
        let ended = tokio::time::timeout(END_LIMIT, self.child.wait()).await;
        ended.context("a program did not end")??;
        Ok(())
    }

    fn ask_to_end(&self) {
        let _gone = kill(self.pid, Signal::SIGTERM);
    }

    /// Processor time of the process and its children so far, microseconds.
    pub fn cpu_us(&self) -> Result<u64> {
        let mut ticks = 0;
        let mut found = vec![self.pid.as_raw().cast_unsigned()];
        let all = all_processes()?;
        while let Some(pid) = found.pop() {
            found.extend(all.iter().filter(|p| p.parent == pid).map(|p| p.pid));
            match all.iter().find(|process| process.pid == pid) {
                Some(process) => ticks += process.ticks,
                None => bail!("process {pid} is gone"),
            }
        }
        Ok(ticks * 1_000_000 / TICKS_PER_S)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.ask_to_end();
        }
    }
}

struct Listed {
    pid: u32,
    parent: u32,
    ticks: u64,
}

/// All processes, as proc_pid_stat(5) tells of them.
fn all_processes() -> Result<Vec<Listed>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that ended meanwhile is not listed.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<u64> = rest.split(' ').map(|f| f.parse().unwrap_or(0)).collect();
        // After the name: state, parent, …; user and system time are the 12th and 13th.
        if let (Some(parent), Some(user), Some(system)) =
            (fields.get(1), fields.get(11), fields.get(12))
        {
            all.push(Listed {
                pid,
                parent: u32::try_from(*parent).unwrap_or(0),
                ticks: user + system,
            });
        }
    }
    Ok(all)
}

/// The version that a program tells of itself.
pub async fn version(program: &Path) -> Result<String> {
    let output = run(program, ["-v"]).output().await?;
    let told = format!(
        "{}{}",
        output.text(),
        String::from_utf8_lossy(&output.stderr)
    );
    let version = told
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or("?");
    Ok(version.to_owned())
}

/// Tells the process that started this one where it listens.
pub fn say(address: SocketAddr) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{address}")?;
    output.flush()
}
