//! Tables and properties of both sides of a space.

use super::own::OwnSpace;
use super::peer::{Applied, Outdated, PeerSpace, Skipped};
use super::wire::{self, Change, Delta, Digest, EncodedChange, WireBytes};
use super::*;
use hwc_api::ids::BootId;
use proptest::prelude::*;

const ME: NodeId = NodeId(1);
const READER: NodeId = NodeId(2);
const STRANGER: NodeId = NodeId(3);

fn life(number: u64) -> Start {
    Start {
        number,
        boot: BootId(1),
    }
}

fn only(node: NodeId) -> Audience {
    Audience::Nodes([node].into())
}

fn set(own: &mut OwnSpace, key: &str, value: &str, audience: Audience) {
    let value = Bytes::copy_from_slice(value.as_bytes());
    own.set(key.to_owned(), value, audience).expect("set");
}

fn due(own: &OwnSpace, reader: NodeId) -> Digest {
    Digest {
        version: own.head(),
        fingerprint: own.fingerprint_for(reader),
    }
}

/// Applies what must fit.
fn apply(peer: &mut PeerSpace, delta: Delta) -> Vec<String> {
    let applied = peer.apply(delta);
    assert!(applied.skipped.is_empty() && !applied.is_gap, "{applied:?}");
    applied.changed
}

/// Brings a reader up to date as a stream does; returns the keys that changed.
fn sync(own: &OwnSpace, peer: &mut PeerSpace, reader: NodeId) -> Vec<String> {
    let mut changed = Vec::new();
    loop {
        let delta = own.delta_for(reader, peer.digest().version);
        let is_complete = delta.is_complete;
        changed.extend(apply(peer, delta));
        if is_complete {
            return changed;
        }
    }
}

fn texts(peer: &PeerSpace) -> Vec<(String, String)> {
    let entries = peer.entries().into_iter();
    entries
        .map(|(key, value)| (key, String::from_utf8_lossy(&value).into_owned()))
        .collect()
}

fn change(version: u64, key: &str, value: Option<Bytes>) -> EncodedChange {
    EncodedChange::of(&Change {
        version,
        key: key.to_owned(),
        value: value.map(WireBytes),
    })
}

fn delta(from: u64, to: u64, changes: Vec<EncodedChange>) -> Delta {
    Delta {
        reset_at: None,
        from,
        to,
        is_complete: true,
        changes,
    }
}

#[test]
fn a_reader_gets_what_changed_and_nothing_else() {
    let (mut own, mut peer) = <(OwnSpace, PeerSpace)>::default();
    peer.begin(life(1)).expect("first life");
    set(&mut own, "a", "1", Audience::All);
    set(&mut own, "b", "1", Audience::All);
    assert_eq!(sync(&own, &mut peer, READER), ["a", "b"]);
    set(&mut own, "b", "2", Audience::All);
    set(&mut own, "b", "2", Audience::All);
    assert_eq!(own.head(), 3, "an equal value is no change");
    assert_eq!(own.remove("a"), Some(Audience::All));
    assert_eq!(own.remove("a"), None);
    assert_eq!(own.remove("never"), None);
    assert_eq!(own.delta_for(READER, 2).changes.len(), 2);
    assert_eq!(sync(&own, &mut peer, READER), ["b", "a"]);
    assert_eq!(texts(&peer), [("b".to_owned(), "2".to_owned())]);
    assert_eq!(peer.digest(), due(&own, READER));
    assert!(own.delta_for(READER, own.head()).changes.is_empty());
}

