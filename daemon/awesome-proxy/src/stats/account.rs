//! What a closed gate cost its visitors, remembered for a few minutes: the account that a move's
//! receipt is made from.
//!
//! Pure: the moments are handed in. What ended is kept in slots of a tenth of a second, so that a
//! dataset takes some kilobytes at most, however many wait.

use hwc_api::moves::Pause;
use hwc_runtime::clock::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// Length of a slot: what is asked for is right to this.
const SLOT_MS: u64 = 100;
/// Slots kept: a minute in which something ended without a break, or hours of single events.
const SLOTS_MAX: usize = 600;
/// Periods without a way that are kept: more than a dataset can move in the time that anyone asks
/// about.
const SHUT_MAX: usize = 64;
/// Nobody asks about what is older.
const KEPT: Duration = Duration::from_secs(600);

/// What ended within one slot.
#[derive(Debug, Clone, Copy)]
struct Slot {
    begins: Moment,
    held: u32,
    longest_wait_ms: u32,
    failed: u32,
}

/// A period in which requests for the dataset had nowhere to go from this node.
#[derive(Debug, Clone, Copy)]
struct Shut {
    from: Moment,
    to: Moment,
}

/// The account of one dataset on this node.
#[derive(Debug, Default)]
pub(crate) struct PauseAccount {
    slots: VecDeque<Slot>,
    shut: VecDeque<Shut>,
    shut_since: Option<Moment>,
}

impl PauseAccount {
    /// A wait ended; `is_first` unless this request's was counted before, and it had to wait again.
    pub fn held(&mut self, now: Moment, wait: Duration, is_first: bool) {
        self.note(now, |slot| {
            slot.held = slot.held.saturating_add(u32::from(is_first));
            slot.longest_wait_ms = slot.longest_wait_ms.max(milliseconds(wait));
        });
    }

    /// A request or session was refused, cut off or failed because of the gate.
    pub fn failed(&mut self, now: Moment) {
        self.note(now, |slot| slot.failed = slot.failed.saturating_add(1));
    }

    /// Whether requests have somewhere to go from this moment on.
    pub fn set_way(&mut self, now: Moment, is_open: bool) {
        if !is_open {
            self.shut_since.get_or_insert(now);
        } else if let Some(from) = self.shut_since.take() {
            if self.shut.len() >= SHUT_MAX {
                self.shut.pop_front();
            }
            self.shut.push_back(Shut { from, to: now });
        }
    }

    /// What ended, and how long there was no way, within the last `within`.
    pub fn read(&self, now: Moment, within: Duration) -> Pause {
        let begin = Moment(now.0.saturating_sub(u64::from(milliseconds(within))));
        let mut pause = Pause {
            closed_ms: milliseconds(self.closed(begin, now)),
            ..Pause::default()
        };
        let recent = |slot: &&Slot| slot.begins.0 + SLOT_MS > begin.0;
        for slot in self.slots.iter().rev().take_while(recent) {
            pause.held = pause.held.saturating_add(slot.held);
            pause.longest_wait_ms = pause.longest_wait_ms.max(slot.longest_wait_ms);
            pause.failed = pause.failed.saturating_add(slot.failed);
        }
        pause
    }

    fn closed(&self, begin: Moment, now: Moment) -> Duration {
        let under_way = self.shut_since.map(|from| Shut { from, to: now });
        self.shut
            .iter()
            .copied()
            .chain(under_way)
            .map(|shut| shut.to.min(now).since(shut.from.max(begin)))
            .sum()
    }

    /// Writes into the slot of this moment. The clock never runs back.
    fn note(&mut self, now: Moment, write: impl FnOnce(&mut Slot)) {
        let is_old = |slot: &Slot| now.since(slot.begins) > KEPT;
        while self.slots.len() >= SLOTS_MAX || self.slots.front().is_some_and(is_old) {
            self.slots.pop_front();
        }
        let begins = Moment(now.0 - now.0 % SLOT_MS);
        if self.slots.back().is_none_or(|last| last.begins < begins) {
            self.slots.push_back(Slot {
                begins,
                held: 0,
                longest_wait_ms: 0,
                failed: 0,
            });
        }
        if let Some(slot) = self.slots.back_mut() {
            write(slot);
        }
    }
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn only_what_ended_within_the_time_asked_for_counts() {
        let mut account = PauseAccount::default();
        account.held(Moment(10_000), ms(900), true);
        account.held(Moment(20_000), ms(300), true);
        account.held(Moment(20_050), ms(200), true);
        account.failed(Moment(20_500));
        let pause = account.read(Moment(21_000), ms(5_000));
        assert_eq!(
            (pause.held, pause.longest_wait_ms, pause.failed),
            (2, 300, 1)
        );
        let pause = account.read(Moment(21_000), ms(20_000));
        assert_eq!((pause.held, pause.longest_wait_ms), (3, 900));
        let pause = account.read(Moment(40_000), ms(1_000));
        assert_eq!(pause, Pause::default());
    }

    #[test]
    fn a_request_that_waits_twice_is_one_with_the_sum_of_its_waits() {
        let mut account = PauseAccount::default();
        account.held(Moment(1_000), ms(100), true);
        account.held(Moment(1_500), ms(350), false);
        let pause = account.read(Moment(2_000), ms(2_000));
        assert_eq!((pause.held, pause.longest_wait_ms), (1, 350));
    }

    #[test]
    fn the_time_without_a_way_is_cut_to_the_time_asked_for() {
        let mut account = PauseAccount::default();
        account.set_way(Moment(0), true);
        account.set_way(Moment(1_000), false);
        account.set_way(Moment(1_200), false);
        account.set_way(Moment(1_500), true);
        assert_eq!(account.read(Moment(9_000), ms(9_000)).closed_ms, 500);
        assert_eq!(account.read(Moment(1_700), ms(300)).closed_ms, 100);
        account.set_way(Moment(9_000), false);
        assert_eq!(account.read(Moment(9_250), ms(1_000)).closed_ms, 250);
        assert_eq!(account.read(Moment(99_000), ms(1_000)).closed_ms, 1_000);
    }

    #[test]
    fn the_account_stays_small() {
        let mut account = PauseAccount::default();
        for tick in 0..100_000 {
            let now = Moment(tick * 70);
            account.held(now, ms(1), true);
            account.set_way(now, tick % 2 == 0);
        }
        assert!(account.slots.len() <= SLOTS_MAX && account.shut.len() <= SHUT_MAX);
        let pause = account.read(Moment(100_000 * 70), ms(1_000));
        assert!((14..=17).contains(&pause.held), "{pause:?}");
    }
}
