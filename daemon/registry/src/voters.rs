//! Who should vote: a pure choice from who is there, where it stands, and who votes now.
//!
//! - One, three, five or seven voters, as far as nodes allow: an even number survives no more
//!   deaths than the odd one below it.
//! - Two nodes both vote. Then the death of either makes the settings read-only until it returns
//!   or is declared lost; with one voter the other's death would cost nothing, but its own would
//!   lose changes that were acknowledged, and those must survive the death of any one node.
//! - Witnesses first (they have nothing else to do), then spread over zones, then whoever votes
//!   already: the choice made again from its own outcome is the same.
//! - A voter that is gone for longer than a while makes room for one that is there, or for a
//!   smaller odd number. Beside two that are there it keeps its vote: that costs nothing, and its
//!   return helps.

use hwc_api::names::ZoneName;
use std::collections::{BTreeMap, BTreeSet};

/// Most voters: a majority of seven survives three deaths, and a write waits for four disks.
pub(crate) const VOTERS_MAX: usize = 7;

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It answers.
    Here,
    /// It does not answer, but may be back at once.
    Away,
    /// It has not answered for so long that another should vote in its stead.
    Gone,
}

/// A node that votes, or could at once: it has the whole log and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub node: u64,
    pub zone: ZoneName,
    /// Votes, and hosts nothing.
    pub is_witness: bool,
    pub is_voter: bool,
    pub is_leader: bool,
    pub presence: Presence,
}

/// The nodes that should vote; none where too few of those are there to decide anything, or nobody
/// may vote: then all stays as it is.
pub(crate) fn wanted_voters(candidates: &[Candidate]) -> Option<BTreeSet<u64>> {
    let (gone, present): (Vec<_>, Vec<_>) = candidates
        .iter()
        .partition(|candidate| candidate.presence == Presence::Gone);
    let mut chosen = spread(&present, odd_number(present.len()));
    if chosen.len() == 2 {
        chosen.extend(gone.iter().find(|candidate| candidate.is_voter));
    }
    let here = chosen
        .iter()
        .filter(|candidate| candidate.presence == Presence::Here);
    let can_decide = here.count() * 2 > chosen.len();
    can_decide.then(|| chosen.iter().map(|candidate| candidate.node).collect())
}

/// How many of so many nodes vote.
fn odd_number(nodes: usize) -> usize {
    match nodes {
        0..=2 => nodes,
        _ if nodes >= VOTERS_MAX => VOTERS_MAX,
        _ => nodes - (nodes + 1) % 2,
    }
}

