//! How far the emptying of a node is. Pure.

use super::Scene;
use hwc_api::desired::{Dataset, Drain, Node};
use hwc_api::ids::{AccountId, NodeId};
use hwc_api::moves::{MoveReason, MoveReceipt, Pause};
use hwc_api::pace::time_left_ms;
use hwc_api::v1::{CopiesCount, DrainView};
use std::collections::BTreeMap;

/// What a drained node still means to one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stake {
    /// Live on it.
    is_live: bool,
    /// It holds a copy that can't be missed yet.
    is_needed: bool,
    /// Fewer whole copies on other nodes than it should have.
    is_lacking: bool,
}

impl Scene<'_> {
    /// How far the emptying of a node is; none where it is not being emptied.
    #[must_use]
    pub fn drain(&self, node: &Node) -> Option<DrainView> {
        let drain = node.drain.as_ref()?;
        let mut view = DrainView {
            node: self.node_ref(node.id),
            drain: drain.clone(),
            by_name: self.actor_name(drain.by),
            moved: 0,
            live_left: 0,
            copies_left: 0,
            copies_left_bytes: 0,
            lacking_copies: 0,
            copies: Vec::new(),
            is_done: false,
            held: 0,
            longest_wait_ms: 0,
            failed: 0,
            remaining_ms: None,
            done_at: None,
        };
        let mut by_copies: BTreeMap<usize, u32> = BTreeMap::new();
        let takers = self.takers(node.id).count();
        let datasets = self.desired.datasets.values();
        for dataset in datasets.filter(|dataset| !dataset.is_deleted) {
            let whole = self.whole_copies(dataset, node.id);
            *by_copies.entry(whole).or_default() += 1;
            let Some(stake) = self.stake(dataset, node.id, drain, takers, whole) else {
                continue;
            };
            view.live_left += u32::from(stake.is_live);
            view.lacking_copies += u32::from(stake.is_lacking);
            if stake.is_needed {
                let observed = self.picture.dataset(dataset.id);
                view.copies_left += 1;
                view.copies_left_bytes += observed.map_or(0, |observed| observed.used_bytes);
            }
        }
        view.copies = copies_counts(&by_copies);
        for receipt in self.receipts_of(node.id, drain) {
            add_receipt(&mut view, receipt);
        }
        view.is_done = view.live_left == 0 && view.copies_left == 0;
        view.remaining_ms = self.remaining_ms(&view);
        let remaining = view.remaining_ms.filter(|_| !view.is_done);
        let remaining = remaining.and_then(|remaining| i64::try_from(remaining).ok());
        view.done_at = remaining.map(|remaining| self.now.plus_ms(remaining));
        Some(view)
    }

    /// The other nodes to which datasets may come.
    pub fn takers(&self, without: NodeId) -> impl Iterator<Item = NodeId> {
        let nodes = self.desired.active_nodes();
        let others = nodes.filter(move |node| node.id != without && node.takes_datasets());
        others.map(|node| node.id)
    }

    /// The other nodes to which datasets may come just now.
    pub fn takers_in_reach(&self, without: NodeId) -> impl Iterator<Item = NodeId> {
        let takers = self.takers(without);
        takers.filter(|node| self.picture.is_reachable(*node))
    }

    /// How many other nodes, to which datasets may come just now, hold a whole copy of one.
    fn whole_copies(&self, dataset: &Dataset, without: NodeId) -> usize {
        let is_taker = |node: NodeId| {
            let known = self.desired.nodes.get(&node);
            node != without
                && known.is_some_and(Node::takes_datasets)
                && self.picture.is_reachable(node)
        };
        let holders = self.picture.holders.get(&dataset.id).into_iter().flatten();
        holders
            .filter(|(node, record)| record.has_copy && is_taker(**node))
            .count()
    }

    /// What a node still means to a dataset of which others have so many whole copies; none where it
    /// has nothing to do with it.
    fn stake(
        &self,
        dataset: &Dataset,
        node: NodeId,
        drain: &Drain,
        takers: usize,
        whole: usize,
    ) -> Option<Stake> {
        let holders = self.picture.holders.get(&dataset.id);
        let record = holders.and_then(|holders| holders.get(&node));
        let holds = record.is_some_and(|record| record.has_copy);
        let live = self.picture.live_node(dataset.id).map(|live| live.node);
        let is_live = live == Some(node);
        if !is_live && !holds && !dataset.replicas.contains(&node) {
            return None;
        }
        let wanted = usize::from(dataset.copies);
        let least = if drain.may_lack_copies {
            wanted.min(takers).max(1)
        } else {
            wanted
        };
        // Nobody serves it: this copy may be the one to go live.
        let is_at_risk = whole < least || live.is_none();
        Some(Stake {
            is_live,
            is_needed: holds && !is_live && is_at_risk,
            is_lacking: whole < wanted,
        })
    }

    /// The receipts of what left a node because of a drain, called-off moves among them. By their
    /// end: the nodes' clocks differ, and what ended since can't be of an earlier drain.
    fn receipts_of(&self, node: NodeId, drain: &Drain) -> impl Iterator<Item = &MoveReceipt> {
        let since = drain.since;
        self.desired.moves.values().filter(move |receipt| {
            let report = &receipt.report;
            report.reason == MoveReason::Drain && report.from == node && report.ended_at >= since
        })
    }

    /// At the pace so far, or as fast as moves are allowed while none has ended. How long copies
    /// take to be made can't be told.
    fn remaining_ms(&self, view: &DrainView) -> Option<u64> {
        if view.live_left == 0 {
            return view.is_done.then_some(0);
        }
        let live_left = u64::from(view.live_left);
        let elapsed_ms = self.now.since_ms(view.drain.since);
        let at_this_pace = time_left_ms(elapsed_ms, u64::from(view.moved), live_left);
        if at_this_pace.is_some() {
            return at_this_pace;
        }
        let balancing = self.desired.cluster.as_ref()?.balancing;
        Some(live_left * 60_000 / u64::from(balancing.moves_per_minute.max(1)))
    }

    /// The name of whoever asked for something.
    fn actor_name(&self, account: AccountId) -> String {
        if account == AccountId::ROOT {
            return "root".to_owned();
        }
        self.account_name(account)
    }
}

