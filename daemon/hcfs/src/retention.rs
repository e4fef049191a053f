//! Which snapshots are kept. Pure.
//!
//! All of the newest, then one per minute, hour and day, and whatever somebody needs: the head,
//! the anchors of other holders, what is being sent. So the number of snapshots is bounded however
//! busy a dataset is, and a replica that was away for a while still has a common one.

use hwc_api::ownership::SnapshotId;
use hwc_api::time::WallTime;
use std::collections::BTreeSet;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How many snapshots of a dataset are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The newest, all of them.
    pub newest: usize,
    /// Minutes of which one snapshot is kept.
    pub minutes: u32,
    /// Hours of which one snapshot is kept.
    pub hours: u32,
    /// Days of which one snapshot is kept.
    pub days: u32,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            newest: 32,
            minutes: 60,
            hours: 48,
            days: 30,
        }
    }
}

/// A snapshot as far as retention is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// Its name.
    pub snapshot: SnapshotId,
    /// When it was taken.
    pub taken_at: WallTime,
}

/// The snapshots that may go. `history` is oldest first; `keep` is kept whatever its age.
#[must_use]
pub fn superfluous(
    policy: &RetentionPolicy,
    now: WallTime,
    history: &[Retained],
    keep: &BTreeSet<SnapshotId>,
) -> Vec<SnapshotId> {
    let mut wanted = keep.clone();
    // The head is never thinned, whatever the policy says.
    let newest = policy.newest.max(1);
    wanted.extend(history.iter().rev().take(newest).map(|s| s.snapshot));
    for (unit_ms, count) in [
        (MINUTE_MS, policy.minutes),
        (HOUR_MS, policy.hours),
        (DAY_MS, policy.days),
    ] {
        wanted.extend(first_of_each(unit_ms, count, now, history));
    }
    history
        .iter()
        .map(|s| s.snapshot)
        .filter(|snapshot| !wanted.contains(snapshot))
        .collect()
}

/// The first snapshot of each of the last `count` units of time. The first, because it stays the
/// first as the unit fills, so that thinning again later takes nothing more.
fn first_of_each(
    unit_ms: i64,
    count: u32,
    now: WallTime,
    history: &[Retained],
) -> impl Iterator<Item = SnapshotId> {
    let current = now.0.div_euclid(unit_ms);
    let oldest = current.saturating_sub(i64::from(count));
    let mut seen = BTreeSet::new();
    history.iter().filter_map(move |s| {
        let unit = s.taken_at.0.div_euclid(unit_ms);
        (unit > oldest && unit <= current && seen.insert(unit)).then_some(s.snapshot)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};
    use hwc_api::ownership::Epoch;

    fn snapshot(sequence: u32) -> SnapshotId {
        SnapshotId {
            epoch: Epoch {
                counter: 1,
                node: NodeId(1),
                boot: BootId(1),
            },
            sequence,
        }
    }

    /// A snapshot every `step_ms`, the last one at `now`.
    fn history(count: u32, step_ms: i64, now: WallTime) -> Vec<Retained> {
        (1..=count)
            .map(|sequence| Retained {
                snapshot: snapshot(sequence),
                taken_at: now.plus_ms(-i64::from(count - sequence) * step_ms),
            })
            .collect()
    }

    const NOW: WallTime = WallTime(1_790_000_000_123);

    #[test]
    fn a_storm_of_snapshots_is_bounded() {
        let policy = RetentionPolicy::default();
        let history = history(200_000, 500, NOW);
        let gone = superfluous(&policy, NOW, &history, &BTreeSet::new());
        let kept = history.len() - gone.len();
        assert!((60..=32 + 60 + 48 + 30).contains(&kept), "{kept}");
        assert!(!gone.contains(&snapshot(200_000)));
    }

    #[test]
    fn thinning_step_by_step_leaves_what_thinning_at_once_leaves() {
        let policy = RetentionPolicy {
            newest: 3,
            minutes: 5,
            hours: 2,
            days: 1,
        };
        let all = history(500, 7_000, NOW);
        let mut step_by_step: Vec<Retained> = Vec::new();
        for next in &all {
            step_by_step.push(*next);
            let gone = superfluous(&policy, next.taken_at, &step_by_step, &BTreeSet::new());
            step_by_step.retain(|s| !gone.contains(&s.snapshot));
        }
        let gone = superfluous(&policy, NOW, &all, &BTreeSet::new());
        let mut at_once = all;
        at_once.retain(|s| !gone.contains(&s.snapshot));
        assert_eq!(step_by_step, at_once);
    }

    #[test]
    fn what_is_needed_is_kept_and_so_is_the_head() {
        let policy = RetentionPolicy {
            newest: 0,
            minutes: 0,
            hours: 0,
            days: 0,
        };
        let history = history(5, DAY_MS, NOW);
        let gone = superfluous(&policy, NOW, &history, &BTreeSet::from([snapshot(2)]));
        assert_eq!(gone, [snapshot(1), snapshot(3), snapshot(4)]);
    }

    #[test]
    fn a_clock_that_jumped_ahead_and_back_does_not_lose_the_newest() {
        let policy = RetentionPolicy::default();
        let history = history(40, 500, NOW.plus_ms(DAY_MS));
        let gone = superfluous(&policy, NOW, &history, &BTreeSet::new());
        assert_eq!(gone.len(), 8);
    }
}
