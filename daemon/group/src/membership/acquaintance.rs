//! Who has proved to be there in this life of ours. Pure.
//!
//! A receiver's replay window is lost when its daemon restarts: a recorded announcement of a node
//! that has died since would make it a member again. So an announcement of a life that has not proved
//! itself yet is answered with a number drawn for it, and counts only after the number came back.
//! Everything else that SWIM says names the very life that it is said to, which no record of an
//! earlier one does.

use crate::identity::Start;
use hwc_api::ids::NodeId;
use hwc_runtime::clock::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// A question that was not answered for so long was asked of somebody who isn't there.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Acquaintances {
    proved: BTreeMap<NodeId, Start>,
    asked: BTreeMap<NodeId, Question>,
}

#[derive(Debug, Clone, Copy)]
struct Question {
    start: Start,
    number: u64,
    at: Moment,
}

/// What to do about an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    /// It is of a life that has proved itself.
    Known,
    /// Ask for this number.
    Ask {
        number: u64,
        /// An earlier question was never answered: that announcement was a record.
        was_record: bool,
    },
}

impl Acquaintances {
    /// Judges an announcement; `draw` gives a number that nobody can guess.
    pub(super) fn announced(
        &mut self,
        node: NodeId,
        start: Start,
        now: Moment,
        draw: impl FnOnce() -> u64,
    ) -> Announcement {
        if self.proved.get(&node) == Some(&start) {
            return Announcement::Known;
        }
        let before = self.asked.get(&node);
        let is_open = |question: &&Question| {
            question.start == start && now.since(question.at) < ANSWER_WITHIN
        };
        if let Some(question) = before.filter(is_open) {
            return Announcement::Ask {
                number: question.number,
                was_record: false,
            };
        }
        let was_record = before.is_some();
        let number = draw();
        let at = now;
        self.asked.insert(node, Question { start, number, at });
        Announcement::Ask { number, was_record }
    }

    /// Takes an answer; says whether it proves the life.
    pub(super) fn answered(&mut self, node: NodeId, start: Start, number: u64) -> bool {
        let is_right = |question: &Question| question.start == start && question.number == number;
        if !self.asked.get(&node).is_some_and(is_right) {
            return false;
        }
        self.asked.remove(&node);
        self.proved.insert(node, start);
        true
    }

    /// Forgets who left the cluster.
    pub(super) fn retain(&mut self, stays: impl Fn(NodeId) -> bool) {
        self.proved.retain(|node, _start| stays(*node));
        self.asked.retain(|node, _question| stays(*node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::BootId;

    const NODE: NodeId = NodeId(2);

    fn life(number: u64) -> Start {
        Start {
            number,
            boot: BootId(1),
        }
    }

    #[test]
    fn a_life_is_known_after_it_gave_the_number_back() {
        let mut known = Acquaintances::default();
        let ask = known.announced(NODE, life(1), Moment(0), || 77);
        let number = 77;
        let was_record = false;
        assert_eq!(ask, Announcement::Ask { number, was_record });
        // Asked again before the answer: the same number, so that a late answer counts.
        assert_eq!(known.announced(NODE, life(1), Moment(100), || 78), ask);
        assert!(!known.answered(NODE, life(1), 78));
        assert!(!known.answered(NODE, life(2), 77));
        assert!(!known.answered(NodeId(3), life(1), 77));
        assert!(known.answered(NODE, life(1), 77));
        assert!(!known.answered(NODE, life(1), 77));
        let again = known.announced(NODE, life(1), Moment(9_000), || 79);
        assert_eq!(again, Announcement::Known);
        let new_life = known.announced(NODE, life(2), Moment(9_000), || 80);
        assert_ne!(new_life, Announcement::Known);
    }

    #[test]
    fn a_record_is_found_out_by_its_silence() {
        let mut known = Acquaintances::default();
        known.announced(NODE, life(1), Moment(0), || 77);
        let again = known.announced(NODE, life(1), Moment(6_000), || 78);
        let number = 78;
        let was_record = true;
        assert_eq!(again, Announcement::Ask { number, was_record });
    }
}
