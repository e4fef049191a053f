//! What the lab is doing and how long it has been doing it, on standard error.
//!
//! Standard output belongs to answers alone.

use crate::deadline::Deadline;
use std::io::Write;
use std::time::Duration;

/// Prints lines like `[  12.3 s] n2 is running`.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    started: Deadline,
    is_quiet: bool,
}

impl Progress {
    /// Counts from this moment.
    pub fn start() -> Self {
        Self {
            started: Deadline::after(Duration::MAX),
            is_quiet: false,
        }
    }

    /// Says nothing.
    pub fn quiet() -> Self {
        Self {
            is_quiet: true,
            ..Self::start()
        }
    }

    /// One line.
    pub fn say(&self, message: impl std::fmt::Display) {
        if !self.is_quiet {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(
                std::io::stderr(),
                "[{:6.1} s] {message}",
                self.elapsed().as_secs_f64()
            );
        }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
