//! Chance: everything that is drawn in a run comes from its seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A source of chance. Two of the same seed give the same.
#[derive(Debug, Clone)]
pub struct Dice(StdRng);

impl Dice {
    /// The dice of a seed. `purpose` keeps two dice of one seed apart, so that one more draw here
    /// does not change everything that is drawn there.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(StdRng::seed_from_u64(
            seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ))
    }

    /// A number within the range.
    pub fn number(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.random()
    }

    /// A span within the range, both ends included.
    pub fn span(&mut self, (from, to): (Duration, Duration)) -> Duration {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let (from, to) = (micros(from), micros(to));
        Duration::from_micros(self.0.random_range(from..=to.max(from)))
    }

    /// A span within the range, short ones more often: each order of magnitude is as likely.
    pub fn long_tailed(&mut self, (from, to): (Duration, Duration)) -> Duration {
        let (from, to) = (from.as_secs_f64().max(1e-6), to.as_secs_f64());
        let exponent = self.0.random_range(from.ln()..=to.ln().max(from.ln()));
        Duration::from_secs_f64(exponent.exp())
    }

    /// Whether something of this chance happens.
    pub fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.0.random_bool(chance.min(1.0))
    }

    /// One of them; none if there is none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.choose(&mut self.0)
    }

    /// So many of them (or all, if there are fewer), in any order.
    pub fn pick_many<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        of.choose_multiple(&mut self.0, count).cloned().collect()
    }

    /// One of them, each as likely as its weight says; none if all weights are zero.
    pub fn pick_weighted<'a, T>(&mut self, of: &'a [(u32, T)]) -> Option<&'a T> {
        let total: u64 = of.iter().map(|(weight, _)| u64::from(*weight)).sum();
        if total == 0 {
            return None;
        }
        let mut left = self.number(0..=total - 1);
        for (weight, one) in of {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return Some(one),
            }
        }
        None
    }
}
