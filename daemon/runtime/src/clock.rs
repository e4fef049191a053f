//! The one way to ask for the time.
//!
//! `now` is the boot-time clock: it never jumps, and it goes on counting while the machine is
//! suspended, so that a frozen node notices its pause. `wall` is for people and for expiry.

use hwc_api::time::WallTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A moment of this process's monotonic clock, milliseconds since an arbitrary beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Time passed since `earlier`; zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment plus a duration.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        // A duration of more than 584 million years saturates.
        let milliseconds = duration.as_millis();
        let milliseconds = if milliseconds > u64::MAX as u128 {
            u64::MAX
        } else {
            milliseconds as u64
        };
        Self(self.0.saturating_add(milliseconds))
    }
}

#[derive(Debug)]
enum Source {
    System,
    Manual {
        now_ms: AtomicU64,
        wall_ms: AtomicI64,
    },
}

/// A source of time; cheap to clone. Made in `main`, handed to everything.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Source>);

impl Clock {
    /// The machine's own clocks.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// A clock for tests that stands still until it is advanced.
    #[must_use]
    pub fn manual(wall: WallTime) -> Self {
        Self(Arc::new(Source::Manual {
            now_ms: AtomicU64::new(0),
            wall_ms: AtomicI64::new(wall.0),
        }))
    }

    /// The present moment, for intervals: CLOCK_BOOTTIME, which counts suspended time too.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &*self.0 {
            Source::System => Moment(boot_time_ms()),
            Source::Manual { now_ms, .. } => Moment(now_ms.load(Ordering::SeqCst)),
        }
    }

    /// The present wall time, UTC.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        match &*self.0 {
            Source::System => WallTime(wall_time_ms()),
            Source::Manual { wall_ms, .. } => WallTime(wall_ms.load(Ordering::SeqCst)),
        }
    }

    /// Advances a manual clock; the system's clock does not care.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { now_ms, wall_ms } = &*self.0 {
            let milliseconds = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            now_ms.fetch_add(milliseconds, Ordering::SeqCst);
            wall_ms.fetch_add(
                i64::try_from(milliseconds).unwrap_or(i64::MAX),
                Ordering::SeqCst,
            );
        }
    }
}

fn boot_time_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000 + nanoseconds / 1_000_000
}

fn wall_time_ms() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    time.tv_sec
        .saturating_mul(1_000)
        .saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_when_told() {
        let clock = Clock::manual(WallTime(1_000));
        let before = clock.now();
        clock.advance(Duration::from_millis(250));
        assert_eq!(clock.now().since(before), Duration::from_millis(250));
        assert_eq!(clock.wall(), WallTime(1_250));
        assert_eq!(before.since(clock.now()), Duration::ZERO);
    }

    #[test]
    fn the_system_clock_does_not_go_back() {
        let clock = Clock::system();
        let first = clock.now();
        assert!(clock.now() >= first && clock.wall().0 > 1_700_000_000_000);
    }
}