#[test]
fn values_go_to_their_audience_only() {
    let (mut own, mut peer, mut stranger) = <(OwnSpace, PeerSpace, PeerSpace)>::default();
    set(&mut own, "secret", "1", only(READER));
    assert_eq!(sync(&own, &mut peer, READER), ["secret"]);
    assert!(own.delta_for(STRANGER, 0).changes.is_empty());
    sync(&own, &mut stranger, STRANGER);
    assert_eq!(stranger.digest(), due(&own, STRANGER));

    // Who may no longer see it is told that it is gone; who never saw it learns nothing.
    set(&mut own, "secret", "2", only(ME));
    assert_eq!(sync(&own, &mut peer, READER), ["secret"]);
    assert!(texts(&peer).is_empty());
    let to_stranger = own.delta_for(STRANGER, stranger.digest().version);
    assert!(to_stranger.changes.is_empty());
    assert_eq!(peer.digest(), due(&own, READER));
}

#[test]
fn a_new_life_wipes_the_old_one_and_the_old_one_is_refused() {
    let (mut own, mut peer) = <(OwnSpace, PeerSpace)>::default();
    peer.begin(life(5)).expect("first life");
    set(&mut own, "a", "1", Audience::All);
    sync(&own, &mut peer, READER);
    assert!(peer.is_complete());
    assert_eq!(peer.begin(life(5)), Ok(vec![]), "the same life goes on");
    assert!(!peer.is_complete());
    assert_eq!(peer.begin(life(4)), Err(Outdated(life(5))));
    assert_eq!(peer.begin(life(6)), Ok(vec!["a".to_owned()]));
    assert_eq!(peer.digest(), Digest::default());
}

#[test]
fn a_reader_that_was_away_too_long_gets_everything_anew() {
    let (mut own, mut peer) = <(OwnSpace, PeerSpace)>::default();
    set(&mut own, "stays", "1", Audience::All);
    set(&mut own, "goes", "1", Audience::All);
    sync(&own, &mut peer, READER);
    own.remove("goes");
    for n in 0..=own::TOMBSTONES_MAX {
        let key = format!("short-lived-{n}");
        set(&mut own, &key, "x", Audience::All);
        own.remove(&key);
    }
    let lost = own.delta_for(READER, peer.digest().version);
    assert!(lost.reset_at.is_some());
    assert_eq!(sync(&own, &mut peer, READER), ["goes"]);
    assert_eq!(texts(&peer), [("stays".to_owned(), "1".to_owned())]);
}

#[test]
fn a_large_space_comes_in_parts() {
    let (mut own, mut peer) = <(OwnSpace, PeerSpace)>::default();
    let value = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    for n in 0..40 {
        own.set(format!("{n}"), value.clone(), Audience::All)
            .expect("set");
    }
    let first = own.delta_for(READER, 0);
    assert!(!first.is_complete);
    let frame = wire::encode(&first).expect("encoded");
    assert!(frame.len() < wire::FRAME_BYTES_MAX);
    // Half of it, then everything anew: nothing is lost or doubled.
    apply(&mut peer, first);
    apply(&mut peer, own.reset_for(READER));
    sync(&own, &mut peer, READER);
    assert_eq!(peer.entries().len(), 40);
    assert_eq!(peer.digest(), due(&own, READER));
}

#[test]
fn who_shows_too_much_is_told_so() {
    let mut own = OwnSpace::default();
    let big = Bytes::from(vec![0; VALUE_BYTES_MAX + 1]);
    let refused = own.set("a".into(), big, Audience::All);
    let bytes = VALUE_BYTES_MAX + 1;
    let key = "a".to_owned();
    assert_eq!(refused, Err(SetError::Value { key, bytes }));
    for bytes in [0, KEY_BYTES_MAX + 1] {
        let refused = own.set("k".repeat(bytes), Bytes::new(), Audience::All);
        assert_eq!(refused, Err(SetError::Key { bytes }));
    }
    let full = Bytes::from(vec![0; VALUE_BYTES_MAX]);
    let fitting = SPACE_BYTES_MAX / (VALUE_BYTES_MAX + 4);
    for n in 0..fitting {
        own.set(format!("{n:04}"), full.clone(), Audience::All)
            .expect("fits");
    }
    let more = own.set("more".into(), full.clone(), Audience::All);
    assert_eq!(more, Err(SetError::Full));
    own.remove("0000");
    own.set("more".into(), full, Audience::All)
        .expect("fits again");
}

