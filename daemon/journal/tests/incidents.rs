//! Incidents that happened to real nodes: the brain of today decides as it should have then.
//!
//! A folder each: `head.json` (whose brain, in which network), `events.jsonl` (what it saw from its
//! boot on: the `event`, `at_ms` as `at` and `wall` of what `hwc replay --json` prints, which later
//! versions read as long as events only get fields with defaults), `decisions.expect` (what it must
//! decide, milliseconds after its boot).
#![allow(clippy::expect_used, reason = "a damaged incident is a failed test")]

use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::network::Network;
use hwc_api::ownership::Epoch;
use hwc_journal::Entry;
use hwc_state_machine::{Action, Command, StateMachine, Timers};
use serde::Deserialize;
use std::fs;
use std::path::Path;

#[derive(Deserialize)]
struct IncidentHead {
    node: NodeId,
    network: Network,
}

/// Replays an incident; returns the brain at its end and what it decided, a line each.
fn replay(folder: &Path) -> (StateMachine, String) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    let head: IncidentHead = serde_json::from_str(&read("head.json")).expect("a head");
    let timers = match head.network {
        Network::Lan => Timers::lan(),
        Network::Wan => Timers::wan(),
    };
    let mut brain = StateMachine::new(head.node, timers);
    let (mut decisions, mut begin) = (String::new(), None);
    for line in read("events.jsonl").lines() {
        let entry: Entry = serde_json::from_str(line).expect("an event");
        let since = entry.at.0 - *begin.get_or_insert(entry.at.0);
        for action in brain.step(entry.at, entry.event) {
            if let Some(decision) = decision(&action) {
                decisions += &format!("{since} dataset {}: {decision}\n", action.dataset);
            }
        }
    }
    (brain, decisions)
}

/// What matters of an action: who may write, what is served, what is copied and dropped.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is only shown or kept is no decision"
)]
fn decision(action: &Action) -> Option<String> {
    let of = |epoch: &Epoch| format!("{} of node {}", epoch.counter, epoch.node);
    Some(match &action.command {
        Command::Persist { row, .. } => format!("write down epoch {}", of(&row.seen)),
        Command::Open { epoch, from } => {
            let from = if from.is_some() {
                "its copy"
            } else {
                "nothing"
            };
            format!("open from {from} under epoch {}", of(epoch))
        }
        Command::Fence { epoch } => format!("fence epoch {}", of(epoch)),
        Command::Route { record: None } => "route nowhere".to_owned(),
        Command::Route {
            record: Some(record),
        } if record.is_open => "route here".to_owned(),
        Command::Route { record: Some(_) } => "route here, gate closed".to_owned(),
        Command::CloseGate { .. } => "close the gate".to_owned(),
        Command::ReopenGate { .. } => "open the gate again".to_owned(),
        Command::Replicate { to, .. } => format!("send to node {to}"),
        Command::DropCopy => "drop the copy".to_owned(),
        _ => return None,
    })
}

fn folder(name: &str) -> std::path::PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("incidents").join(name)
}

#[test]
fn every_incident_is_decided_as_it_should_be() {
    let mut replayed = 0;
    for entry in fs::read_dir(folder("")).expect("incidents") {
        let folder = entry.expect("an incident").path();
        let (_, decisions) = replay(&folder);
        let path = folder.join("decisions.expect");
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            decisions == expected,
            "{}: expected\n{expected}decided\n{decisions}",
            path.display()
        );
        assert!(!decisions.is_empty(), "{}", folder.display());
        replayed += 1;
    }
    assert!(replayed > 0, "no incident was replayed");
}

#[test]
fn who_took_over_keeps_serving_when_the_other_one_returns() {
    let (brain, _) = replay(&folder(
        "the-live-node-dies-a-copy-takes-over-and-it-returns",
    ));
    let status = brain.status(DatasetId(1)).expect("the dataset");
    assert_eq!(status.live, Some(NodeId(3)));
    assert!(status.is_open);
    assert_eq!((status.epoch.counter, status.epoch.node), (2, NodeId(3)));
    let returned = &status.views[&NodeId(2)].record;
    assert_eq!(returned.seen, status.epoch, "the other one knows");
}
