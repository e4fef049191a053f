//! Which of a sender's numbers were seen: the newest start, its greatest counter, the 64 below it.

/// Counters that may arrive late and are still told from repeated ones.
const WIDTH: u32 = 64;

/// What was seen of one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    start: u64,
    greatest: u32,
    /// Bit n: `greatest - n` was seen.
    seen: u64,
}

impl Window {
    /// The window after this number, or none where the number was seen or is too old.
    pub(super) fn with(self, start: u64, counter: u32) -> Option<Self> {
        if start > self.start || (start == self.start && self.seen == 0) {
            return Some(Self {
                start,
                greatest: counter,
                seen: 1,
            });
        }
        if start < self.start {
            return None;
        }
        if let Some(ahead) = counter.checked_sub(self.greatest).filter(|n| *n > 0) {
            let moved = if ahead < WIDTH { self.seen << ahead } else { 0 };
            return Some(Self {
                start,
                greatest: counter,
                seen: moved | 1,
            });
        }
        let behind = self.greatest - counter;
        let bit = 1u64.checked_shl(behind).filter(|_| behind < WIDTH)?;
        (self.seen & bit == 0).then_some(Self {
            seen: self.seen | bit,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_too_old_is_refused() {
        let window = Window::default().with(1, 100).expect("first");
        assert!(window.with(1, 37).is_some());
        assert!(window.with(1, 36).is_none());
        assert!(window.with(0, 101).is_none());
        assert!(window.with(2, 0).is_some());
        assert!(window.with(1, u32::MAX).is_some());
    }

    #[test]
    fn number_zero_counts_too() {
        let window = Window::default().with(0, 0).expect("first");
        assert!(window.with(0, 0).is_none());
    }

    proptest! {
        #[test]
        fn nothing_is_taken_twice_and_nothing_near_is_lost(
            numbers in proptest::collection::vec(0u32..200, 1..300)
        ) {
            let mut window = Window::default();
            let mut taken = BTreeSet::new();
            let mut greatest = 0;
            for number in numbers {
                let next = window.with(7, number);
                let is_near = taken.is_empty() || number + WIDTH > greatest;
                prop_assert_eq!(next.is_some(), is_near && !taken.contains(&number));
                if let Some(next) = next {
                    window = next;
                    taken.insert(number);
                    greatest = greatest.max(number);
                }
            }
        }
    }
}
