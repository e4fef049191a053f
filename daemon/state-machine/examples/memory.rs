//! How much memory the brain of a registry's leader takes with a hundred thousand datasets on ten
//! nodes, two copies each: `cargo run --release -p hwc-state-machine --example memory`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a program for developers: it prints, stops at what can't be, and answers few commands"
)]

use hwc_api::ids::{BootId, DatasetId, NodeId, SiteId};
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage, SnapshotId};
use hwc_api::time::WallTime;
use hwc_state_machine::{
    Action, Command, DatasetEvent, DatasetPolicy, Event, InventoryItem, Millis, RegistryView,
    StateMachine, Timers, Unit,
};
use std::collections::VecDeque;

const DATASETS: u32 = 100_000;
const NODES: u16 = 10;
const ME: NodeId = NodeId(1);

fn main() {
    let before = resident_kib();
    let brain = leader();
    let after = resident_kib();
    let live = brain
        .datasets()
        .filter(|dataset| brain.serving(*dataset).is_some());
    println!("datasets {DATASETS}, live here {}", live.count());
    println!("memory   {} MiB", (after - before) / 1024);
}

/// The brain, once it serves what is its own and has heard of all the rest.
fn leader() -> StateMachine {
    let mut brain = StateMachine::new(ME, Timers::lan());
    let mut now = Millis(1_000_000);
    let own = (0..DATASETS).filter(|n| set_of(*n).contains(&ME));
    let inventory = own.map(|n| InventoryItem {
        dataset: DatasetId(n),
        row: None,
        lineage: Some(history(n)),
        divergent: Vec::new(),
        head_taken_at: WallTime(0),
    });
    let booted = Event::Booted {
        boot: BootId(1),
        inventory: inventory.collect(),
    };
    give(&mut brain, now, booted);
    let registry = RegistryView {
        my_join_index: 1,
        datasets: (0..DATASETS).map(|n| (DatasetId(n), policy(n))).collect(),
        ..RegistryView::default()
    };
    give(&mut brain, now, Event::Registry(registry));
    for node in (2..=NODES).map(NodeId) {
        give(&mut brain, now, Event::PeerAlive { node });
        let boot = BootId(u32::from(node.0));
        for n in (0..DATASETS).filter(|n| set_of(*n).contains(&node)) {
            let dataset = DatasetId(n);
            let record = record(n, node);
            let event = DatasetEvent::Record { from: node, record };
            give(&mut brain, now, Event::Dataset { dataset, event });
        }
        give(&mut brain, now, Event::RecordsHeard { node, boot });
    }
    while let Some(at) = brain.next_deadline().filter(|at| at.0 < 1_060_000) {
        now = now.max(at);
        give(&mut brain, now, Event::Tick);
    }
    brain
}

/// An event, and what an executor without any work answers to what the brain wants.
fn give(brain: &mut StateMachine, now: Millis, event: Event) {
    let mut waiting = VecDeque::from([event]);
    while let Some(event) = waiting.pop_front() {
        for Action { dataset, command } in brain.step(now, event) {
            let event = match command {
                Command::Persist { token, .. } => DatasetEvent::Persisted { token },
                Command::Open { epoch, .. } => DatasetEvent::Opened { epoch },
                Command::Publish { record } if record.state == HolderState::Claiming => {
                    acknowledge(dataset.0, record.seen)
                }
                _ => continue,
            };
            waiting.push_back(Event::Dataset { dataset, event });
        }
    }
}

/// The other holder has seen this node's claim.
fn acknowledge(n: u32, seen: Epoch) -> DatasetEvent {
    let from = set_of(n).into_iter().find(|node| *node != ME);
    let from = from.expect("two holders");
    let record = HolderRecord {
        seen,
        ..record(n, from)
    };
    DatasetEvent::Record { from, record }
}

/// The first one serves.
fn set_of(n: u32) -> [NodeId; 2] {
    let number = |n: u32| NodeId(u16::try_from(n % u32::from(NODES)).unwrap_or(0) + 1);
    [number(n / 2), number(n / 2 + 1 + n % 3)]
}

fn policy(n: u32) -> DatasetPolicy {
    DatasetPolicy {
        replicas: set_of(n).to_vec(),
        copies: 2,
        created_index: 5,
        is_deleted: false,
        unit: Some(Unit {
            site: SiteId(n / 2),
            files: DatasetId(n & !1),
        }),
        pin: None,
        hold_until: None,
    }
}

/// Two terms of two nodes.
fn history(n: u32) -> Lineage {
    let [first, second] = set_of(n);
    [(1, second), (2, first)]
        .into_iter()
        .fold(Lineage::genesis(), |history, (counter, node)| {
            let snapshot = SnapshotId {
                epoch: epoch(counter, node),
                sequence: 7,
            };
            history.with(snapshot, 1_000).expect("a successor")
        })
}

fn epoch(counter: u32, node: NodeId) -> Epoch {
    Epoch {
        counter,
        node,
        boot: BootId(u32::from(node.0)),
    }
}

/// What another node shows: the first of the set serves, unless that is this node.
fn record(n: u32, node: NodeId) -> HolderRecord {
    let [first, _] = set_of(n);
    let serves = node == first;
    let seen = epoch(2, first);
    HolderRecord {
        boot: BootId(u32::from(node.0)),
        state: if serves {
            HolderState::Live
        } else {
            HolderState::Replica
        },
        is_contending: false,
        has_copy: true,
        is_deleted: false,
        epoch: if serves { seen } else { Epoch::NONE },
        seen,
        lineage: history(n),
        heard: Vec::new(),
        against: Epoch::NONE,
        divergent: Vec::new(),
        moving_to: None,
        head_taken_at: WallTime(0),
    }
}

/// Resident memory of this process, kibibytes.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
