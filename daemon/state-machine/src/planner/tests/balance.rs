//! Spreading load.

use super::desk::{B, C, D, Desk, ME, database, files};
use crate::{Bug, CallOff, DatasetFacts, MoveStage, PastMove};
use hwc_api::explanation::{Obstacle, Outcome};
use hwc_api::ids::{MoveId, NodeId};
use hwc_api::moves::{MovePhase, MoveReason};
use hwc_api::time::WallTime;

/// This node is at 90 %, of which site 1 takes 25, site 2 takes 10.
fn busy(sites: u32) -> Desk {
    busy_with(sites, &[])
}

fn busy_with(sites: u32, bugs: &[Bug]) -> Desk {
    let mut desk = Desk::with_bugs(sites, bugs);
    // Long enough for the others to be trusted.
    desk.wait(60_000);
    desk.bears(ME, 90);
    desk.takes(1, 1_000);
    if sites > 1 {
        desk.takes(2, 400);
    }
    desk
}

fn obstacles(desk: &Desk) -> Vec<Obstacle> {
    desk.outcomes()
        .into_iter()
        .filter_map(|outcome| match outcome {
            Outcome::Stay { obstacle } => Some(obstacle),
            _ => None,
        })
        .collect()
}

fn is_moving(desk: &Desk) -> bool {
    !desk.brain.moves().is_empty() || desk.stages(files(1)).contains(&MoveStage::Moved)
}

#[test]
fn a_node_that_is_busy_for_long_hands_over_what_helps_most() {
    let mut desk = busy(2);
    desk.wait(119_000);
    assert!(!is_moving(&desk), "patience");
    desk.wait(3_000);
    assert_eq!(
        desk.planned().into_iter().collect::<Vec<_>>(),
        [(files(1), B), (database(1), B)],
        "the heavier site, to the node that has its copy"
    );
    let decided = desk.outcomes();
    assert!(
        matches!(
            decided.as_slice(),
            [Outcome::Move {
                to: B,
                reason: MoveReason::Balance,
                load_percent: 90,
                target_load_percent: 25,
            }]
        ),
        "{decided:?}"
    );
    assert_eq!(
        desk.stages(files(1)),
        [MoveStage::UnderWay(MovePhase::Planned)]
    );
    let status = desk.brain.moves().remove(&files(1)).expect("planned");
    assert_eq!(
        status.due_at.map(|due| due.since_ms(status.started_at)),
        Some(30_000)
    );
    desk.wait(27_000);
    assert!(desk.open_here().contains(&files(1)), "the veto window");
    desk.wait(5_000);
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
}

#[test]
fn one_site_at_a_time_and_then_it_measures_anew() {
    let mut desk = busy(2);
    desk.wait(160_000);
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
    // It is as busy as before: the second one follows, but not before it was measured again.
    desk.wait(150_000);
    assert_eq!(desk.stages(files(2)), []);
    desk.wait(100_000);
    assert_eq!(desk.stages(files(2)).last(), Some(&MoveStage::Moved));
}

#[test]
fn a_short_peak_moves_nothing() {
    let mut desk = busy(1);
    for _ in 0..10 {
        desk.bears(ME, 95);
        desk.wait(100_000);
        desk.bears(ME, 60);
        desk.wait(2_000);
    }
    assert!(!is_moving(&desk));
}

#[test]
fn a_quiet_cluster_makes_no_moves() {
    for percent in [0, 30, 74] {
        let mut desk = busy(2);
        for node in [ME, B, C, D] {
            desk.bears(node, percent);
        }
        desk.wait(900_000);
        assert_eq!(desk.outcomes(), [], "{percent} %");
    }
}

