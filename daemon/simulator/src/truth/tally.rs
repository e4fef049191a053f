//! Counts: that a run did something, and how well visitors fared.

use std::time::Duration;

/// What happened in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps of brains.
    pub steps: u64,
    /// Simulated milliseconds.
    pub simulated_ms: u64,
    /// Datasets opened.
    pub opened: u64,
    /// Divergent copies filed.
    pub filed: u64,
    /// Streams committed.
    pub streams: u64,
    /// Promotions sent.
    pub promotions: u64,
    /// Planned moves that ended on their target.
    pub moved: u64,
    /// Planned moves that were called off.
    pub called_off: u64,
    /// Changes of holders that a brain proposed.
    pub rehomed: u64,
    /// Moments at which a second gate was opened for a dataset.
    pub two_open: u64,
    /// Copies dropped.
    pub dropped: u64,
    /// Whole contents that were sent where an increment was impossible.
    pub full_resyncs: u64,
    /// Visitors.
    pub requests: RequestTally,
}

/// How visitors fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestTally {
    /// Requests answered.
    pub answered: u64,
    /// Of those, requests that had to wait for a live node.
    pub held: u64,
    /// Requests that waited in vain.
    pub gave_up: u64,
    /// Requests of which nobody knows whether they were carried out: the node died under them.
    pub cut_off: u64,
    /// The longest wait of an answered one, milliseconds.
    pub longest_ms: u64,
}

impl RequestTally {
    /// A request was answered after so long.
    pub fn note_answer(&mut self, waited: Duration, was_held: bool) {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.answered += 1;
        self.held += u64::from(was_held);
        self.longest_ms = self.longest_ms.max(waited_ms);
    }
}

impl Tally {
    /// Adds another run's counts.
    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.simulated_ms += other.simulated_ms;
        self.opened += other.opened;
        self.filed += other.filed;
        self.streams += other.streams;
        self.promotions += other.promotions;
        self.moved += other.moved;
        self.called_off += other.called_off;
        self.rehomed += other.rehomed;
        self.two_open += other.two_open;
        self.dropped += other.dropped;
        self.full_resyncs += other.full_resyncs;
        let requests = &mut self.requests;
        requests.answered += other.requests.answered;
        requests.held += other.requests.held;
        requests.gave_up += other.requests.gave_up;
        requests.cut_off += other.requests.cut_off;
        requests.longest_ms = requests.longest_ms.max(other.requests.longest_ms);
    }
}
