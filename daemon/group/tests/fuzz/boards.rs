//! Frames on board streams: random, harmed, out of order, of both kinds. Whatever comes, the board
//! goes on, and what it knows is what a sane stream showed.

use crate::cases;
use bytes::Bytes;
use hwc_api::ids::{BootId, NodeId};
use hwc_group::board::wire::WireBytes;
use hwc_group::board::wire::{self, Change, Delta, Digest, EncodedChange, FromOwner, FromReader};
use hwc_group::board::{
    Audience, BoardConfig, BoardCore, BoardInput, BoardOutput, LinkId, VALUE_BYTES_MAX,
};
use hwc_group::identity::{Me, Start};
use hwc_group::profile::Profile;
use hwc_runtime::clock::Moment;
use proptest::prelude::*;
use std::time::Duration;

const ME: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);

fn life(number: u64) -> Start {
    Start {
        number,
        boot: BootId(7),
    }
}

fn core(node: NodeId, peer: NodeId) -> BoardCore {
    let config = BoardConfig {
        timing: Profile::Lan.timing().board,
        peers: [peer].into(),
    };
    let start = life(5);
    BoardCore::new(config, Me { node, start }, 1)
}

fn change() -> impl Strategy<Value = EncodedChange> {
    let value = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![7; VALUE_BYTES_MAX + 1]),
    ];
    let sane =
        (0u64..20, "[a-e]{0,2}", proptest::option::of(value)).prop_map(|(version, key, value)| {
            EncodedChange::of(&Change {
                version,
                key,
                value: value.map(|value| WireBytes(value.into())),
            })
        });
    let raw = proptest::collection::vec(any::<u8>(), 0..30);
    prop_oneof![4 => sane, 1 => raw.prop_map(|raw| EncodedChange::raw(raw.into()))]
}

fn from_owner() -> impl Strategy<Value = Bytes> {
    let changes = proptest::collection::vec(change(), 0..6);
    let reset_at = proptest::option::of(0u64..20);
    let delta = (reset_at, 0u64..20, 0u64..20, any::<bool>(), changes);
    let delta = delta.prop_map(|(reset_at, from, to, is_complete, changes)| {
        FromOwner::Delta(Delta {
            reset_at,
            from,
            to,
            is_complete,
            changes,
        })
    });
    let message = prop_oneof![
        8 => delta,
        1 => (0u64..9).prop_map(|number| FromOwner::Hello(life(number))),
        1 => Just(FromOwner::Heartbeat),
    ];
    frames(message.prop_map(|message| wire::encode(&message).expect("encoded")))
}

fn from_reader() -> impl Strategy<Value = Bytes> {
    let digest = (0u64..20, any::<u64>()).prop_map(|(version, fingerprint)| Digest {
        version,
        fingerprint,
    });
    let message = prop_oneof![
        3 => digest.clone().prop_map(FromReader::Digest),
        3 => digest.prop_map(FromReader::Resync),
        1 => (0u64..9).prop_map(|number| FromReader::Outdated(life(number))),
        1 => Just(FromReader::Heartbeat),
    ];
    frames(message.prop_map(|message| wire::encode(&message).expect("encoded")))
}

/// Good frames, harmed ones, and garbage.
fn frames(good: impl Strategy<Value = Bytes> + Clone) -> impl Strategy<Value = Bytes> {
    let harmed = (good.clone(), any::<usize>()).prop_map(|(frame, bit)| {
        let mut frame = frame.to_vec();
        let bit = bit % (frame.len() * 8);
        frame[bit / 8] ^= 1 << (bit % 8);
        Bytes::from(frame)
    });
    let cut = (good.clone(), any::<usize>()).prop_map(|(frame, length)| {
        let length = length % frame.len();
        frame.slice(..length)
    });
    let garbage = proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    prop_oneof![4 => good, 2 => harmed, 1 => cut, 1 => garbage]
}

/// Hands a frame in, and says that what is sent was written.
fn hand(core: &mut BoardCore, now: Moment, input: BoardInput) -> Vec<BoardOutput> {
    let mut outputs = core.handle(now, input);
    let mut at = 0;
    while at < outputs.len() {
        if let BoardOutput::Send { link, .. } = outputs[at] {
            outputs.extend(core.handle(now, BoardInput::Written { link }));
        }
        at += 1;
        assert!(at < 10_000, "it talks for ever");
    }
    outputs
}

