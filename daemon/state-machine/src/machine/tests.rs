//! What a brain leaves alone, because nothing follows from it.

use super::*;
use crate::event::DatasetPolicy;
use hwc_api::ownership::{HolderState, Lineage};
use hwc_api::time::WallTime;

const ME: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const OWN: DatasetId = DatasetId(1);
const FOREIGN: DatasetId = DatasetId(2);

fn policy(replicas: &[NodeId]) -> DatasetPolicy {
    DatasetPolicy {
        replicas: replicas.to_vec(),
        copies: 2,
        created_index: 5,
        is_deleted: false,
        unit: None,
        pin: None,
        hold_until: None,
    }
}

fn record(node: NodeId, state: HolderState) -> HolderRecord {
    let epoch = Epoch {
        counter: 2,
        node,
        boot: BootId(u32::from(node.0)),
    };
    let snapshot = SnapshotId { epoch, sequence: 1 };
    HolderRecord {
        boot: epoch.boot,
        state,
        is_contending: false,
        has_copy: true,
        is_deleted: false,
        epoch: if state == HolderState::Live {
            epoch
        } else {
            Epoch::NONE
        },
        seen: epoch,
        lineage: Lineage::genesis().with(snapshot, 10).expect("a successor"),
        heard: Vec::new(),
        against: Epoch::NONE,
        divergent: Vec::new(),
        moving_to: None,
        head_taken_at: WallTime(0),
    }
}

struct Bench {
    brain: StateMachine,
    now: u64,
}

impl Bench {
    fn new() -> Self {
        let brain = StateMachine::new(ME, Timers::lan());
        let mut bench = Self { brain, now: 1_000 };
        let boot = BootId(1);
        let inventory = Vec::new();
        bench.step(Event::Booted { boot, inventory });
        bench.registry(&[(OWN, &[ME, B]), (FOREIGN, &[B, C])]);
        bench
    }

    /// One event; then what is kept of relations is what would be gathered anew.
    fn step(&mut self, event: Event) -> Vec<Action> {
        self.now += 10;
        let actions = self.brain.step(Millis(self.now), event);
        let gathered = Relations::gather(&self.brain.datasets, ME);
        let kept = self.brain.relations();
        assert_eq!(kept.own(), gathered.own());
        for node in [ME, B, C] {
            let known: BTreeSet<_> = kept.known_of(node).into_iter().collect();
            let gathered = gathered.known_of(node);
            assert!(gathered.iter().all(|dataset| known.contains(dataset)));
        }
        actions
    }

    fn registry(&mut self, sets: &[(DatasetId, &[NodeId])]) {
        let sets = sets.iter().map(|(id, nodes)| (*id, policy(nodes)));
        self.step(Event::Registry(RegistryView {
            my_join_index: 1,
            datasets: sets.collect(),
            ..RegistryView::default()
        }));
    }

    fn hears(&mut self, dataset: DatasetId, from: NodeId, state: HolderState) {
        let record = record(from, state);
        let event = DatasetEvent::Record { from, record };
        self.step(Event::Dataset { dataset, event });
    }

    fn heard(&mut self, node: NodeId, boot: u32) {
        let boot = BootId(boot);
        self.step(Event::RecordsHeard { node, boot });
    }
}

#[test]
fn what_concerns_others_is_found_again_when_it_comes_here() {
    let mut bench = Bench::new();
    bench.step(Event::PeerAlive { node: B });
    bench.hears(FOREIGN, B, HolderState::Live);
    bench.hears(FOREIGN, C, HolderState::Replica);
    bench.hears(OWN, B, HolderState::Live);
    bench.heard(B, 2);
    assert_eq!(bench.brain.relations().own(), [OWN]);
    bench.registry(&[(OWN, &[ME, B]), (FOREIGN, &[B, ME])]);
    assert_eq!(bench.brain.relations().own(), [OWN, FOREIGN]);
    bench.registry(&[(OWN, &[C, B]), (FOREIGN, &[B, C])]);
    bench.step(Event::PeerSuspect { node: B });
    bench.step(Event::Gap { length_ms: 5_000 });
    bench.heard(C, 4);
    bench.step(Event::Tick);
}

#[test]
fn a_suspected_peer_is_forgotten_of_datasets_of_others_too() {
    let mut bench = Bench::new();
    bench.step(Event::PeerAlive { node: B });
    bench.hears(FOREIGN, B, HolderState::Live);
    bench.heard(B, 2);
    let live = |bench: &Bench| bench.brain.status(FOREIGN).and_then(|status| status.live);
    assert_eq!(live(&bench), Some(B));
    bench.step(Event::PeerSuspect { node: B });
    assert_eq!(live(&bench), None);
    bench.heard(B, 2);
    assert_eq!(live(&bench), Some(B), "what has not changed counts again");
    bench.heard(B, 3);
    assert_eq!(live(&bench), None, "its next life shows nothing of it");
}

#[test]
fn settling_what_concerns_others_changes_nothing() {
    let mut bench = Bench::new();
    for node in [B, C] {
        bench.hears(FOREIGN, node, HolderState::Replica);
        bench.step(Event::PeerAlive { node });
        bench.heard(node, u32::from(node.0));
    }
    let before = bench.brain.datasets.get(&FOREIGN).cloned();
    assert!(before.as_ref().is_some_and(|known| known.is_foreign(ME)));
    for later_ms in [0, 10_000, 100_000] {
        bench.brain.peers.suspect(B);
        bench.brain.peers.alive(B, Millis(bench.now));
        let mut actions = Vec::new();
        let now = Millis(bench.now + later_ms);
        bench.brain.settle(now, FOREIGN, &mut actions);
        assert_eq!(actions, []);
        assert_eq!(bench.brain.datasets.get(&FOREIGN), before.as_ref());
    }
}

#[test]
fn a_brain_that_was_read_back_gathers_its_relations_anew() {
    let mut bench = Bench::new();
    bench.hears(FOREIGN, B, HolderState::Live);
    bench.step(Event::PeerAlive { node: B });
    bench.heard(B, 2);
    let mut again = bench.brain.clone();
    again.relations = None;
    let suspect = || Event::PeerSuspect { node: B };
    let actions = again.step(Millis(bench.now + 10), suspect());
    assert_eq!(actions, bench.step(suspect()));
    assert_eq!(
        again.datasets.get(&FOREIGN),
        bench.brain.datasets.get(&FOREIGN)
    );
}
