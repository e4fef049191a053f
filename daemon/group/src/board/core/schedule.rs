//! What is due, and when: one moment for each thing. Pure.

use super::Due;
use hwc_runtime::clock::Moment;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Schedule {
    moments: BTreeMap<Due, Moment>,
    order: BTreeSet<(Moment, Due)>,
}

impl Schedule {
    pub(super) fn next(&self) -> Option<Moment> {
        self.order.first().map(|(at, _due)| *at)
    }

    pub(super) fn set(&mut self, due: Due, at: Moment) {
        if let Some(before) = self.moments.insert(due, at) {
            self.order.remove(&(before, due));
        }
        self.order.insert((at, due));
    }

    /// Sets it, unless it is due earlier already.
    pub(super) fn bring_forward(&mut self, due: Due, at: Moment) {
        if self.moments.get(&due).is_none_or(|before| *before > at) {
            self.set(due, at);
        }
    }

    pub(super) fn remove(&mut self, due: Due) {
        if let Some(before) = self.moments.remove(&due) {
            self.order.remove(&(before, due));
        }
    }

    pub(super) fn pop_due(&mut self, now: Moment) -> Option<Due> {
        let (at, due) = self.order.first().copied()?;
        if at > now {
            return None;
        }
        self.remove(due);
        Some(due)
    }
}
