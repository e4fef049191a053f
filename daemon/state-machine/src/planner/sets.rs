//! Which nodes should hold a dataset: pure, one step at a time.
//!
//! A set is grown before it is trimmed: a node that leaves stays a member until every node that is
//! to stay holds a complete copy. So no copy is given up before there is another one, and a set is
//! never replaced as a whole. Nothing here removes a copy; that stays with the live node (T15).

use crate::placement::{self, NodeCandidate, Purpose, Request};
use hwc_api::explanation::{Candidate, RehomeReason};
use hwc_api::ids::NodeId;
use hwc_api::names::ZoneName;
use std::collections::BTreeSet;

/// How a member of a set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// It holds its copy, or can come to.
    Good,
    /// It is being drained.
    Drained,
    /// It hosts nothing any more.
    NotHosting,
    /// It is down for longer than a restart takes.
    Lost,
    /// It does not belong to the cluster any more.
    Removed,
}

/// A set as it is.
#[derive(Debug, Clone)]
pub(super) struct Present<'a> {
    /// The members in order, with their standing.
    pub(super) members: &'a [(NodeId, Membership)],
    /// Copies that there should be.
    pub(super) copies: usize,
    /// The node that serves it, if known.
    pub(super) live: Option<NodeId>,
    /// The nodes in reach that are known to hold a copy.
    pub(super) holders: &'a BTreeSet<NodeId>,
    /// Whether members beyond `copies` may be given up: none of them was added just now.
    pub(super) may_trim: bool,
    /// Whether a drained member may go although there is nobody to take its place.
    pub(super) may_lack_copies: bool,
}

/// A set as it should be next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) replicas: Vec<NodeId>,
    /// Those of them that were no members before.
    pub(super) added: Vec<NodeId>,
    pub(super) reason: RehomeReason,
    /// The nodes that were considered for the first place to fill.
    pub(super) candidates: Vec<Candidate>,
}

/// The next step towards a set of `copies` good members in distinct zones; `None` if the set is
/// right, or nothing can be done about it now. `steady` are the nodes that came back lately
/// enough to be trusted; moving a copy for its zone's sake waits for them.
pub(super) fn next_set(
    present: &Present<'_>,
    nodes: &[NodeCandidate],
    is_steady: impl Fn(NodeId) -> bool,
) -> Option<Wanted> {
    let kept = present.with(|standing| standing == Membership::Good);
    let wanted = if kept.len() < present.copies {
        grown(present, &kept, nodes).or_else(|| shrunk(present, &kept))
    } else if kept.len() > present.copies {
        trimmed(present, &kept, nodes)
    } else {
        without_leavers(present, &kept).or_else(|| spread(present, &kept, nodes, is_steady))
    };
    wanted.filter(|wanted| is_safe(present, wanted))
}

impl Present<'_> {
    fn with(&self, is_wanted: impl Fn(Membership) -> bool) -> Vec<NodeId> {
        self.members
            .iter()
            .filter(|(_, standing)| is_wanted(*standing))
            .map(|(node, _)| *node)
            .collect()
    }

    fn replicas(&self) -> Vec<NodeId> {
        self.with(|_| true)
    }

    /// The live node first, the others in their order.
    fn arranged(&self, mut nodes: Vec<NodeId>) -> Vec<NodeId> {
        nodes.sort_by_key(|node| self.live != Some(*node));
        nodes
    }

    fn holds_all(&self, nodes: &[NodeId]) -> bool {
        nodes.iter().all(|node| self.holders.contains(node))
    }

    /// Why the set is changed, by the worst of its members.
    fn reason(&self, otherwise: RehomeReason) -> RehomeReason {
        let has = |wanted: Membership| self.members.iter().any(|(_, standing)| *standing == wanted);
        if has(Membership::Lost) || has(Membership::Removed) {
            RehomeReason::NodeLost
        } else if has(Membership::NotHosting) {
            RehomeReason::NotHosting
        } else if has(Membership::Drained) {
            RehomeReason::Drain
        } else {
            otherwise
        }
    }
}

/// What must never be proposed: a set of which no member in reach holds a copy. (Its members could
/// take it for a new dataset, and begin it empty.)
fn is_safe(present: &Present<'_>, wanted: &Wanted) -> bool {
    let before = present.replicas();
    let drops = before.iter().any(|node| !wanted.replicas.contains(node));
    let keeps_holder = wanted
        .replicas
        .iter()
        .any(|node| before.contains(node) && present.holders.contains(node));
    wanted.replicas != before && (!drops || keeps_holder)
}

