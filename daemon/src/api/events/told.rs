//! What a client of `/events` was told last, and what is news to it. Pure.

use crate::api::Now;
use crate::api::access::{Action, Actor, Object, can};
use crate::view::Scene;
use hwc_api::ids::{AccountId, DatasetId, JobId, MoveId, NodeId, SiteId};
use hwc_api::moves::{MoveProgress, MoveReceipt};
use hwc_api::v1::{AccountView, DrainView, Event, JobView, MoveView, NodeView, SiteView};
use std::collections::BTreeMap;

/// How many receipts a client is told of at first, and at most in one round.
const RECEIPTS: usize = 100;

/// What a client was told last.
#[derive(Debug, Default)]
pub struct Told {
    sites: BTreeMap<SiteId, SiteView>,
    jobs: BTreeMap<JobId, JobView>,
    moves: BTreeMap<DatasetId, MoveView<MoveProgress>>,
    newest_receipt: Option<MoveId>,
    nodes: BTreeMap<NodeId, NodeView>,
    drains: BTreeMap<NodeId, DrainView>,
    accounts: BTreeMap<AccountId, AccountView>,
    settings: Option<Event>,
    is_whole: bool,
}

impl Told {
    /// The events that bring a client from what it was told last to `now`.
    pub fn differences(&mut self, actor: &Actor, now: &Now) -> Vec<Event> {
        let mut events = Vec::new();
        let scene = now.scene();
        let sees = |action, owner| can(actor, action, Object::Of(owner)).is_ok();

        let sites = now
            .desired
            .sites
            .values()
            .filter(|site| sees(Action::ReadSites, site.account));
        let sites: BTreeMap<_, _> = sites.map(|site| (site.id, scene.site(site))).collect();
        let gone = news(&mut self.sites, sites, &mut events, |site| {
            Event::Site(Box::new(site))
        });
        events.extend(gone.into_iter().map(Event::SiteGone));

        let jobs = now
            .desired
            .jobs
            .values()
            .filter(|job| sees(Action::ReadJobs, job.account));
        let jobs: BTreeMap<_, _> = jobs.map(|job| (job.id, scene.job(job))).collect();
        news(&mut self.jobs, jobs, &mut events, |job| {
            Event::Job(Box::new(job))
        });

        let sees_move = |dataset| sees_move(actor, &scene, dataset);
        let moves = scene.moves_under_way(sees_move).into_iter();
        let moves: BTreeMap<_, _> = moves.map(|view| (view.of.dataset, view)).collect();
        let gone = news(&mut self.moves, moves, &mut events, |view| {
            Event::Move(Box::new(view))
        });
        events.extend(gone.into_iter().map(Event::MoveGone));
        events.extend(self.new_receipts(&scene, sees_move));

        if can(actor, Action::ReadNodes, Object::Cluster).is_ok() {
            let nodes = now.desired.active_nodes();
            let nodes: BTreeMap<_, _> = nodes.map(|node| (node.id, scene.node(node))).collect();
            news(&mut self.nodes, nodes, &mut events, |node| {
                Event::Node(Box::new(node))
            });
            let nodes = now.desired.active_nodes();
            let drains = nodes.filter_map(|node| Some((node.id, scene.drain(node)?)));
            let gone = news(&mut self.drains, drains.collect(), &mut events, |drain| {
                Event::Drain(Box::new(drain))
            });
            events.extend(gone.into_iter().map(Event::DrainGone));
        }
        if can(actor, Action::ReadAccounts, Object::Any).is_ok() {
            let accounts = now.desired.accounts.values();
            let accounts: BTreeMap<_, _> = accounts.map(|a| (a.id, scene.account(a))).collect();
            let gone = news(&mut self.accounts, accounts, &mut events, |account| {
                Event::Account(Box::new(account))
            });
            events.extend(gone.into_iter().map(Event::AccountGone));
        }
        let settings = settings(now);
        if self.settings.as_ref() != Some(&settings) {
            self.settings = Some(settings.clone());
            events.push(settings);
        }
        if !self.is_whole {
            self.is_whole = true;
            events.push(Event::Whole);
        }
        events
    }