/// So many of the nodes, one after the other from the zone with the fewest.
fn spread<'a>(nodes: &[&'a Candidate], number: usize) -> Vec<&'a Candidate> {
    let mut left = nodes.to_vec();
    let mut chosen = Vec::new();
    let mut in_zone: BTreeMap<&ZoneName, usize> = BTreeMap::new();
    while chosen.len() < number {
        let best = left.iter().enumerate().min_by_key(|(_, node)| {
            let crowd = in_zone.get(&node.zone).copied().unwrap_or_default();
            let is_here = node.presence == Presence::Here;
            (
                !node.is_witness,
                crowd,
                !node.is_voter,
                !node.is_leader,
                !is_here,
                node.node,
            )
        });
        let Some(best) = best.map(|(position, _)| position) else {
            break;
        };
        let best = left.swap_remove(best);
        *in_zone.entry(&best.zone).or_default() += 1;
        chosen.push(best);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes as a table: `1 a Vl` is node 1 in zone a that votes and leads; `w` a witness; `-`
    /// away; `x` gone.
    fn nodes(table: &str) -> Vec<Candidate> {
        let nodes = table.split(',').filter(|node| !node.trim().is_empty());
        nodes
            .map(|node| {
                let words: Vec<_> = node.split_whitespace().collect();
                let marks = words.get(2).copied().unwrap_or_default();
                Candidate {
                    node: words[0].parse().expect("number"),
                    zone: ZoneName::parse(words[1]).expect("zone"),
                    is_witness: marks.contains('w'),
                    is_voter: marks.contains('V'),
                    is_leader: marks.contains('l'),
                    presence: match marks {
                        _ if marks.contains('-') => Presence::Away,
                        _ if marks.contains('x') => Presence::Gone,
                        _ => Presence::Here,
                    },
                }
            })
            .collect()
    }

    fn check(table: &str, wanted: &[u64]) {
        let nodes = nodes(table);
        let chosen = wanted_voters(&nodes).expect("they can decide");
        assert_eq!(chosen, wanted.iter().copied().collect(), "{table}");
        let after: Vec<_> = nodes
            .into_iter()
            .map(|node| Candidate {
                is_voter: chosen.contains(&node.node),
                ..node
            })
            .collect();
        assert_eq!(wanted_voters(&after), Some(chosen), "{table}: it stays so");
    }

    #[test]
    fn one_three_five_or_seven_nodes_vote_and_two_of_two() {
        check("1 a Vl", &[1]);
        check("1 a Vl, 2 a", &[1, 2]);
        check("1 a Vl, 2 a V, 3 a", &[1, 2, 3]);
        check("1 a Vl, 2 a V, 3 a V, 4 a", &[1, 2, 3]);
        check("1 a Vl, 2 a V, 3 a V, 4 a, 5 a", &[1, 2, 3, 4, 5]);
        check("1 a V, 2 a V, 3 a V, 4 a V, 5 a Vl, 6 a", &[1, 2, 3, 4, 5]);
        let nine = "1 a Vl, 2 a, 3 a, 4 a, 5 a, 6 a, 7 a, 8 a, 9 a";
        check(nine, &[1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn whoever_votes_goes_on_and_the_leader_before_all() {
        check("1 a, 4 a V, 5 a V, 6 a Vl", &[4, 5, 6]);
        check("1 a V, 2 a V, 3 a V, 4 a Vl", &[1, 2, 4]);
    }

    #[test]
    fn a_voter_that_is_away_keeps_its_vote_and_one_that_is_gone_makes_room() {
        check("1 a Vl, 2 a V, 3 a V-, 4 a", &[1, 2, 3]);
        check("1 a Vl, 2 a V, 3 a Vx, 4 a", &[1, 2, 4]);
        check("1 a Vl, 2 a V, 3 a V, 4 a Vx, 5 a Vx", &[1, 2, 3]);
        check("1 a Vl, 2 a V, 3 a V, 4 a V, 5 a Vx", &[1, 2, 3]);
    }

    #[test]
    fn beside_two_that_are_there_a_third_that_is_gone_keeps_its_vote() {
        check("1 a Vl, 2 a V, 3 a Vx", &[1, 2, 3]);
    }

    #[test]
    fn nothing_changes_where_too_few_are_there_to_decide() {
        for table in ["", "1 a Vl, 2 a V-", "1 a Vl, 2 a V-, 3 a V-, 4 a"] {
            assert_eq!(wanted_voters(&nodes(table)), None, "{table}");
        }
    }

    #[test]
    fn voters_are_spread_over_zones() {
        check("1 a Vl, 2 a V, 3 a V, 4 b, 5 c, 6 a", &[1, 2, 3, 4, 5]);
        check("1 a Vl, 2 a V, 3 a V, 4 b", &[1, 2, 4]);
        check("1 a Vl, 2 a V, 3 b V, 4 c", &[1, 3, 4]);
        check("1 a Vl, 2 a V, 3 b V, 4 b", &[1, 2, 3]);
        check("1 a Vl, 2 a V, 3 b Vx, 4 b", &[1, 2, 4]);
    }

    #[test]
    fn a_witness_votes_before_others() {
        check("1 a Vl, 2 a V, 3 a V, 9 a w", &[1, 2, 9]);
        check("1 a Vl, 9 a w", &[1, 9]);
        check("1 a Vl, 2 b V, 3 c V, 9 a w", &[2, 3, 9]);
        check("1 a Vl, 2 a V, 3 a V, 9 a wVx", &[1, 2, 3]);
    }

    #[test]
    fn the_choice_stands_still_whatever_it_begins_with() {
        let zones = ["a", "b", "c"];
        // Every node in some zone, voter or not, here, away or gone: a few thousand clusters.
        for seed in 0_u32..6_000 {
            let mut dice = seed;
            let mut roll = |sides: u32| {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (dice >> 16) % sides
            };
            let count = 1 + roll(9);
            let nodes: Vec<_> = (1..=count)
                .map(|node| {
                    let is_voter = roll(2) == 0;
                    Candidate {
                        node: u64::from(node),
                        zone: ZoneName::parse(zones[roll(3) as usize]).expect("zone"),
                        is_witness: roll(6) == 0,
                        is_voter,
                        is_leader: false,
                        presence: match roll(4) {
                            0 if is_voter => Presence::Away,
                            1 if is_voter => Presence::Gone,
                            _ => Presence::Here,
                        },
                    }
                })
                .collect();
            let Some(chosen) = wanted_voters(&nodes) else {
                continue;
            };
            let after: Vec<_> = nodes
                .into_iter()
                .map(|node| Candidate {
                    is_voter: chosen.contains(&node.node),
                    ..node
                })
                .collect();
            // A node that has neither vote nor answer is no candidate.
            let after: Vec<_> = after
                .into_iter()
                .filter(|node| node.is_voter || node.presence == Presence::Here)
                .collect();
            assert_eq!(
                wanted_voters(&after),
                Some(chosen),
                "seed {seed}: {after:?}"
            );
        }
    }
}
