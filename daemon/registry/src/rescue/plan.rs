//! What it means to go on without lost nodes: a pure choice from what the others say of their logs.
//!
//! Where the lost nodes are a majority of the voters, one of the others becomes the only voter. It
//! must be one that holds everything that any of them knows to be decided, for that has been acted
//! upon; among those the one with the newest log, so that as much as possible of what was
//! acknowledged is kept.

use crate::raft_types::{LogId, raft_id};
use hwc_api::ids::NodeId;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What a node says of its log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The end of its log.
    pub last: Option<LogId>,
    /// The first entry of each leader in its log, oldest first.
    pub leaders: Vec<LogId>,
    /// Up to here its log is decided.
    pub committed: Option<LogId>,
    /// The highest term that it knows.
    pub term: u64,
    /// Whose majority decides; two sets while the voters are being changed.
    pub voters: Vec<BTreeSet<u64>>,
    /// The index of its settings.
    pub index: u64,
}

impl Position {
    /// Whether its log holds an entry that is decided.
    fn holds(&self, decided: LogId) -> bool {
        if self.committed >= Some(decided) {
            // What is decided is the same in every log.
            return true;
        }
        let is_long_enough = self.last.is_some_and(|last| last.index >= decided.index);
        let leader = self
            .leaders
            .iter()
            .rfind(|first| first.index <= decided.index);
        is_long_enough && leader.is_some_and(|first| first.leader_id == decided.leader_id)
    }
}

/// What going on without the lost nodes takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The node whose settings go on.
    pub newest: NodeId,
    /// The voters that are not lost.
    pub voters: BTreeSet<u64>,
    /// Those of them that said nothing.
    pub silent: BTreeSet<u64>,
    /// Whether the others can decide nothing without help, however many of them come back.
    pub is_majority_lost: bool,
    /// Whether those that spoke can decide nothing without help or the silent ones.
    pub is_stuck: bool,
    /// The highest term that anybody knows.
    pub term: u64,
    /// The newest index of the settings.
    pub index: u64,
}

