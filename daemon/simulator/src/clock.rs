//! A node's own clocks: none runs like another's, and the wall clock may jump.
//!
//! The brain is given the monotonic one only (milliseconds since the machine booted, standstills
//! included); the wall clock goes into names for people and, by mistake, nowhere else.

use crate::time::Moment;
use hwc_api::time::WallTime;
use hwc_state_machine::Millis;

/// The clocks of one node.
#[derive(Debug, Clone, Copy)]
pub struct NodeClock {
    /// What the monotonic clock showed at the beginning of the run, milliseconds.
    pub first: u64,
    /// By how much the clock is fast, in millionths; negative if it is slow.
    pub drift_ppm: i64,
    /// By how much the wall clock is ahead, milliseconds.
    pub wall_offset_ms: i64,
}

impl NodeClock {
    /// A clock that is right.
    pub const RIGHT: Self = Self {
        first: 0,
        drift_ppm: 0,
        wall_offset_ms: 0,
    };

    /// What the monotonic clock shows.
    #[must_use]
    pub fn millis(&self, now: Moment) -> Millis {
        // A run lasts some hours: products of microseconds and millionths have room.
        let true_us = i64::try_from(now.micros()).unwrap_or(i64::MAX);
        let shown_us = true_us + true_us.saturating_mul(self.drift_ppm) / 1_000_000;
        let shown_ms = u64::try_from(shown_us / 1_000).unwrap_or_default();
        Millis(self.first.saturating_add(shown_ms))
    }

    /// The first moment at which the monotonic clock shows at least `millis`.
    #[must_use]
    pub fn moment_of(&self, millis: Millis) -> Moment {
        let shown_ms = i64::try_from(millis.0.saturating_sub(self.first)).unwrap_or(i64::MAX);
        let rate = 1_000_000 + self.drift_ppm;
        let true_us = shown_ms
            .saturating_mul(1_000_000_000)
            .saturating_add(rate - 1)
            / rate.max(1);
        let true_ms = u64::try_from((true_us + 999) / 1_000).unwrap_or(u64::MAX);
        Moment::at_millis(true_ms)
    }

    /// What the wall clock shows.
    #[must_use]
    pub fn wall(&self, now: Moment) -> WallTime {
        let true_ms = i64::try_from(now.millis()).unwrap_or(i64::MAX);
        WallTime(true_ms.saturating_add(self.wall_offset_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_met_and_not_early() {
        for drift_ppm in [-200, 0, 7, 200] {
            let clock = NodeClock {
                first: 123_456,
                drift_ppm,
                wall_offset_ms: 0,
            };
            for millis in [123_456, 123_457, 200_000, 9_999_999] {
                let moment = clock.moment_of(Millis(millis));
                assert!(
                    clock.millis(moment) >= Millis(millis),
                    "{drift_ppm} {millis}"
                );
                let late = clock.millis(moment).0 - millis;
                assert!(late <= 2, "{late} ms late");
            }
        }
    }
}