#[test]
fn what_cannot_be_taken_disables_its_own_key_only() {
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let big = || Some(Bytes::from(vec![0; VALUE_BYTES_MAX + 1]));
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let (mut peer, mut other) = <(PeerSpace, PeerSpace)>::default();
    apply(&mut peer, delta(0, 1, vec![change(1, "grows", text("1"))]));
    let changes = vec![
        change(2, "first", text("1")),
        change(3, "grows", big()),
        EncodedChange::raw(Bytes::from_static(b"\xff\xff\xff")),
        change(4, &long, text("1")),
        change(5, "", text("1")),
        change(6, "big", big()),
        change(9, "later than the delta", text("1")),
        change(7, "last", text("1")),
    ];
    let applied = peer.apply(delta(1, 7, changes));
    let skipped = [
        Skipped::Value,
        Skipped::Change,
        Skipped::Key,
        Skipped::Key,
        Skipped::Value,
        Skipped::Order,
    ];
    assert_eq!(applied.skipped, skipped);
    // The key that became too large is gone: its old value would be a lie.
    assert_eq!(applied.changed, ["first", "grows", "last"]);
    assert_eq!(texts(&peer).len(), 2);

    // Its owner's sum still fits: nothing is sent again for it.
    apply(&mut other, delta(0, 1, vec![change(1, "a", text("1"))]));
    let applied = other.apply(delta(1, 2, vec![change(2, "big", big())]));
    assert_eq!(applied.skipped, [Skipped::Value]);
    let sum = change(1, "a", text("1")).fingerprint() ^ change(2, "big", big()).fingerprint();
    assert_eq!(other.digest().fingerprint, sum);
    // And it works again as soon as it is sane.
    apply(&mut other, delta(2, 3, vec![change(3, "big", text("2"))]));
    assert_eq!(other.get("big"), text("2").as_ref());
}

#[test]
fn a_node_that_shows_more_than_it_may_costs_no_more_memory() {
    let value = Bytes::from(vec![0; VALUE_BYTES_MAX]);
    let mut peer = PeerSpace::default();
    let keys = SPACE_BYTES_MAX / VALUE_BYTES_MAX + 100;
    for n in 0..keys as u64 {
        let changes = vec![change(n + 1, &format!("{n}"), Some(value.clone()))];
        peer.apply(delta(n, n + 1, changes));
    }
    let bytes: usize = peer.entries().values().map(Bytes::len).sum();
    assert!(bytes <= SPACE_BYTES_MAX);
    let small = change(keys as u64 + 1, "small", Some(Bytes::new()));
    apply(&mut peer, delta(keys as u64, keys as u64 + 1, vec![small]));
    assert!(peer.get("small").is_some(), "what fits is taken");
}

#[test]
fn deltas_that_do_not_continue_change_nothing() {
    let (mut own, mut peer) = <(OwnSpace, PeerSpace)>::default();
    set(&mut own, "a", "1", Audience::All);
    set(&mut own, "a", "2", Audience::All);
    sync(&own, &mut peer, READER);
    set(&mut own, "b", "1", Audience::All);
    let good = own.delta_for(READER, 2);
    let late = delta(0, 1, vec![change(1, "a", Some(Bytes::from_static(b"1")))]);
    let gap = Applied {
        is_gap: true,
        ..Applied::default()
    };
    let order = Applied {
        skipped: vec![Skipped::Order],
        ..Applied::default()
    };
    for (bad, result) in [
        // Late, alone and as a full exchange that began before.
        (late.clone(), Applied::default()),
        (
            Delta {
                reset_at: Some(1),
                ..late
            },
            Applied::default(),
        ),
        // Something is missing before it.
        (
            Delta {
                from: 3,
                ..good.clone()
            },
            gap,
        ),
        // Contradicts itself.
        (
            Delta {
                to: 1,
                ..good.clone()
            },
            order.clone(),
        ),
        (
            Delta {
                reset_at: Some(3),
                ..good.clone()
            },
            order,
        ),
    ] {
        let before = (peer.digest(), texts(&peer));
        assert_eq!(peer.apply(bad), result);
        assert_eq!((peer.digest(), texts(&peer)), before);
    }
    assert_eq!(apply(&mut peer, good.clone()), ["b"]);
    assert!(apply(&mut peer, good).is_empty(), "twice is once");
    assert_eq!(peer.digest(), due(&own, READER));
}

