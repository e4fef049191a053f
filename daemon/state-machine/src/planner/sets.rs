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
    /// Bytes of one copy; 0 where unknown.
    pub(super) needed_bytes: u64,
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
        grown(present, &kept, nodes).or_else(|| shrunk(present, &kept, nodes))
    } else if kept.len() > present.copies {
        without_leavers(present, &kept, nodes).or_else(|| trimmed(present, &kept, nodes))
    } else {
        without_leavers(present, &kept, nodes).or_else(|| spread(present, &kept, nodes, is_steady))
    };
    wanted.filter(|wanted| is_safe(present, wanted))
}

impl Present<'_> {
    /// Whether the next step is likely to add a member: then all nodes are judged.
    pub(super) fn wants_more(&self) -> bool {
        let is_good = |member: &&(NodeId, Membership)| member.1 == Membership::Good;
        let good = self.members.iter().filter(is_good);
        let is_complete = good.clone().all(|(node, _)| self.holders.contains(node));
        let (good, all) = (good.count(), self.members.len());
        good < self.copies || (good == self.copies && good == all && is_complete)
    }

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

    /// Whether it is served by a member that is not among these.
    fn is_live_beyond(&self, nodes: &[NodeId]) -> bool {
        self.live
            .is_some_and(|live| !nodes.contains(&live) && self.replicas().contains(&live))
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
    let needed_bytes = present.needed_bytes;
    let added = placement::choose_more(nodes, kept, present.holders, needed_bytes, missing);
    if added.is_empty() && staying == present.replicas() {
        return None;
    }
    let candidates = judged(nodes, kept, present);
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
fn shrunk(present: &Present<'_>, kept: &[NodeId], nodes: &[NodeCandidate]) -> Option<Wanted> {
    let may = present.may_lack_copies && !kept.is_empty();
    may.then(|| without_leavers(present, kept, nodes)).flatten()
}

/// As many good members as needed, or more: those that leave go, once there are as many copies as
/// there should be without them, and the live node is none of them. Those that are gone need not be
/// waited for; neither do those that leave wait until members beyond `copies` may be given up.
fn without_leavers(
    present: &Present<'_>,
    kept: &[NodeId],
    nodes: &[NodeCandidate],
) -> Option<Wanted> {
    let is_whole = present.holds_all(&fittest(present, kept, nodes));
    let may_all_go = is_whole && !present.is_live_beyond(kept);
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

/// More good members than needed: the fittest stay and the rest goes, once all that stay hold
/// copies.
fn trimmed(present: &Present<'_>, kept: &[NodeId], nodes: &[NodeCandidate]) -> Option<Wanted> {
    if !present.may_trim {
        return None;
    }
    let staying = fittest(present, kept, nodes);
    if !present.holds_all(&staying) || present.is_live_beyond(&staying) {
        return None;
    }
    Some(Wanted {
        replicas: present.arranged(staying),
        added: Vec::new(),
        reason: RehomeReason::TooMany,
        candidates: Vec::new(),
    })
}

/// Those of the good members that would do, in the order of the set: the live node, others in
/// distinct zones, of those in one zone one that holds a copy. All, if they are no more than needed.
fn fittest(present: &Present<'_>, kept: &[NodeId], nodes: &[NodeCandidate]) -> Vec<NodeId> {
    let zone = |node: NodeId| -> Option<&ZoneName> {
        let node = nodes.iter().find(|candidate| candidate.id == node)?;
        Some(&node.zone)
    };
    let mut chosen: Vec<NodeId> = Vec::new();
    while chosen.len() < present.copies.max(1) {
        let rest = kept.iter().filter(|node| !chosen.contains(node));
        let next = rest.min_by_key(|node| {
            let is_zone_taken = chosen.iter().any(|other| zone(*other) == zone(**node));
            (
                present.live != Some(**node),
                is_zone_taken,
                !present.holders.contains(node),
            )
        });
        let Some(next) = next else { break };
        chosen.push(*next);
    }
    let is_chosen = |node: &NodeId| chosen.contains(node);
    kept.iter().copied().filter(is_chosen).collect()
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
    let needed_bytes = present.needed_bytes;
    let added = placement::choose_more(&elsewhere, &[], present.holders, needed_bytes, 1);
    if added.is_empty() {
        return None;
    }
    let mut replicas = present.arranged(kept.to_vec());
    replicas.extend(&added);
    Some(Wanted {
        replicas,
        added,
        reason: RehomeReason::OneZone,
        candidates: judged(nodes, kept, present),
    })
}

fn judged(nodes: &[NodeCandidate], kept: &[NodeId], present: &Present<'_>) -> Vec<Candidate> {
    let request = Request {
        purpose: Purpose::Copy,
        here: None,
        kept,
        holders: present.holders,
        beside: None,
        needed_bytes: present.needed_bytes,
        most_load_percent: None,
    };
    placement::judge(nodes, &request)
}
