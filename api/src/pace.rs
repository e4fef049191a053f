//! How long something goes on, told from how far it has come. Pure.

use crate::ids::DatasetId;
use crate::moves::{MovePhase, MoveProgress};
use crate::time::WallTime;
use std::collections::BTreeMap;

/// For so long a move is watched before its end is told; a pace over less is luck. Milliseconds.
const WATCHED_MS: u64 = 2_000;

/// Milliseconds until what is left is done as well, at the pace so far; none while nothing is done.
#[must_use]
pub fn time_left_ms(elapsed_ms: u64, done: u64, left: u64) -> Option<u64> {
    let whole = u128::from(elapsed_ms) * u128::from(left);
    let time_left = whole.checked_div(u128::from(done))?;
    Some(u64::try_from(time_left).unwrap_or(u64::MAX))
}

/// The pace of each move's copying as one onlooker sees it, by that onlooker's clock: a move may
/// have waited for its turn since it was decided, and the nodes' clocks differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paces(BTreeMap<DatasetId, FirstSeen>);

/// How far the copying was when it was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FirstSeen {
    at: WallTime,
    sent_bytes: u64,
}

impl Paces {
    /// Takes in how far a move is. Milliseconds until its target has everything; none where that
    /// can't be told.
    pub fn remaining_ms(&mut self, progress: &MoveProgress, now: WallTime) -> Option<u64> {
        if progress.phase != MovePhase::Copying {
            self.0.remove(&progress.dataset);
            return None;
        }
        let first = self.0.entry(progress.dataset).or_insert(FirstSeen {
            at: now,
            sent_bytes: progress.sent_bytes,
        });
        let elapsed_ms = now.since_ms(first.at);
        let sent = progress.sent_bytes.saturating_sub(first.sent_bytes);
        if elapsed_ms < WATCHED_MS {
            return None;
        }
        time_left_ms(elapsed_ms, sent, progress.behind_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;
    use crate::moves::MoveReason;

    fn progress(phase: MovePhase, sent_bytes: u64, behind_bytes: u64) -> MoveProgress {
        MoveProgress {
            dataset: DatasetId(1),
            from: NodeId(1),
            to: NodeId(2),
            reason: MoveReason::Balance,
            phase,
            started_at: WallTime(0),
            due_at: None,
            rounds: 0,
            sent_bytes,
            behind_bytes,
            gate_closed_at: None,
        }
    }

    #[test]
    fn the_rest_takes_as_long_as_what_is_done_took() {
        for (elapsed_ms, done, left, expected) in [
            (30_000, 1, 2, Some(60_000)),
            (30_000, 3, 0, Some(0)),
            (30_000, 0, 2, None),
            (u64::MAX, 1, u64::MAX, Some(u64::MAX)),
        ] {
            assert_eq!(time_left_ms(elapsed_ms, done, left), expected);
        }
    }

    #[test]
    fn only_what_was_sent_while_somebody_looked_counts() {
        use MovePhase::{Closing, Copying, Planned};
        let mut paces = Paces::default();
        let mut check = |phase, sent, behind, now, expected, why| {
            let left = paces.remaining_ms(&progress(phase, sent, behind), WallTime(now));
            assert_eq!(left, expected, "{why}");
        };
        check(Planned, 0, 900, 0, None, "it waits for its turn");
        check(Copying, 500, 900, 600_000, None, "seen for the first time");
        check(Copying, 700, 700, 601_999, None, "too early");
        check(Copying, 500, 900, 602_000, None, "nothing was sent since");
        let seven_s = Some(7_000);
        check(Copying, 700, 700, 602_000, seven_s, "200 in two seconds");
        check(Closing, 1_400, 0, 603_000, None, "nothing is left to copy");
        check(Copying, 100, 900, 700_000, None, "another move of it");
    }
}
