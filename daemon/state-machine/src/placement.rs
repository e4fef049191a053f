//! Which node is fit to take a dataset, and how well: pure, the same answer on every node.
//!
//! One function judges for everything that places: the copies of a new dataset, new homes for
//! copies, where a drained or busy node hands its sites to. What it returns are all nodes, the best
//! first and the unfit last with the reason, so that every choice can be explained.

use crate::facts::NodeFacts;
use hwc_api::explanation::{Candidate, Unfit};
use hwc_api::ids::NodeId;
use hwc_api::names::ZoneName;
use std::collections::BTreeSet;

/// A node that might take a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCandidate {
    /// Which node.
    pub id: NodeId,
    /// Where it stands.
    pub zone: ZoneName,
    /// Whether it answers.
    pub is_up: bool,
    /// Whether the services that hosting takes run on it.
    pub is_well: bool,
    /// Whether it may hold datasets.
    pub is_hosting: bool,
    /// Whether it is being emptied.
    pub is_draining: bool,
    /// Free bytes of its pool.
    pub free_bytes: u64,
    /// Its load with what it is to take, in percent; 100 is fully busy.
    pub load_percent: u32,
    /// Datasets that it holds already, live ones and replicas.
    pub datasets: u32,
    /// Datasets that it serves, or is preferred to serve.
    pub live: u32,
}

impl NodeCandidate {
    /// A node as the facts tell of it, with its load and its datasets as counted by the caller.
    #[must_use]
    pub fn of(id: NodeId, facts: &NodeFacts, load_percent: u32, datasets: u32, live: u32) -> Self {
        Self {
            id,
            zone: facts.zone.clone(),
            is_up: facts.is_up,
            is_well: facts.is_well,
            is_hosting: facts.is_hosting,
            is_draining: facts.is_draining,
            free_bytes: facts.pool_free_bytes,
            load_percent,
            datasets,
            live,
        }
    }
}

/// What a node is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To hold one more copy. Free space and the number of copies count most.
    Copy,
    /// To serve the dataset. That it holds a copy counts most, then its load.
    Serve,
}

/// What a node is asked to take.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What for.
    pub purpose: Purpose,
    /// The node that the dataset would leave.
    pub here: Option<NodeId>,
    /// The nodes that go on holding copies: their zones are taken, and they get no second copy.
    pub kept: &'a [NodeId],
    /// The nodes that hold a complete copy.
    pub holders: &'a BTreeSet<NodeId>,
    /// The node that serves the rest of the site, if it is another one.
    pub beside: Option<NodeId>,
    /// Bytes of the dataset; 0 where unknown.
    pub needed_bytes: u64,
    /// A node that would bear more than this is too busy.
    pub most_load_percent: Option<u32>,
}

/// No place for a new dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Nobody could hold even the first copy.
    #[error("no node that hosts is up with at least {needed_bytes} bytes free")]
    NoRoom {
        /// What a node must have free to be considered.
        needed_bytes: u64,
    },
}

/// A node with less than this is not given datasets: room for what is there to grow.
pub const LEAST_FREE_BYTES: u64 = 256 * 1024 * 1024;

/// A node without a copy scores this much worse than one with a copy, if it is to serve.
const NO_COPY: u64 = 1 << 40;
/// The same for one that would not serve the rest of the site.
const APART_FROM_SITE: u64 = 1 << 39;
/// Loads are told apart in steps of this many percent: within one, the number of datasets decides,
/// so that idle sites spread evenly whatever a node happens to be busy with.
const LOAD_STEP_PERCENT: u32 = 10;
/// What one step of load weighs against served datasets.
const LOAD_STEP: u64 = 1 << 24;

