//! Every wait of the lab has an end: a [`Deadline`], and [`wait_until`] for conditions.
//!
//! The only file that reads the machine's clock. A wait also ends when the user pressed Ctrl-C
//! (see [`crate::interrupt`]), so that cleaning up starts at once.

use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};
use crate::interrupt;

/// How often a condition is looked at when nothing can wake us.
const POLL: Duration = Duration::from_millis(5);

/// A moment after which a wait gives up.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    started: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from this moment on.
    pub fn after(limit: Duration) -> Self {
        Self {
            started: now(),
            limit,
        }
    }

    /// What is left, zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// Time since the deadline was set.
    pub fn elapsed(&self) -> Duration {
        now().duration_since(self.started)
    }

    /// How long it was set for.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }
}

/// Monotonic time.
#[allow(
    clippy::disallowed_methods,
    reason = "the lab's one reader of the clock; it drives real machines, not a simulation"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of day.
#[allow(
    clippy::disallowed_methods,
    reason = "the lab's one reader of the clock; it drives real machines, not a simulation"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Seconds since 1970, for the record of when a lab was made.
pub(crate) fn unix_seconds() -> u64 {
    wall_clock()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// How long ago something was; zero for the future.
pub(crate) fn age(moment: SystemTime) -> Duration {
    wall_clock().duration_since(moment).unwrap_or_default()
}

/// Looks at `condition` until it gives a value; `what` names the wait in the error.
///
/// # Errors
/// [`Error::Deadline`] when time is up, [`Error::Interrupted`] on Ctrl-C, or the condition's own error.
pub fn wait_until<T>(
    what: &str,
    deadline: Deadline,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        interrupt::check()?;
        if deadline.has_passed() {
            return Err(Error::Deadline {
                what: what.to_owned(),
                limit: deadline.limit(),
            });
        }
        std::thread::sleep(POLL.min(deadline.remaining()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_holds_ends_with_its_name() {
        let deadline = Deadline::after(Duration::from_millis(1));
        let error = wait_until("n1 to boot", deadline, || Ok(None::<()>)).unwrap_err();
        assert!(
            error.to_string().starts_with("n1 to boot took longer than"),
            "{error}"
        );
    }

    #[test]
    fn a_condition_that_holds_gives_its_value_even_when_time_is_up() {
        let deadline = Deadline::after(Duration::ZERO);
        assert_eq!(wait_until("nothing", deadline, || Ok(Some(7))).unwrap(), 7);
    }
}
