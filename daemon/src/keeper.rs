//! The keeper: what systemd knows as the daemon. It runs no part of the node itself; it starts the
//! daemon proper ([`crate::start`]) as its child, and stands between that child and systemd.
//!
//! What it is good for: the listening sockets survive the daemon. The child hands copies of those
//! that it opens to the keeper, which puts them into systemd's store; the next keeper gets them back
//! and hands them to the next child. While no daemon runs, after a crash too, visitors wait in the
//! kernel's queue and nobody is refused. And a daemon that was told to stop can let visitors'
//! connections [linger](hwc_awesome_proxy::succession) after it has given up everything else: then
//! the keeper ends, so that systemd starts the next one, and the child stays behind for a while.
//!
//! - [`decide`]: what is done about what happens; pure.
//! - [`words`]: what keeper and daemon say to each other.
//! - [`link`]: the daemon's end of that.
//! - [`systemd`]: telling systemd, and its store of sockets.
//! - [`leftovers`]: what a daemon left running.
//!
//! No runtime, no configuration, a few threads that wait.

pub mod decide;
pub mod leftovers;
pub mod link;
pub mod systemd;
pub mod words;

use anyhow::Context;
use decide::{Act, Ending, Event, Watch};
use nix::sys::signal::{SigSet, Signal};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use words::Heard;

/// How long the daemon may take to end everything but visitors' connections. Less than the unit's
/// `TimeoutStopSec`, and more than all limits of an orderly end together.
const END_LIMIT: Duration = Duration::from_secs(27);

/// Starts the daemon proper with these arguments and keeps it until it ends, or until only visitors'
/// connections are left of it.
///
/// # Errors
/// When it can't be started.
pub fn run(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    // Before any thread: all of them inherit it, and only one waits for signals.
    signals.thread_block().context("hold signals back")?;
    leftovers::clear();
    let kept = systemd::kept_sockets().context("take over the sockets that systemd kept")?;
    let (own, childs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .context("make a way to talk to the daemon")?;
    words::hand_over(&own, &kept).context("hand the sockets over")?;
    // The daemon has them, and systemd.
    drop(kept);
    let child = start(arguments, childs)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let daemon = pidfd_open(pid.context("the daemon's process")?, PidfdFlags::empty())
        .context("watch the daemon's process")?;
    let (happened, events) = channel();
    listen(signals, Arc::new(own), child, happened.clone());
    let code = watch(&events, &happened, &daemon);
    leftovers::clear();
    Ok(ExitCode::from(code))
}

#[expect(
    clippy::disallowed_methods,
    reason = "runtime::command needs a runtime, and its programs end with it"
)]
fn start(arguments: &[OsString], channel: OwnedFd) -> anyhow::Result<Child> {
    // Exactly this program, also when its file was replaced meanwhile.
    let name = std::env::args_os().next().unwrap_or_else(|| "hwcd".into());
    Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .args(["internal", "worker"])
        .stdin(Stdio::from(channel))
        .spawn()
        .context("start the daemon")
}

/// What happened, and a socket that came with it.
type Happening = (Event, Option<OwnedFd>);

/// Waits for everything that can happen, each on a thread of its own; they end with the process.
fn listen(signals: SigSet, channel: Arc<OwnedFd>, mut child: Child, happened: Sender<Happening>) {
    let told = happened.clone();
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            let _ended = told.send((Event::Told, None));
        }
    });
    let said = happened.clone();
    std::thread::spawn(move || {
        // When it ends the daemon has ended, which is heard otherwise.
        while let Ok(Some(Heard { word, socket })) = words::hear(&channel) {
            let _ended = said.send((Event::Said(word), socket));
        }
    });
    std::thread::spawn(move || {
        let ending = child.wait().map_or(Ending::Code(1), ending);
        let _ended = happened.send((Event::Ended(ending), None));
    });
}

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Code(u8::try_from(code).unwrap_or(1)),
        (None, Some(signal)) => Ending::Signal(u8::try_from(signal).unwrap_or(0)),
        (None, None) => Ending::Code(1),
    }
}

/// Does what is decided until there is nothing to keep; gives the exit code.
fn watch(events: &Receiver<Happening>, happened: &Sender<Happening>, daemon: &OwnedFd) -> u8 {
    let mut watch = Watch::default();
    // We hold the other end ourselves.
    while let Ok((event, socket)) = events.recv() {
        for act in watch.step(event) {
            match act {
                Act::Stop => signal(daemon, rustix::process::Signal::TERM),
                Act::Kill => {
                    complain("the daemon does not end in time and is killed");
                    signal(daemon, rustix::process::Signal::KILL);
                }
                Act::Tell(state) => note(systemd::tell(state)),
                Act::Keep(name) => {
                    if let Some(socket) = &socket {
                        note(systemd::keep(&name, socket.as_fd()));
                    }
                }
                Act::Forget(name) => note(systemd::forget(&name)),
                Act::Limit => limit(happened.clone()),
                Act::Leave(code) => return code,
            }
        }
    }
    1
}

/// Says when the daemon should have ended.
fn limit(happened: Sender<Happening>) {
    std::thread::spawn(move || {
        std::thread::sleep(END_LIMIT);
        let _ended = happened.send((Event::Overdue, None));
    });
}

fn signal(daemon: &OwnedFd, signal: rustix::process::Signal) {
    // It may have ended by itself.
    let _ended = pidfd_send_signal(daemon, signal);
}

fn note(told: std::io::Result<()>) {
    if let Err(error) = told {
        complain(&format!("systemd can't be told: {error}"));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "there is no logger here; systemd takes it to the journal"
)]
fn complain(text: &str) {
    eprintln!("keeper: {text}");
}