/// All nodes, judged: the best first, the unfit last.
#[must_use]
pub fn judge(nodes: &[NodeCandidate], request: &Request<'_>) -> Vec<Candidate> {
    let taken: BTreeSet<_> = nodes
        .iter()
        .filter(|node| request.kept.contains(&node.id))
        .map(|node| &node.zone)
        .collect();
    let has_free_zone = nodes
        .iter()
        .any(|node| !taken.contains(&node.zone) && unfit(node, request).is_none());
    let mut judged: Vec<_> = nodes
        .iter()
        .map(|node| {
            let same_zone =
                request.purpose == Purpose::Copy && has_free_zone && taken.contains(&node.zone);
            let unfit = unfit(node, request).or(same_zone.then_some(Unfit::SameZone));
            Candidate {
                node: node.id,
                score: unfit.is_none().then(|| score(node, request)),
                unfit,
                has_copy: request.holders.contains(&node.id),
                load_percent: node.load_percent,
                free_bytes: node.free_bytes,
            }
        })
        .collect();
    judged.sort_by_key(|candidate| {
        let score = candidate.score.unwrap_or(u64::MAX);
        (candidate.score.is_none(), score, candidate.node)
    });
    judged
}

/// The best of the nodes that are fit.
#[must_use]
pub fn best(judged: &[Candidate]) -> Option<NodeId> {
    let first = judged.first()?;
    first.score.is_some().then_some(first.node)
}

/// Chooses the nodes for a new dataset, the one that is to serve it first: zone by zone, then by
/// free space and number of datasets. Fewer than `copies` nodes may be all there are; then all of
/// them.
///
/// # Errors
/// If not a single node is fit.
pub fn choose_replicas(nodes: &[NodeCandidate], copies: u8) -> Result<Vec<NodeId>, PlacementError> {
    let chosen = choose_more(nodes, &[], &BTreeSet::new(), 0, usize::from(copies.max(1)));
    if chosen.is_empty() {
        return Err(PlacementError::NoRoom {
            needed_bytes: LEAST_FREE_BYTES,
        });
    }
    // Among the chosen, the one that serves least and is least busy serves.
    let mut serving: Vec<_> = nodes
        .iter()
        .filter(|node| chosen.contains(&node.id))
        .collect();
    serving.sort_by_key(|node| (node.live, node.load_percent / 25, node.id));
    Ok(serving.into_iter().map(|node| node.id).collect())
}

/// Chooses up to `wanted` nodes for further copies beside the `kept` ones, the best first.
#[must_use]
pub fn choose_more(
    nodes: &[NodeCandidate],
    kept: &[NodeId],
    holders: &BTreeSet<NodeId>,
    needed_bytes: u64,
    wanted: usize,
) -> Vec<NodeId> {
    let mut held = kept.to_vec();
    for _ in 0..wanted {
        let request = Request {
            purpose: Purpose::Copy,
            here: None,
            kept: &held,
            holders,
            beside: None,
            needed_bytes,
            most_load_percent: None,
        };
        let Some(node) = best(&judge(nodes, &request)) else {
            break;
        };
        held.push(node);
    }
    held.split_off(kept.len())
}

fn unfit(node: &NodeCandidate, request: &Request<'_>) -> Option<Unfit> {
    let holds = request.holders.contains(&node.id);
    let is_kept = request.purpose == Purpose::Copy && request.kept.contains(&node.id);
    let room = LEAST_FREE_BYTES.saturating_add(request.needed_bytes);
    let is_full = !holds && node.free_bytes < room;
    let is_busy = request
        .most_load_percent
        .is_some_and(|most| node.load_percent > most);
    if request.here == Some(node.id) || is_kept {
        Some(Unfit::Here)
    } else if !node.is_up {
        Some(Unfit::Down)
    } else if !node.is_hosting {
        Some(Unfit::NotHosting)
    } else if node.is_draining {
        Some(Unfit::Draining)
    } else if !node.is_well {
        Some(Unfit::Unwell)
    } else if is_full {
        Some(Unfit::Full)
    } else if is_busy {
        Some(Unfit::Busy)
    } else {
        None
    }
}

fn score(node: &NodeCandidate, request: &Request<'_>) -> u64 {
    match request.purpose {
        Purpose::Copy => crowding(node),
        Purpose::Serve => {
            let lacks_copy = !request.holders.contains(&node.id);
            let is_apart = request.beside.is_some_and(|beside| beside != node.id);
            u64::from(lacks_copy) * NO_COPY
                + u64::from(is_apart) * APART_FROM_SITE
                + u64::from(node.load_percent / LOAD_STEP_PERCENT) * LOAD_STEP
                + u64::from(node.live)
        }
    }
}