    /// The receipts that the client does not know, the oldest first.
    fn new_receipts(
        &mut self,
        scene: &Scene<'_>,
        is_seen: impl Fn(DatasetId) -> bool,
    ) -> Vec<Event> {
        let unknown = scene.receipts_after(self.newest_receipt);
        let seen = unknown.filter(|receipt| is_seen(receipt.report.dataset));
        let told: Vec<&MoveReceipt> = seen.take(RECEIPTS).collect();
        let newest = scene.desired.moves.last_key_value();
        self.newest_receipt = newest.map(|(id, _)| *id);
        let event = |receipt| Event::MoveEnded(Box::new(scene.receipt(receipt)));
        told.into_iter().rev().map(event).collect()
    }
}

/// Whether an actor is told of the moves of a dataset: administrators of all, owners of their own.
fn sees_move(actor: &Actor, scene: &Scene<'_>, dataset: DatasetId) -> bool {
    let owner = scene.dataset_owner(dataset);
    can(actor, Action::ReadMoves, Object::Cluster).is_ok()
        || owner.is_some_and(|owner| can(actor, Action::ReadSiteMoves, Object::Of(owner)).is_ok())
}

/// Adds an event for each object that is new or changed, remembers the present ones, and returns
/// the ids of those that are gone.
fn news<K: Ord + Copy, V: PartialEq + Clone>(
    told: &mut BTreeMap<K, V>,
    present: BTreeMap<K, V>,
    events: &mut Vec<Event>,
    event: impl Fn(V) -> Event,
) -> Vec<K> {
    for (id, view) in &present {
        if told.get(id) != Some(view) {
            events.push(event(view.clone()));
        }
    }
    let gone = told
        .keys()
        .filter(|id| !present.contains_key(*id))
        .copied()
        .collect();
    *told = present;
    gone
}

