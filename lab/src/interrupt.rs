//! Ctrl-C and termination: remembered, seen by every wait, and put aside while cleaning up.
//!
//! Signals are blocked in the main thread (so in all threads that follow) and taken by one
//! thread that does nothing but wait for them: no code runs in signal context. A library user
//! who does not call [`watch`] keeps their own handling.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::{SigSet, Signal};

use crate::error::{Error, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// How many clean-ups are running: they must not be cut short by the signal that started them.
static CLEANING: AtomicUsize = AtomicUsize::new(0);

fn signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect()
}

/// Starts to watch for Ctrl-C, termination and hang-up. To be called once, before any thread is started.
///
/// # Errors
/// When the signals can't be blocked or the thread can't be started.
pub fn watch() -> Result<()> {
    let watched = signals();
    watched.thread_block().map_err(|errno| Error::System {
        what: "block signals".into(),
        source: errno.into(),
    })?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            while watched.wait().is_ok() {
                INTERRUPTED.store(true, Ordering::SeqCst);
            }
        })
        .map_err(|source| Error::System {
            what: "start the signal thread".into(),
            source,
        })?;
    Ok(())
}

/// An error when the user asked us to stop and no clean-up is running.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) && CLEANING.load(Ordering::SeqCst) == 0 {
        return Err(Error::Interrupted);
    }
    Ok(())
}

/// While this lives, an interruption does not end waits.
#[derive(Debug)]
pub(crate) struct Uninterrupted(());

impl Uninterrupted {
    pub(crate) fn begin() -> Self {
        CLEANING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        CLEANING.fetch_sub(1, Ordering::SeqCst);
    }
}
