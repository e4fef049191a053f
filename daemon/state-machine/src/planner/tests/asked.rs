//! Moves that somebody asked for.

use super::desk::{B, C, D, Desk, ME, database, files};
use crate::{CallOff, Command, Event, MoveStage, Refused};
use hwc_api::explanation::Unfit;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::moves::MovePhase;
use std::collections::BTreeSet;

fn under_way(phases: &[MovePhase]) -> Vec<MoveStage> {
    phases.iter().copied().map(MoveStage::UnderWay).collect()
}

fn called_off(stages: &[MoveStage]) -> Option<CallOff> {
    match stages.last() {
        Some(MoveStage::CalledOff(cause)) => Some(*cause),
        _ => None,
    }
}

#[test]
fn a_site_moves_with_its_database_and_every_phase_is_told() {
    let mut desk = Desk::with_sites(1);
    assert_eq!(desk.brain.can_move(files(1), B), Ok(()));
    desk.ask(files(1), B);
    for dataset in [files(1), database(1)] {
        let stages = desk.stages(dataset);
        assert_eq!(stages.last(), Some(&MoveStage::Moved), "{stages:?}");
        let ended = stages
            .iter()
            .filter(|stage| !matches!(stage, MoveStage::UnderWay(_)));
        assert_eq!(ended.count(), 1, "one end: {stages:?}");
        for phase in [
            MovePhase::Copying,
            MovePhase::Closing,
            MovePhase::Finishing,
            MovePhase::Promoting,
        ] {
            assert!(
                stages.contains(&MoveStage::UnderWay(phase)),
                "{phase:?} of {stages:?}"
            );
        }
        let status = desk.brain.status(dataset).expect("known");
        assert_eq!(status.live, Some(B));
    }
    assert!(desk.brain.moves().is_empty());
}

#[test]
fn the_files_close_before_the_database() {
    let mut desk = Desk::with_sites(1);
    desk.ask(files(1), B);
    let at = |dataset: DatasetId, is_it: &dyn Fn(&Command) -> bool| {
        desk.said
            .iter()
            .position(|action| action.dataset == dataset && is_it(&action.command))
            .expect("it was ordered")
    };
    let files_finishing = at(files(1), &|command| {
        matches!(command, Command::MoveChanged { status }
            if status.stage == MoveStage::UnderWay(MovePhase::Finishing))
    });
    let closes = at(database(1), &|command| {
        matches!(command, Command::CloseGate { .. })
    });
    assert!(files_finishing < closes);
}

#[test]
fn what_was_sent_is_counted() {
    let mut desk = Desk::with_sites(1);
    desk.ask(files(1), B);
    let last = desk
        .said
        .iter()
        .rev()
        .find_map(|action| match &action.command {
            Command::MoveChanged { status } if action.dataset == files(1) => Some(status.clone()),
            _ => None,
        })
        .expect("told");
    assert_eq!(
        (last.rounds, last.sent_bytes, last.behind_bytes),
        (1, 100, 0)
    );
}

#[test]
fn a_target_without_a_copy_is_made_a_holder_first() {
    let mut desk = Desk::with_sites(1);
    desk.ask(files(1), C);
    let proposed = desk.proposed();
    assert_eq!(
        proposed,
        [(files(1), vec![ME, B, C]), (database(1), vec![ME, B, C])]
    );
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
    assert_eq!(desk.stages(database(1)).last(), Some(&MoveStage::Moved));
    assert_eq!(desk.brain.status(files(1)).expect("known").live, Some(C));
}

#[test]
fn a_move_waits_for_the_registry_and_proposes_again() {
    let mut desk = Desk::with_sites(1);
    desk.registry_works = false;
    desk.ask(files(1), C);
    assert_eq!(desk.proposed().len(), 2);
    desk.wait(25_000);
    assert_eq!(desk.proposed().len(), 6, "every ten seconds");
    assert_eq!(desk.stages(files(1)), under_way(&[MovePhase::Copying]));
    desk.wait(300_000);
    assert_eq!(called_off(&desk.stages(files(1))), Some(CallOff::NoCopy));
    assert_eq!(desk.open_here().len(), 2);
}

