//! Sites in parts.

use super::desk::{B, C, D, Desk, ME, database, files};
use crate::{CallOff, DatasetEvent, Event, Millis, MoveStage, PastMove, PeerMessage};
use hwc_api::explanation::{Obstacle, Outcome};
use hwc_api::ids::{DatasetId, MoveId, NodeId};
use hwc_api::moves::{MovePhase, MoveReason};
use hwc_api::time::WallTime;

/// Sites whose databases are live here and whose files B serves, since just now.
fn in_parts(sites: u32) -> Desk {
    let mut desk = Desk::with_sites(sites);
    // Long enough for the others to be trusted.
    desk.wait(61_000);
    for site in 1..=sites {
        desk.goes_live(files(site), B);
        assert!(!desk.open_here().contains(&files(site)));
        assert!(desk.open_here().contains(&database(site)));
    }
    desk.said.clear();
    desk
}

fn moved(desk: &Desk) -> Vec<(NodeId, MoveReason)> {
    desk.outcomes()
        .into_iter()
        .filter_map(|outcome| match outcome {
            Outcome::Move { to, reason, .. } => Some((to, reason)),
            _ => None,
        })
        .collect()
}

fn stays(desk: &Desk) -> Vec<Obstacle> {
    desk.outcomes()
        .into_iter()
        .filter_map(|outcome| match outcome {
            Outcome::Stay { obstacle } => Some(obstacle),
            _ => None,
        })
        .collect()
}

fn explained(desk: &Desk, dataset: DatasetId) -> Option<Obstacle> {
    let explained = desk.brain.explain(dataset, Millis(desk.now));
    explained.expect("known").obstacle
}

#[test]
fn a_database_follows_the_files_of_its_site() {
    let mut desk = in_parts(1);
    desk.wait(55_000);
    assert_eq!(desk.outcomes(), [], "it may come together by itself");
    desk.wait(15_000);
    assert_eq!(moved(&desk), [(B, MoveReason::Reunite)]);
    let status = desk.brain.moves().remove(&database(1)).expect("planned");
    let notice = status.due_at.map(|due| due.since_ms(status.started_at));
    assert_eq!(notice, Some(30_000), "the veto window");
    desk.wait(40_000);
    assert_eq!(desk.stages(database(1)).last(), Some(&MoveStage::Moved));
    let told = desk.outcomes().len();
    desk.wait(1_000_000);
    assert_eq!(desk.outcomes().len(), told, "and then it is quiet");
}

#[test]
fn the_files_go_where_all_databases_are_if_that_costs_no_copy() {
    let mut desk = Desk::with_sites(1);
    desk.wait(61_000);
    desk.gets_copy(files(1), C);
    desk.gets_copy(database(1), C);
    desk.policies.get_mut(&database(1)).expect("known").replicas = vec![C, D];
    desk.registry();
    desk.goes_live(database(1), C);
    let status = desk.brain.status(database(1)).expect("known");
    let message = PeerMessage::Grant {
        epoch: status.seen,
        lineage: status.lineage.expect("a copy"),
    };
    let event = DatasetEvent::Message { from: C, message };
    let dataset = database(1);
    desk.give(Event::Dataset { dataset, event });
    desk.wait(80_000);
    assert_eq!(moved(&desk), [(C, MoveReason::Reunite)]);
    desk.wait(40_000);
    assert_eq!(desk.stages(files(1)).last(), Some(&MoveStage::Moved));
}

#[test]
fn databases_wait_for_files_that_can_come_for_less() {
    // B serves the files, a copy of which is here; it has none of the database.
    let mut desk = Desk::idle(1, &[ME]);
    desk.wait(40_000);
    desk.gets_copy(files(1), B);
    desk.goes_live(files(1), B);
    desk.said.clear();
    desk.wait(300_000);
    assert_eq!(desk.outcomes(), []);
    // Once B holds the database as well, that goes.
    desk.gets_copy(database(1), B);
    desk.wait(10_000);
    assert_eq!(moved(&desk), [(B, MoveReason::Reunite)]);
}

