//! What will happen, and when: the queue that every run is driven by.
//!
//! What is due at the same moment happens in the order in which it was scheduled, so that a run
//! depends on its seed alone.

use crate::time::Moment;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Things of type `T` that will happen.
#[derive(Debug, Clone)]
pub struct Schedule<T> {
    now: Moment,
    scheduled: u64,
    due: BinaryHeap<Reverse<(Moment, u64, usize)>>,
    /// The things themselves, so that the heap moves small keys only.
    things: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self {
            now: Moment::START,
            scheduled: 0,
            due: BinaryHeap::new(),
            things: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Schedule<T> {
    /// The present.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// How much is still to happen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether nothing is to happen any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Schedules something after a while.
    pub fn after(&mut self, delay: Duration, what: T) {
        self.at(self.now + delay, what);
    }

    /// Schedules something for a moment; what should have happened in the past happens now.
    pub fn at(&mut self, moment: Moment, what: T) {
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(slot) = self.things.get_mut(place) {
                    *slot = Some(what);
                }
                place
            }
            None => {
                self.things.push(Some(what));
                self.things.len() - 1
            }
        };
        self.scheduled += 1;
        let key = (moment.max(self.now), self.scheduled, place);
        self.due.push(Reverse(key));
    }

    /// The next thing that happens until `end`; the present becomes its moment. None if nothing
    /// more happens until then; the present becomes `end`.
    pub fn next(&mut self, end: Moment) -> Option<T> {
        let Some(Reverse((at, _, place))) = self.due.peek().copied().filter(|due| due.0.0 <= end)
        else {
            self.now = self.now.max(end);
            return None;
        };
        self.due.pop();
        self.now = at;
        self.free.push(place);
        self.things.get_mut(place)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ms;

    #[test]
    fn things_happen_in_order_and_equal_moments_as_scheduled() {
        let mut schedule = Schedule::default();
        for (delay, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            schedule.after(ms(delay), what);
        }
        let mut seen = String::new();
        while let Some(what) = schedule.next(Moment::at_millis(5)) {
            seen.push(what);
            if what == 'a' {
                schedule.at(Moment::START, 'x');
            }
        }
        assert_eq!(seen, "axbcd");
        assert!(schedule.is_empty() && schedule.now() == Moment::at_millis(5));
    }

    #[test]
    fn what_is_later_waits() {
        let mut schedule = Schedule::default();
        schedule.after(ms(10), ());
        assert_eq!(schedule.next(Moment::at_millis(9)), None);
        assert_eq!(schedule.now(), Moment::at_millis(9));
        assert_eq!(schedule.len(), 1);
        assert_eq!(schedule.next(Moment::at_millis(10)), Some(()));
    }
}
