//! The one place where the lab runs other programs.
//!
//! Always an argument list, never a shell string; always a deadline; standard error is kept and
//! part of the error. A command runs in a process group of its own, so that Ctrl-C in the
//! terminal reaches only us and we end it in order. It can be put into cgroups before it starts.

#![allow(
    unsafe_code,
    reason = "CommandExt::pre_exec, once: joining cgroups between fork and exec has no safe form"
)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{self, SigSet, Signal};
use nix::unistd::Pid;

use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::interrupt;

/// Long enough for every small tool on a busy machine.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// How often a running command looks for Ctrl-C.
const INTERRUPT_POLL: Duration = Duration::from_millis(50);
/// How long a program that was asked to end may take before it is killed.
const END_GRACE: Duration = Duration::from_secs(10);
/// A daemon that inherited our pipe must not keep us: how long output is read after the end.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);
/// How much of standard error goes into an error message, in bytes.
const STDERR_TAIL: usize = 2000;

/// What a program did.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code; 128 + the signal's number when a signal ended it, as shells say it.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether the exit code is 0.
    pub fn is_success(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text, without the space at its ends.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// Standard error as text, without the space at its ends.
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }
}

/// Where a command's standard input comes from.
#[derive(Debug)]
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    Descriptor(OwnedFd),
    Inherited,
}

/// A program with its arguments, not yet started.
#[derive(Debug)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: Input,
    stdout_file: Option<File>,
    limit: Duration,
    cgroups: Vec<OwnedFd>,
}

impl Command {
    /// A program, found on PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            environment: Vec::new(),
            input: Input::Nothing,
            stdout_file: None,
            limit: DEFAULT_LIMIT,
            cgroups: Vec::new(),
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// An environment variable on top of ours.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Bytes for standard input.
    #[must_use]
    pub fn stdin_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// A file or socket as standard input.
    #[must_use]
    pub fn stdin_from(mut self, descriptor: OwnedFd) -> Self {
        self.input = Input::Descriptor(descriptor);
        self
    }

    /// Our own standard input.
    #[must_use]
    pub fn stdin_inherited(mut self) -> Self {
        self.input = Input::Inherited;
        self
    }

    /// Standard output goes into this file instead of into [`Output`].
    #[must_use]
    pub fn stdout_to(mut self, file: File) -> Self {
        self.stdout_file = Some(file);
        self
    }

    /// How long it may run.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Opened `cgroup.procs` files: the program starts inside these cgroups.
    #[must_use]
    pub fn in_cgroups(mut self, procs: Vec<OwnedFd>) -> Self {
        self.cgroups = procs;
        self
    }

    /// Runs it to its end and gives whatever it did, exit code included.
    ///
    /// # Errors
    /// When it can't be started, takes too long, or the user interrupts.
    pub fn run(mut self) -> Result<Output> {
        let deadline = Deadline::after(self.limit);
        let line = self.line();
        let stdout_file = self.stdout_file.take();
        let input = std::mem::replace(&mut self.input, Input::Nothing);
        let mut command = self.prepare();
        let bytes = set_input(&mut command, input);
        command.process_group(0).stderr(Stdio::piped());
        match stdout_file {
            Some(file) => command.stdout(file),
            None => command.stdout(Stdio::piped()),
        };
        let mut child = command.spawn().map_err(|source| Error::Start {
            program: self.program_text(),
            source,
        })?;
        drop(command);
        let stdout = child.stdout.take().map(Collector::start);
        let stderr = child.stderr.take().map(Collector::start);
        if let (Some(mut stdin), Some(bytes)) = (child.stdin.take(), bytes) {
            // A program that ends without reading its input is judged by its exit code.
            std::thread::spawn(move || drop(stdin.write_all(&bytes)));
        }
        let status = wait_for_end(child, &line, deadline)?;
        let output = Output {
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: stdout.map(Collector::finish).unwrap_or_default(),
            stderr: stderr.map(Collector::finish).unwrap_or_default(),
        };
        Ok(output)
    }

    /// Runs it and insists on exit code 0.
    ///
    /// # Errors
    /// As [`Command::run`], and [`Error::Command`] with the end of standard error.
    pub fn check(self) -> Result<Output> {
        let line = self.line();
        let output = self.run()?;
        if output.is_success() {
            return Ok(output);
        }
        Err(failure(line, &output))
    }

