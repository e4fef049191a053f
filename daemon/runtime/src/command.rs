//! Run a program: fixed path or name, argument list, cleared environment, a deadline. No shell.
//!
//! The one lawful place of `Command::new`. Arguments are passed as they are; a caller that passes
//! words of a customer puts `--` before them or has parsed them into a type that can't begin with
//! a hyphen.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// The environment that every command gets, besides what its caller adds.
const ENVIRONMENT: [(&str, &str); 2] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("LC_ALL", "C.UTF-8"),
];
/// Long enough for what the daemon runs in passing; longer work says so with [`Run::deadline`].
const DEADLINE: Duration = Duration::from_secs(60);
/// How much of a program's complaint goes into an error: enough to act on, little enough to log.
const COMPLAINT_BYTES_MAX: usize = 4096;

/// Why a command gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program could not be started.
    #[error("start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Reading its output or writing its input failed.
    #[error("talk to {program}")]
    Talk {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It ran past its deadline and was killed.
    #[error("{program} did not end within {} s", deadline.as_secs())]
    Deadline {
        /// The program.
        program: String,
        /// How long it had.
        deadline: Duration,
    },
    /// It ended with a failure.
    #[error("{program} failed ({status}): {complaint}")]
    Failed {
        /// The program with its arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to standard error, or to standard output if nothing.
        complaint: String,
    },
}

/// What a command printed.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, broken bytes replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What it complains about: the end of standard error, or of standard output if that is empty.
    #[must_use]
    pub fn complaint(&self) -> String {
        let bytes = if self.stderr.iter().all(u8::is_ascii_whitespace) {
            &self.stdout
        } else {
            &self.stderr
        };
        let from = bytes.len().saturating_sub(COMPLAINT_BYTES_MAX);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default())
            .trim()
            .to_owned()
    }
}

/// A command to run.
#[derive(Debug)]
pub struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    input: Vec<u8>,
    deadline: Duration,
}

/// A command: a program and its arguments.
pub fn run<I, A>(program: impl AsRef<OsStr>, arguments: I) -> Run
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    Run {
        program: program.as_ref().to_owned(),
        arguments: arguments
            .into_iter()
            .map(|a| a.as_ref().to_owned())
            .collect(),
        environment: Vec::new(),
        directory: None,
        input: Vec::new(),
        deadline: DEADLINE,
    }
}

/// Runs a command to its end and takes only success.
///
/// # Errors
/// When it can't be started, runs past the usual deadline, or ends with a failure.
pub async fn run_command<I, A>(
    program: impl AsRef<OsStr>,
    arguments: I,
) -> Result<Output, CommandError>
where
    I: IntoIterator<Item = A>,
    A: AsRef<OsStr>,
{
    run(program, arguments).success().await
}

impl Run {
    /// Adds a variable to the environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The directory it runs in; `/` otherwise.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// What it reads from standard input; nothing otherwise. Secrets go here, never into arguments.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// How long it may take; a minute otherwise.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The command for callers that hold its pipes themselves (streams). It is killed when its
    /// handle is dropped.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that starts programs"
    )]
    #[must_use]
    pub fn into_command(self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(self.environment)
            .current_dir(self.directory.unwrap_or_else(|| PathBuf::from("/")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When it can't be started or runs past its deadline.
    pub async fn output(mut self) -> Result<Output, CommandError> {
        let program = self.program.to_string_lossy().into_owned();
        let input = std::mem::take(&mut self.input);
        let deadline = self.deadline;
        let mut command = self.into_command();
        if !input.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|source| CommandError::Start {
            program: program.clone(),
            source,
        })?;
        let stdin = child.stdin.take();
        let work = async {
            let feed = async {
                let Some(mut pipe) = stdin else { return };
                // A program that ends without reading its input says so by its status.
                let _unread = pipe.write_all(&input).await;
            };
            let ((), output) = tokio::join!(feed, child.wait_with_output());
            output
        };
        match tokio::time::timeout(deadline, work).await {
            Ok(Ok(output)) => Ok(Output {
                status: output.status,
                stdout: output.stdout,
                stderr: output.stderr,
            }),
            Ok(Err(source)) => Err(CommandError::Talk { program, source }),
            Err(_elapsed) => Err(CommandError::Deadline { program, deadline }),
        }
    }

    /// Runs it to its end and takes only success.
    ///
    /// # Errors
    /// When it can't be started, runs past its deadline, or ends with a failure.
    pub async fn success(self) -> Result<Output, CommandError> {
        let shown = std::iter::once(&self.program)
            .chain(&self.arguments)
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        let output = self.output().await?;
        if output.status.success() {
            return Ok(output);
        }
        let complaint = output.complaint();
        Err(CommandError::Failed {
            program: shown,
            status: output.status,
            complaint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_are_not_interpreted() {
        let output = run_command("printf", ["%s", "$(id); `id` | cat"])
            .await
            .expect("printf runs");
        assert_eq!(output.text(), "$(id); `id` | cat");
    }

    #[tokio::test]
    async fn input_reaches_the_program_and_its_environment_is_bare() {
        let output = run("cat", ["-"])
            .input("hello")
            .success()
            .await
            .expect("cat runs");
        assert_eq!(output.text(), "hello");
        let output = run_command("env", [] as [&str; 0]).await.expect("env runs");
        let names: Vec<_> = output
            .text()
            .lines()
            .map(|l| l.split('=').next().unwrap_or("").to_owned())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[tokio::test]
    async fn failures_say_what_the_program_said() {
        let error = run_command("ls", ["/no/such/place"])
            .await
            .expect_err("fails");
        assert!(error.to_string().contains("/no/such/place"), "{error}");
        let error = run("sleep", ["60"])
            .deadline(Duration::from_millis(50))
            .success()
            .await
            .expect_err("late");
        assert!(matches!(error, CommandError::Deadline { .. }), "{error}");
        let error = run_command("/no/such/program", [] as [&str; 0])
            .await
            .expect_err("absent");
        assert!(matches!(error, CommandError::Start { .. }), "{error}");
    }
}
