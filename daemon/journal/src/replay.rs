//! Steps through a journal with a real brain.

use crate::format::Entry;
use crate::read::Journal;
use hwc_state_machine::{Action, StateMachine};

/// One event and what the brain made of it.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// The number of the event in the journal, from 1.
    pub number: usize,
    /// The event.
    pub entry: &'a Entry,
    /// What the brain wanted done.
    pub actions: Vec<Action>,
    /// Whether this event is the first of a segment whose checkpoint differs from what replaying
    /// the segment before gave: events are missing in between, or another version decided.
    pub is_after_break: bool,
}

/// A journal being replayed.
#[derive(Debug)]
pub struct Replay<'a> {
    journal: &'a Journal,
    brain: Option<StateMachine>,
    segment: usize,
    entry: usize,
    number: usize,
    is_after_break: bool,
}

impl<'a> Replay<'a> {
    /// At the beginning.
    #[must_use]
    pub fn new(journal: &'a Journal) -> Self {
        Self {
            journal,
            brain: journal
                .segments
                .first()
                .map(|first| first.checkpoint.clone()),
            segment: 0,
            entry: 0,
            number: 0,
            is_after_break: false,
        }
    }

    /// The brain as it is after the last step; none in an empty journal.
    #[must_use]
    pub const fn brain(&self) -> Option<&StateMachine> {
        self.brain.as_ref()
    }

    /// Gives the brain the next event. `None` at the end.
    pub fn step(&mut self) -> Option<Step<'a>> {
        let entry = loop {
            let segment = self.journal.segments.get(self.segment)?;
            if let Some(entry) = segment.entries.get(self.entry) {
                break entry;
            }
            self.next_segment();
        };
        self.entry += 1;
        self.number += 1;
        let actions = self.brain.as_mut()?.step(entry.at, entry.event.clone());
        Some(Step {
            number: self.number,
            entry,
            actions,
            is_after_break: std::mem::take(&mut self.is_after_break),
        })
    }

    fn next_segment(&mut self) {
        self.segment += 1;
        self.entry = 0;
        let Some(next) = self.journal.segments.get(self.segment) else {
            return;
        };
        let encoded = |brain: &StateMachine| postcard::to_stdvec(brain).ok();
        if self.brain.as_ref().and_then(encoded) != encoded(&next.checkpoint) {
            self.is_after_break = true;
            self.brain = Some(next.checkpoint.clone());
        }
    }
}