fn settings(now: &Now) -> Event {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let index = now.desired.index;
    let nodes = now.desired.active_nodes().count();
    let applied = now.desired.active_nodes().filter(|node| {
        now.picture
            .nodes
            .get(&node.id)
            .is_some_and(|observed| observed.applied_index >= index)
    });
    Event::Settings {
        is_writable: now.picture.is_registry_writable,
        index,
        nodes_applied: count(applied.count()),
        nodes: count(nodes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access::Credential;
    use crate::view::sample::{MARA, Sample};
    use hwc_api::desired::Role;
    use hwc_api::ids::TokenId;
    use hwc_api::moves::MoveReason;

    fn actor(account: AccountId, role: Role) -> Actor {
        Actor::Account {
            account,
            role,
            credential: Credential::Token(TokenId(1)),
        }
    }

    /// Of the events that are due: the moves under way, the moves that are over, the receipts.
    fn moves(told: &mut Told, actor: &Actor, sample: &Sample) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let (mut under_way, mut gone, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        for event in told.differences(actor, &sample.now()) {
            match event {
                Event::Move(view) => under_way.push(view.of.dataset.0),
                Event::MoveGone(dataset) => gone.push(dataset.0),
                Event::MoveEnded(view) => ended.push(view.of.id.0),
                Event::Site(_)
                | Event::SiteGone(_)
                | Event::Job(_)
                | Event::Node(_)
                | Event::Drain(_)
                | Event::DrainGone(_)
                | Event::Account(_)
                | Event::AccountGone(_)
                | Event::Settings { .. }
                | Event::Whole
                | Event::SignedOut => {}
            }
        }
        (under_way, gone, ended)
    }

    fn sample() -> Sample {
        let mut sample = Sample::with_nodes(2);
        sample.site(1, 1, "mine.example", &[1, 2]);
        sample.live(1, 1);
        sample
    }

    #[test]
    fn a_move_is_told_while_it_lasts_and_then_its_receipt() {
        let mut sample = sample();
        let mut told = Told::default();
        let mara = actor(MARA, Role::Customer);
        sample.moving(1, 1, 2, 5);
        assert_eq!(moves(&mut told, &mara, &sample), (vec![1], vec![], vec![]));
        assert_eq!(moves(&mut told, &mara, &sample), (vec![], vec![], vec![]));
        sample.moving(1, 1, 2, 6);
        assert_eq!(moves(&mut told, &mara, &sample), (vec![1], vec![], vec![]));
        sample.picture.moves.clear();
        sample.receipt(1, 1, 1, 2, MoveReason::Pin, 9);
        assert_eq!(moves(&mut told, &mara, &sample), (vec![], vec![1], vec![1]));
        assert_eq!(moves(&mut told, &mara, &sample), (vec![], vec![], vec![]));
    }

    #[test]
    fn the_present_state_has_an_end_and_changes_have_none() {
        let mut sample = sample();
        let mut told = Told::default();
        let mara = actor(MARA, Role::Customer);
        let first = told.differences(&mara, &sample.now());
        assert_eq!(first.last(), Some(&Event::Whole));
        assert_eq!(first.iter().filter(|e| **e == Event::Whole).count(), 1);
        sample.moving(1, 1, 2, 5);
        let news = told.differences(&mara, &sample.now());
        assert!(
            !news.is_empty() && !news.contains(&Event::Whole),
            "{news:?}"
        );
    }

    #[test]
    fn others_moves_and_those_of_gone_sites_are_for_administrators() {
        let mut sample = sample();
        sample.moving(1, 1, 2, 5);
        sample.receipt(1, 1, 1, 2, MoveReason::Pin, 9);
        sample.receipt(2, 77, 1, 2, MoveReason::Pin, 9);
        let check = |actor: Actor, expected: (Vec<u32>, Vec<u32>, Vec<u32>)| {
            assert_eq!(moves(&mut Told::default(), &actor, &sample), expected);
        };
        check(actor(MARA, Role::Customer), (vec![1], vec![], vec![1]));
        check(
            actor(AccountId(9), Role::Customer),
            (vec![], vec![], vec![]),
        );
        let both = (vec![1], vec![], vec![1, 2]);
        check(actor(AccountId(9), Role::Administrator), both);
    }

    #[test]
    fn at_first_the_newest_hundred_receipts_are_told() {
        let mut sample = sample();
        for id in 1..=150 {
            sample.receipt(id, 1, 1, 2, MoveReason::Balance, i64::from(id));
        }
        let mut told = Told::default();
        let mara = actor(MARA, Role::Customer);
        let first = moves(&mut told, &mara, &sample).2;
        assert_eq!((first.first(), first.last()), (Some(&51), Some(&150)));
        sample.receipt(151, 1, 1, 2, MoveReason::Balance, 151);
        assert_eq!(moves(&mut told, &mara, &sample).2, [151]);
    }

    #[test]
    fn a_drain_is_told_to_administrators_until_it_is_over() {
        let mut sample = sample();
        sample.drain(1, false);
        let mut told = Told::default();
        let admin = actor(AccountId(9), Role::Administrator);
        let is_drain = |event: &Event| matches!(event, Event::Drain(_) | Event::DrainGone(_));
        let drains = |told: &mut Told, actor: &Actor, sample: &Sample| {
            let mut events = told.differences(actor, &sample.now());
            events.retain(is_drain);
            events
        };
        let mara = actor(MARA, Role::Customer);
        assert_eq!(drains(&mut Told::default(), &mara, &sample), []);
        assert_eq!(drains(&mut told, &admin, &sample).len(), 1);
        assert_eq!(drains(&mut told, &admin, &sample), []);
        sample.desired.nodes.get_mut(&NodeId(1)).expect("n1").drain = None;
        assert_eq!(
            drains(&mut told, &admin, &sample),
            [Event::DrainGone(NodeId(1))]
        );
    }
}
