//! T4 to T8 and T17: stopping, contesting, giving in, following.

use crate::bench::{B, Bench, C, ME, claiming, epoch, lineage, live, replica};
use hwc_api::ids::BootId;
use hwc_api::ownership::HolderRecord;
use hwc_state_machine::{Command, DatasetEvent, Phase};

#[test]
fn t4_a_live_node_fences_before_it_acknowledges() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    let higher = epoch(mine.counter + 1, B);
    let commands = bench.hear(B, claiming(higher, lineage(&[(1, B, 3)])));
    assert_eq!(commands.first(), Some(&Command::Fence { epoch: mine }));
    assert!(Bench::published(&commands).is_none() && Bench::persist_in(&commands).is_none());
    let commands = bench.fenced(mine, None);
    let (row, token) = Bench::persist_in(&commands).expect("nothing persisted");
    assert_eq!(row.seen, higher);
    assert!(
        Bench::published(&commands).is_none(),
        "acknowledged before it was on disk"
    );
    let commands = bench.tell(DatasetEvent::Persisted { token });
    let record = Bench::published(&commands).expect("no acknowledgement");
    assert!(record.seen == higher && record.is_contending);
}

#[test]
fn t4_the_final_snapshot_is_in_the_acknowledged_head() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    bench.hear(
        B,
        claiming(epoch(mine.counter + 1, B), lineage(&[(1, B, 3)])),
    );
    bench.fenced(mine, Some(1));
    bench.persist_all();
    let head = bench.record().lineage.head().expect("no head");
    assert_eq!((head.epoch, head.sequence), (mine, 1));
}

#[test]
fn t5_a_contender_that_was_heard_gives_in_and_files_its_branch() {
    let mut bench = Bench::contending();
    let winner = bench.record().seen;
    let mut record = live(winner, lineage(&[(1, B, 3), (winner.counter, B, 1)]));
    record.heard = vec![bench.me()];
    let commands = bench.hear(B, record);
    assert!(!bench.status().is_contending);
    assert!(
        commands
            .iter()
            .any(|command| matches!(command, Command::FileDivergent { .. })),
        "{commands:?}"
    );
    assert!(
        !commands
            .iter()
            .any(|command| matches!(command, Command::RollBack { .. })),
        "wound back before it was kept"
    );
}

#[test]
fn t6_who_was_heard_before_its_restart_contests() {
    let mut bench = Bench::contending();
    let winner = heard_before_my_restart(&bench);
    let seen = winner.epoch;
    bench.hear(B, winner);
    let record = bench.record();
    assert!(record.is_contending && record.against == seen);
}

#[cfg(feature = "seeded-bugs")]
#[test]
fn t6_where_boots_are_not_told_apart_a_branch_loses_uncompared() {
    let bench = Bench::contending();
    let winner = heard_before_my_restart(&bench);
    let mut bench = bench.breaking(hwc_state_machine::Bug::HeardWithoutBoot);
    bench.hear(B, winner);
    assert!(!bench.record().is_contending);
}

/// The winner of a round that an earlier start of this node answered.
fn heard_before_my_restart(bench: &Bench) -> HolderRecord {
    let seen = bench.record().seen;
    let mut earlier = bench.me();
    earlier.boot = BootId(earlier.boot.0 + 1_000);
    let mut record = live(seen, lineage(&[(1, B, 3), (seen.counter, B, 1)]));
    record.heard = vec![earlier];
    record
}

#[test]
fn t6_a_contender_that_was_not_heard_contests() {
    let mut bench = Bench::contending();
    let winner = bench.record().seen;
    bench.hear(
        B,
        live(winner, lineage(&[(1, B, 3), (winner.counter, B, 1)])),
    );
    let record = bench.record();
    assert!(record.is_contending && record.against == winner);
}

#[test]
fn t7_a_live_node_stops_for_a_contest_of_its_own_epoch_only() {
    for (against_mine, stops) in [(true, true), (false, false)] {
        let mut bench = Bench::serving();
        let mine = bench.record().epoch;
        let mut record = replica(0, lineage(&[(1, B, 3), (2, B, 7)]));
        record.seen = mine;
        record.is_contending = true;
        record.against = if against_mine { mine } else { epoch(1, B) };
        bench.hear(B, record);
        assert_eq!(bench.phase() == Phase::Fencing, stops);
    }
}

#[test]
fn t8_a_loser_is_kept_then_wound_back_and_its_owner_told_once() {
    let mut bench = Bench::with_copy_of(lineage(&[(1, B, 3), (2, ME, 4)]));
    let winner = epoch(5, B);
    bench.hear(B, live(winner, lineage(&[(1, B, 3), (5, B, 1)])));
    bench.all_heard();
    let commands = bench.persist_all();
    let mine = lineage(&[(1, B, 3), (2, ME, 4)]);
    assert!(commands.contains(&Command::FileDivergent {
        lineage: mine.clone()
    }));
    let commands = bench.tell(DatasetEvent::Filed {
        lineage: mine.clone(),
    });
    let common = lineage(&[(1, B, 3)]);
    assert!(commands.contains(&Command::RollBack { to: common.head() }));
    let told = |commands: &[Command]| {
        commands
            .iter()
            .filter(|command| matches!(command, Command::TellOwner { .. }))
            .count()
    };
    assert_eq!(told(&commands), 1);
    let commands = bench.tell(DatasetEvent::RolledBack {
        lineage: Some(common.clone()),
    });
    assert_eq!(told(&commands), 0);
    let record = bench.record();
    assert_eq!((record.lineage, record.divergent), (common, vec![mine]));
}

#[test]
fn t8_waits_while_anybody_in_reach_is_undecided() {
    let mut bench = Bench::with_members(lineage(&[(1, B, 3), (2, ME, 4)]), &[ME, B, C]);
    let winner = epoch(5, B);
    bench.hear(B, live(winner, lineage(&[(1, B, 3), (5, B, 1)])));
    bench.alive(C);
    let commands = bench.all_heard();
    assert!(
        !commands
            .iter()
            .any(|command| matches!(command, Command::FileDivergent { .. })),
        "{C} is not known yet"
    );
}

#[test]
fn t8_a_failed_operation_is_ordered_again() {
    let mut bench = Bench::with_copy_of(lineage(&[(1, B, 3), (2, ME, 4)]));
    bench.hear(B, live(epoch(5, B), lineage(&[(1, B, 3), (5, B, 1)])));
    bench.all_heard();
    bench.persist_all();
    bench.tell(DatasetEvent::OperationFailed);
    let commands = bench.wait(6_000);
    assert!(
        commands
            .iter()
            .any(|command| matches!(command, Command::FileDivergent { .. }))
    );
}

#[test]
fn t17_a_deleted_dataset_is_fenced_and_never_claimed_again() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    let commands = bench.delete();
    assert_eq!(commands.first(), Some(&Command::Fence { epoch: mine }));
    bench.fenced(mine, None);
    bench.persist_all();
    bench.wait(120_000);
    let record = bench.record();
    assert!(record.is_deleted && record.has_copy && !record.is_contending);
    assert_eq!(bench.phase(), Phase::Replica);
}