    /// Starts it and leaves it running: own session, output appended to `log`. Its end is not awaited.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_detached(mut self, log: &Path) -> Result<Child> {
        use crate::error::FileContext;
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .file("open", log)?;
        let err = out.try_clone().file("open", log)?;
        let input = std::mem::replace(&mut self.input, Input::Nothing);
        let mut command = self.prepare();
        set_input(&mut command, input);
        command.stdout(out).stderr(err);
        // SAFETY: setsid(2) is async-signal-safe and touches no memory of the parent.
        unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into)) };
        command.spawn().map_err(|source| Error::Start {
            program: self.program_text(),
            source,
        })
    }

    /// Becomes this program: standard streams and exit code are passed through by nature.
    /// Returns only when that failed.
    pub fn become_program(self) -> Error {
        let mut command = self.prepare();
        Error::Start {
            program: self.program_text(),
            source: command.exec(),
        }
    }

    fn prepare(&self) -> std::process::Command {
        #[allow(
            clippy::disallowed_methods,
            reason = "this module is the lab's one door to other programs"
        )]
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let cgroups: Vec<_> = self
            .cgroups
            .iter()
            .filter_map(|procs| procs.as_fd().try_clone_to_owned().ok())
            .collect();
        // SAFETY: between fork and exec only write(2) and sigprocmask(2) are called: both are
        // async-signal-safe, neither allocates nor takes a lock.
        unsafe {
            command.pre_exec(move || {
                for procs in &cgroups {
                    // "0" is the calling process, in cgroup v1 and v2.
                    nix::unistd::write(procs, b"0")?;
                }
                // The lab's own threads block signals (interrupt::watch); its children must not.
                SigSet::empty().thread_set_mask()?;
                Ok(())
            });
        }
        command
    }

    fn program_text(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// The command as one would type it, for messages.
    fn line(&self) -> String {
        let words = std::iter::once(&self.program)
            .chain(&self.args)
            .map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The error for a command that ended badly.
fn failure(command: String, output: &Output) -> Error {
    let text = output.error_text();
    let text = if text.is_empty() { output.text() } else { text };
    let start = text.ceil_char_boundary(text.len().saturating_sub(STDERR_TAIL));
    let stderr = if text.is_empty() {
        "no message".to_owned()
    } else {
        text[start..].to_owned()
    };
    let status = if output.code > 128 {
        format!("signal {}", output.code - 128)
    } else {
        format!("code {}", output.code)
    };
    Error::Command {
        command,
        status,
        stderr,
    }
}

/// Connects standard input and gives the bytes that have to be written to it.
fn set_input(command: &mut std::process::Command, input: Input) -> Option<Vec<u8>> {
    match input {
        Input::Nothing => {
            command.stdin(Stdio::null());
            None
        }
        Input::Bytes(bytes) => {
            command.stdin(Stdio::piped());
            Some(bytes)
        }
        Input::Descriptor(descriptor) => {
            command.stdin(Stdio::from(descriptor));
            None
        }
        Input::Inherited => None,
    }
}

/// Waits in a thread of its own, so that this one can watch the clock and Ctrl-C.
fn wait_for_end(mut child: Child, line: &str, deadline: Deadline) -> Result<ExitStatus> {
    let group = Pid::from_raw(-(child.id() as i32));
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait()));
    loop {
        match ended.recv_timeout(INTERRUPT_POLL.min(deadline.remaining())) {
            Ok(status) => {
                return status.map_err(|source| Error::System {
                    what: format!("wait for {line}"),
                    source,
                });
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::System {
                    what: format!("wait for {line}"),
                    source: std::io::ErrorKind::BrokenPipe.into(),
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let reason = match interrupt::check() {
            Err(interrupted) => interrupted,
            Ok(()) if deadline.has_passed() => Error::Deadline {
                what: line.to_owned(),
                limit: deadline.limit(),
            },
            Ok(()) => continue,
        };
        // The child is not reaped yet, so its group can't belong to anyone else. An error means
        // that it ended by itself a moment ago.
        let _ = signal::kill(group, Signal::SIGTERM);
        if ended.recv_timeout(END_GRACE).is_err() {
            let _ = signal::kill(group, Signal::SIGKILL);
            let _ = ended.recv_timeout(END_GRACE);
        }
        return Err(reason);
    }
}

/// Reads a pipe in a thread of its own.
struct Collector {
    collected: Arc<Mutex<Vec<u8>>>,
    done: mpsc::Receiver<()>,
}

impl Collector {
    fn start(mut pipe: impl Read + Send + 'static) -> Self {
        let collected = Arc::new(Mutex::new(Vec::new()));
        let (sender, done) = mpsc::channel::<()>();
        let target = Arc::clone(&collected);
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                target
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&buffer[..read]);
            }
            drop(sender);
        });
        Self { collected, done }
    }

    /// Everything up to the end of the pipe, or what came until a daemon that keeps it open makes us give up.
    fn finish(self) -> Vec<u8> {
        let _ = self.done.recv_timeout(OUTPUT_GRACE);
        std::mem::take(
            &mut *self
                .collected
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_exit_code_come_through() {
        let output = Command::new("cat").stdin_bytes("hello\n").check().unwrap();
        assert_eq!(output.text(), "hello");
        assert_eq!(Command::new("false").run().unwrap().code, 1);
    }

    #[test]
    fn a_failing_command_is_quoted_with_what_it_said() {
        let error = Command::new("ls")
            .arg("/nonexistent-file")
            .check()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("ls /nonexistent-file ended with code 2: ls: "),
            "{error}"
        );
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let error = Command::new("sleep")
            .arg("600")
            .limit(Duration::from_millis(30))
            .check()
            .unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_says_which() {
        let error = Command::new("no-such-program")
            .run()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("start no-such-program: not installed"),
            "{error}"
        );
    }
}
