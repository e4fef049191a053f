//! How patient the registry is: every time that depends on the network, in one table per network.
//!
//! The rules between them, checked by a test:
//! - openraft gives an append up after `heartbeat`, so that is longer than a round trip with a lost
//!   packet in it; whoever hears nothing for `election_min` has missed several.
//! - A voter that had a leader waits for `election_max` (the leader's lease, as openraft calls it) and
//!   then for its own time between `election_min` and `election_max` before it asks to lead. So long
//!   a majority counts as fresh.
//! - A change is tried for two of these waits, a call for longer than a change.
//!
//! | | LAN | WAN |
//! |---|---|---|
//! | the leader is heard of every | 250 ms | 1 s |
//! | a voter that has lost its leader waits | 2.4 to 3.2 s | 8.5 to 10 s |
//! | a small question is answered within | 1 s | 4 s |
//! | a change is tried for | 8 s | 25 s |
//! | a call takes at most | 15 s | 60 s |
//! | another one votes for a voter away for | 3 min | 10 min |

use std::time::Duration;

/// The registry's times. The same on all nodes of a cluster, or nearly: nodes with different ones
/// understand each other while they are restarted one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How often the leader is heard of, and how long openraft waits for the answer.
    pub heartbeat: Duration,
    /// The least time that a voter waits for another one to lead before it asks to.
    pub election_min: Duration,
    /// The most. Also how long a leader counts as one after it was heard of last.
    pub election_max: Duration,
    /// How long a node may take to answer a small question: a dial, and a lost packet.
    pub answer: Duration,
    /// How long a change is tried: several elections long, and no longer than a person waits.
    pub change: Duration,
    /// The pause between two attempts when nothing is heard of a new leader.
    pub retry: Duration,
    /// How long any call may take: as long as a change is tried, or a chunk of a snapshot installed.
    pub call: Duration,
    /// How long a voter may be away before another one votes in its stead. Longer than a restart,
    /// shorter than an administrator's way to the machine.
    pub replace_voter_after: Duration,
    /// Log entries between two snapshots; about half as many stay in the log for nodes that lag.
    pub snapshot_after_entries: u64,
}

impl Timing {
    /// For nodes that are milliseconds apart.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            heartbeat: Duration::from_millis(250),
            election_min: Duration::from_millis(800),
            election_max: Duration::from_millis(1_600),
            answer: Duration::from_secs(1),
            change: Duration::from_secs(8),
            retry: Duration::from_millis(150),
            call: Duration::from_secs(15),
            replace_voter_after: Duration::from_secs(180),
            snapshot_after_entries: 1_000,
        }
    }

    /// For nodes that are up to a few hundred milliseconds apart, on lines that stop for seconds.
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            heartbeat: Duration::from_secs(1),
            election_min: Duration::from_millis(3_500),
            election_max: Duration::from_secs(5),
            answer: Duration::from_secs(4),
            change: Duration::from_secs(25),
            retry: Duration::from_millis(500),
            call: Duration::from_secs(60),
            replace_voter_after: Duration::from_secs(600),
            snapshot_after_entries: 1_000,
        }
    }

    /// How long ago a majority, or the leader, may have been heard of for the registry to count as
    /// writable: by then others have asked to lead.
    pub(crate) fn fresh(&self) -> Duration {
        self.election_max * 2
    }

    /// How long what was acknowledged elsewhere, or how far another's log goes, is waited for.
    pub(crate) fn arrive(&self) -> Duration {
        self.answer * 2
    }

    /// How long a step of the membership may take. Cut, it leaves a joint membership at worst, which
    /// the next run ends.
    pub(crate) fn step(&self) -> Duration {
        self.change + self.arrive()
    }

    /// How long lost nodes are not listened to on the word of the node that asks. Long enough for
    /// the rescue; then the settings say it, or the rescue has failed and they may be needed.
    pub(crate) fn denial(&self) -> Duration {
        self.call * 4
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::lan()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_agree_with_each_other() {
        // The longest round trip that is meant, and what a lost packet adds to it at least.
        for (timing, round_trip_ms) in [(Timing::lan(), 10), (Timing::wan(), 300)] {
            let round_trip = Duration::from_millis(round_trip_ms);
            let lost = round_trip.max(Duration::from_millis(200));
            assert!(timing.heartbeat > round_trip + lost, "{timing:?}");
            assert!(timing.heartbeat * 3 < timing.election_min, "{timing:?}");
            assert!(timing.election_min < timing.election_max, "{timing:?}");
            // TCP, TLS and the welcome before the question, and a lost first packet.
            let dialled = round_trip * 5 + Duration::from_millis(900);
            assert!(timing.answer > dialled, "{timing:?}");
            assert!(timing.change > timing.fresh() * 2, "{timing:?}");
            assert!(timing.call > timing.change + timing.arrive(), "{timing:?}");
            assert!(timing.denial() >= timing.step() * 2, "{timing:?}");
            assert!(timing.retry < timing.election_min, "{timing:?}");
            assert!(timing.replace_voter_after > timing.step(), "{timing:?}");
        }
    }
}
