//! Tables and properties of board spaces.

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

/// Brings a reader up to date as a stream does; returns the keys that changed.
fn sync(own: &OwnSpace, peer: &mut PeerSpace, reader: NodeId) -> Vec<String> {
    let mut changed = Vec::new();
    loop {
        let delta = own.delta_for(reader, peer.digest().version);
        let is_complete = delta.is_complete;
        changed.extend(peer.apply(delta).expect("fits"));
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

#[test]
fn a_reader_gets_what_changed_and_nothing_else() {
    let (mut own, mut peer) = (OwnSpace::default(), PeerSpace::default());
    peer.begin(life(1)).expect("first life");
    set(&mut own, "a", "1", Audience::All);
    set(&mut own, "b", "1", Audience::All);
    assert_eq!(sync(&own, &mut peer, READER), ["a", "b"]);
    set(&mut own, "b", "2", Audience::All);
    set(&mut own, "b", "2", Audience::All);
    assert_eq!(own.head(), 3, "an equal value is no change");
    own.remove("a");
    own.remove("a");
    own.remove("never");
    assert_eq!(own.delta_for(READER, 2).changes.len(), 2);
    assert_eq!(sync(&own, &mut peer, READER), ["b", "a"]);
    assert_eq!(texts(&peer), [("b".to_owned(), "2".to_owned())]);
    assert_eq!(peer.digest(), own.digest_for(READER));
    assert!(own.delta_for(READER, own.head()).changes.is_empty());
}

#[test]
fn values_go_to_their_audience_only() {
    let (mut own, mut peer, mut stranger) = <(OwnSpace, PeerSpace, PeerSpace)>::default();
    set(&mut own, "secret", "1", only(READER));
    assert_eq!(sync(&own, &mut peer, READER), ["secret"]);
    assert!(own.delta_for(STRANGER, 0).changes.is_empty());
    sync(&own, &mut stranger, STRANGER);

    // Who may no longer see it is told that it is gone; who never saw it learns nothing.
    set(&mut own, "secret", "2", only(ME));
    assert_eq!(sync(&own, &mut peer, READER), ["secret"]);
    assert!(texts(&peer).is_empty());
    assert!(
        own.delta_for(STRANGER, stranger.digest().version)
            .changes
            .is_empty()
    );
    assert_eq!(
        peer.digest().fingerprint,
        own.digest_for(READER).fingerprint
    );
}

#[test]
fn a_new_life_wipes_the_old_one_and_the_old_one_is_refused() {
    let (mut own, mut peer) = (OwnSpace::default(), PeerSpace::default());
    peer.begin(life(5)).expect("first life");
    set(&mut own, "a", "1", Audience::All);
    sync(&own, &mut peer, READER);
    assert!(peer.is_complete());
    assert_eq!(peer.begin(life(5)), Ok(vec![]), "the same life goes on");
    assert!(!peer.is_complete());
    assert_eq!(peer.begin(life(4)), Err(Poison::Outdated(life(5))));
    assert_eq!(peer.begin(life(6)), Ok(vec!["a".to_owned()]));
    assert_eq!(peer.digest(), Digest::default());
}

#[test]
fn a_reader_that_was_away_too_long_gets_everything_anew() {
    let (mut own, mut peer) = (OwnSpace::default(), PeerSpace::default());
    set(&mut own, "stays", "1", Audience::All);
    set(&mut own, "goes", "1", Audience::All);
    sync(&own, &mut peer, READER);
    own.remove("goes");
    for n in 0..=TOMBSTONES_MAX {
        let key = format!("short-lived-{n}");
        set(&mut own, &key, "x", Audience::All);
        own.remove(&key);
    }
    assert!(own.delta_for(READER, peer.digest().version).is_reset);
    assert_eq!(sync(&own, &mut peer, READER), ["goes"]);
    assert_eq!(texts(&peer), [("stays".to_owned(), "1".to_owned())]);
}

#[test]
fn a_large_space_comes_in_parts() {
    let (mut own, mut peer) = (OwnSpace::default(), PeerSpace::default());
    let value = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    for n in 0..40 {
        own.set(format!("{n}"), value.clone(), Audience::All)
            .expect("set");
    }
    let first = own.delta_for(READER, 0);
    assert!(!first.is_complete);
    let frame = super::super::wire::encode(&first).expect("encoded");
    assert!(frame.len() < super::super::wire::FRAME_BYTES_MAX);
    // Half of it, then a reset from the beginning: nothing is lost or doubled.
    peer.apply(first).expect("fits");
    let reset = own.reset_for(READER);
    peer.apply(reset).expect("fits");
    sync(&own, &mut peer, READER);
    assert_eq!(peer.entries().len(), 40);
    assert_eq!(peer.digest(), own.digest_for(READER));
}

#[test]
fn limits_are_kept_on_both_sides() {
    let mut own = OwnSpace::default();
    let big = Bytes::from(vec![0; VALUE_BYTES_MAX + 1]);
    assert_eq!(
        own.set("a".into(), big.clone(), Audience::All),
        Err(SetError::Value)
    );
    assert_eq!(
        own.set(String::new(), Bytes::new(), Audience::All),
        Err(SetError::Key)
    );
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    assert_eq!(
        own.set(long.clone(), Bytes::new(), Audience::All),
        Err(SetError::Key)
    );
    let full = Bytes::from(vec![0; VALUE_BYTES_MAX]);
    let fitting = SPACE_BYTES_MAX / (VALUE_BYTES_MAX + 4);
    for n in 0..fitting {
        own.set(format!("{n:04}"), full.clone(), Audience::All)
            .expect("fits");
    }
    assert_eq!(
        own.set("more".into(), full.clone(), Audience::All),
        Err(SetError::Full)
    );
    own.remove("0000");
    own.set("more".into(), full, Audience::All)
        .expect("fits again");

    let mut peer = PeerSpace::default();
    let change = |key: &str, value: Bytes| Delta {
        is_reset: false,
        from: 0,
        to: 1,
        is_complete: true,
        changes: vec![Change {
            version: 1,
            key: key.to_owned(),
            value: Some(WireBytes(value)),
        }],
    };
    assert_eq!(peer.apply(change("a", big)), Err(Poison::TooMuch));
    assert_eq!(
        peer.apply(change(&long, Bytes::new())),
        Err(Poison::TooMuch)
    );
    assert_eq!(peer.digest(), Digest::default());
}

#[test]
fn deltas_that_do_not_continue_are_refused_whole() {
    let (mut own, mut peer) = (OwnSpace::default(), PeerSpace::default());
    set(&mut own, "a", "1", Audience::All);
    sync(&own, &mut peer, READER);
    set(&mut own, "b", "1", Audience::All);
    let good = own.delta_for(READER, 1);
    for bad in [
        Delta {
            from: 0,
            ..good.clone()
        },
        Delta {
            from: 2,
            ..good.clone()
        },
        Delta {
            to: 1,
            ..good.clone()
        },
        Delta {
            is_reset: true,
            ..good.clone()
        },
        Delta {
            changes: [good.changes.clone(), good.changes.clone()].concat(),
            ..good.clone()
        },
    ] {
        let before = peer.digest();
        assert_eq!(peer.apply(bad), Err(Poison::Order));
        assert_eq!(peer.digest(), before);
    }
    peer.apply(good).expect("fits");
}

#[derive(Debug, Clone)]
enum Step {
    Set(u8, u8, Option<bool>),
    Remove(u8),
    Sync,
    Reconnect,
    Part,
    Reset,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6, any::<u8>(), any::<Option<bool>>()).prop_map(|(k, v, a)| Step::Set(k, v, a)),
        2 => (0u8..6).prop_map(Step::Remove),
        2 => Just(Step::Sync),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Part),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    /// Whatever happens in between, a reader that is brought up to date has exactly what it may see,
    /// and was told of every difference.
    #[test]
    fn readers_converge(steps in proptest::collection::vec(any_step(), 0..60)) {
        let (mut own, mut peer) = (OwnSpace::default(), PeerSpace::default());
        peer.begin(life(1)).expect("first life");
        let mut told: BTreeMap<String, Bytes> = BTreeMap::new();
        let note = |peer: &PeerSpace, told: &mut BTreeMap<String, Bytes>, keys: Vec<String>| {
            for key in keys {
                match peer.get(&key) {
                    Some(value) => told.insert(key, value.clone()),
                    None => told.remove(&key),
                };
            }
        };
        for step in steps.into_iter().chain([Step::Sync]) {
            match step {
                Step::Set(key, value, audience) => {
                    let audience = match audience {
                        None => Audience::All,
                        Some(true) => only(READER),
                        Some(false) => only(STRANGER),
                    };
                    own.set(format!("{key}"), Bytes::from(vec![value]), audience).expect("set");
                }
                Step::Remove(key) => own.remove(&format!("{key}")),
                Step::Sync => {
                    let keys = sync(&own, &mut peer, READER);
                    note(&peer, &mut told, keys);
                }
                Step::Reconnect => {
                    peer.begin(life(1)).expect("the same life");
                }
                Step::Part => {
                    let keys = peer.apply(own.delta_for(READER, peer.digest().version));
                    note(&peer, &mut told, keys.expect("fits"));
                }
                Step::Reset => {
                    let keys = peer.apply(own.reset_for(READER)).expect("fits");
                    note(&peer, &mut told, keys);
                }
            }
        }
        let visible: BTreeMap<String, Bytes> = own
            .entries
            .iter()
            .filter(|(_, o)| o.audience.includes(READER))
            .filter_map(|(key, o)| Some((key.clone(), o.value.clone()?)))
            .collect();
        prop_assert_eq!(peer.entries(), visible);
        prop_assert_eq!(&told, &peer.entries());
        prop_assert_eq!(peer.digest(), own.digest_for(READER));
        prop_assert!(peer.is_complete());
    }
}