#[test]
fn what_stands_in_the_way_is_said_once() {
    type Change = fn(&mut Desk);
    let cases: [(&str, Change, Obstacle); 8] = [
        (
            "all others are busy too",
            |desk| {
                for node in [B, C, D] {
                    desk.bears(node, 40);
                }
            },
            Obstacle::NoTarget,
        ),
        (
            "one site is all there is",
            |desk| desk.takes(1, 60),
            Obstacle::NoGain,
        ),
        ("pinned here", |desk| pin(desk, Some(ME)), Obstacle::Pinned),
        (
            "held",
            |desk| {
                let until = Some(desk.facts.now.plus_ms(3_600_000));
                for policy in desk.policies.values_mut() {
                    policy.hold_until = until;
                }
                desk.registry();
            },
            Obstacle::Held,
        ),
        ("moved lately", |desk| came_lately(desk), Obstacle::CoolDown),
        (
            "the others are drained, down, sick, or host nothing",
            |desk| {
                desk.facts_of(B).is_draining = true;
                desk.facts_of(C).is_hosting = false;
                desk.facts_of(D).is_well = false;
            },
            Obstacle::NoTarget,
        ),
        (
            "no room for its memory",
            |desk| {
                let mut load = desk.loads.get(&files(1)).copied().expect("loads").load;
                load.memory_bytes = 11 << 30;
                let used_bytes = 0;
                let facts = DatasetFacts { load, used_bytes };
                desk.loads.insert(files(1), facts);
            },
            Obstacle::NoTarget,
        ),
        (
            "no room for its files, and the node with a copy is busy",
            |desk| {
                desk.bears(B, 50);
                desk.facts_of(C).pool_free_bytes = 1 << 29;
                desk.facts_of(D).pool_free_bytes = 1 << 29;
            },
            Obstacle::NoTarget,
        ),
    ];
    for (name, change, obstacle) in cases {
        let mut desk = busy(1);
        change(&mut desk);
        desk.wait(400_000);
        assert_eq!(obstacles(&desk), [obstacle], "{name}");
        assert!(!is_moving(&desk), "{name}");
        let explained = desk.brain.explain(files(1), crate::Millis(desk.now));
        assert_eq!(
            explained.and_then(|explained| explained.obstacle),
            Some(obstacle),
            "{name}"
        );
    }
}

#[test]
fn switched_off_nothing_is_spread() {
    let mut desk = busy(1);
    desk.facts.balancing.is_on = false;
    desk.wait(400_000);
    assert!(!is_moving(&desk));
    let explained = desk.brain.explain(files(1), crate::Millis(desk.now));
    assert_eq!(
        explained.and_then(|explained| explained.obstacle),
        Some(Obstacle::SwitchedOff)
    );
}

#[test]
fn a_planned_move_ends_when_it_is_vetoed_or_not_right_any_more() {
    type Change = fn(&mut Desk);
    let cases: [(&str, Change, CallOff); 6] = [
        (
            "held",
            |desk| {
                let until = Some(desk.facts.now.plus_ms(3_600_000));
                for policy in desk.policies.values_mut() {
                    policy.hold_until = until;
                }
                desk.registry();
            },
            CallOff::Vetoed,
        ),
        ("pinned", |desk| pin(desk, Some(ME)), CallOff::Vetoed),
        (
            "switched off",
            |desk| desk.facts.balancing.is_on = false,
            CallOff::Needless,
        ),
        (
            "not busy any more",
            |desk| desk.bears(ME, 50),
            CallOff::Needless,
        ),
        (
            "the target is busy",
            |desk| desk.bears(B, 60),
            CallOff::Needless,
        ),
        (
            "the target is drained",
            |desk| desk.facts_of(B).is_draining = true,
            CallOff::TargetUnfit(hwc_api::explanation::Unfit::Draining),
        ),
    ];
    for (name, change, cause) in cases {
        let mut desk = busy(1);
        desk.wait(125_000);
        assert_eq!(desk.planned().get(&files(1)), Some(&B), "{name}");
        change(&mut desk);
        desk.wait(60_000);
        let stages = desk.stages(files(1));
        assert_eq!(stages.get(1), Some(&MoveStage::CalledOff(cause)), "{name}");
        assert!(desk.open_here().contains(&files(1)), "{name}");
    }
}

