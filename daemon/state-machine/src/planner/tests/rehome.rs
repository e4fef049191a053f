//! New homes for copies.

use super::desk::{B, C, D, Desk, ME, database, files, zone};
use crate::{Bug, Event};
use hwc_api::explanation::{Outcome, RehomeReason};
use hwc_api::ids::NodeId;
use hwc_api::moves::MovePhase;

/// This node leads the registry, and B serves everything, with a copy at C.
fn leading(sites: u32) -> Desk {
    leading_with(sites, &[])
}

fn leading_with(sites: u32, bugs: &[Bug]) -> Desk {
    let mut desk = Desk::idle(sites, &[B, C]);
    desk.brain = desk.brain.with_bugs(bugs.iter().copied());
    desk.facts.leader = Some(ME);
    desk.served_by(B);
    desk.wait(61_000);
    assert_eq!(desk.proposed(), []);
    desk
}

fn reasons(desk: &Desk) -> Vec<RehomeReason> {
    desk.outcomes()
        .into_iter()
        .filter_map(|outcome| match outcome {
            Outcome::Rehome { reason, .. } => Some(reason),
            _ => None,
        })
        .collect()
}

#[test]
fn a_lost_node_is_replaced_after_longer_than_a_restart() {
    let mut desk = leading(1);
    desk.goes_down(C);
    desk.wait(599_000);
    assert_eq!(desk.proposed(), []);
    desk.wait(2_000);
    let proposed = desk.proposed();
    assert_eq!(proposed.len(), 2);
    for (_, set) in proposed {
        assert_eq!(set.first(), Some(&B));
        assert!(set.len() == 2 && !set.contains(&C), "{set:?}");
    }
    assert_eq!(reasons(&desk), [RehomeReason::NodeLost; 2]);
}

#[test]
fn a_restart_changes_nothing() {
    let mut desk = leading(1);
    for _ in 0..5 {
        desk.goes_down(C);
        desk.wait(400_000);
        desk.comes_back(C);
        desk.wait(10_000);
    }
    assert_eq!(desk.proposed(), []);
}

#[test]
fn only_the_leader_of_a_writable_registry_acts() {
    for (leader, is_writable) in [(Some(B), true), (None, true), (Some(ME), false)] {
        let mut desk = leading(1);
        desk.facts.leader = leader;
        desk.facts.is_writable = is_writable;
        desk.goes_down(C);
        desk.wait(700_000);
        assert_eq!(desk.proposed(), []);
    }
}

#[test]
fn the_last_known_holder_is_never_replaced() {
    let mut desk = leading(1);
    desk.goes_down(B);
    desk.goes_down(C);
    desk.wait(700_000);
    for (_, set) in desk.proposed() {
        assert!(set.contains(&B) && set.contains(&C), "{set:?}");
    }
}

#[test]
fn a_drained_node_goes_once_the_others_hold_copies() {
    let mut desk = leading(1);
    desk.facts_of(C).is_draining = true;
    desk.wait(2_000);
    let grown = desk.policies[&files(1)].replicas.clone();
    assert!(grown.len() == 3 && grown.contains(&C), "{grown:?}");
    let added = *grown
        .iter()
        .find(|node| ![B, C].contains(*node))
        .expect("one more");
    desk.wait(120_000);
    assert_eq!(
        desk.policies[&files(1)].replicas,
        grown,
        "it has no copy yet"
    );
    desk.gets_copy(files(1), added);
    desk.wait(2_000);
    assert_eq!(desk.policies[&files(1)].replicas, [B, added]);
    assert_eq!(desk.policies[&database(1)].replicas.len(), 3);
    assert!(
        reasons(&desk)
            .iter()
            .all(|reason| *reason == RehomeReason::Drain)
    );
}

/// The leader finds a place for a copy while the live node, which is drained, goes to another one: that
/// is one more than needed, and was one reason for the drained node to keep its copy for half a minute.
#[test]
fn a_drained_node_goes_although_there_are_more_copies_than_needed() {
    let mut desk = leading(1);
    desk.facts_of(B).is_draining = true;
    desk.wait(2_000);
    for dataset in [files(1), database(1)] {
        let grown = desk.policies[&dataset].replicas.clone();
        let added = if grown.contains(&D) { ME } else { D };
        let policy = desk.policies.get_mut(&dataset).expect("known");
        policy.replicas.push(added);
        for node in [ME, D] {
            desk.gets_copy(dataset, node);
        }
    }
    desk.registry();
    for dataset in [files(1), database(1)] {
        desk.take_over(dataset, C);
    }
    desk.wait(2_000);
    for dataset in [files(1), database(1)] {
        let set = &desk.policies[&dataset].replicas;
        assert!(set.len() == 3 && !set.contains(&B), "{set:?}");
    }
    // Since the last one was added, not since the drained one left.
    desk.wait(29_000);
    assert_eq!(desk.policies[&files(1)].replicas.len(), 2);
    assert_eq!(desk.policies[&database(1)].replicas.len(), 2);
}

