//! T1 to T3 and T14: becoming live, by a round only.

use crate::bench::{A, B, Bench, ME, acknowledging, epoch, lineage, live, replica};
use hwc_state_machine::{Command, DatasetEvent, Phase};

#[test]
fn t1_the_epoch_is_persisted_before_the_claim_is_shown() {
    let mut bench = Bench::with_copy();
    let commands = bench.hear(B, replica(0, lineage(&[(1, B, 3)])));
    let (row, token) = Bench::persist_in(&commands).expect("nothing persisted");
    assert_eq!((row.seen.counter, row.seen.node), (2, ME));
    assert_eq!(Bench::published(&commands), None, "shown too early");
    let commands = bench.tell(DatasetEvent::Persisted { token });
    let record = Bench::published(&commands).expect("nothing shown");
    assert_eq!(record.epoch, row.seen);
    assert_eq!(bench.phase(), Phase::Claiming);
}

#[test]
fn t1_waits_where_another_is_better_live_or_contending() {
    let better = replica(0, lineage(&[(1, B, 4)]));
    let contending = hwc_api::ownership::HolderRecord {
        is_contending: true,
        ..replica(0, lineage(&[(1, B, 1)]))
    };
    for record in [better, live(epoch(1, B), lineage(&[(1, B, 3)])), contending] {
        let mut bench = Bench::with_copy();
        bench.hear(B, record.clone());
        bench.all_heard();
        bench.wait(60_000);
        assert_eq!(bench.phase(), Phase::Replica, "claimed beside {record:?}");
    }
}

#[test]
fn t1_the_second_in_rank_waits_its_turn() {
    let mut bench = Bench::with_copy_as(&[B, ME]);
    bench.hear(B, replica(0, lineage(&[(1, B, 3)])));
    bench.all_heard();
    bench.wait(200);
    assert_eq!(bench.phase(), Phase::Replica);
    bench.wait(200);
    assert_eq!(bench.phase(), Phase::Claiming);
}

#[test]
fn t1_a_node_alone_listens_longer() {
    let mut bench = Bench::with_copy();
    bench.wait(29_000);
    assert_eq!(bench.phase(), Phase::Replica);
    bench.wait(2_000);
    assert_eq!(bench.phase(), Phase::Live, "nobody is there to ask");
}

#[test]
fn t1_a_node_without_a_copy_begins_only_what_is_younger_than_itself() {
    for (created, others_copy, begins) in [(20, false, true), (5, false, false), (20, true, false)]
    {
        let mut bench = Bench::empty(created);
        let mut record = replica(0, lineage(&[]));
        record.has_copy = others_copy;
        bench.hear(B, record);
        bench.all_heard();
        let phase = bench.phase();
        assert_eq!(
            phase == Phase::Claiming,
            begins,
            "created {created}: {phase:?}"
        );
    }
}

#[test]
fn t1_nobody_begins_empty_while_a_member_is_unheard() {
    let mut bench = Bench::empty(20);
    bench.wait(120_000);
    assert_eq!(bench.phase(), Phase::Replica);
}

#[test]
fn t2_goes_live_once_all_in_reach_have_acknowledged() {
    let mut bench = Bench::claiming();
    let mine = bench.record().epoch;
    let commands = bench.hear(B, acknowledging(mine, lineage(&[(1, B, 3)])));
    let opened = commands.iter().find_map(|command| match command {
        Command::Open { epoch, from } => Some((*epoch, *from)),
        _ => None,
    });
    assert_eq!(opened, Some((mine, lineage(&[(1, B, 3)]).head())));
    let record = bench.record();
    assert_eq!(record.heard.len(), 2);
    assert!(!bench.status().is_open, "open before it was opened");
    bench.tell(DatasetEvent::Opened { epoch: mine });
    assert!(bench.status().is_open);
}

#[test]
fn t2_a_silent_holder_counts_as_out_of_reach_after_a_while() {
    let mut bench = Bench::claiming();
    bench.wait(1_900);
    assert_eq!(bench.phase(), Phase::Claiming);
    bench.wait(200);
    assert_eq!(bench.phase(), Phase::Live);
    assert_eq!(
        bench.record().heard.len(),
        1,
        "the silent one was not heard"
    );
}

#[test]
fn t3_a_claim_falls_when_an_answer_shows_a_better_head() {
    let mut bench = Bench::claiming();
    let mine = bench.record().epoch;
    bench.hear(B, acknowledging(mine, lineage(&[(1, B, 9)])));
    assert_eq!(bench.phase(), Phase::Replica);
    bench.wait(60_000);
    assert_eq!(bench.phase(), Phase::Replica, "the better one's turn");
}

#[test]
fn t14_a_gap_fences_first_and_forgets_what_was_promised() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    let commands = bench.gap();
    assert_eq!(commands.first(), Some(&Command::Fence { epoch: mine }));
    bench.fenced(mine, Some(1));
    let status = bench.status();
    assert_eq!(status.phase, Phase::Replica);
    assert!(!status.is_contending);
    assert!(status.views.values().all(|view| !view.is_known));
}

#[test]
fn t14_a_restarted_node_is_a_replica_whatever_it_was() {
    let bench = Bench::with_copy_of(lineage(&[(1, B, 3), (9, ME, 4)]));
    assert_eq!(bench.phase(), Phase::Replica);
    assert_eq!(
        bench.status().seen.counter,
        9,
        "no label is above what was seen"
    );
}

#[test]
fn a_dataset_that_cannot_be_opened_is_left_to_others_for_a_while() {
    let mut bench = Bench::claiming();
    let mine = bench.record().epoch;
    bench.hear(B, acknowledging(mine, lineage(&[(1, B, 3)])));
    let commands = bench.tell(DatasetEvent::OpenFailed { epoch: mine });
    assert!(commands.contains(&Command::Fence { epoch: mine }));
    bench.fenced(mine, None);
    assert!(!bench.status().is_contending);
    bench.wait(400);
    assert_eq!(bench.phase(), Phase::Replica, "it keeps quiet");
}

#[test]
fn a_stranger_neither_persists_nor_shows_anything() {
    let mut bench = Bench::stranger();
    let commands = bench.hear(A, acknowledging(epoch(4, A), lineage(&[(1, A, 3)])));
    assert_eq!(commands, []);
    assert_eq!(bench.try_record(), None);
}

#[test]
fn what_a_peer_showed_before_counts_again_once_its_board_is_complete() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    bench.gap();
    bench.fenced(mine, None);
    bench.wait(2_000);
    assert_eq!(bench.phase(), Phase::Replica, "nobody was heard since");
    bench.all_heard();
    bench.persist_all();
    assert_eq!(bench.phase(), Phase::Claiming);
    bench.wait(1_000);
    assert_eq!(bench.phase(), Phase::Claiming, "{B} has not answered");
    let mine = bench.record().epoch;
    bench.hear(B, acknowledging(mine, lineage(&[(1, B, 3)])));
    assert_eq!(bench.phase(), Phase::Live);
}