/// Too few good members: more are added. Those that leave stay for now; those that are gone go.
fn grown(present: &Present<'_>, kept: &[NodeId], nodes: &[NodeCandidate]) -> Option<Wanted> {
    let missing = present.copies - kept.len();
    let staying = present.with(|standing| match standing {
        Membership::Good | Membership::Drained | Membership::NotHosting => true,
        Membership::Lost | Membership::Removed => false,
    });
    // With nobody to copy from, more members would be of no use.
    if !staying.iter().any(|node| present.holders.contains(node)) {
        return None;
    }
    // A member that leaves is no place for another copy: it is drained, down or hosts nothing.
    let added = placement::choose_more(nodes, kept, present.holders, 0, missing);
    if added.is_empty() && staying == present.replicas() {
        return None;
    }
    let candidates = judged(nodes, kept, present.holders);
    let mut replicas = present.arranged(staying);
    // New members go before those that leave: they are there when those are gone.
    let at = replicas
        .iter()
        .rposition(|node| kept.contains(node) || present.live == Some(*node))
        .map_or(0, |last| last + 1);
    replicas.splice(at..at, added.iter().copied());
    Some(Wanted {
        replicas,
        added,
        reason: present.reason(RehomeReason::TooFew),
        candidates,
    })
}

/// Nobody can take the place of a drained member, and it may go all the same.
fn shrunk(present: &Present<'_>, kept: &[NodeId]) -> Option<Wanted> {
    let may = present.may_lack_copies && !kept.is_empty();
    may.then(|| without_leavers(present, kept)).flatten()
}

/// More good members than needed: the live node stays, others in distinct zones stay, of those in
/// one zone one that holds a copy, and the rest goes; once all that stay hold copies.
fn trimmed(present: &Present<'_>, kept: &[NodeId], nodes: &[NodeCandidate]) -> Option<Wanted> {
    if !present.may_trim {
        return None;
    }
    let zone = |node: NodeId| -> Option<&ZoneName> {
        let node = nodes.iter().find(|candidate| candidate.id == node)?;
        Some(&node.zone)
    };
    let mut staying: Vec<NodeId> = Vec::new();
    while staying.len() < present.copies.max(1) {
        let rest = kept.iter().filter(|node| !staying.contains(node));
        let next = rest.min_by_key(|node| {
            let is_zone_taken = staying.iter().any(|other| zone(*other) == zone(**node));
            (
                present.live != Some(**node),
                is_zone_taken,
                !present.holders.contains(node),
            )
        });
        staying.push(*next?);
    }
    // In the order of the set; the choice was made by other rules.
    let staying: Vec<_> = kept
        .iter()
        .copied()
        .filter(|node| staying.contains(node))
        .collect();
    let is_live_leaving = present
        .live
        .is_some_and(|live| !staying.contains(&live) && present.replicas().contains(&live));
    if !present.holds_all(&staying) || is_live_leaving {
        return None;
    }
    Some(Wanted {
        replicas: present.arranged(staying),
        added: Vec::new(),
        reason: RehomeReason::TooMany,
        candidates: Vec::new(),
    })
}

/// As many good members as needed: those that leave go, once all that stay hold a copy and the
/// live node is none of them. Those that are gone need not be waited for.
fn without_leavers(present: &Present<'_>, kept: &[NodeId]) -> Option<Wanted> {
    let is_live_leaving = present
        .live
        .is_some_and(|live| !kept.contains(&live) && present.replicas().contains(&live));
    let may_all_go = present.holds_all(kept) && !is_live_leaving;
    let replicas = present.with(|standing| match standing {
        Membership::Good => true,
        Membership::Drained | Membership::NotHosting => !may_all_go,
        Membership::Lost | Membership::Removed => false,
    });
    if replicas.len() == present.members.len() {
        return None;
    }
    Some(Wanted {
        replicas: present.arranged(replicas),
        added: Vec::new(),
        reason: present.reason(RehomeReason::TooMany),
        candidates: Vec::new(),
    })
}

/// All copies in one zone although another one has room: one more there; the set is trimmed later.
fn spread(
    present: &Present<'_>,
    kept: &[NodeId],
    nodes: &[NodeCandidate],
    is_steady: impl Fn(NodeId) -> bool,
) -> Option<Wanted> {
    let zones: BTreeSet<_> = nodes
        .iter()
        .filter(|node| kept.contains(&node.id))
        .map(|node| &node.zone)
        .collect();
    if kept.len() < 2 || zones.len() != 1 || !present.holds_all(kept) {
        return None;
    }
    let elsewhere: Vec<_> = nodes
        .iter()
        .filter(|node| !zones.contains(&node.zone) && is_steady(node.id))
        .cloned()
        .collect();
    let added = placement::choose_more(&elsewhere, &[], present.holders, 0, 1);
    if added.is_empty() {
        return None;
    }
    let mut replicas = present.arranged(kept.to_vec());
    replicas.extend(&added);
    Some(Wanted {
        replicas,
        added,
        reason: RehomeReason::OneZone,
        candidates: judged(nodes, kept, present.holders),
    })
}

fn judged(nodes: &[NodeCandidate], kept: &[NodeId], holders: &BTreeSet<NodeId>) -> Vec<Candidate> {
    let request = Request {
        purpose: Purpose::Copy,
        here: None,
        kept,
        holders,
        beside: None,
        needed_bytes: 0,
        most_load_percent: None,
    };
    placement::judge(nodes, &request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Membership::{Drained, Good, Lost, NotHosting, Removed};

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
}
