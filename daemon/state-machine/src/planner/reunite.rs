//! Bringing a site and its databases together again, which a failover or a move that was called off
//! left live on different nodes.
//!
//! Databases go to the files of their site. Only where all of them are live on one node that has a
//! copy of the files, while the node of the files lacks a copy of one of them, the files go there:
//! that costs no whole copy. Each node decides for what it serves; as both judge by the same
//! records, one of them stays. A pin is stronger than all this (`pins`), as long as its node can
//! serve.

use super::advance::closed_to_all;
use super::asking::Wish;
use super::census::{Census, Subject, common_holders};
use super::{Output, Planner, UnitKey, View};
use crate::facts::ClusterFacts;
use crate::moves::CallOff;
use crate::ownership::Ownership;
use crate::time::Millis;
use hwc_api::explanation::{Candidate, Obstacle};
use hwc_api::ids::{DatasetId, NodeId, SiteId};
use hwc_api::moves::MoveReason;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// It is looked for sites in parts so often.
const LOOK_AGAIN_MS: u64 = 5_000;

/// What is kept of sites in parts between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Reunion {
    /// Since when each site is in parts, as far as this node saw it.
    since: BTreeMap<SiteId, Millis>,
    look_at: Millis,
}

/// A site of which this node serves a part, and others the rest.
#[derive(Debug, Default)]
struct Parts {
    here: Vec<DatasetId>,
    /// The rest, with the nodes that are known to serve it.
    elsewhere: BTreeMap<DatasetId, Option<NodeId>>,
}

impl Planner {
    pub(super) fn reunite(&mut self, facts: &ClusterFacts, view: View<'_>, output: &mut Output) {
        if self.reunion.look_at > view.now {
            return;
        }
        self.reunion.look_at = view.now.plus(LOOK_AGAIN_MS);
        let in_parts = in_parts(view);
        self.reunion
            .since
            .retain(|site, _| in_parts.contains_key(site));
        self.call_off_needless(&in_parts, facts, view, output);
        if in_parts.is_empty() || self.leaving.contains(&view.me) {
            return;
        }
        self.wake(view, self.reunion.look_at);
        let census = Census::take(view);
        for (site, parts) in &in_parts {
            let since = *self.reunion.since.entry(*site).or_insert(view.now);
            if since.plus(view.timers.retry_move_ms) <= view.now
                && self.has_free_turn(&facts.balancing)
            {
                self.reunite_site(*site, parts, &census, facts, view, output);
            }
        }
    }

    fn reunite_site(
        &mut self,
        site: SiteId,
        parts: &Parts,
        census: &Census,
        facts: &ClusterFacts,
        view: View<'_>,
        output: &mut Output,
    ) {
        let subject = parts.subject(site, view);
        if self.plans.contains_key(&subject.key) {
            return;
        }
        let Some(to) = self.home(site, parts, facts, view) else {
            return;
        };
        let candidates = self.places_together(subject, census, facts, view);
        match self.stays_apart(subject, to, &candidates, facts, view) {
            None => {
                let reason = MoveReason::Reunite;
                let wish = Wish {
                    key: subject.key,
                    to,
                    reason,
                    notice_ms: Self::notice_ms(reason, facts, view),
                    candidates,
                };
                self.plan(wish, facts, view, output);
            }
            Some(obstacle) => {
                if let Some(dataset) = self.speaker_of(&parts.here, view) {
                    self.note_stay(dataset, obstacle, view, output);
                }
            }
        }
    }

    /// Ends what was planned and not begun, where the rest of the site is elsewhere by now, is on
    /// its way, or is here.
    fn call_off_needless(
        &mut self,
        in_parts: &BTreeMap<SiteId, Parts>,
        facts: &ClusterFacts,
        view: View<'_>,
        output: &mut Output,
    ) {
        let planned = self.plans.iter().filter(|(_, plan)| {
            plan.reason == MoveReason::Reunite && !plan.is_begun && plan.tries == 0
        });
        let needless: Vec<_> = planned
            .filter(|(key, plan)| {
                let UnitKey::Site(site) = **key else {
                    return true;
                };
                let home = in_parts
                    .get(&site)
                    .and_then(|parts| self.home(site, parts, facts, view));
                home != Some(plan.to)
            })
            .map(|(key, _)| *key)
            .collect();
        for key in needless {
            self.call_off(key, CallOff::Needless, view, output);
        }
    }