#[test]
fn the_live_node_stays_a_member_until_it_has_handed_over() {
    let mut desk = leading(1);
    desk.facts_of(B).is_draining = true;
    desk.wait(2_000);
    let added: Vec<_> = desk.policies[&files(1)]
        .replicas
        .iter()
        .copied()
        .filter(|node| ![B, C].contains(node))
        .collect();
    desk.gets_copy(files(1), added[0]);
    desk.wait(60_000);
    assert!(desk.policies[&files(1)].replicas.contains(&B));
    desk.take_over(files(1), C);
    desk.wait(2_000);
    assert_eq!(desk.policies[&files(1)].replicas, [C, added[0]]);
}

#[test]
fn with_nobody_to_take_its_place_a_drained_node_stays_unless_it_may_go() {
    for may_lack_copies in [false, true] {
        let mut desk = leading(1);
        for node in [ME, D] {
            desk.facts_of(node).is_hosting = false;
        }
        desk.facts_of(C).is_draining = true;
        desk.facts_of(C).may_lack_copies = may_lack_copies;
        desk.wait(60_000);
        let expected: &[NodeId] = if may_lack_copies { &[B] } else { &[B, C] };
        assert_eq!(desk.policies[&files(1)].replicas, expected);
    }
}

#[test]
fn too_few_copies_are_completed_and_too_many_trimmed() {
    let mut desk = leading(1);
    let policy = desk.policies.get_mut(&files(1)).expect("known");
    policy.copies = 3;
    desk.registry();
    desk.wait(1_000);
    let set = desk.policies[&files(1)].replicas.clone();
    assert_eq!(set.len(), 3);
    assert_eq!(reasons(&desk), [RehomeReason::TooFew]);
    desk.said.clear();
    desk.gets_copy(files(1), set[2]);
    let policy = desk.policies.get_mut(&files(1)).expect("known");
    policy.copies = 2;
    desk.registry();
    desk.wait(25_000);
    assert_eq!(desk.proposed(), [], "it may have been added for a move");
    desk.wait(10_000);
    assert_eq!(desk.policies[&files(1)].replicas, [B, C]);
    assert_eq!(reasons(&desk), [RehomeReason::TooMany]);
}

/// Seed 467 of the simulator: sites whose last copies were lost kept the nodes busy that were to hold
/// them, and a drained node was never emptied.
#[test]
fn copies_that_nobody_can_send_keep_no_node_busy() {
    let mut desk = leading(4);
    for site in [2, 3, 4] {
        for dataset in [files(site), database(site)] {
            desk.is_lost(dataset, &[D, C]);
        }
    }
    desk.registry();
    desk.facts_of(ME).is_hosting = false;
    desk.wait(70_000);
    desk.facts_of(C).is_draining = true;
    desk.wait(2_000);
    assert_eq!(desk.policies[&files(1)].replicas, [B, D, C]);
}

#[test]
fn a_target_of_a_move_is_not_trimmed() {
    let mut desk = leading(1);
    desk.others_move(B, D, files(1).0, MovePhase::Copying);
    let policy = desk.policies.get_mut(&files(1)).expect("known");
    policy.replicas = vec![B, C, D];
    desk.registry();
    desk.wait(100_000);
    assert_eq!(desk.policies[&files(1)].replicas, [B, C, D]);
    // It has moved: the node that it left goes last among equals.
    desk.facts.moves.clear();
    desk.gets_copy(files(1), D);
    desk.take_over(files(1), D);
    desk.wait(40_000);
    let set = &desk.policies[&files(1)].replicas;
    assert!(set.len() == 2 && set.first() == Some(&D), "{set:?}");
}