#[test]
fn what_keeps_a_site_in_parts_is_said_once() {
    type Change = fn(&mut Desk);
    let cases: [(&str, Change, Obstacle); 5] = [
        ("held", hold, Obstacle::Held),
        (
            "moved lately",
            |desk| {
                let past = PastMove {
                    dataset: database(1),
                    from: B,
                    to: ME,
                    reason: MoveReason::Balance,
                    ended_at: WallTime(5),
                };
                desk.past.insert(MoveId(9), past);
                desk.registry();
            },
            Obstacle::CoolDown,
        ),
        (
            "drained",
            |desk| desk.facts_of(B).is_draining = true,
            Obstacle::NoTarget,
        ),
        (
            "sick",
            |desk| desk.facts_of(B).is_well = false,
            Obstacle::NoTarget,
        ),
        ("busy", |desk| desk.bears(B, 80), Obstacle::NoTarget),
    ];
    for (name, change, obstacle) in cases {
        let mut desk = in_parts(1);
        change(&mut desk);
        desk.wait(300_000);
        assert_eq!(stays(&desk), [obstacle], "{name}");
        assert_eq!(moved(&desk), [], "{name}");
        assert_eq!(explained(&desk, database(1)), Some(obstacle), "{name}");
    }
}

#[test]
fn a_pin_is_stronger_while_its_node_can_serve() {
    let to_pin = |node: NodeId, is_up: bool| {
        let mut desk = in_parts(1);
        if !is_up {
            desk.goes_down(node);
        }
        for policy in desk.policies.values_mut() {
            policy.pin = Some(node);
        }
        desk.registry();
        desk
    };
    let mut here = to_pin(ME, true);
    here.wait(300_000);
    assert_eq!(moved(&here), [], "the files come");
    let mut there = to_pin(C, true);
    there.wait(5_000);
    assert_eq!(moved(&there), [(C, MoveReason::Pin)]);
    let mut dead = to_pin(C, false);
    dead.wait(120_000);
    assert_eq!(moved(&dead), [(B, MoveReason::Reunite)]);
}

#[test]
fn it_can_be_vetoed_and_ends_when_it_is_needless() {
    type Change = fn(&mut Desk);
    let cases: [(&str, Change, CallOff); 3] = [
        ("held", hold, CallOff::Vetoed),
        (
            "the files have gone elsewhere",
            |desk| {
                desk.gets_copy(files(1), C);
                desk.goes_live(files(1), C);
            },
            CallOff::Needless,
        ),
        (
            "the files are on their way",
            |desk| desk.others_move(B, ME, files(1).0, MovePhase::Planned),
            CallOff::Needless,
        ),
    ];
    for (name, change, cause) in cases {
        let mut desk = in_parts(1);
        desk.wait(70_000);
        assert_eq!(desk.planned().get(&database(1)), Some(&B), "{name}");
        change(&mut desk);
        desk.wait(10_000);
        let stages = desk.stages(database(1));
        assert_eq!(stages.get(1), Some(&MoveStage::CalledOff(cause)), "{name}");
        assert!(desk.open_here().contains(&database(1)), "{name}");
    }
}

#[test]
fn few_sites_are_reunited_at_a_time_and_none_by_a_drained_node() {
    let mut desk = in_parts(5);
    desk.wait(75_000);
    assert_eq!(desk.planned().len(), 2);
    desk.wait(600_000);
    assert_eq!(moved(&desk), [(B, MoveReason::Reunite); 5]);
    assert_eq!(desk.open_here().len(), 0);
    let mut drained = in_parts(1);
    drained.facts_of(ME).is_draining = true;
    drained.wait(120_000);
    assert_eq!(moved(&drained), [(B, MoveReason::Drain)]);
}

#[test]
fn a_busy_node_hands_a_database_to_nobody_but_the_node_of_its_files() {
    for (load, expected) in [(50, vec![]), (20, vec![(B, MoveReason::Reunite)])] {
        let mut desk = in_parts(1);
        desk.facts.balancing.busy_percent = 60;
        desk.bears(ME, 90);
        desk.bears(B, load);
        desk.takes_database(1, 1_000);
        desk.wait(300_000);
        assert_eq!(moved(&desk), expected, "B bears {load} %");
    }
}

fn hold(desk: &mut Desk) {
    let until = Some(desk.facts.now.plus_ms(3_600_000));
    for policy in desk.policies.values_mut() {
        policy.hold_until = until;
    }
    desk.registry();
}