/// Plans by what the nodes say that are not lost; none where nobody said anything.
pub(crate) fn plan(
    positions: &BTreeMap<NodeId, Position>,
    lost: &BTreeSet<NodeId>,
) -> Option<Plan> {
    let decided = positions.values().filter_map(|said| said.committed).max();
    let able = positions
        .iter()
        .filter(|(_, said)| decided.is_none_or(|decided| said.holds(decided)));
    let (newest, said) = able.max_by_key(|(node, said)| (said.last, Reverse(**node)))?;
    let lost: BTreeSet<u64> = lost.iter().copied().map(raft_id).collect();
    let voters: BTreeSet<u64> = said.voters.iter().flatten().copied().collect();
    let voters: BTreeSet<u64> = voters.difference(&lost).copied().collect();
    let spoke: BTreeSet<u64> = positions.keys().copied().map(raft_id).collect();
    let silent: BTreeSet<u64> = voters.difference(&spoke).copied().collect();
    let is_too_few = |without: &BTreeSet<u64>| {
        let mut sets = said.voters.iter();
        sets.any(|set| set.difference(without).count() * 2 <= set.len())
    };
    Some(Plan {
        newest: *newest,
        is_majority_lost: is_too_few(&lost),
        is_stuck: is_too_few(&lost.union(&silent).copied().collect()),
        silent,
        voters,
        term: positions.values().map(|said| said.term).max().unwrap_or(0),
        index: positions.values().map(|said| said.index).max().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use openraft::CommittedLeaderId;

    fn entry(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(term, 1), index)
    }

    /// A log as (term, index) of each leader's first entry, its end and what of it is decided.
    fn said(leaders: &[(u64, u64)], end: u64, decided: u64, voters: &[u64]) -> Position {
        let at = |index| {
            let leader = leaders.iter().rfind(|(_, first)| *first <= index);
            leader.map(|(term, _)| entry(*term, index))
        };
        Position {
            last: at(end),
            leaders: leaders
                .iter()
                .map(|(term, index)| entry(*term, *index))
                .collect(),
            committed: at(decided),
            term: leaders.last().map_or(0, |(term, _)| *term),
            voters: vec![voters.iter().copied().collect()],
            index: decided,
        }
    }

    fn check(said: &[(u16, Position)], lost: &[u16], newest: u16, is_majority_lost: bool) -> Plan {
        let said = said
            .iter()
            .cloned()
            .map(|(node, said)| (NodeId(node), said));
        let lost = lost.iter().copied().map(NodeId).collect();
        let plan = plan(&said.collect(), &lost).expect("somebody spoke");
        assert_eq!(
            (plan.newest, plan.is_majority_lost),
            (NodeId(newest), is_majority_lost),
            "{plan:?}"
        );
        plan
    }

    #[test]
    fn nobody_said_anything() {
        assert_eq!(plan(&BTreeMap::new(), &BTreeSet::from([NodeId(1)])), None);
    }

    #[test]
    fn the_longest_log_of_the_newest_leader_goes_on() {
        let five = [1, 2, 3, 4, 5];
        let short = said(&[(1, 0)], 7, 5, &five);
        let long = said(&[(1, 0)], 9, 5, &five);
        let newer = said(&[(1, 0), (2, 6)], 8, 6, &five);
        let lost = [3, 4, 5];
        check(&[(1, short.clone()), (2, long.clone())], &lost, 2, true);
        check(&[(1, long.clone()), (2, long.clone())], &lost, 1, true);
        check(&[(1, newer), (2, long)], &lost, 1, true);
        check(&[(2, short)], &[1, 3, 4, 5], 2, true);
    }

    #[test]
    fn what_one_knows_to_be_decided_beats_a_newer_log_without_it() {
        // Leader 2 wrote entries from 6 on that leader 3 threw away; node 2 follows leader 3, which
        // decided entry 6 of leader 1, and has not its own entries yet.
        let thrown_away = said(&[(1, 0), (2, 6)], 9, 5, &[1, 2, 3, 4]);
        let decided = said(&[(1, 0)], 6, 6, &[1, 2, 3, 4]);
        assert!(thrown_away.last > decided.last);
        check(&[(1, thrown_away), (2, decided)], &[3, 4], 2, true);
    }

    #[test]
    fn a_log_that_was_cut_short_at_its_beginning_holds_what_is_decided() {
        let snapshot_only = Position {
            last: Some(entry(4, 50)),
            leaders: Vec::new(),
            committed: Some(entry(4, 50)),
            ..said(&[], 0, 0, &[1, 2])
        };
        let behind = said(&[(4, 40)], 45, 44, &[1, 2]);
        check(&[(1, behind), (2, snapshot_only)], &[9], 2, false);
    }

    #[test]
    fn a_majority_is_lost_when_half_of_the_voters_are() {
        let log = |voters| said(&[(1, 0)], 5, 5, voters);
        check(&[(1, log(&[1, 2, 3]))], &[2], 1, false);
        check(&[(1, log(&[1, 2, 3]))], &[2, 3], 1, true);
        check(&[(1, log(&[1, 2]))], &[2], 1, true);
        check(&[(1, log(&[1, 2, 3, 4, 5]))], &[4, 5], 1, false);
        let mut changing = log(&[1, 2, 3]);
        changing.voters.push(BTreeSet::from([1, 4]));
        check(&[(1, changing)], &[4], 1, true);
    }

    #[test]
    fn voters_that_stay_and_say_nothing_are_named() {
        let log = said(&[(1, 0)], 5, 5, &[1, 2, 3, 4, 5]);
        let plan = check(&[(1, log.clone())], &[4, 5], 1, false);
        assert_eq!(plan.voters, BTreeSet::from([1, 2, 3]));
        assert_eq!(plan.silent, BTreeSet::from([2, 3]));
        assert!(plan.is_stuck, "one of five decides nothing");
        let three = [(1, log.clone()), (2, log.clone()), (3, log)];
        assert!(!check(&three, &[4, 5], 1, false).is_stuck);
    }

    #[test]
    fn a_learner_with_the_newest_log_goes_on() {
        let voter = said(&[(1, 0)], 5, 5, &[1, 3, 4]);
        let learner = said(&[(1, 0)], 8, 5, &[1, 3, 4]);
        let plan = check(&[(1, voter), (2, learner)], &[3, 4], 2, true);
        assert_eq!(plan.voters, BTreeSet::from([1]));
    }
}