#[test]
fn copies_in_one_zone_are_spread_when_another_has_room() {
    let mut desk = leading(1);
    desk.facts_of(D).zone = zone("other");
    desk.wait(2_000);
    assert_eq!(desk.policies[&files(1)].replicas, [B, C, D]);
    assert_eq!(reasons(&desk), [RehomeReason::OneZone; 2]);
    desk.gets_copy(files(1), D);
    desk.wait(40_000);
    assert_eq!(desk.policies[&files(1)].replicas, [B, D]);
    let proposals = desk.proposed().len();
    desk.wait(300_000);
    assert_eq!(desk.proposed().len(), proposals, "and then it is quiet");
}

#[test]
fn few_copies_are_made_at_a_time() {
    let mut desk = leading(20);
    desk.goes_down(C);
    desk.wait(602_000);
    assert_eq!(desk.proposed().len(), 2, "B sends two at a time");
    let first = desk.proposed();
    desk.wait(60_000);
    assert_eq!(desk.proposed().len(), 2);
    for (dataset, set) in first {
        let added = *set.iter().find(|node| **node != B).expect("one more");
        desk.gets_copy(dataset, added);
    }
    desk.wait(2_000);
    assert_eq!(desk.proposed().len(), 4);
}

#[test]
fn a_proposal_that_came_to_nothing_is_made_again_not_at_once() {
    let mut desk = leading(1);
    desk.registry_works = false;
    desk.goes_down(C);
    desk.wait(602_000);
    assert_eq!(desk.proposed().len(), 2);
    desk.wait(5_000);
    assert_eq!(desk.proposed().len(), 2);
    desk.wait(10_000);
    assert_eq!(desk.proposed().len(), 4);
    let sets: Vec<_> = desk.proposed();
    assert_eq!(sets[0], sets[2], "the same again");
}

#[test]
fn a_standstill_of_the_leader_starts_the_patience_anew() {
    let mut desk = leading(1);
    desk.goes_down(C);
    desk.wait(590_000);
    desk.give(Event::Gap { length_ms: 5_000 });
    desk.wait(300_000);
    assert_eq!(desk.proposed(), []);
}

#[test]
fn a_set_is_not_trimmed_to_members_without_copies() {
    for (bugs, expected) in [
        (&[][..], &[B, C, D][..]),
        (&[Bug::SetTrimmedUnconfirmed][..], &[B, D][..]),
    ] {
        let mut desk = leading_with(1, bugs);
        desk.facts_of(D).zone = zone("other");
        desk.wait(100_000);
        // D is a member, and its copy is not there yet.
        assert_eq!(desk.policies[&files(1)].replicas, expected);
    }
}

/// Of two nodes that could take the place of C, this one is less crowded and D has more space.
fn little_space_here(free_gib: u64) -> Desk {
    let mut desk = leading(1);
    desk.facts_of(ME).pool_free_bytes = 40 << 30;
    desk.facts_of(D).pool_free_bytes = free_gib << 30;
    desk.bears(D, 200);
    desk
}

/// What joined the two sets, now and then.
fn added(desk: &Desk) -> Vec<NodeId> {
    let sets = desk.policies.values().map(|policy| &policy.replicas);
    let added = sets.flatten().filter(|node| ![B, C].contains(node));
    added.copied().collect()
}

#[test]
fn a_copy_goes_where_it_fits_although_the_leader_has_none() {
    for (size_gib, fits_here) in [(1_u64, true), (50, false)] {
        let mut desk = little_space_here(120);
        desk.sizes(size_gib << 30);
        desk.goes_down(C);
        desk.wait(602_000);
        assert_eq!(added(&desk).len(), 2, "{size_gib} GiB");
        assert_eq!(added(&desk).contains(&ME), fits_here, "{size_gib} GiB");
    }
}

#[test]
fn space_that_copies_on_their_way_will_take_is_not_given_twice() {
    let mut desk = little_space_here(80);
    desk.sizes(50 << 30);
    desk.goes_down(C);
    desk.wait(700_000);
    assert_eq!(added(&desk), [D], "the second one fits nowhere");
    desk.facts_of(D).pool_free_bytes = 120 << 30;
    desk.wait(70_000);
    assert_eq!(added(&desk), [D, D]);
}

#[test]
fn what_fits_nowhere_stays_as_it_is() {
    let mut desk = little_space_here(120);
    desk.sizes(500 << 30);
    desk.goes_down(C);
    desk.wait(700_000);
    assert_eq!(added(&desk), []);
    assert!(desk.policies.values().all(|p| p.replicas.contains(&B)));
}
