//! The timers that SWIM asked for, in the order in which they are due. Pure.
//!
//! What SWIM asks for twice is kept once, so that a link that flaps for days costs nothing; and all
//! of it can be put off at once, when this node itself stood still.

use super::swim::{SwimId, SwimTimer};
use foca::Timer;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeMap<(Moment, u64), SwimTimer>,
    /// Where the timer of a kind that is kept once stands.
    single: BTreeMap<Kind, (Moment, u64)>,
    next: u64,
}

/// What there is at most one timer of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Forgetting a member that is down: the latest counts.
    Forget(NodeId),
    /// The end of a suspicion (of an incarnation, in a period of SWIM's own): the earliest counts.
    Declare(SwimId, u16, u8),
}

impl Timers {
    /// The moment of the earliest one.
    pub(super) fn next(&self) -> Option<Moment> {
        self.queue.keys().next().map(|(at, _sequence)| *at)
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn insert(&mut self, at: Moment, timer: SwimTimer) {
        let kind = kind(&timer);
        if let Some(place) = kind.and_then(|kind| self.single.get(&kind)) {
            if matches!(kind, Some(Kind::Declare(..))) {
                return;
            }
            self.queue.remove(place);
        }
        self.next += 1;
        let place = (at, self.next);
        if let Some(kind) = kind {
            self.single.insert(kind, place);
        }
        self.queue.insert(place, timer);
    }

    /// Takes the earliest one, if its time has come.
    pub(super) fn pop_due(&mut self, now: Moment) -> Option<SwimTimer> {
        let entry = self.queue.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let timer = entry.remove();
        if let Some(kind) = kind(&timer) {
            self.single.remove(&kind);
        }
        Some(timer)
    }

    /// Puts all of them off.
    pub(super) fn put_off(&mut self, by: Duration) {
        let queue = std::mem::take(&mut self.queue);
        let later = |(at, sequence): (Moment, u64)| (at.plus(by), sequence);
        self.queue = queue.into_iter().map(|(p, t)| (later(p), t)).collect();
        for place in self.single.values_mut() {
            *place = later(*place);
        }
    }
}

fn kind(timer: &SwimTimer) -> Option<Kind> {
    match timer {
        Timer::RemoveDown(id) => Some(Kind::Forget(id.node)),
        Timer::ChangeSuspectToDown {
            member_id,
            incarnation,
            token,
        } => Some(Kind::Declare(*member_id, *incarnation, *token)),
        Timer::ProbeRandomMember(_)
        | Timer::SendIndirectProbe { .. }
        | Timer::PeriodicAnnounce(_)
        | Timer::PeriodicGossip(_)
        | Timer::PeriodicAnnounceDown(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Start;

    fn id(bump: u32) -> SwimId {
        SwimId {
            node: NodeId(2),
            start: Start::default(),
            bump,
        }
    }

    #[test]
    fn what_is_asked_for_twice_is_kept_once() {
        let mut timers = Timers::default();
        for bump in 0..100 {
            let at = Moment(1_000 + u64::from(bump));
            timers.insert(at, Timer::RemoveDown(id(bump)));
            timers.insert(
                at,
                Timer::ChangeSuspectToDown {
                    member_id: id(0),
                    incarnation: 3,
                    token: 0,
                },
            );
        }
        assert_eq!(timers.len(), 2);
        assert!(matches!(
            timers.pop_due(Moment(1_000)),
            Some(Timer::ChangeSuspectToDown { .. })
        ));
        assert_eq!(timers.pop_due(Moment(1_098)), None);
        assert_eq!(
            timers.pop_due(Moment(1_099)),
            Some(Timer::RemoveDown(id(99)))
        );
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn all_are_put_off_in_their_order() {
        let mut timers = Timers::default();
        timers.insert(Moment(20), Timer::PeriodicGossip(0));
        timers.insert(Moment(10), Timer::ProbeRandomMember(0));
        timers.put_off(Duration::from_millis(100));
        assert_eq!(timers.next(), Some(Moment(110)));
        assert_eq!(timers.pop_due(Moment(109)), None);
        assert_eq!(
            timers.pop_due(Moment(200)),
            Some(Timer::ProbeRandomMember(0))
        );
        assert_eq!(timers.pop_due(Moment(200)), Some(Timer::PeriodicGossip(0)));
    }
}