#[test]
fn two_busy_nodes_do_not_stampede_one_target() {
    // B holds the copy. Node 4 hands its own things over to it, and would fill it.
    let mut desk = busy(1);
    let load = hwc_api::balancing::DatasetLoad {
        cpu_millicores: 1_600,
        ..Default::default()
    };
    desk.others_move(D, B, 500, MovePhase::Copying);
    desk.facts.moves[0].load = load;
    desk.wait(200_000);
    let planned: Vec<_> = desk.outcomes();
    assert!(
        !planned
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Move { to: B, .. })),
        "{planned:?}"
    );
}

#[test]
fn of_two_that_plan_at_the_same_time_the_lower_id_goes_first() {
    for (other, goes) in [(NodeId(0), false), (D, true)] {
        let mut desk = busy(1);
        desk.facts.nodes.insert(other, super::desk::node());
        desk.facts.balancing.moves_per_minute = 1;
        desk.wait(125_000);
        assert_eq!(desk.planned().get(&files(1)), Some(&B));
        desk.others_move(other, C, 500, MovePhase::Planned);
        desk.wait(40_000);
        let has_moved = desk.stages(files(1)).contains(&MoveStage::Moved);
        assert_eq!(has_moved, goes, "before {other}");
        // Its turn comes once the other one's is over.
        desk.facts.moves[0].phase = MovePhase::Copying;
        desk.wait(5_000);
        desk.facts.moves.clear();
        desk.wait(70_000);
        assert!(desk.stages(files(1)).contains(&MoveStage::Moved));
    }
}

#[test]
fn what_moved_stays_for_the_cool_down() {
    let mut desk = busy(1);
    came_lately(&mut desk);
    desk.wait(500_000);
    assert!(!is_moving(&desk));
    desk.wait(500_000);
    assert!(desk.stages(files(1)).contains(&MoveStage::Moved));
}

#[test]
fn a_restart_forgets_no_cool_down() {
    let mut desk = Desk::idle(1, &[ME, B]);
    let ended_at = desk.facts.now.plus_ms(-200_000);
    let past = past(B, ME, ended_at);
    desk.past.insert(MoveId(1), past);
    let mut restarted = desk.restarted();
    restarted.wait(60_000);
    restarted.bears(ME, 90);
    restarted.takes(1, 1_000);
    restarted.wait(300_000);
    assert!(!is_moving(&restarted), "560 of 600 seconds");
    restarted.wait(300_000);
    assert!(restarted.stages(files(1)).contains(&MoveStage::Moved));
}

#[test]
fn without_the_cool_down_a_site_that_just_came_leaves_again() {
    let mut desk = busy_with(1, &[Bug::CoolDownIgnored]);
    came_lately(&mut desk);
    desk.wait(200_000);
    assert!(desk.stages(files(1)).contains(&MoveStage::Moved));
}

#[test]
fn without_the_veto_window_nobody_can_veto() {
    let mut desk = busy_with(1, &[Bug::VetoWindowSkipped]);
    desk.wait(125_000);
    assert!(desk.stages(files(1)).contains(&MoveStage::Moved));
}

fn pin(desk: &mut Desk, pin: Option<NodeId>) {
    for policy in desk.policies.values_mut() {
        policy.pin = pin;
    }
    desk.registry();
}

fn past(from: NodeId, to: NodeId, ended_at: WallTime) -> PastMove {
    PastMove {
        dataset: files(1),
        from,
        to,
        reason: MoveReason::Balance,
        ended_at,
    }
}

/// The receipt of a move to this node comes in. The clock of the node that wrote it is wrong.
fn came_lately(desk: &mut Desk) {
    desk.past.insert(MoveId(9), past(C, ME, WallTime(5)));
    desk.registry();
}

#[test]
fn moves_that_wait_for_their_target_keep_nobody_else_waiting() {
    let mut desk = busy(1);
    // D takes two for hours, and four more of a node whose turn comes first wait for it.
    let first = NodeId(0);
    desk.facts.nodes.insert(first, super::desk::node());
    for dataset in [500, 510] {
        desk.others_move(C, D, dataset, MovePhase::Copying);
    }
    for dataset in [520, 530, 540, 550] {
        desk.others_move(first, D, dataset, MovePhase::Planned);
    }
    desk.wait(200_000);
    assert!(desk.stages(files(1)).contains(&MoveStage::Moved));
}

