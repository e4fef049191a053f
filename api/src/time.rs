//! Moments as they travel: wall time in whole milliseconds since 1970, UTC.
//!
//! For people and for expiry only. Nothing decides an order by wall time: nodes' clocks differ
//! (see `ownership`), intervals inside a process use the monotonic clock of `runtime`.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallTime(pub i64);

impl WallTime {
    /// This moment plus `milliseconds` (may be negative); saturates.
    #[must_use]
    pub const fn plus_ms(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this moment; 0 where `earlier` is later.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        let difference = self.0.saturating_sub(earlier.0);
        if difference < 0 {
            0
        } else {
            difference.unsigned_abs()
        }
    }
}
