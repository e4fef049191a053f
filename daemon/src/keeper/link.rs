//! The daemon's end of what it and its keeper say to each other.

use super::leftovers::LINGERER;
use super::words::{self, Word};
use anyhow::{Context, ensure};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::getppid;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::sync::PoisonError;

/// See the head of this file.
#[derive(Debug)]
pub struct Link {
    channel: OwnedFd,
    kept: Mutex<Vec<(String, OwnedFd)>>,
}

impl Link {
    /// The link to the keeper that started this process: to be made on the main thread, before any
    /// other. From here on the process dies with its keeper, so that there never are two daemons.
    ///
    /// # Errors
    /// When no keeper started it.
    pub fn begin() -> anyhow::Result<Self> {
        set_pdeathsig(Signal::SIGKILL).context("tie this process to its keeper")?;
        ensure!(getppid().as_raw() != 1, "the keeper is dead already");
        // It was started through a link of another name.
        set_name(c"hwcd").context("say in the list of processes who this is")?;
        // The keeper waits for signals with a mask, and a child begins with its parent's.
        SigSet::all().thread_unblock().context("let signals in")?;
        let channel = std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .context("reach the keeper")?;
        let kept = words::take_over(&channel).context("hear the keeper")?;
        Ok(Self {
            channel,
            kept: Mutex::new(kept),
        })
    }

    /// The sockets that were kept for this daemon; none at the second call.
    #[must_use]
    pub fn take_sockets(&self) -> Vec<(String, OwnedFd)> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives up what was kept: nobody is to wait at a node that serves nothing.
    pub fn release_sockets(&self) {
        for (name, socket) in self.take_sockets() {
            drop(socket);
            self.forget(name);
        }
    }

    /// Has a socket kept for the next daemon.
    pub fn keep(&self, name: &str, socket: &OwnedFd) {
        self.say(&Word::Keep(name.to_owned()), Some(socket));
    }

    /// Has a socket kept no longer.
    pub fn forget(&self, name: String) {
        self.say(&Word::Forget(name), None);
    }

    /// The daemon does its work.
    pub fn ready(&self) {
        self.say(&Word::Ready, None);
    }

    /// The daemon is about to end.
    pub fn stopping(&self) {
        self.say(&Word::Stopping, None);
    }

    /// The daemon has given up everything but visitors' connections: the next one may begin. To be
    /// called on the main thread.
    ///
    /// # Errors
    /// When this process can't outlive its keeper: then it must end.
    pub fn ended(&self) -> anyhow::Result<()> {
        set_name(LINGERER).context("say in the list of processes what is left")?;
        set_pdeathsig(None).context("untie this process from its keeper")?;
        self.say(&Word::Ended, None);
        Ok(())
    }

    fn say(&self, word: &Word, socket: Option<&OwnedFd>) {
        let socket = socket.map(AsFd::as_fd);
        if let Err(error) = words::say(&self.channel, word, socket) {
            tracing::error!(%error, ?word, "the keeper can't be told");
        }
    }
}
