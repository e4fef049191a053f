//! T10 to T13: planned moves.

use crate::bench::{B, Bench, C, ME, acknowledging, epoch, lineage, live};
use hwc_api::ids::NodeId;
use hwc_api::ownership::HolderState;
use hwc_state_machine::{Command, DatasetEvent, PeerMessage, Phase};

#[test]
fn t10_to_t11_a_move_promotes_a_target_that_holds_the_head() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    let head = bench.record().lineage;
    bench.hear(B, acknowledging(mine, head.clone()));
    let commands = bench.move_to_b();
    assert!(
        commands.contains(&Command::CloseGate { epoch: mine }),
        "{commands:?}"
    );
    let commands = bench.gate_closed(mine, Some(1));
    assert!(
        !commands.iter().any(is_promotion),
        "the target lacks the final snapshot"
    );
    let longer = bench.record().lineage;
    let commands = bench.hear(B, acknowledging(mine, longer));
    let promoted = commands
        .iter()
        .position(is_promotion)
        .expect("no promotion");
    let fenced = commands
        .iter()
        .position(|command| *command == Command::Fence { epoch: mine });
    assert!(fenced.is_some_and(|fenced| promoted < fenced));
    let commands = bench.fenced(mine, None);
    assert!(
        !commands
            .iter()
            .any(|command| matches!(command, Command::Open { .. }))
    );
}

#[test]
fn t12_a_move_that_takes_too_long_is_called_off_under_the_same_epoch() {
    let mut bench = Bench::serving();
    let mine = bench.record().epoch;
    let head = bench.record().lineage;
    bench.hear(B, acknowledging(mine, head));
    bench.move_to_b();
    bench.gate_closed(mine, Some(1));
    let commands = bench.wait(6_000);
    assert!(
        commands.contains(&Command::ReopenGate { epoch: mine }),
        "{commands:?}"
    );
    bench.tell(DatasetEvent::Opened { epoch: mine });
    assert!(bench.status().is_open && bench.record().epoch == mine);
}

#[test]
fn t13_a_promotion_binds_only_this_start_with_this_head_under_this_epoch() {
    let head = lineage(&[(1, B, 3)]);
    let mut other_boot = Bench::following().me();
    other_boot.boot = hwc_api::ids::BootId(99);
    for (to, epoch_of, lineage_of, is_taken) in [
        (None, epoch(2, B), head.clone(), true),
        (Some(other_boot), epoch(2, B), head.clone(), false),
        (None, epoch(1, B), head.clone(), false),
        (None, epoch(2, B), lineage(&[(1, B, 4)]), false),
    ] {
        let mut bench = Bench::following();
        let to = to.unwrap_or(bench.me());
        let message = PeerMessage::Promote {
            to,
            epoch: epoch_of,
            lineage: lineage_of,
        };
        let commands = bench.tell(DatasetEvent::Message { from: B, message });
        let persisted = Bench::persist_in(&commands);
        assert_eq!(persisted.is_some(), is_taken);
        if let Some((row, token)) = persisted {
            assert_eq!(row.seen.counter, 3);
            bench.tell(DatasetEvent::Persisted { token });
            assert_eq!(bench.phase(), Phase::Live);
            assert_eq!(bench.record().heard, [bench.me()]);
        }
    }
}

/// Seeds 68 and 460 of the simulator: a third holder heard that the old node had stopped before it
/// heard of the new one, and stopped it with a needless claim.
#[test]
fn t1_other_holders_let_the_target_of_a_hand_over_go_first() {
    let after_hand_over = |to: NodeId, is_target_alive: bool| {
        let head = lineage(&[(1, B, 3)]);
        let mut bench = Bench::with_copy_as(&[ME, B, C]);
        if is_target_alive {
            bench.alive(C);
            bench.hear(C, acknowledging(epoch(2, B), head.clone()));
        }
        let mut draining = live(epoch(2, B), head.clone());
        draining.state = HolderState::Draining;
        draining.moving_to = Some(to);
        bench.hear(B, draining);
        bench.all_heard();
        bench.persist_all();
        bench.wait(40_000);
        assert_eq!(bench.phase(), Phase::Replica);
        bench.hear(B, acknowledging(epoch(2, B), head));
        bench
    };
    let mut bench = after_hand_over(C, true);
    bench.wait(1_900);
    assert_eq!(bench.phase(), Phase::Replica, "the target goes first");
    bench.wait(200);
    assert_eq!(bench.phase(), Phase::Claiming, "it never came");
    let mut bench = after_hand_over(C, true);
    bench.suspect(C);
    assert_eq!(bench.phase(), Phase::Claiming, "it died");
    assert_eq!(after_hand_over(ME, true).phase(), Phase::Claiming);
    assert_eq!(after_hand_over(C, false).phase(), Phase::Claiming);
}

fn is_promotion(command: &Command) -> bool {
    matches!(
        command,
        Command::Send {
            message: PeerMessage::Promote { .. },
            ..
        }
    )
}