#[test]
fn what_cannot_be_moved_is_refused_with_the_reason() {
    type Change = fn(&mut Desk);
    let nothing: Change = |_| {};
    let cases: [(Change, DatasetId, NodeId, Refused); 13] = [
        (nothing, DatasetId(999), B, Refused::UnknownDataset),
        (nothing, files(1), NodeId(99), Refused::UnknownNode),
        (nothing, files(1), ME, Refused::AlreadyThere),
        (
            |desk| desk.goes_down(B),
            files(1),
            B,
            Refused::TargetUnfit(Unfit::Down),
        ),
        (
            |desk| desk.facts_of(B).is_draining = true,
            files(1),
            B,
            Refused::TargetUnfit(Unfit::Draining),
        ),
        (
            |desk| desk.facts_of(B).is_hosting = false,
            files(1),
            B,
            Refused::TargetUnfit(Unfit::NotHosting),
        ),
        (
            |desk| desk.facts_of(C).pool_free_bytes = 1 << 20,
            files(1),
            C,
            Refused::TargetUnfit(Unfit::Full),
        ),
        (
            |desk| desk.facts.is_writable = false,
            files(1),
            C,
            Refused::NotWritable,
        ),
        (
            |desk| {
                for policy in desk.policies.values_mut() {
                    policy.is_deleted = true;
                }
                desk.registry();
            },
            files(1),
            B,
            Refused::UnknownDataset,
        ),
        (
            |desk| {
                desk.stuck = |command| matches!(command, Command::CloseGate { .. });
                desk.ask(files(1), B);
            },
            database(1),
            C,
            Refused::UnderWay { to: B },
        ),
        (
            |desk| {
                for policy in desk.policies.values_mut() {
                    policy.pin = Some(D);
                }
                desk.registry();
            },
            files(1),
            C,
            Refused::Pinned { to: D },
        ),
        (
            |desk| {
                desk.take_over(files(1), B);
                desk.wait(1_000);
            },
            files(1),
            C,
            Refused::NotLiveHere { live: Some(B) },
        ),
        (
            |desk| desk.give(Event::Gap { length_ms: 9_000 }),
            files(1),
            B,
            Refused::TooEarly,
        ),
    ];
    for (change, dataset, to, refused) in cases {
        let mut desk = Desk::with_sites(1);
        change(&mut desk);
        if refused != Refused::TooEarly {
            desk.cluster();
        }
        assert_eq!(desk.brain.can_move(dataset, to), Err(refused));
        desk.said.clear();
        if dataset == files(1) {
            desk.ask(dataset, to);
            assert_eq!(desk.stages(dataset), [], "{refused}: nothing changed");
        }
    }
}

/// A desk whose move to B is stuck in a phase.
fn stuck_in(phase: MovePhase) -> Desk {
    let mut desk = Desk::with_sites(1);
    match phase {
        MovePhase::Planned => {
            desk.bears(ME, 90);
            desk.takes(1, 1_000);
            desk.wait(130_000);
        }
        MovePhase::Copying => {
            desk.registry_works = false;
            desk.ask(files(1), C);
        }
        MovePhase::Closing => {
            desk.stuck = |command| matches!(command, Command::CloseGate { .. });
            desk.ask(files(1), B);
        }
        MovePhase::Finishing => {
            desk.stuck = |command| matches!(command, Command::Replicate { .. });
            desk.ask(files(1), B);
        }
        MovePhase::Promoting => {
            desk.stuck = |command| matches!(command, Command::Send { .. });
            desk.ask(files(1), B);
        }
    }
    let stages = desk.stages(files(1));
    assert_eq!(
        stages.last(),
        Some(&MoveStage::UnderWay(phase)),
        "{stages:?}"
    );
    desk.stuck = |_| false;
    desk
}

const BEFORE_PROMOTION: [MovePhase; 4] = [
    MovePhase::Planned,
    MovePhase::Copying,
    MovePhase::Closing,
    MovePhase::Finishing,
];

#[test]
fn calling_off_leaves_everything_where_it_was() {
    for phase in BEFORE_PROMOTION {
        let mut desk = stuck_in(phase);
        let epoch = desk.brain.serving(files(1)).expect("serving");
        desk.call_off(files(1));
        // A gate that is being closed is reopened once it is closed.
        let (final_snapshot, dataset) = (None, files(1));
        desk.give(Event::Dataset {
            dataset,
            event: crate::DatasetEvent::GateClosed {
                epoch,
                final_snapshot,
            },
        });
        for dataset in [files(1), database(1)] {
            let stages = desk.stages(dataset);
            assert_eq!(called_off(&stages), Some(CallOff::Vetoed), "{phase:?}");
            let is_end = |stage: &&MoveStage| !matches!(stage, MoveStage::UnderWay(_));
            assert_eq!(stages.iter().filter(is_end).count(), 1, "{phase:?}");
        }
        assert_eq!(desk.open_here().len(), 2, "{phase:?}");
        assert_eq!(desk.brain.serving(files(1)), Some(epoch), "{phase:?}");
        assert!(desk.brain.moves().is_empty());
    }
}

#[test]
fn a_move_that_was_handed_over_cannot_be_called_off() {
    let mut desk = stuck_in(MovePhase::Promoting);
    desk.call_off(files(1));
    assert_eq!(
        desk.stages(files(1)).last(),
        Some(&MoveStage::UnderWay(MovePhase::Promoting))
    );
    desk.take_over(files(1), B);
    desk.wait(1_000);
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
}

