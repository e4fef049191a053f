//! When a changed dataset gets its next snapshot. Pure.
//!
//! After the last change of a burst by a short quiet time, so that what belongs together is in one
//! snapshot; at most a little after the first change, so that a busy dataset is not put off for
//! ever; never more often than its own pace allows.

use crate::watch::Mark;
use hwc_api::ids::DatasetId;
use hwc_runtime::clock::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// How soon and how often snapshots are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotPace {
    /// How long a dataset must be quiet after a change.
    pub quiet: Duration,
    /// How long after the first change a snapshot is taken at the latest.
    pub longest_wait: Duration,
    /// The least time between the starts of two snapshots of a dataset.
    pub least_interval: Duration,
    /// A snapshot that took long is followed by a pause of this many times its duration, so that
    /// an overloaded disk spends its time on the sites' own work. 0 turns that off.
    pub rest_factor: u32,
    /// How long a dataset rests after a snapshot of it failed.
    pub rest_after_failure: Duration,
}

impl Default for SnapshotPace {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(250),
            longest_wait: Duration::from_millis(500),
            least_interval: Duration::from_millis(300),
            rest_factor: 4,
            rest_after_failure: Duration::from_secs(5),
        }
    }
}

/// What was last done for a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pacing {
    /// No snapshot before this moment.
    pub not_before: Moment,
    /// A snapshot is being taken.
    pub is_busy: bool,
}

/// What to do now, and when to ask again.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// The datasets to snapshot now, the longest waiting first.
    pub due: Vec<DatasetId>,
    /// When the next one is due, if one waits.
    pub next_in: Option<Duration>,
}

/// Decides which marked datasets are due. Busy ones are planned again when they are done.
pub(crate) fn plan(
    pace: &SnapshotPace,
    now: Moment,
    marks: &BTreeMap<DatasetId, Mark>,
    pacing: &BTreeMap<DatasetId, Pacing>,
) -> Plan {
    let mut due = Vec::new();
    let mut next_in: Option<Duration> = None;
    for (dataset, mark) in marks {
        let pacing = pacing.get(dataset).copied().unwrap_or_default();
        if pacing.is_busy {
            continue;
        }
        let settled = mark.last.plus(pace.quiet);
        let patience_over = mark.first.plus(pace.longest_wait);
        let at = settled.min(patience_over).max(pacing.not_before);
        if at <= now {
            due.push((mark.first, *dataset));
        } else {
            let wait = at.since(now);
            next_in = Some(next_in.map_or(wait, |soonest| soonest.min(wait)));
        }
    }
    due.sort_unstable();
    Plan {
        due: due.into_iter().map(|(_first, dataset)| dataset).collect(),
        next_in,
    }
}

/// How a dataset is paced after a snapshot that began at `started`.
pub(crate) fn after_snapshot(
    pace: &SnapshotPace,
    started: Moment,
    now: Moment,
    has_failed: bool,
) -> Pacing {
    let rest = now.plus(now.since(started).saturating_mul(pace.rest_factor));
    let interval = started.plus(pace.least_interval);
    let failure = if has_failed {
        now.plus(pace.rest_after_failure)
    } else {
        now
    };
    Pacing {
        not_before: rest.max(interval).max(failure),
        is_busy: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::time::WallTime;

    fn mark(first: u64, last: u64) -> Mark {
        Mark {
            first: Moment(first),
            last: Moment(last),
            first_at: WallTime(0),
        }
    }

    fn check(marks: &[(u32, Mark)], pacing: &[(u32, Pacing)], now: u64) -> Plan {
        let marks = marks.iter().map(|(d, m)| (DatasetId(*d), *m)).collect();
        let pacing = pacing.iter().map(|(d, p)| (DatasetId(*d), *p)).collect();
        plan(&SnapshotPace::default(), Moment(now), &marks, &pacing)
    }

    #[test]
    fn a_quiet_dataset_is_due_after_the_quiet_time() {
        let plan = check(&[(1, mark(1_000, 1_100))], &[], 1_349);
        assert_eq!(plan.next_in, Some(Duration::from_millis(1)));
        assert_eq!(
            check(&[(1, mark(1_000, 1_100))], &[], 1_350).due,
            [DatasetId(1)]
        );
    }

    #[test]
    fn a_busy_dataset_is_due_when_patience_ends() {
        assert!(check(&[(1, mark(1_000, 1_499))], &[], 1_499).due.is_empty());
        assert_eq!(
            check(&[(1, mark(1_000, 1_499))], &[], 1_500).due,
            [DatasetId(1)]
        );
    }

    #[test]
    fn the_longest_waiting_comes_first_and_running_ones_are_left_alone() {
        let running = Pacing {
            is_busy: true,
            ..Pacing::default()
        };
        let marks = [(1, mark(90, 90)), (2, mark(10, 10)), (3, mark(5, 5))];
        let plan = check(&marks, &[(3, running)], 1_000);
        assert_eq!(plan.due, [DatasetId(2), DatasetId(1)]);
        assert_eq!(plan.next_in, None);
    }

    #[test]
    fn a_slow_or_failed_snapshot_is_followed_by_rest() {
        let pace = SnapshotPace::default();
        let quick = after_snapshot(&pace, Moment(1_000), Moment(1_020), false);
        assert_eq!(quick.not_before, Moment(1_300));
        let slow = after_snapshot(&pace, Moment(1_000), Moment(2_000), false);
        assert_eq!(slow.not_before, Moment(6_000));
        let failed = after_snapshot(&pace, Moment(1_000), Moment(1_010), true);
        assert_eq!(failed.not_before, Moment(6_010));
    }
}
