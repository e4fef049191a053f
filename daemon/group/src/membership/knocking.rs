//! Whom to knock at, and when: nodes that are listed and are not members. Pure.
//!
//! A lost announcement, the end of a netsplit, a node that was down when we began: whoever is alone
//! goes on knocking for ever, ever more rarely, at a few nodes at a time, so that neither hours nor
//! a long list make it a storm. News of any kind make it knock soon again.

use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use std::collections::BTreeSet;
use std::time::Duration;

/// Knocks of one round: one lost datagram must not leave a node alone.
const KNOCKS_WHILE_ALONE: usize = 5;
/// With members, SWIM itself spreads the news of newcomers.
const KNOCKS_WITH_MEMBERS: usize = 1;

#[derive(Debug)]
pub(super) struct Knocking {
    first: Duration,
    max: Duration,
    /// None before the first round: due at once.
    next: Option<Moment>,
    pause: Duration,
    /// After whom the next round goes on in the list.
    last: NodeId,
}

impl Knocking {
    pub(super) const fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            next: None,
            pause: first,
            last: NodeId(0),
        }
    }

    /// When the next round is due.
    pub(super) fn next(&self) -> Moment {
        self.next.unwrap_or_default()
    }

    /// Something happened that makes it worthwhile to knock soon: not sooner than at first.
    pub(super) fn hurry(&mut self, now: Moment) {
        self.pause = self.first;
        if let Some(next) = self.next {
            self.next = Some(next.min(now.plus(self.first)));
        }
    }

    /// Puts the next round off.
    pub(super) fn put_off(&mut self, by: Duration) {
        self.next = self.next.map(|next| next.plus(by));
    }

    /// The nodes to knock at now, if a round is due.
    pub(super) fn round(
        &mut self,
        now: Moment,
        missing: &BTreeSet<NodeId>,
        has_members: bool,
    ) -> Vec<NodeId> {
        if self.next() > now {
            return Vec::new();
        }
        self.next = Some(now.plus(self.pause));
        if missing.is_empty() {
            self.pause = self.first;
            return Vec::new();
        }
        self.pause = (self.pause * 2).min(self.max);
        let count = if has_members {
            KNOCKS_WITH_MEMBERS
        } else {
            KNOCKS_WHILE_ALONE
        };
        let after = missing.range((
            std::ops::Bound::Excluded(self.last),
            std::ops::Bound::Unbounded,
        ));
        let chosen: Vec<_> = after
            .chain(missing.iter())
            .copied()
            .take(count.min(missing.len()))
            .collect();
        self.last = chosen.last().copied().unwrap_or(self.last);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(10);

    fn nodes(numbers: std::ops::RangeInclusive<u16>) -> BTreeSet<NodeId> {
        numbers.map(NodeId).collect()
    }

    #[test]
    fn a_lonely_node_knocks_at_everybody_for_ever_and_never_storms() {
        let mut knocking = Knocking::new(FIRST, MAX);
        let missing = nodes(2..=40);
        let (mut knocks, mut hour_two) = (0, BTreeSet::new());
        let hour = 3_600_000;
        while knocking.next() < Moment(2 * hour) {
            let now = knocking.next();
            let round = knocking.round(now, &missing, false);
            knocks += round.len();
            if now > Moment(hour) {
                hour_two.extend(round);
            }
        }
        assert!(knocks < 2 * 3_600 / 10 * 5 + 40, "{knocks}");
        assert_eq!(hour_two, missing);
    }

    #[test]
    fn news_make_it_knock_soon_again() {
        let mut knocking = Knocking::new(FIRST, MAX);
        let missing = nodes(2..=3);
        for _ in 0..20 {
            let now = knocking.next();
            knocking.round(now, &missing, false);
        }
        let last = Moment(knocking.next().0 - MAX.as_millis() as u64);
        knocking.hurry(last.plus(FIRST));
        assert_eq!(knocking.next(), last.plus(FIRST * 2));
    }

    #[test]
    fn a_round_goes_on_where_the_last_one_ended() {
        let mut knocking = Knocking::new(FIRST, MAX);
        let missing = nodes(2..=4);
        let mut asked = Vec::new();
        for _ in 0..4 {
            let now = knocking.next();
            asked.extend(knocking.round(now, &missing, true));
        }
        assert_eq!(asked, [2, 3, 4, 2].map(NodeId));
        let now = knocking.next();
        assert!(knocking.round(now, &BTreeSet::new(), true).is_empty());
    }
}
