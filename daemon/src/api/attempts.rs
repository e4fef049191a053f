//! Wrong passwords of late, by address: ten in ten minutes, then wait.
//!
//! Counted by the visitor's address only, never by account, so that nobody can lock another out.
//! In memory of this node: an attacker who spreads over all nodes gets ten tries at each.

use hwc_runtime::clock::{Clock, Moment};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Wrong passwords that an address has before it must wait.
const ATTEMPTS_MAX: usize = 10;
/// How long a wrong password counts.
const WINDOW: Duration = Duration::from_secs(600);
/// Addresses remembered at most; beyond this the oldest are forgotten (64 bytes each).
const ADDRESSES_MAX: usize = 10_000;

/// Remembers wrong passwords.
#[derive(Debug)]
pub struct Attempts {
    clock: Clock,
    wrong: Mutex<BTreeMap<IpAddr, Vec<Moment>>>,
}

impl Attempts {
    /// Nothing remembered yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            wrong: Mutex::default(),
        }
    }

    /// How long an address must wait before its next try; none when it may try now.
    #[must_use]
    pub fn wait(&self, address: IpAddr) -> Option<Duration> {
        let now = self.clock.now();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let moments = wrong.get_mut(&address)?;
        moments.retain(|moment| now.since(*moment) < WINDOW);
        if moments.len() < ATTEMPTS_MAX {
            return None;
        }
        let oldest = moments.first().copied()?;
        Some(WINDOW.saturating_sub(now.since(oldest)))
    }

    /// Notes a wrong password.
    pub fn note_wrong(&self, address: IpAddr) {
        let now = self.clock.now();
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= ADDRESSES_MAX && !wrong.contains_key(&address) {
            wrong.retain(|_, moments| moments.iter().any(|moment| now.since(*moment) < WINDOW));
            if wrong.len() >= ADDRESSES_MAX {
                wrong.pop_first();
            }
        }
        let moments = wrong.entry(address).or_default();
        moments.push(now);
        if moments.len() > ATTEMPTS_MAX {
            moments.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::time::WallTime;

    #[test]
    fn the_eleventh_try_waits_and_others_do_not() {
        let clock = Clock::manual(WallTime(0));
        let attempts = Attempts::new(clock.clone());
        let (attacker, visitor) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..ATTEMPTS_MAX {
            assert_eq!(attempts.wait(attacker), None);
            attempts.note_wrong(attacker);
        }
        assert_eq!(attempts.wait(attacker), Some(WINDOW));
        assert_eq!(attempts.wait(visitor), None);
        clock.advance(WINDOW);
        assert_eq!(attempts.wait(attacker), None);
    }
}