#[test]
fn receipts_from_the_future_stop_nothing_for_long() {
    let mut desk = Desk::idle(1, &[ME, B]);
    let ended_at = desk.facts.now.plus_ms(365 * 86_400_000);
    for id in 1..=20 {
        let mut past = past(B, ME, ended_at);
        if id > 1 {
            past.dataset.0 = 1_000 + id;
        }
        desk.past.insert(MoveId(id), past);
    }
    let mut restarted = desk.restarted();
    restarted.wait(60_000);
    restarted.bears(ME, 90);
    restarted.takes(1, 1_000);
    restarted.wait(500_000);
    assert!(!is_moving(&restarted), "it counts as moved at the start");
    restarted.wait(300_000);
    assert!(restarted.stages(files(1)).contains(&MoveStage::Moved));
}

#[test]
fn many_heavier_sites_that_must_stay_do_not_keep_a_lighter_one() {
    let mut desk = busy(60);
    for site in 1..=59 {
        desk.takes(site, 60);
        for dataset in [files(site), database(site)] {
            desk.policies.get_mut(&dataset).expect("known").pin = Some(ME);
        }
    }
    desk.takes(60, 50);
    desk.facts_of(ME).cores = 1;
    desk.facts_of(ME).load.cpu_millicores = 800;
    desk.registry();
    desk.wait(200_000);
    assert!(desk.stages(files(60)).contains(&MoveStage::Moved));
}

#[test]
fn a_load_around_the_limit_does_not_plan_and_call_off_by_turns() {
    let mut desk = busy(1);
    desk.bears(ME, 76);
    desk.wait(125_000);
    assert_eq!(desk.planned().get(&files(1)), Some(&B));
    desk.bears(ME, 74);
    desk.wait(40_000);
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
}

#[test]
fn what_was_taken_off_a_node_is_not_handed_back_to_it() {
    for (reason, expected) in [
        (MoveReason::Balance, C),
        (MoveReason::Drain, B),
        (MoveReason::Asked(hwc_api::ids::AccountId(7)), B),
    ] {
        let mut desk = busy(1);
        for dataset in [files(1), database(1)] {
            let past = PastMove {
                dataset,
                reason,
                ..past(B, ME, WallTime(5))
            };
            desk.past.insert(MoveId(dataset.0), past);
        }
        desk.registry();
        // Where it goes instead can't take anything yet: the cool-down passes.
        desk.facts.balancing.is_on = false;
        desk.wait(700_000);
        desk.facts.balancing.is_on = true;
        desk.wait(30_000);
        let planned = desk.planned();
        assert_eq!(planned.get(&files(1)), Some(&expected), "{reason:?}");
    }
}

#[test]
fn a_hold_that_ends_lets_the_site_go_and_one_that_comes_late_does_not_stop_it() {
    let mut desk = busy(1);
    let until = Some(desk.facts.now.plus_ms(200_000));
    for policy in desk.policies.values_mut() {
        policy.hold_until = until;
    }
    desk.registry();
    desk.wait(199_000);
    assert_eq!(obstacles(&desk), [Obstacle::Held]);
    assert!(!is_moving(&desk));
    desk.wait(180_000);
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
}

#[test]
fn a_clock_that_jumps_moves_nothing_sooner_and_stops_nothing() {
    for jump_ms in [-86_400_000, 86_400_000] {
        let mut desk = busy(1);
        came_lately(&mut desk);
        desk.wait(200_000);
        desk.facts.now = desk.facts.now.plus_ms(jump_ms);
        desk.wait(300_000);
        assert!(!is_moving(&desk), "{jump_ms}: the cool-down");
        desk.wait(500_000);
        assert!(desk.stages(files(1)).contains(&MoveStage::Moved));
    }
}
