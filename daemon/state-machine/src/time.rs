//! The brain's only notion of time: monotonic milliseconds, handed in with every step.

use serde::{Deserialize, Serialize};

/// Monotonic milliseconds of this process, from any starting point. Must not go back.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// This moment plus `milliseconds`; saturates.
    #[must_use]
    pub const fn plus(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}