#[derive(Debug, Clone)]
enum Step {
    Set(u8, u8, Option<bool>),
    Remove(u8),
    Sync,
    Reconnect,
    Part,
    Reset,
    /// An earlier delta comes again.
    Late(proptest::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6, any::<u8>(), any::<Option<bool>>()).prop_map(|(k, v, a)| Step::Set(k, v, a)),
        2 => (0u8..6).prop_map(Step::Remove),
        2 => Just(Step::Sync),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Part),
        1 => Just(Step::Reset),
        2 => any::<proptest::sample::Index>().prop_map(Step::Late),
    ]
}

proptest! {
    /// Whatever happens in between, a reader that is brought up to date has exactly what it may see,
    /// was told of every difference, and no value of it ever went back to an earlier one.
    #[test]
    fn readers_converge_and_never_go_back(steps in proptest::collection::vec(any_step(), 0..60)) {
        let (mut own, mut peer) = <(OwnSpace, PeerSpace)>::default();
        peer.begin(life(1)).expect("first life");
        let mut told: BTreeMap<String, Bytes> = BTreeMap::new();
        let mut sent: Vec<Delta> = Vec::new();
        let mut number = 0u64;
        for step in steps.into_iter().chain([Step::Sync]) {
            let before = peer.entries();
            let changed = match step {
                Step::Set(key, value, audience) => {
                    let audience = match audience {
                        None => Audience::All,
                        Some(true) => only(READER),
                        Some(false) => only(STRANGER),
                    };
                    // Values grow, so that going back is seen.
                    number += u64::from(value % 2);
                    let value = Bytes::copy_from_slice(&number.to_be_bytes());
                    own.set(format!("{key}"), value, audience).expect("set");
                    Vec::new()
                }
                Step::Remove(key) => {
                    own.remove(&format!("{key}"));
                    Vec::new()
                }
                Step::Sync => {
                    sent.push(own.delta_for(READER, peer.digest().version));
                    sync(&own, &mut peer, READER)
                }
                Step::Reconnect => {
                    peer.begin(life(1)).expect("the same life")
                }
                Step::Part => {
                    let delta = own.delta_for(READER, peer.digest().version);
                    sent.push(delta.clone());
                    apply(&mut peer, delta)
                }
                Step::Reset => {
                    sent.push(own.reset_for(READER));
                    apply(&mut peer, own.reset_for(READER))
                }
                Step::Late(_) if sent.is_empty() => Vec::new(),
                Step::Late(index) => apply(&mut peer, index.get(&sent).clone()),
            };
            for key in changed {
                match peer.get(&key) {
                    Some(value) => told.insert(key, value.clone()),
                    None => told.remove(&key),
                };
            }
            for (key, value) in peer.entries() {
                prop_assert!(before.get(&key).is_none_or(|before| *before <= value));
            }
        }
        let visible: BTreeMap<String, Bytes> = own
            .entries()
            .into_iter()
            .filter(|(key, _value)| own.is_shown(key, READER))
            .collect();
        prop_assert_eq!(peer.entries(), visible);
        prop_assert_eq!(&told, &peer.entries());
        prop_assert_eq!(peer.digest(), due(&own, READER));
        prop_assert!(peer.is_complete());
    }
}