/// Two sane boards over one perfect stream each way, until nothing is said for a while.
fn converse(one: &mut BoardCore, two: &mut BoardCore, began: Moment) {
    let far = LinkId(1_000);
    let mut waiting: Vec<(bool, BoardInput)> = vec![
        (
            true,
            BoardInput::Accepted {
                node: ME,
                link: far,
            },
        ),
        (
            false,
            BoardInput::Dialled {
                node: PEER,
                link: far,
            },
        ),
        (
            false,
            BoardInput::Accepted {
                node: PEER,
                link: LinkId(1_001),
            },
        ),
        (
            true,
            BoardInput::Dialled {
                node: ME,
                link: LinkId(1_001),
            },
        ),
    ];
    for step in 0..400u64 {
        let now = Moment(began.0 + step * 20);
        waiting.push((true, BoardInput::Tick));
        waiting.push((false, BoardInput::Tick));
        for (is_for_two, input) in std::mem::take(&mut waiting) {
            let core = if is_for_two { &mut *two } else { &mut *one };
            for output in hand(core, now, input) {
                if let BoardOutput::Send { link, frame } = output {
                    waiting.push((!is_for_two, BoardInput::Frame { link, frame }));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// A mad owner is followed by a sane one: then the board is the sane one's.
    #[test]
    fn a_mad_owner_is_survived(
        frames in proptest::collection::vec(from_owner(), 0..30),
        is_polite in any::<bool>(),
    ) {
        let mut one = core(ME, PEER);
        let link = LinkId(7);
        hand(&mut one, Moment(0), BoardInput::Accepted { node: PEER, link });
        let hello = wire::encode(&FromOwner::Hello(life(3))).expect("encoded");
        for frame in is_polite.then_some(hello).into_iter().chain(frames) {
            hand(&mut one, Moment(1), BoardInput::Frame { link, frame });
        }
        hand(&mut one, Moment(2), BoardInput::LongFrame { link });
        hand(&mut one, Moment(2), BoardInput::Closed { link });
        // It may have claimed any life: that locks out nobody but itself.
        let last = Start {
            number: u64::MAX,
            boot: BootId(u32::MAX),
        };
        let sane = Me { node: PEER, start: last };
        let config = BoardConfig { timing: Profile::Lan.timing().board, peers: [ME].into() };
        let now = Moment(3);
        let mut two = BoardCore::new(config, sane, 2);
        for key in ["a", "b", "new"] {
            two.set(now, key.to_owned(), Bytes::from_static(b"sane"), Audience::All).expect("set");
        }
        converse(&mut one, &mut two, now);
        prop_assert_eq!(one.entries(PEER), two.entries(PEER));
        prop_assert!(one.is_complete(PEER));
    }

    /// A mad reader changes nothing of what is shown, and a sane one gets all of it.
    #[test]
    fn a_mad_reader_is_survived(frames in proptest::collection::vec(from_reader(), 0..30)) {
        let (mut one, mut two) = (core(ME, PEER), core(PEER, ME));
        for n in 0..12 {
            let key = format!("{}", n % 5);
            one.set(Moment(0), key, Bytes::from(vec![n]), Audience::All).expect("set");
        }
        let shown = one.entries(ME);
        let link = LinkId(7);
        hand(&mut one, Moment(0), BoardInput::Dialled { node: PEER, link });
        for frame in frames {
            hand(&mut one, Moment(1), BoardInput::Frame { link, frame });
        }
        hand(&mut one, Moment(2), BoardInput::Closed { link });
        converse(&mut one, &mut two, Moment(3));
        prop_assert_eq!(&one.entries(ME), &shown);
        prop_assert_eq!(two.entries(ME), shown);
    }
}

/// A reader whose sum stays wrong is sent everything anew, ever more rarely, and never cut off.
#[test]
fn a_copy_that_stays_wrong_is_no_loop() {
    let mut one = core(ME, PEER);
    one.set(
        Moment(0),
        "a".to_owned(),
        Bytes::from_static(b"1"),
        Audience::All,
    )
    .expect("set");
    let link = LinkId(7);
    hand(
        &mut one,
        Moment(0),
        BoardInput::Dialled { node: PEER, link },
    );
    let wrong = |version| {
        let fingerprint = 99;
        let digest = Digest {
            version,
            fingerprint,
        };
        wire::encode(&FromReader::Digest(digest)).expect("encoded")
    };
    let frame = wrong(0);
    hand(&mut one, Moment(1), BoardInput::Frame { link, frame });
    for second in 0..720u64 {
        let now = Moment(second * 5_000 + 100);
        let frame = wrong(1);
        for beat in 0..10 {
            let at = now.plus(Duration::from_millis(beat * 500));
            hand(&mut one, at, BoardInput::Tick);
            let heartbeat = wire::encode(&FromReader::Heartbeat).expect("encoded");
            hand(
                &mut one,
                at,
                BoardInput::Frame {
                    link,
                    frame: heartbeat,
                },
            );
        }
        let later = now.plus(Duration::from_millis(4_600));
        hand(&mut one, later, BoardInput::Frame { link, frame });
    }
    let counted = one.counts().full_exchanges;
    assert!(
        (5..20).contains(&counted),
        "{counted} full exchanges in an hour"
    );
}
