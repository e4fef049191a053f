//! The order among branches, over every triple of a small world of histories: total, the same from
//! both sides, and an extension always beats its own prefix.

use crate::bench::{B, C, ME, epoch};
use hwc_api::ids::NodeId;
use hwc_api::ownership::{Lineage, SnapshotId};
use std::cmp::Ordering;

/// All histories of up to three snapshots by three writers, each snapshot with or without weight.
fn histories() -> Vec<Lineage> {
    let mut all = vec![Lineage::genesis()];
    let mut newest = all.clone();
    for _ in 0..3 {
        let mut longer = Vec::new();
        for history in &newest {
            longer.extend(successors(history));
        }
        all.extend(longer.clone());
        newest = longer;
    }
    all
}

fn successors(history: &Lineage) -> Vec<Lineage> {
    let mut successors = Vec::new();
    let writers: [(u32, NodeId, u64); 3] = [(1, ME, 10), (2, B, 0), (2, C, 25)];
    for (counter, node, weight) in writers {
        let epoch = epoch(counter, node);
        let sequence = match history.head() {
            Some(head) if head.epoch == epoch => head.sequence + 1,
            _ => 1,
        };
        successors.extend(history.with(SnapshotId { epoch, sequence }, weight));
    }
    successors
}

#[test]
fn the_order_among_branches_is_total() {
    let all = histories();
    assert!(all.len() > 15, "too small a world: {}", all.len());
    for one in &all {
        for other in &all {
            let order = one.compare_change(other);
            assert_eq!(order.reverse(), other.compare_change(one));
            assert_eq!(order == Ordering::Equal, one.same_branch(other));
            if one.within(other) && !other.within(one) {
                assert_eq!(order, Ordering::Less, "{one:?} within {other:?}");
            }
            for third in &all {
                if order != Ordering::Greater && other.compare_change(third) != Ordering::Greater {
                    assert_ne!(
                        one.compare_change(third),
                        Ordering::Greater,
                        "{one:?} {other:?} {third:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_newest_common_snapshot_is_in_both_and_nothing_newer_is() {
    let all = histories();
    for one in &all {
        for other in &all {
            let common = one.newest_common(other);
            assert_eq!(common, other.newest_common(one));
            let shared = one.up_to(common);
            assert!(
                shared.within(one) && shared.within(other),
                "{one:?} {other:?}"
            );
            for third in all
                .iter()
                .filter(|third| third.within(one) && third.within(other))
            {
                assert!(third.within(&shared), "{third:?} is newer than {shared:?}");
            }
        }
    }
}
