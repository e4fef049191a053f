//! A limit in time that is set anew for each request and hardly ever runs out: setting it later
//! than before costs a look at the clock, and no work of the timer wheel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Timer {
    /// Wakes at the limit, or before it and is then set again.
    sleep: Option<Pin<Box<Sleep>>>,
    due: Option<Instant>,
}

impl Timer {
    /// Without a limit.
    pub const NONE: Self = Self {
        sleep: None,
        due: None,
    };

    /// Sets the limit.
    pub fn set(&mut self, after: Duration) {
        let due = now() + after;
        self.due = Some(due);
        if let Some(sleep) = &mut self.sleep
            && sleep.deadline() > due
        {
            sleep.as_mut().reset(due);
        }
    }

    /// Sets the limit, unless it is set.
    pub fn set_once(&mut self, after: Duration) {
        if self.due.is_none() {
            self.set(after);
        }
    }

    /// Sets the limit later, if it is set.
    pub fn postpone(&mut self, after: Duration) {
        if self.due.is_some() {
            self.set(after);
        }
    }

    /// There is no limit any more.
    pub const fn clear(&mut self) {
        self.due = None;
    }

    /// Ready when the limit is passed; never while there is none.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= due {
                // A later limit begins with a new sleep.
                self.sleep = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "set against tokio's own timers, which go by this clock"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    async fn is_over_within(timer: &mut Timer, limit: Duration) -> bool {
        let over = poll_fn(|cx| timer.poll(cx));
        tokio::time::timeout(limit, over).await.is_ok()
    }

    #[tokio::test]
    async fn the_last_limit_counts() {
        let mut timer = Timer::NONE;
        timer.set(ms(20));
        assert!(!is_over_within(&mut timer, ms(2)).await);
        timer.set(ms(60_000));
        assert!(!is_over_within(&mut timer, ms(80)).await);
        timer.set(ms(1));
        timer.set_once(ms(60_000));
        assert!(is_over_within(&mut timer, ms(20_000)).await);
    }

    #[tokio::test]
    async fn without_a_limit_it_never_runs_out() {
        let mut timer = Timer::NONE;
        timer.set(ms(1));
        timer.clear();
        assert!(!is_over_within(&mut timer, ms(30)).await);
    }
}