/// Most copies first.
fn copies_counts(by_copies: &BTreeMap<usize, u32>) -> Vec<CopiesCount> {
    let counts = by_copies
        .iter()
        .rev()
        .map(|(copies, datasets)| CopiesCount {
            copies: u32::try_from(*copies).unwrap_or(u32::MAX),
            datasets: *datasets,
        });
    counts.collect()
}

/// Takes what visitors noticed of a move into account.
fn add_receipt(view: &mut DrainView, receipt: &MoveReceipt) {
    let report = &receipt.report;
    view.moved += u32::from(report.problem.is_none());
    for Pause {
        held,
        longest_wait_ms,
        failed,
        ..
    } in [report.http, report.mysql]
    {
        view.held = view.held.saturating_add(held);
        view.failed = view.failed.saturating_add(failed);
        view.longest_wait_ms = view.longest_wait_ms.max(longest_wait_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{DRAINED_AT, Sample};
    use hwc_api::ids::{AccountId, MoveId, NodeId};
    use hwc_api::moves::{MoveReason, Pause};
    use hwc_api::problem::{Problem, ProblemCode};
    use hwc_api::time::WallTime;
    use hwc_api::v1::{DrainView, NodeHealth};

    /// Three nodes, the first being drained since half a minute; `sites` sites with two copies
    /// each, live on it and copied to node 2.
    fn sample(sites: u32) -> Sample {
        let mut sample = Sample::with_nodes(3);
        sample.drain(1, false);
        sample.now = DRAINED_AT.plus_ms(30_000);
        for site in 1..=sites {
            sample.site(site, site, &format!("s{site}.example"), &[1, 2]);
            sample.live(site, 1);
            sample.holds(site, 2);
        }
        sample
    }

    fn drain(sample: &Sample) -> DrainView {
        let node = &sample.desired.nodes[&NodeId(1)];
        sample.scene().drain(node).expect("it is being drained")
    }

    /// Live left, copies left, lacking, done.
    fn check(sample: &Sample, expected: (u32, u32, u32, bool), when: &str) {
        let view = drain(sample);
        assert_eq!(
            (
                view.live_left,
                view.copies_left,
                view.lacking_copies,
                view.is_done
            ),
            expected,
            "{when}"
        );
    }

    #[test]
    fn a_node_is_done_with_when_everything_is_live_and_whole_elsewhere() {
        let mut sample = sample(2);
        check(&sample, (2, 0, 2, false), "nothing has happened yet");
        sample.live(1, 2);
        check(
            &sample,
            (1, 1, 2, false),
            "one site moved; its copy here is the second one",
        );
        assert_eq!(drain(&sample).copies_left_bytes, 1_000);
        sample.holds(1, 3);
        check(
            &sample,
            (1, 0, 1, false),
            "its second copy was made on node 3",
        );
        sample.live(2, 2);
        sample.holds(2, 3);
        check(&sample, (0, 0, 0, true), "the other site followed");
    }

    #[test]
    fn copies_count_on_other_nodes_that_are_up_and_take_datasets() {
        let whole = || {
            let mut sample = sample(1);
            sample.live(1, 2);
            sample.holds(1, 3);
            sample
        };
        check(&whole(), (0, 0, 0, true), "two whole copies elsewhere");
        let mut down = whole();
        down.picture.health.insert(NodeId(3), NodeHealth::Down);
        check(&down, (0, 1, 1, false), "node 3 is down");
        let mut draining = whole();
        draining.drain(3, false);
        check(
            &draining,
            (0, 1, 1, false),
            "node 3 is being drained as well",
        );
        let mut dark = whole();
        dark.picture.routes.clear();
        check(
            &dark,
            (0, 1, 0, false),
            "nobody serves it: any copy may be needed",
        );
    }

    #[test]
    fn a_drain_that_may_lack_copies_waits_for_those_that_can_be_made() {
        let mut sample = sample(1);
        sample.desired.nodes.remove(&NodeId(3));
        sample.live(1, 2);
        check(&sample, (0, 1, 1, false), "one copy is too few");
        sample.drain(1, true);
        check(&sample, (0, 0, 1, true), "one copy is all there can be");
        sample.picture.health.insert(NodeId(2), NodeHealth::Down);
        check(&sample, (0, 1, 1, false), "and that one is out of reach");
    }

    #[test]
    fn what_has_nothing_to_do_with_the_node_does_not_count() {
        let mut sample = sample(0);
        sample.site(9, 9, "elsewhere.example", &[2, 3]);
        sample.live(9, 2);
        check(&sample, (0, 0, 0, true), "another node's site lacks a copy");
        sample.live(9, 1);
        let dataset = sample.desired.datasets.values_mut().next().expect("one");
        dataset.is_deleted = true;
        check(&sample, (0, 0, 0, true), "a deleted site");
    }

    #[test]
    fn receipts_since_the_drain_began_add_up() {
        let mut sample = sample(4);
        let pause = |held, longest_wait_ms, failed| Pause {
            closed_ms: 80,
            held,
            longest_wait_ms,
            failed,
        };
        let receipts = [
            (1, 1, MoveReason::Drain, 10, None),
            (2, 1, MoveReason::Drain, 20, Some(ProblemCode::NodeDown)),
            (3, 1, MoveReason::Drain, -10, None),
            (4, 1, MoveReason::Balance, 10, None),
            (5, 2, MoveReason::Drain, 10, None),
        ];
        for (id, from, reason, after_ms, problem) in receipts {
            sample.receipt(id, id, from, 3, reason, DRAINED_AT.plus_ms(after_ms).0);
            let receipt = sample.desired.moves.get_mut(&MoveId(id)).expect("noted");
            receipt.report.problem = problem.map(|code| Problem::new(code, "called off"));
            receipt.report.http = pause(10 * id, 100 * id, 0);
            receipt.report.mysql = pause(id, 1, id);
        }
        let view = drain(&sample);
        assert_eq!(view.moved, 1, "a called-off move left nothing behind");
        assert_eq!(
            (view.held, view.longest_wait_ms, view.failed),
            (33, 200, 3),
            "but visitors waited for it"
        );
    }

    #[test]
    fn the_rest_takes_as_long_as_the_pace_so_far_says() {
        let mut sample = sample(3);
        assert_eq!(
            drain(&sample).remaining_ms,
            Some(30_000),
            "6 moves a minute"
        );
        sample.live(1, 2);
        sample.receipt(1, 1, 1, 2, MoveReason::Drain, DRAINED_AT.0 + 1);
        assert_eq!(
            drain(&sample).remaining_ms,
            Some(60_000),
            "one in half a minute, two to go"
        );
        sample.live(2, 2);
        sample.live(3, 2);
        assert_eq!(drain(&sample).remaining_ms, None, "copies are being made");
        for dataset in 1..=3 {
            sample.holds(dataset, 3);
        }
        assert_eq!(drain(&sample).remaining_ms, Some(0));
    }

    #[test]
    fn the_end_has_its_clock_time_until_it_has_come() {
        let mut sample = sample(1);
        let view = drain(&sample);
        let left = view.remaining_ms.expect("6 moves a minute");
        let end = sample.now.plus_ms(i64::try_from(left).expect("seconds"));
        assert_eq!(view.done_at, Some(end));
        sample.live(1, 2);
        assert_eq!(drain(&sample).done_at, None, "copies are being made");
        sample.holds(1, 3);
        assert_eq!(drain(&sample).done_at, None, "it is done");
    }

    #[test]
    fn all_datasets_are_counted_by_their_copies_on_other_nodes() {
        let counts = |sample: &Sample| {
            let copies = drain(sample).copies.into_iter();
            copies
                .map(|count| (count.copies, count.datasets))
                .collect::<Vec<_>>()
        };
        let mut sample = sample(3);
        assert_eq!(counts(&sample), [(1, 3)], "the drained node's own aside");
        sample.live(1, 2);
        sample.holds(1, 3);
        sample.site(9, 9, "elsewhere.example", &[2, 3]);
        sample.live(9, 2);
        sample.holds(9, 3);
        assert_eq!(counts(&sample), [(2, 2), (1, 2)]);
        sample.picture.health.insert(NodeId(2), NodeHealth::Down);
        assert_eq!(counts(&sample), [(1, 2), (0, 2)]);
    }

    #[test]
    fn whoever_asked_is_named() {
        let mut sample = sample(0);
        assert_eq!(drain(&sample).by_name, "Mara");
        sample.drain_by(1, AccountId::ROOT);
        assert_eq!(drain(&sample).by_name, "root");
        let node = &sample.desired.nodes[&NodeId(2)];
        assert_eq!(sample.scene().drain(node), None);
        assert_eq!(drain(&sample).drain.since, WallTime(DRAINED_AT.0));
    }
}