/// How crowded a node would be with one copy more: copies per free space, half as much again on a
/// node without an idle processor. A node with twice the space takes twice the copies.
fn crowding(node: &NodeCandidate) -> u64 {
    let datasets = u128::from(node.datasets) + 1;
    let busy = 200 + u128::from(node.load_percent.min(200));
    // Scaled so that the integer division keeps its precision at any size of a pool.
    let per_space = ((datasets * busy) << 50) / u128::from(node.free_bytes.max(1));
    u64::try_from(per_space).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u16, free_gib: u64, datasets: u32) -> NodeCandidate {
        in_zone("rack", id, free_gib, datasets)
    }

    fn in_zone(zone: &str, id: u16, free_gib: u64, datasets: u32) -> NodeCandidate {
        NodeCandidate {
            id: NodeId(id),
            zone: ZoneName::parse(zone).expect("a zone"),
            is_up: true,
            is_well: true,
            is_hosting: true,
            is_draining: false,
            free_bytes: free_gib << 30,
            load_percent: 10,
            datasets,
            live: datasets / 2,
        }
    }

    fn ids(numbers: &[u16]) -> Vec<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    fn check(nodes: &[NodeCandidate], copies: u8, expected: &[u16]) {
        let chosen = choose_replicas(nodes, copies);
        assert_eq!(chosen, Ok(ids(expected)), "{nodes:?}");
    }

    fn serve<'a>(holders: &'a BTreeSet<NodeId>) -> Request<'a> {
        Request {
            purpose: Purpose::Serve,
            here: Some(NodeId(1)),
            kept: &[],
            holders,
            beside: None,
            needed_bytes: 0,
            most_load_percent: None,
        }
    }

    #[test]
    fn copies_go_where_few_datasets_share_much_space() {
        check(
            &[node(1, 10, 5), node(2, 10, 1), node(3, 10, 2)],
            2,
            &[2, 3],
        );
        check(&[node(1, 10, 5), node(2, 100, 9), node(3, 10, 4)], 1, &[2]);
        check(
            &[node(1, 10, 0), node(2, 10, 0), node(3, 10, 0)],
            2,
            &[1, 2],
        );
    }

    #[test]
    fn nodes_that_cannot_take_a_copy_are_not_chosen_and_say_why() {
        let mut down = node(1, 10, 0);
        down.is_up = false;
        let mut full = node(2, 10, 0);
        full.free_bytes = LEAST_FREE_BYTES - 1;
        let mut witness = node(3, 10, 0);
        witness.is_hosting = false;
        let mut drained = node(4, 10, 0);
        drained.is_draining = true;
        let mut sick = node(5, 10, 0);
        sick.is_well = false;
        let bad = vec![down, full, witness, drained, sick];
        let error = choose_replicas(&bad, 2).expect_err("a place was found");
        assert_eq!(
            error,
            PlacementError::NoRoom {
                needed_bytes: LEAST_FREE_BYTES
            }
        );
        let holders = BTreeSet::new();
        let judged = judge(&bad, &serve(&holders));
        let reasons: Vec<_> = judged.iter().map(|candidate| candidate.unfit).collect();
        let expected = [
            Unfit::Here,
            Unfit::Full,
            Unfit::NotHosting,
            Unfit::Draining,
            Unfit::Unwell,
        ];
        assert_eq!(reasons, expected.map(Some));
        let mut all = bad;
        all.push(node(6, 1, 50));
        check(&all, 2, &[6]);
    }

    #[test]
    fn zones_come_before_space() {
        let nodes = [
            in_zone("a", 1, 100, 0),
            in_zone("a", 2, 100, 0),
            in_zone("b", 3, 10, 40),
        ];
        check(&nodes, 2, &[1, 3]);
        // A third copy has to share a zone.
        check(&nodes, 3, &[1, 2, 3]);
        let mut full = nodes.to_vec();
        full[2].free_bytes = 0;
        check(&full, 2, &[1, 2]);
    }

    #[test]
    fn a_copy_in_another_zone_than_the_kept_ones_is_preferred() {
        let nodes = [
            in_zone("a", 1, 100, 0),
            in_zone("a", 2, 100, 0),
            in_zone("b", 3, 10, 40),
        ];
        let more = choose_more(&nodes, &ids(&[1]), &BTreeSet::new(), 0, 1);
        assert_eq!(more, ids(&[3]));
        let request = Request {
            purpose: Purpose::Copy,
            here: None,
            kept: &ids(&[1]),
            holders: &BTreeSet::new(),
            beside: None,
            needed_bytes: 0,
            most_load_percent: None,
        };
        let judged = judge(&nodes, &request);
        let zone_mate = judged.iter().find(|candidate| candidate.node == NodeId(2));
        assert_eq!(
            zone_mate.and_then(|candidate| candidate.unfit),
            Some(Unfit::SameZone)
        );
    }

    #[test]
    fn the_one_that_serves_least_serves() {
        let mut busy = node(1, 10, 2);
        busy.live = 2;
        let mut idle = node(2, 10, 2);
        idle.live = 0;
        check(&[busy, idle], 2, &[2, 1]);
    }

    #[test]
    fn who_is_to_serve_has_a_copy_then_the_rest_of_the_site_then_little_load() {
        let mut nodes = [
            node(1, 10, 0),
            node(2, 10, 9),
            node(3, 10, 0),
            node(4, 10, 0),
        ];
        nodes[1].load_percent = 60;
        let order = |nodes: &[NodeCandidate], request: &Request<'_>| -> Vec<u16> {
            let judged = judge(nodes, request);
            judged.iter().map(|candidate| candidate.node.0).collect()
        };
        let holders = BTreeSet::from([NodeId(1), NodeId(2)]);
        assert_eq!(order(&nodes, &serve(&holders)), [2, 3, 4, 1]);
        let nobody = BTreeSet::new();
        assert_eq!(order(&nodes, &serve(&nobody)), [3, 4, 2, 1]);
        let beside = Request {
            beside: Some(NodeId(4)),
            ..serve(&nobody)
        };
        assert_eq!(order(&nodes, &beside), [4, 3, 2, 1]);
        let limited = Request {
            most_load_percent: Some(55),
            ..serve(&holders)
        };
        let judged = judge(&nodes, &limited);
        assert_eq!(best(&judged), Some(NodeId(3)));
        assert!(
            judged
                .iter()
                .any(|candidate| candidate.unfit == Some(Unfit::Busy))
        );
    }

    #[test]
    fn a_dataset_that_does_not_fit_goes_elsewhere() {
        let nodes = [node(2, 1, 0), node(3, 20, 30)];
        let request = |holders| Request {
            needed_bytes: 5 << 30,
            ..serve(holders)
        };
        let nobody = BTreeSet::new();
        assert_eq!(best(&judge(&nodes, &request(&nobody))), Some(NodeId(3)));
        // A node that holds a copy has the bytes already.
        let holders = BTreeSet::from([NodeId(2)]);
        assert_eq!(best(&judge(&nodes, &request(&holders))), Some(NodeId(2)));
    }

    #[test]
    fn a_hundred_datasets_spread_evenly() {
        let mut nodes = vec![
            node(1, 50, 0),
            node(2, 50, 0),
            node(3, 50, 0),
            node(4, 50, 0),
        ];
        for _ in 0..100 {
            let chosen = choose_replicas(&nodes, 2).expect("room");
            for node in &mut nodes {
                node.datasets += u32::from(chosen.contains(&node.id));
                node.live += u32::from(chosen.first() == Some(&node.id));
            }
        }
        for node in &nodes {
            assert_eq!(node.datasets, 50, "{nodes:?}");
            assert!((20..=30).contains(&node.live), "{nodes:?}");
        }
    }
}
