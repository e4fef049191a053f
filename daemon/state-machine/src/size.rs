//! How large a dataset is, roughly: in steps of about a fifth, so that it is news only now and then.

use serde::{Deserialize, Serialize};

/// Steps per doubling, as a power of two.
const STEPS: u32 = 2;

/// A number of bytes, rounded up to one of 256 steps: four to each doubling.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SizeStep(u8);

impl SizeStep {
    /// The lowest step that is not below `bytes`; the highest one where there is none.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let Some(exponent) = bytes.checked_ilog2() else {
            return Self(0);
        };
        // The bits below the highest one, as if there were always enough of them.
        let mantissa = (u128::from(bytes) << STEPS) >> exponent;
        let below = (exponent << STEPS) + u32::try_from(mantissa & 3).unwrap_or(3) + 1;
        let lowest = Self(u8::try_from(below).unwrap_or(u8::MAX));
        if lowest.bytes() < bytes {
            Self(lowest.0.saturating_add(1))
        } else {
            lowest
        }
    }

    /// The most bytes that it stands for.
    #[must_use]
    pub fn bytes(self) -> u64 {
        let Some(step) = self.0.checked_sub(1) else {
            return 0;
        };
        let (exponent, part) = (step >> STEPS, step & 3);
        let bytes = (u128::from(4 + part) << exponent).div_ceil(1 << STEPS);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_never_below_and_little_above_what_it_stands_for() {
        let mut bytes = 1_u64;
        while bytes < 1 << 62 {
            for near in [bytes - 1, bytes, bytes + 1] {
                let rounded = SizeStep::of(near).bytes();
                assert!(rounded >= near, "{near} became {rounded}");
                assert!(rounded <= near + near / 4 + 1, "{near} became {rounded}");
            }
            bytes += bytes / 7 + 1;
        }
        assert_eq!(SizeStep::of(0).bytes(), 0);
    }

    #[test]
    fn more_bytes_are_no_lower_step() {
        let mut last = SizeStep::of(0);
        let mut bytes = 0_u64;
        while bytes < 1 << 63 {
            let step = SizeStep::of(bytes);
            assert!(step >= last, "{bytes}");
            assert_eq!(SizeStep::of(step.bytes()), step, "{bytes}");
            last = step;
            bytes += bytes / 5 + 1;
        }
        assert_eq!(SizeStep::of(u64::MAX), SizeStep(u8::MAX));
    }

    #[test]
    fn a_site_that_grows_by_a_file_stays_in_its_step() {
        let before = SizeStep::of(10_000_000_000);
        assert_eq!(SizeStep::of(10_050_000_000), before);
        assert_ne!(SizeStep::of(13_000_000_000), before);
    }
}
