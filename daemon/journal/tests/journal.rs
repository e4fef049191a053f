//! Journals are read as they were written; everything else is told apart.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use hwc_api::ids::{BootId, ClusterId, DatasetId, NodeId};
use hwc_api::time::WallTime;
use hwc_journal::format::{MAGIC, VERSION};
use hwc_journal::{Entry, Head, Journal, JournalError, Replay, SegmentWriter, whole_bytes};
use hwc_state_machine::{DatasetPolicy, Event, Millis, RegistryView, StateMachine, Timers};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn brain() -> StateMachine {
    let mut brain = StateMachine::new(NodeId(1), Timers::lan());
    let booted = Event::Booted {
        boot: BootId(7),
        inventory: Vec::new(),
    };
    brain.step(Millis(0), booted);
    brain
}

fn head(at: u64) -> Head {
    Head {
        cluster: ClusterId("c".to_owned()),
        node: NodeId(1),
        boot: BootId(7),
        version: "test".to_owned(),
        at: Millis(at),
        wall: WallTime(0),
    }
}

/// A node alone is told to hold a new dataset; then time passes, and it claims it.
fn events() -> Vec<Entry> {
    let policy = DatasetPolicy {
        replicas: vec![NodeId(1)],
        copies: 1,
        created_index: 5,
        is_deleted: false,
        unit: None,
        pin: None,
        hold_until: None,
    };
    let registry = Event::Registry(RegistryView {
        my_join_index: 1,
        datasets: BTreeMap::from([(DatasetId(1), policy)]),
        moves: BTreeMap::new(),
    });
    let ticks = (1..=80).map(|n| (n * 1_000, Event::Tick));
    std::iter::once((10, registry))
        .chain(ticks)
        .map(|(at, event)| Entry {
            at: Millis(at),
            wall: WallTime(0),
            event,
        })
        .collect()
}

/// The bytes of a journal of these events in two segments, with what the brain wanted each time.
fn recorded() -> (Vec<u8>, Vec<String>) {
    let (mut brain, mut bytes, mut wanted) = (brain(), Vec::new(), Vec::new());
    for half in events().chunks(40) {
        let at = half.first().map_or(0, |entry| entry.at.0);
        let mut segment = SegmentWriter::begin(&head(at), &brain).expect("a segment");
        for entry in half {
            segment.add(entry).expect("an entry");
            wanted.push(format!("{:?}", brain.step(entry.at, entry.event.clone())));
        }
        bytes.extend(segment.take());
    }
    (bytes, wanted)
}

#[test]
fn a_replay_decides_as_the_brain_did() {
    let (bytes, wanted) = recorded();
    let journal = Journal::read(&bytes).expect("a journal");
    assert_eq!(journal.segments.len(), 3, "81 events in chunks of 40");
    let mut replay = Replay::new(&journal);
    let mut replayed = Vec::new();
    while let Some(step) = replay.step() {
        assert!(!step.is_after_break, "step {}", step.number);
        replayed.push(format!("{:?}", step.actions));
    }
    assert_eq!(replayed, wanted);
    assert!(
        wanted.iter().any(|actions| actions.contains("Persist")),
        "the brain never claimed: the journal shows nothing"
    );
}

#[test]
fn missing_events_are_noticed_at_the_next_checkpoint() {
    let (bytes, _) = recorded();
    let mut journal = Journal::read(&bytes).expect("a journal");
    journal.segments[0].entries.clear();
    let mut replay = Replay::new(&journal);
    let first = replay.step().expect("a step");
    assert!(first.is_after_break);
    assert!(!replay.step().expect("a step").is_after_break);
}

#[test]
fn what_is_cut_short_is_read_up_to_there() {
    let (bytes, _) = recorded();
    let whole = Journal::read(&bytes).expect("a journal");
    let all: usize = whole.segments.iter().map(|s| s.entries.len()).sum();
    let (journal, error) = Journal::read(&bytes[..bytes.len() - 3]).expect_err("cut short");
    assert!(matches!(error, JournalError::CutShort { .. }), "{error}");
    let read: usize = journal.segments.iter().map(|s| s.entries.len()).sum();
    assert!(read > 0 && read < all, "{read} of {all}");
}

#[test]
fn what_is_whole_of_a_segment_is_told_without_unpacking_it() {
    let mut segment = SegmentWriter::begin(&head(0), &brain()).expect("a segment");
    let first = segment.take();
    for entry in events() {
        segment.add(&entry).expect("an entry");
    }
    let bytes = [first.clone(), segment.take()].concat();
    for cut in 0..=bytes.len() {
        let part = &bytes[..cut];
        let whole = whole_bytes(part);
        let read = Journal::read(&part[..whole]);
        let is_begun = cut >= first.len();
        assert_eq!(
            read.is_ok(),
            is_begun,
            "cut after {cut} bytes, {whole} of them whole"
        );
        if cut == bytes.len() {
            assert_eq!(whole, cut);
        }
    }
    let mut damaged = bytes.clone();
    damaged[first.len() + 3] = 0xff;
    assert_eq!(whole_bytes(&damaged), damaged.len());
    let (_, error) = Journal::read(&damaged).expect_err("damaged");
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
}

#[test]
fn other_versions_and_other_files_are_told_apart() {
    let (mut bytes, _) = recorded();
    for other in [&b""[..], b"PK\x03\x04", b"HWCJOURX\x01\x00"] {
        let (_, error) = Journal::read(other).expect_err("no journal");
        assert_eq!(error, JournalError::NoJournal, "{other:?}");
    }
    bytes[8] = 9;
    let (_, error) = Journal::read(&bytes).expect_err("another version");
    assert_eq!(error, JournalError::OtherVersion { found: 9 });
    assert!(error.to_string().contains("version of hwc"), "{error}");
}

proptest! {
    #[test]
    fn a_flipped_bit_is_noticed(at in 0usize..100_000, bit in 0u8..8) {
        let (mut bytes, _) = recorded();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert!(Journal::read(&bytes).is_err(), "byte {at}, bit {bit}");
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _unread = Journal::read(&bytes);
        let mut begun = MAGIC.to_vec();
        begun.extend(VERSION.to_le_bytes());
        begun.extend(&bytes);
        prop_assert!(Journal::read(&begun).is_err());
    }
}
