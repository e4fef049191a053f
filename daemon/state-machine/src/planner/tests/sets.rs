//! Each step of a set, as rows.

use crate::placement::NodeCandidate;
use crate::planner::sets::Membership::{Drained, Good, Lost, NotHosting, Removed};
use crate::planner::sets::{Membership, Present, next_set};
use hwc_api::explanation::RehomeReason;
use hwc_api::ids::NodeId;
use hwc_api::names::ZoneName;
use std::collections::BTreeSet;

/// Nodes 1 and 2 in zone a, 3 and 4 in zone b; 5 is full.
fn nodes() -> Vec<NodeCandidate> {
    let node = |id: u16, zone: &str, free_gib: u64| NodeCandidate {
        id: NodeId(id),
        zone: ZoneName::parse(zone).expect("a zone"),
        is_up: true,
        is_well: true,
        is_hosting: true,
        is_draining: false,
        free_bytes: free_gib << 30,
        load_percent: 0,
        datasets: u32::from(id),
        live: 0,
    };
    vec![
        node(1, "a", 100),
        node(2, "a", 100),
        node(3, "b", 100),
        node(4, "b", 100),
        node(5, "c", 0),
    ]
}

struct Case {
    members: &'static [(u16, Membership)],
    copies: usize,
    live: u16,
    holders: &'static [u16],
    expected: Option<(&'static [u16], RehomeReason)>,
}

fn check(name: &str, case: &Case, change: impl FnOnce(&mut Present<'_>)) {
    let members: Vec<_> = case
        .members
        .iter()
        .map(|(node, standing)| (NodeId(*node), *standing))
        .collect();
    let holders = case.holders.iter().copied().map(NodeId).collect();
    let mut present = Present {
        members: &members,
        copies: case.copies,
        live: (case.live != 0).then_some(NodeId(case.live)),
        holders: &holders,
        needed_bytes: 0,
        may_trim: true,
        may_lack_copies: false,
    };
    change(&mut present);
    let mut nodes = nodes();
    for (id, standing) in case.members {
        for node in nodes.iter_mut().filter(|node| node.id == NodeId(*id)) {
            node.is_up = *standing != Lost;
            node.is_hosting = *standing != NotHosting;
            node.is_draining = *standing == Drained;
        }
    }
    nodes.retain(|node| !members.contains(&(node.id, Removed)));
    let wanted = next_set(&present, &nodes, |_| true);
    let told = wanted.as_ref().map(|wanted| {
        let replicas: Vec<_> = wanted.replicas.iter().map(|node| node.0).collect();
        (replicas, wanted.reason)
    });
    let expected = case
        .expected
        .map(|(replicas, reason)| (replicas.to_vec(), reason));
    assert_eq!(told, expected, "{name}");
}

#[test]
fn each_step_towards_a_right_set() {
    let cases = [
        (
            "right as it is",
            &[(1, Good), (3, Good)][..],
            2,
            1,
            &[1, 3][..],
            None,
        ),
        (
            "one is lost: another of its zone, not of the live node's",
            &[(1, Good), (3, Lost)],
            2,
            1,
            &[1],
            Some((&[1, 4][..], RehomeReason::NodeLost)),
        ),
        (
            "the lost one was first: the live node goes first",
            &[(1, Lost), (3, Good)],
            2,
            3,
            &[3],
            Some((&[3, 2], RehomeReason::NodeLost)),
        ),
        (
            "who was removed goes, whoever comes",
            &[(1, Good), (3, Removed)],
            2,
            1,
            &[1],
            Some((&[1, 4], RehomeReason::NodeLost)),
        ),
        (
            "all that hold it are gone",
            &[(1, Lost), (3, Lost)],
            2,
            0,
            &[],
            None,
        ),
        (
            "all that hold it are gone, and the other is empty",
            &[(1, Good), (3, Lost)],
            2,
            0,
            &[],
            None,
        ),
        (
            "a drained one stays until there is another",
            &[(1, Good), (3, Drained)],
            2,
            1,
            &[1, 3],
            Some((&[1, 4, 3], RehomeReason::Drain)),
        ),
        (
            "the other has no copy yet",
            &[(1, Good), (4, Good), (3, Drained)],
            2,
            1,
            &[1, 3],
            None,
        ),
        (
            "the other has its copy",
            &[(1, Good), (4, Good), (3, Drained)],
            2,
            1,
            &[1, 3, 4],
            Some((&[1, 4], RehomeReason::Drain)),
        ),
        (
            "it is live on the drained one",
            &[(1, Good), (4, Good), (3, Drained)],
            2,
            3,
            &[1, 3, 4],
            None,
        ),
        (
            "a node that hosts nothing any more",
            &[(1, Good), (4, Good), (3, NotHosting)],
            2,
            1,
            &[1, 3, 4],
            Some((&[1, 4], RehomeReason::NotHosting)),
        ),
        (
            "who is gone is not waited for",
            &[(1, Good), (4, Good), (3, Lost)],
            2,
            1,
            &[1],
            Some((&[1, 4], RehomeReason::NodeLost)),
        ),
        (
            "the drained one goes, too many of the others or not",
            &[(1, Good), (3, Good), (4, Good), (2, Drained)],
            2,
            1,
            &[1, 2, 3, 4],
            Some((&[1, 3, 4], RehomeReason::Drain)),
        ),
        (
            "enough of the others hold copies",
            &[(1, Good), (3, Good), (4, Good), (2, Drained)],
            2,
            1,
            &[1, 2, 4],
            Some((&[1, 3, 4], RehomeReason::Drain)),
        ),
        (
            "enough of the others hold copies, but all in one zone",
            &[(1, Good), (2, Good), (3, Good), (4, Drained)],
            2,
            1,
            &[1, 2, 4],
            None,
        ),
        (
            "too many of the others, and it is live on the drained one",
            &[(1, Good), (3, Good), (4, Good), (2, Drained)],
            2,
            2,
            &[1, 2, 3, 4],
            None,
        ),
        (
            "too few",
            &[(1, Good)],
            2,
            1,
            &[1],
            Some((&[1, 3], RehomeReason::TooFew)),
        ),
        (
            "too many: the live one, and one of another zone",
            &[(1, Good), (2, Good), (3, Good)],
            2,
            2,
            &[1, 2, 3],
            Some((&[2, 3], RehomeReason::TooMany)),
        ),
        (
            "too many, but the one of another zone has no copy yet",
            &[(1, Good), (2, Good), (3, Good)],
            2,
            2,
            &[1, 2],
            None,
        ),
        (
            "too many of one zone: who holds a copy stays",
            &[(1, Good), (3, Good), (4, Good)],
            2,
            1,
            &[1, 4],
            Some((&[1, 4], RehomeReason::TooMany)),
        ),
        (
            "all in one zone",
            &[(1, Good), (2, Good)],
            2,
            1,
            &[1, 2],
            Some((&[1, 2, 3], RehomeReason::OneZone)),
        ),
        (
            "all in one zone, and not complete: first things first",
            &[(1, Good), (2, Good)],
            2,
            1,
            &[1],
            None,
        ),
        (
            "nobody is left to take a third copy",
            &[(1, Good), (2, Good), (3, Good), (4, Good)],
            5,
            1,
            &[1, 2, 3, 4],
            None,
        ),
    ];
    for (name, members, copies, live, holders, expected) in cases {
        let case = Case {
            members,
            copies,
            live,
            holders,
            expected,
        };
        check(name, &case, |_| {});
    }
}

#[test]
fn what_must_not_be_trimmed_yet_is_not() {
    let case = Case {
        members: &[(1, Good), (2, Good), (3, Good)],
        copies: 2,
        live: 1,
        holders: &[1, 2, 3],
        expected: None,
    };
    check("added just now", &case, |present| present.may_trim = false);
    let case = Case {
        members: &[(1, Good), (2, Good), (3, Good), (4, Drained)],
        holders: &[1, 2, 3, 4],
        expected: Some((&[1, 2, 3], RehomeReason::Drain)),
        ..case
    };
    check("who leaves goes before", &case, |present| {
        present.may_trim = false;
    });
}

#[test]
fn a_drained_node_may_be_let_go_without_a_successor() {
    let members = &[(1, Good), (2, Drained), (3, Drained), (4, Drained)];
    let case = |expected| Case {
        members,
        copies: 2,
        live: 1,
        holders: &[1, 2, 3, 4],
        expected,
    };
    check("not unasked", &case(None), |_| {});
    let alone: &[u16] = &[1];
    check(
        "asked",
        &case(Some((alone, RehomeReason::Drain))),
        |present| present.may_lack_copies = true,
    );
}

/// Everything that can be true of four members, at most three copies and any holders in reach.
#[test]
fn nothing_leaves_before_there_are_enough_copies_without_it() {
    let standings = [Good, Drained, NotHosting, Lost, Removed];
    let nodes = nodes();
    let mut left = 0;
    for code in 0..5_usize.pow(4) * 16 * 3 * 5 {
        let pick = |place: u32| standings[code / 5_usize.pow(place) % 5];
        let members: Vec<_> = (0..4_u16)
            .map(|place| (NodeId(place + 1), pick(u32::from(place))))
            .collect();
        let rest = code / 625;
        let is_holder = |place: usize| {
            let (_, standing) = members[place];
            rest >> place & 1 == 1 && !matches!(standing, Lost | Removed)
        };
        let holders: BTreeSet<_> = (0..4)
            .filter(|p| is_holder(*p))
            .map(|p| members[p].0)
            .collect();
        let copies = rest / 16 % 3 + 1;
        let live = members
            .get((rest / 48).wrapping_sub(1))
            .map(|(node, _)| *node);
        let present = Present {
            members: &members,
            copies,
            live: live.filter(|live| holders.contains(live)),
            holders: &holders,
            needed_bytes: 0,
            may_trim: code % 2 == 0,
            may_lack_copies: false,
        };
        let Some(wanted) = next_set(&present, &nodes, |_| true) else {
            continue;
        };
        let kept = wanted.replicas.iter().filter(|node| holders.contains(node));
        let kept = kept.count();
        assert!(kept >= copies.min(holders.len()), "{present:?} {wanted:?}");
        left += usize::from(kept < holders.len());
    }
    assert!(left > 0);
}

#[test]
fn no_set_is_proposed_of_which_no_member_is_known_to_hold_a_copy() {
    // Everything that can be true of three members, at most three copies and any holders.
    let standings = [Good, Drained, NotHosting, Lost, Removed];
    let nodes = nodes();
    for code in 0..5_usize.pow(3) * 8 * 3 * 4 {
        let pick = |place: u32| standings[code / 5_usize.pow(place) % 5];
        let members = [
            (NodeId(1), pick(0)),
            (NodeId(2), pick(1)),
            (NodeId(3), pick(2)),
        ];
        let rest = code / 125;
        let holders: BTreeSet<_> = (0..3_u16)
            .filter(|bit| rest >> bit & 1 == 1)
            .map(|bit| NodeId(bit + 1))
            .collect();
        let copies = rest / 8 % 3 + 1;
        let live = (rest / 24 > 0)
            .then(|| NodeId(u16::try_from(rest / 24).expect("small")))
            .filter(|live| holders.contains(live));
        let present = Present {
            members: &members,
            copies,
            live,
            holders: &holders,
            needed_bytes: 0,
            may_trim: true,
            may_lack_copies: true,
        };
        let Some(wanted) = next_set(&present, &nodes, |_| true) else {
            continue;
        };
        let drops = members
            .iter()
            .any(|(node, _)| !wanted.replicas.contains(node));
        let keeps = wanted.replicas.iter().any(|node| holders.contains(node));
        assert!(!drops || keeps, "{present:?} {wanted:?}");
        let is_live_dropped = live.is_some_and(|live| !wanted.replicas.contains(&live));
        let live_standing = members.iter().find(|(node, _)| Some(*node) == live);
        let is_live_there = live_standing
            .is_some_and(|(_, standing)| matches!(standing, Good | Drained | NotHosting));
        assert!(!is_live_dropped || !is_live_there, "{present:?} {wanted:?}");
    }
}