    /// Where this node's part of a site belongs; `None` if it stays and the rest comes, or if that
    /// can't be told now.
    fn home(
        &self,
        site: SiteId,
        parts: &Parts,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Option<NodeId> {
        let first = *parts.here.first()?;
        let policy = view.policy(first)?;
        let files = policy.unit?.files;
        if policy
            .pin
            .is_some_and(|pin| pin == view.me || can_serve(pin, facts))
        {
            return None;
        }
        let serves_files = parts.here.contains(&files);
        let is_moved = self
            .traffic
            .others_move(UnitKey::Site(site), view.me, serves_files);
        if is_moved {
            return None;
        }
        if !serves_files {
            let files_at = parts.elsewhere.get(&files).copied().flatten()?;
            let are_all_here = parts.elsewhere.len() == 1;
            let comes = are_all_here && files_follow(files, &parts.here, files_at, view.me, view);
            return (!comes).then_some(files_at);
        }
        let databases: Vec<_> = parts.elsewhere.keys().copied().collect();
        let mut nodes = parts.elsewhere.values().copied();
        let home = nodes.next()??;
        let are_all_there = parts.here.len() == 1 && nodes.all(|node| node == Some(home));
        let goes = are_all_there && files_follow(files, &databases, view.me, home, view);
        goes.then_some(home)
    }

    /// All nodes as places for a part of a site; one that would be busy with it is none.
    fn places_together(
        &self,
        subject: Subject<'_>,
        census: &Census,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Vec<Candidate> {
        let most = u32::from(facts.balancing.busy_percent);
        self.candidates(subject, Some(most), census, facts, view)
    }

    /// What keeps a part of a site from going to the rest.
    fn stays_apart(
        &self,
        subject: Subject<'_>,
        to: NodeId,
        candidates: &[Candidate],
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Option<Obstacle> {
        let is_fit = candidates
            .iter()
            .any(|candidate| candidate.node == to && candidate.score.is_some());
        let is_open =
            is_fit && self.is_steady(to, view) && !self.is_shunned(subject.key, to, view.now);
        self.rest(subject, &facts.balancing, view)
            .or((!is_open).then_some(Obstacle::NoTarget))
    }

    /// For a dataset that is live here apart from the rest of its site, and belongs there: why it
    /// would not go there by itself, if it would not.
    pub(super) fn reunion_obstacle(
        &self,
        dataset: DatasetId,
        facts: &ClusterFacts,
        view: View<'_>,
    ) -> Option<Option<Obstacle>> {
        let site = view.policy(dataset)?.unit?.site;
        let parts = in_parts(view).remove(&site)?;
        let to = self.home(site, &parts, facts, view)?;
        let subject = parts.subject(site, view);
        let candidates = self.places_together(subject, &Census::take(view), facts, view);
        let obstacle = self.stays_apart(subject, to, &candidates, facts, view);
        let has_turn = self.has_free_turn(&facts.balancing);
        Some(obstacle.or((!has_turn).then_some(Obstacle::Budget)))
    }
}

impl Parts {
    fn subject(&self, site: SiteId, view: View<'_>) -> Subject<'_> {
        Subject {
            key: UnitKey::Site(site),
            datasets: &self.here,
            here: view.me,
        }
    }
}

/// Whether the files of a site, live on `files_at`, go to its databases, all live on `home`: those
/// two nodes alone have to know, so both see the same.
fn files_follow(
    files: DatasetId,
    databases: &[DatasetId],
    files_at: NodeId,
    home: NodeId,
    view: View<'_>,
) -> bool {
    let holds_files = view
        .datasets
        .get(&files)
        .is_some_and(|files| files.holds_copy(home, view.me, view.peers));
    holds_files && !common_holders(databases, view).contains(&files_at)
}

fn can_serve(node: NodeId, facts: &ClusterFacts) -> bool {
    facts
        .nodes
        .get(&node)
        .is_some_and(|node| closed_to_all(node).is_none())
}

/// The sites of which something is open here, and something is not.
fn in_parts(view: View<'_>) -> BTreeMap<SiteId, Parts> {
    let is_open = |dataset| view.datasets.get(&dataset).is_some_and(Ownership::is_open);
    let units = view.datasets.iter().filter_map(|(dataset, ownership)| {
        let unit = ownership.policy()?.unit?;
        Some((*dataset, ownership, unit)).filter(|_| !ownership.is_gone())
    });
    // A site is in parts where one of its databases and its files are not together.
    let sites: BTreeSet<_> = units
        .clone()
        .filter(|(dataset, ownership, unit)| {
            *dataset != unit.files && ownership.is_open() != is_open(unit.files)
        })
        .map(|(_, _, unit)| unit.site)
        .collect();
    let mut parts: BTreeMap<_, Parts> = BTreeMap::new();
    if sites.is_empty() {
        return parts;
    }
    for (dataset, ownership, unit) in units.filter(|(_, _, unit)| sites.contains(&unit.site)) {
        let parts = parts.entry(unit.site).or_default();
        if ownership.is_open() {
            parts.here.push(dataset);
        } else {
            let live = ownership.live_node(view.me).filter(|node| *node != view.me);
            parts.elsewhere.insert(dataset, live);
        }
    }
    parts
}