#[test]
fn a_target_that_does_not_take_it_leaves_it_here() {
    let mut desk = stuck_in(MovePhase::Promoting);
    desk.wait(10_000);
    assert_eq!(called_off(&desk.stages(files(1))), Some(CallOff::NotTaken));
    assert!(desk.open_here().contains(&files(1)));
}

#[test]
fn a_target_that_dies_calls_the_move_off() {
    for phase in BEFORE_PROMOTION {
        let mut desk = stuck_in(phase);
        let to = if phase == MovePhase::Copying { C } else { B };
        if phase == MovePhase::Planned {
            assert!(desk.planned().contains_key(&files(1)));
        }
        let to = desk.planned().get(&files(1)).copied().unwrap_or(to);
        desk.goes_down(to);
        assert_eq!(
            called_off(&desk.stages(files(1))),
            Some(CallOff::TargetLost),
            "{phase:?}"
        );
    }
}

#[test]
fn a_gate_that_does_not_close_in_time_is_reopened() {
    let mut desk = stuck_in(MovePhase::Closing);
    desk.stuck = |command| matches!(command, Command::CloseGate { .. });
    desk.wait(6_000);
    assert_eq!(
        called_off(&desk.stages(files(1))),
        Some(CallOff::TooLong(MovePhase::Closing))
    );
    assert_eq!(
        called_off(&desk.stages(database(1))),
        Some(CallOff::UnitStays),
        "its gate was never closed"
    );
}

#[test]
fn a_database_that_cannot_follow_is_sent_after_its_site() {
    let mut desk = Desk::with_sites(1);
    desk.stuck = |command| {
        matches!(command, Command::Replicate { lineage, .. }
            if lineage.head().is_some_and(|head| head.epoch.node == ME))
    };
    desk.ask(files(1), B);
    // The files' last increment arrives, the database's does not.
    desk.gets_copy_of_head(files(1), B);
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
    desk.wait(6_000);
    let stages = desk.stages(database(1));
    assert_eq!(
        stages.last(),
        Some(&MoveStage::UnderWay(MovePhase::Planned)),
        "{stages:?}"
    );
    assert!(stages.contains(&MoveStage::CalledOff(CallOff::TooLong(
        MovePhase::Finishing
    ))));
    desk.stuck = |_| false;
    desk.gets_copy_of_head(database(1), B);
    desk.wait(70_000);
    assert_eq!(desk.stages(database(1)).last(), Some(&MoveStage::Moved));
    let ends: BTreeSet<_> = desk
        .said
        .iter()
        .filter(|action| action.dataset == database(1))
        .filter_map(|action| match &action.command {
            Command::MoveChanged { status } => Some(status),
            _ => None,
        })
        .filter(|status| !matches!(status.stage, MoveStage::UnderWay(_)))
        .map(|status| status.started_at)
        .collect();
    assert_eq!(ends.len(), 2, "each time is a move of its own: {ends:?}");
}

#[test]
fn a_standstill_ends_every_plan_after_the_fences() {
    let mut desk = stuck_in(MovePhase::Finishing);
    desk.said.clear();
    desk.give(Event::Gap { length_ms: 9_000 });
    assert!(
        matches!(
            desk.said.first().map(|action| &action.command),
            Some(Command::Fence { .. })
        ),
        "{:?}",
        desk.said
    );
    let reopened = |action: &crate::Action| matches!(action.command, Command::ReopenGate { .. });
    assert!(!desk.said.iter().any(reopened));
    assert_eq!(
        called_off(&desk.stages(files(1))),
        Some(CallOff::StoodStill)
    );
    assert_eq!(desk.brain.can_move(files(1), B), Err(Refused::TooEarly));
    // A busy node decides nothing before it knows the cluster anew.
    desk.said.clear();
    desk.tick_until(desk.now + 600_000);
    assert_eq!(desk.outcomes(), []);
}

#[test]
fn asking_beats_a_move_that_was_only_planned() {
    let mut desk = stuck_in(MovePhase::Planned);
    assert_eq!(desk.brain.can_move(files(1), D), Ok(()));
    desk.ask(files(1), D);
    let stages = desk.stages(files(1));
    assert!(stages.contains(&MoveStage::CalledOff(CallOff::Vetoed)));
    assert_eq!(stages.last(), Some(&MoveStage::Moved), "{stages:?}");
    assert_eq!(desk.brain.status(files(1)).expect("known").live, Some(D));
}

#[test]
fn a_restart_forgets_what_was_asked_and_shows_nothing_of_it() {
    let mut desk = Desk::with_sites(1);
    desk.registry_works = false;
    desk.ask(files(1), C);
    assert_eq!(desk.planned().len(), 2);
    let mut restarted = desk.restarted();
    assert_eq!(restarted.planned().len(), 0);
    restarted.wait(60_000);
    assert_eq!(restarted.stages(files(1)), []);
    restarted.ask(files(1), B);
    assert_eq!(restarted.stages(files(1)).last(), Some(&MoveStage::Moved));
}
