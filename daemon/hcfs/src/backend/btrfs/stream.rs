//! `btrfs send` and `btrfs receive` as byte streams.
//!
//! Both programs are killed when their stream is dropped. `receive` leaves a half-filled, writable
//! subvolume when it fails or is killed: it works in a hidden folder, and only a clean exit, the
//! expected name, the read-only flag and the expected identity make its result one of ours.

use super::ioctl;
use super::open_folder;
use crate::backend::{BackendError, Doing, Expected, Incoming, Outgoing, Result, blocking};
use futures::FutureExt;
use futures::future::BoxFuture;
use hwc_runtime::command::{CommandError, run};
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

/// How long `receive` may take after the last byte: it commits twice, on a disk that may be busy.
const RECEIVE_END_DEADLINE: Duration = Duration::from_secs(120);
/// How long `send` may take to exit after its last byte.
const SEND_END_DEADLINE: Duration = Duration::from_secs(15);
/// How much of a complaint is worth keeping.
const COMPLAINT_BYTES_MAX: u64 = 4096;

struct Sending {
    child: Child,
    output: ChildStdout,
    complaint: ChildStderr,
}

pub(super) fn send(
    program: &Path,
    snapshot: &Path,
    parent: Option<&Path>,
) -> Result<Box<dyn Outgoing>> {
    let mut arguments = vec![OsStr::new("send"), OsStr::new("-q")];
    if let Some(parent) = parent {
        arguments.extend([OsStr::new("-p"), parent.as_os_str()]);
    }
    arguments.push(snapshot.as_os_str());
    let mut child = run(program, arguments)
        .into_command()
        .spawn()
        .map_err(|source| start_error("btrfs send", source))?;
    let (Some(output), Some(complaint)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(start_error("btrfs send", io::ErrorKind::BrokenPipe.into()));
    };
    Ok(Box::new(Sending {
        child,
        output,
        complaint,
    }))
}

impl AsyncRead for Sending {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(context, buffer)
    }
}

impl Outgoing for Sending {
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        let Self {
            child, complaint, ..
        } = *self;
        end("btrfs send", child, complaint, SEND_END_DEADLINE).boxed()
    }
}

struct Receiving {
    child: Child,
    input: ChildStdin,
    complaint: ChildStderr,
    folder: PathBuf,
    expected: Expected,
}

pub(super) fn receive(
    program: &Path,
    folder: &Path,
    expected: Expected,
) -> Result<Box<dyn Incoming>> {
    let arguments = [OsStr::new("receive"), OsStr::new("-q"), folder.as_os_str()];
    let mut child = run(program, arguments)
        .into_command()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|source| start_error("btrfs receive", source))?;
    let (Some(input), Some(complaint)) = (child.stdin.take(), child.stderr.take()) else {
        let source = io::ErrorKind::BrokenPipe.into();
        return Err(start_error("btrfs receive", source));
    };
    Ok(Box::new(Receiving {
        child,
        input,
        complaint,
        folder: folder.to_owned(),
        expected,
    }))
}

impl AsyncWrite for Receiving {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(context)
    }
}

impl Incoming for Receiving {
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        let Self {
            child,
            input,
            complaint,
            folder,
            expected,
        } = *self;
        async move {
            drop(input);
            end("btrfs receive", child, complaint, RECEIVE_END_DEADLINE).await?;
            blocking("check what was received", move || check(&folder, expected)).await
        }
        .boxed()
    }

    fn abort(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            if let Err(error) = self.child.kill().await {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "btrfs receive could not be ended");
            }
        }
        .boxed()
    }
}

fn check(folder: &Path, expected: Expected) -> Result<()> {
    let path = folder.join(expected.snapshot.to_string());
    let unexpected = |found: String| {
        Err(BackendError::Unexpected {
            expected: format!("{} ({})", expected.snapshot, expected.guid),
            found,
        })
    };
    let opened = match open_folder(&path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return unexpected("the stream held another name".to_owned());
        }
        Err(error) => return Err(error).doing("open", path.display()),
    };
    let info = ioctl::info(opened.as_fd()).doing("describe", path.display())?;
    if !info.is_read_only {
        return unexpected("it was not finished".to_owned());
    }
    if info.guid() != expected.guid {
        return unexpected(format!("its identity is {}", info.guid()));
    }
    Ok(())
}

/// Waits for the end of a program and takes only success.
async fn end(
    program: &'static str,
    mut child: Child,
    complaint: ChildStderr,
    deadline: Duration,
) -> Result<()> {
    let mut said = Vec::new();
    let mut complaint = complaint.take(COMPLAINT_BYTES_MAX);
    let work = async {
        let (_read, status) = tokio::join!(complaint.read_to_end(&mut said), child.wait());
        status
    };
    let status = tokio::time::timeout(deadline, work)
        .await
        .map_err(|_elapsed| CommandError::Deadline {
            program: program.to_owned(),
            deadline,
        })?
        .map_err(|source| CommandError::Talk {
            program: program.to_owned(),
            source,
        })?;
    if status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&said);
    Err(BackendError::Program {
        program,
        complaint: format!("{status}: {}", text.trim()),
    })
}

fn start_error(program: &str, source: io::Error) -> BackendError {
    BackendError::Command(CommandError::Start {
        program: program.to_owned(),
        source,
    })
}
