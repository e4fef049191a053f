//! T15, T16, T18, T19: dropping copies, keeping divergent ones.

use crate::bench::{B, Bench, C, ME, acknowledging, epoch, lineage, live};
use hwc_state_machine::{Command, DatasetEvent, PeerMessage};

#[test]
fn t15_an_outsider_is_granted_only_beside_a_confirmed_member() {
    let mut bench = Bench::serving_with(&[ME, B]);
    let mine = bench.record().epoch;
    let head = bench.record().lineage;
    bench.alive(C);
    bench.hear(B, acknowledging(mine, lineage(&[])));
    let commands = bench.hear(C, acknowledging(mine, head.clone()));
    assert!(!commands.iter().any(is_grant), "nobody else holds the head");
    let commands = bench.hear(B, acknowledging(mine, head));
    assert!(commands.iter().any(is_grant), "{commands:?}");
}

/// Seeds 412 and 464 of the simulator: a node that had dropped its copy is a member again within the
/// same epoch. It acknowledges, and before its record comes the snapshot is needed still.
#[test]
fn t15_what_a_node_acknowledged_that_may_have_dropped_its_copy_is_kept_until_it_shows_it() {
    let mut bench = Bench::serving_with(&[ME, B]);
    let mine = bench.record().epoch;
    bench.alive(C);
    let before = bench.record().lineage;
    bench.hear(B, acknowledging(mine, before.clone()));
    let commands = bench.hear(C, acknowledging(mine, before.clone()));
    assert!(commands.iter().any(is_grant), "{commands:?}");
    bench.members(&[ME, B, C]);
    bench.hear(B, acknowledging(mine, before));
    let commands = bench.snapshot(1);
    let sent_to = |node| {
        commands.iter().find_map(|command| match command {
            Command::Replicate { transfer, to, .. } if *to == node => Some(*transfer),
            _ => None,
        })
    };
    let (to_b, to_c) = (sent_to(B), sent_to(C));
    let first = bench.record().lineage;
    bench.snapshot(2);
    let transfer = to_b.expect("B lacks something");
    bench.tell(DatasetEvent::ReplicaAcknowledged { transfer });
    bench.hear(B, acknowledging(mine, bench.record().lineage));
    let transfer = to_c.expect("C lacks something");
    let commands = bench.tell(DatasetEvent::ReplicaAcknowledged { transfer });
    assert_eq!(
        Bench::replicated(&commands),
        None,
        "it waits for the record"
    );
    let kept = |bench: &Bench| {
        let first = first.head().expect("a snapshot");
        bench.anchors().contains(&first)
    };
    assert!(kept(&bench), "{:?}", bench.anchors());
    bench.hear(C, acknowledging(mine, first.clone()));
    let commands = bench.wait(600);
    let sent = Bench::replicated(&commands).expect("C lacks the second one");
    assert_eq!(sent.1, first.head());
    assert!(kept(&bench), "{:?}", bench.anchors());
}

#[test]
fn t16_no_copy_is_on_disk_before_it_is_dropped() {
    let mut bench = Bench::with_members(lineage(&[(1, B, 3)]), &[B, C]);
    bench.hear(B, live(epoch(2, B), lineage(&[(1, B, 3)])));
    bench.persist_all();
    let stale = grant(epoch(1, B));
    bench.tell(DatasetEvent::Message {
        from: B,
        message: stale,
    });
    assert!(bench.record().has_copy, "a grant dies with its epoch");
    let message = grant(epoch(2, B));
    let commands = bench.tell(DatasetEvent::Message { from: B, message });
    let (row, token) = Bench::persist_in(&commands).expect("nothing persisted");
    assert!(row.is_dropped && !commands.contains(&Command::DropCopy));
    let commands = bench.tell(DatasetEvent::Persisted { token });
    assert!(commands.contains(&Command::DropCopy));
    bench.tell(DatasetEvent::CopyDropped);
    assert!(!bench.record().has_copy);
}

#[cfg(feature = "seeded-bugs")]
#[test]
fn t16_where_grants_outlive_their_epoch_a_copy_is_dropped() {
    let mut bench = Bench::with_members(lineage(&[(1, B, 3)]), &[B, C])
        .breaking(hwc_state_machine::Bug::StaleGrantObeyed);
    bench.hear(B, live(epoch(2, B), lineage(&[(1, B, 3)])));
    bench.persist_all();
    let message = grant(epoch(1, B));
    let commands = bench.tell(DatasetEvent::Message { from: B, message });
    let (row, _) = Bench::persist_in(&commands).expect("nothing persisted");
    assert!(row.is_dropped);
}

#[test]
fn t18_t19_a_divergent_copy_is_pushed_until_another_shows_it() {
    let mut bench = Bench::following();
    let branch = lineage(&[(1, B, 2), (2, C, 5)]);
    let received = DatasetEvent::DivergentReceived {
        lineage: branch.clone(),
    };
    let commands = bench.tell(received);
    let pushes = |commands: &[Command]| {
        commands
            .iter()
            .any(|command| matches!(command, Command::PushDivergent { .. }))
    };
    assert!(pushes(&commands), "{commands:?}");
    assert!(pushes(&bench.wait(11_000)), "it is not shown yet");
    let mut record = live(epoch(2, B), lineage(&[(1, B, 3)]));
    record.divergent = vec![branch];
    bench.hear(B, record);
    assert!(!pushes(&bench.wait(60_000)));
}

fn is_grant(command: &Command) -> bool {
    matches!(
        command,
        Command::Send {
            message: PeerMessage::Grant { .. },
            ..
        }
    )
}

fn grant(epoch: hwc_api::ownership::Epoch) -> PeerMessage {
    PeerMessage::Grant {
        epoch,
        lineage: lineage(&[(1, B, 3)]),
    }
}
