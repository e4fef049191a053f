//! T9 and the sender's side: what is sent to whom, what is taken in, what must be kept for it.

use crate::bench::{B, Bench, C, claiming, epoch, lineage, live};
use hwc_api::ownership::SnapshotId;
use hwc_state_machine::{Command, DatasetEvent, RefusalReason, ReplicateFailure, StreamId};

#[test]
fn t9_streams_are_judged_by_epoch_parent_and_state() {
    let copy = lineage(&[(1, B, 3)]);
    let longer = lineage(&[(1, B, 3), (2, B, 1)]);
    let head = copy.head();
    let forked = lineage(&[(1, B, 2), (2, B, 1)]);
    let other_parent = lineage(&[(1, B, 2)]).head();
    for (seen, offer, expected) in [
        (1, (epoch(2, B), head, longer.clone()), None),
        (2, (epoch(2, B), head, longer.clone()), None),
        (
            3,
            (epoch(2, B), head, longer.clone()),
            Some(RefusalReason::OldEpoch),
        ),
        (
            2,
            (epoch(2, B), other_parent, longer.clone()),
            Some(RefusalReason::OtherParent),
        ),
        (2, (epoch(2, B), None, longer), None),
        (
            2,
            (epoch(2, B), None, forked),
            Some(RefusalReason::OtherParent),
        ),
    ] {
        let mut bench = Bench::with_copy_of(copy.clone());
        bench.hear(B, live(epoch(seen, B), copy.clone()));
        bench.persist_all();
        let mut commands = bench.offer(StreamId(1), B, offer.0, offer.1, offer.2.clone());
        commands.extend(bench.persist_all());
        let accepted = commands.contains(&Command::AcceptStream {
            stream: StreamId(1),
        });
        let refused = commands.iter().find_map(|command| match command {
            Command::RefuseStream { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(
            (accepted, refused),
            (expected.is_none(), expected),
            "{offer:?} at {seen}"
        );
    }
}

#[test]
fn t9_a_higher_epoch_is_on_disk_before_its_stream_is_accepted() {
    let mut bench = Bench::with_copy();
    let lineage = lineage(&[(1, B, 3), (7, B, 1)]);
    let parent = bench.status().lineage.and_then(|copy| copy.head());
    let commands = bench.offer(StreamId(4), B, epoch(7, B), parent, lineage);
    let (row, token) = Bench::persist_in(&commands).expect("nothing persisted");
    assert_eq!(row.seen, epoch(7, B));
    assert!(!commands.contains(&Command::AcceptStream {
        stream: StreamId(4)
    }));
    let commands = bench.tell(DatasetEvent::Persisted { token });
    assert!(commands.contains(&Command::AcceptStream {
        stream: StreamId(4)
    }));
}

#[test]
fn t9_a_received_stream_is_judged_again_before_it_counts() {
    let mut bench = Bench::following();
    let parent = bench.status().lineage.and_then(|copy| copy.head());
    let longer = lineage(&[(1, B, 3), (2, B, 1)]);
    bench.offer(StreamId(1), B, epoch(2, B), parent, longer.clone());
    bench.hear(C, claiming(epoch(3, C), lineage(&[(1, B, 3)])));
    bench.persist_all();
    let commands = bench.tell(DatasetEvent::StreamReceived {
        stream: StreamId(1),
    });
    assert_eq!(
        commands,
        [Command::DiscardStream {
            stream: StreamId(1)
        }]
    );
    assert_ne!(bench.record().lineage, longer);
}

#[test]
fn t9_nothing_is_acknowledged_while_a_stream_is_put_in_its_place() {
    let mut bench = Bench::following();
    let parent = bench.status().lineage.and_then(|copy| copy.head());
    let longer = lineage(&[(1, B, 3), (2, B, 1)]);
    bench.offer(StreamId(1), B, epoch(2, B), parent, longer.clone());
    let commands = bench.tell(DatasetEvent::StreamReceived {
        stream: StreamId(1),
    });
    assert!(commands.contains(&Command::CommitStream {
        stream: StreamId(1)
    }));
    let commands = bench.hear(C, claiming(epoch(3, C), lineage(&[(1, B, 3)])));
    assert_eq!(commands, [], "the head is about to change");
    bench.tell(DatasetEvent::StreamCommitted {
        stream: StreamId(1),
    });
    bench.persist_all();
    let record = bench.record();
    assert_eq!((record.seen, record.lineage), (epoch(3, C), longer));
}

#[test]
fn a_replica_gets_what_it_lacks_one_stream_at_a_time() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    let commands = bench.snapshot(1);
    let (transfer, parent) = Bench::replicated(&commands).expect("nothing sent");
    assert_eq!(parent, lineage(&[(1, B, 3)]).head());
    assert_eq!(
        Bench::replicated(&bench.snapshot(2)),
        None,
        "one is under way"
    );
    let commands = bench.tell(DatasetEvent::ReplicaAcknowledged { transfer });
    let (transfer, parent) = Bench::replicated(&commands).expect("the rest is not sent");
    assert_eq!(
        parent.map(|parent| (parent.epoch, parent.sequence)),
        Some((mine, 1))
    );
    let failure = ReplicateFailure::ParentMissing;
    let commands = bench.tell(DatasetEvent::ReplicateFailed { transfer, failure });
    let (_, parent) = Bench::replicated(&commands).expect("not sent again");
    assert_eq!(parent, None, "the whole content");
}

#[test]
fn a_stream_that_fails_is_sent_again_after_a_growing_delay() {
    let mut bench = Bench::serving();
    let mut transfer = Bench::replicated(&bench.snapshot(1))
        .expect("nothing sent")
        .0;
    for delay in [500, 1_000, 2_000] {
        let failure = ReplicateFailure::Interrupted;
        let commands = bench.tell(DatasetEvent::ReplicateFailed { transfer, failure });
        assert_eq!(Bench::replicated(&commands), None);
        assert_eq!(Bench::replicated(&bench.wait(delay - 1)), None);
        transfer = Bench::replicated(&bench.wait(2)).expect("not sent again").0;
    }
}

#[test]
fn anchors_follow_what_the_others_have() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    assert_eq!(
        bench.anchors(),
        Vec::from_iter(lineage(&[(1, B, 3)]).head())
    );
    let (transfer, _) = Bench::replicated(&bench.snapshot(1)).expect("nothing sent");
    bench.tell(DatasetEvent::ReplicaAcknowledged { transfer });
    assert!(bench.anchors().iter().any(|anchor| anchor.epoch == mine));
    assert_eq!(bench.anchors().len(), 2, "the one on disk is kept too");
    bench.wait(31_000);
    bench.persist_all();
    assert_eq!(bench.anchors().len(), 1);
}

#[test]
fn what_is_being_sent_is_kept_until_it_is_acknowledged() {
    let mut bench = Bench::serving();
    let epoch = bench.record().epoch;
    let first = SnapshotId { epoch, sequence: 1 };
    let (transfer, _) = Bench::replicated(&bench.snapshot(1)).expect("nothing sent");
    bench.snapshot(2);
    assert!(bench.anchors().contains(&first), "while it is being sent");
    // It may have arrived although the answer did not.
    let failure = ReplicateFailure::Interrupted;
    let mut commands = bench.tell(DatasetEvent::ReplicateFailed { transfer, failure });
    commands.extend(bench.wait(60_000));
    let (again, _) = Bench::replicated(&commands).expect("not sent again");
    assert!(
        bench.anchors().contains(&first),
        "while the next is being sent"
    );
    bench.tell(DatasetEvent::ReplicaAcknowledged { transfer: again });
    assert!(!bench.anchors().contains(&first));
}

#[test]
fn a_snapshot_that_cannot_be_is_refused_and_told() {
    let mut bench = Bench::serving();
    let before = bench.record().lineage;
    let commands = bench.snapshot_under(epoch(1, B), 4);
    assert!(
        commands
            .iter()
            .any(|command| matches!(command, Command::Alarm { .. }))
    );
    assert_eq!(bench.record().lineage, before);
}

#[test]
fn a_stream_that_cannot_be_put_in_its_place_leaves_the_copy_as_it_was() {
    for failure in [
        DatasetEvent::StreamFailed {
            stream: StreamId(1),
        },
        DatasetEvent::OperationFailed,
    ] {
        let mut bench = Bench::following();
        let before = bench.record().lineage;
        let longer = lineage(&[(1, B, 3), (2, B, 1)]);
        bench.offer(StreamId(1), B, epoch(2, B), before.head(), longer.clone());
        bench.tell(DatasetEvent::StreamReceived {
            stream: StreamId(1),
        });
        bench.tell(failure);
        assert_eq!(bench.record().lineage, before);
        let commands = bench.offer(StreamId(2), B, epoch(2, B), before.head(), longer);
        assert!(commands.contains(&Command::AcceptStream {
            stream: StreamId(2)
        }));
    }
}
