//! Datagrams: unauthenticated, replayed, truncated, bit-flipped, oversized, of another cluster; and
//! well sealed ones whose content is nonsense.

use crate::cases;
use bytes::Bytes;
use hwc_api::ids::{BootId, ClusterId, NodeId};
use hwc_group::datagram::{Opener, Refusal, Sealer};
use hwc_group::identity::{Me, SealingKey, SecretBytes, Start};
use hwc_group::membership::{Input, MembershipConfig, MembershipCore, Output};
use hwc_group::profile::Profile;
use hwc_runtime::clock::Moment;
use proptest::prelude::*;

const ME: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);

fn life(number: u64) -> Start {
    Start {
        number,
        boot: BootId(7),
    }
}

fn key(letter: u8) -> SealingKey {
    SealingKey {
        id: 1,
        generation: 1,
        removed: 0,
        key: SecretBytes::new([letter; 32]),
    }
}

fn cluster(letter: &str) -> ClusterId {
    ClusterId(letter.repeat(32))
}

fn sealer(cluster_letter: &str, key_letter: u8, sender: NodeId) -> Sealer {
    sealer_in(life(5), cluster_letter, key_letter, sender)
}

fn sealer_in(start: Start, cluster_letter: &str, key_letter: u8, sender: NodeId) -> Sealer {
    let cluster = cluster(cluster_letter);
    Sealer::new(&cluster, &[key(key_letter)], sender, start).expect("a key")
}

/// What may be done to a good datagram.
#[derive(Debug, Clone)]
enum Harm {
    Flip(usize),
    Cut(usize),
    Grow(Vec<u8>),
    Oversize(usize),
    OtherCluster,
    OtherKey,
    Stranger,
    Reflected,
    Again,
    Garbage(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    let bytes = |length| proptest::collection::vec(any::<u8>(), 1..length);
    prop_oneof![
        4 => any::<usize>().prop_map(Harm::Flip),
        2 => any::<usize>().prop_map(Harm::Cut),
        1 => bytes(40).prop_map(Harm::Grow),
        1 => (1_473usize..9_000).prop_map(Harm::Oversize),
        1 => Just(Harm::OtherCluster),
        1 => Just(Harm::OtherKey),
        1 => Just(Harm::Stranger),
        1 => Just(Harm::Reflected),
        1 => Just(Harm::Again),
        2 => bytes(1_600).prop_map(Harm::Garbage),
    ]
}

fn harmed(content: &[u8], good: &[u8], harm: Harm) -> (Vec<u8>, Option<Refusal>) {
    let seal = |mut sealer: Sealer| sealer.seal(content).expect("sealed");
    let mut bytes = good.to_vec();
    match harm {
        Harm::Flip(bit) => {
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            (bytes, None)
        }
        Harm::Cut(length) => {
            bytes.truncate(length % bytes.len());
            (bytes, None)
        }
        Harm::Grow(more) => {
            bytes.extend(more);
            (bytes, None)
        }
        Harm::Oversize(length) => {
            bytes.resize(length, 0);
            (bytes, Some(Refusal::Oversized))
        }
        Harm::OtherCluster => (seal(sealer("b", 3, PEER)), Some(Refusal::OtherCluster)),
        Harm::OtherKey => {
            // Of a later life, so that it is not refused as a record already.
            let forged = seal(sealer_in(life(6), "a", 4, PEER));
            (forged, Some(Refusal::Unauthenticated))
        }

        Harm::Stranger => (
            seal(sealer("a", 3, NodeId(9))),
            Some(Refusal::UnknownSender),
        ),
        Harm::Reflected => (seal(sealer("a", 3, ME)), Some(Refusal::Replayed)),
        Harm::Again => (bytes, Some(Refusal::Replayed)),
        Harm::Garbage(garbage) => (garbage, None),
    }
}

fn core(seed: u128) -> MembershipCore {
    let config = MembershipConfig {
        timing: Profile::Lan.timing().membership,
        peers: [PEER, NodeId(3)].into(),
    };
    let me = Me {
        node: ME,
        start: life(5),
    };
    MembershipCore::new(config, me, seed)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn harmed_datagrams_are_refused_and_the_good_ones_still_open(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 2..6),
        harms in proptest::collection::vec(harm(), 1..12),
    ) {
        let mut opener = Opener::new(&cluster("a"), ME, &[key(3)]);
        let admits = |node| node == PEER || node == ME;
        let mut sealer = sealer("a", 3, PEER);
        let good: Vec<_> = contents.iter().map(|c| sealer.seal(c).expect("sealed")).collect();
        let (first, later) = (&good[0], &good[1..]);
        prop_assert!(opener.open(first, admits).is_ok());
        for harm in harms {
            let (bytes, why) = harmed(&contents[0], first, harm);
            let refused = opener.open(&bytes, admits);
            prop_assert!(refused.is_err());
            if let Some(why) = why {
                prop_assert_eq!(refused, Err(why));
            }
        }
        for (datagram, content) in later.iter().zip(&contents[1..]) {
            prop_assert_eq!(opener.open(datagram, admits), Ok((PEER, content.clone())));
        }
    }

    /// Sealed by a node of ours, and no message: nobody becomes a member, nothing is told.
    #[test]
    fn nonsense_of_a_member_changes_nobody(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..20),
        seed in any::<u64>(),
    ) {
        let mut core = core(seed.into());
        core.handle(Moment(0), Input::Tick);
        for (n, mut content) in contents.into_iter().enumerate() {
            // Half of them get past the first byte.
            if let (true, Some(first)) = (n % 2 == 0, content.first_mut()) {
                *first %= 3;
            }
            let is_empty = content.is_empty();
            let input = Input::Datagram { from: PEER, content: Bytes::from(content) };
            let outputs = core.handle(Moment(1), input);
            prop_assert!(outputs.iter().all(|output| !matches!(output, Output::Event(_))));
            let refused = outputs.iter().any(|output| matches!(output, Output::Refused(_)));
            prop_assert!(refused || !is_empty);
        }
        prop_assert!(core.standings().values().all(|standing| standing.start.is_none()));
    }

    /// Real messages of a real member, harmed inside the seal: never a panic, never a node that
    /// nobody listed.
    #[test]
    fn harmed_messages_bring_no_stranger(
        flips in proptest::collection::vec((any::<usize>(), any::<usize>()), 1..20),
        seed in any::<u64>(),
    ) {
        let (mut one, mut two) = (core(seed.into()), core_of(PEER, seed));
        let mut sent = Vec::new();
        for step in 0..100u64 {
            let now = Moment(step * 50);
            let mut outputs = one.handle(now, Input::Tick);
            let mut to_two = true;
            for _ in 0..6 {
                let mut next = Vec::new();
                for output in outputs {
                    let Output::Send { to, content } = output else { continue };
                    let (target, from) = if to_two { (PEER, ME) } else { (ME, PEER) };
                    if to != target {
                        continue;
                    }
                    if !to_two {
                        sent.push(content.clone());
                    }
                    let receiver = if to_two { &mut two } else { &mut one };
                    next.extend(receiver.handle(now, Input::Datagram { from, content }));
                }
                outputs = next;
                to_two = !to_two;
            }
        }
        prop_assert!(one.standing(PEER).is_some(), "they have met");
        for (which, bit) in flips {
            let mut bytes = sent[which % sent.len()].to_vec();
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            one.handle(Moment(6_000), Input::Datagram { from: PEER, content: bytes.into() });
        }
        let known = one.standings();
        prop_assert!(known.keys().all(|node| [PEER, NodeId(3)].contains(node)));
    }
}

fn core_of(node: NodeId, seed: u64) -> MembershipCore {
    let config = MembershipConfig {
        timing: Profile::Lan.timing().membership,
        peers: [ME, NodeId(3)].into(),
    };
    let me = Me {
        node,
        start: life(6),
    };
    MembershipCore::new(config, me, u128::from(!seed))
}

/// A receiver's window is lost with its daemon: records of an earlier life must not bring back a
/// node that has died since.
#[test]
fn records_from_before_a_restart_are_no_news() {
    // What node 2 said to node 1 in its first life.
    let (mut one, mut two) = (core(1), core_of(PEER, 2));
    let mut recorded = Vec::new();
    for step in 0..100u64 {
        let now = Moment(step * 50);
        let mut to_two: Vec<_> = one.handle(now, Input::Tick);
        to_two.extend(two.handle(now, Input::Tick).into_iter().filter(|output| {
            if let Output::Send { to: ME, content } = output {
                recorded.push(content.clone());
            }
            false
        }));
        let mut to_one: Vec<Bytes> = recorded.iter().rev().take(1).cloned().collect();
        for _ in 0..4 {
            for output in to_two {
                if let Output::Send { to: PEER, content } = output {
                    let input = Input::Datagram { from: ME, content };
                    to_one.extend(sends(two.handle(now, input), ME));
                }
            }
            recorded.extend(to_one.iter().cloned());
            to_two = Vec::new();
            for content in std::mem::take(&mut to_one) {
                to_two.extend(one.handle(
                    now,
                    Input::Datagram {
                        from: PEER,
                        content,
                    },
                ));
            }
        }
    }
    assert!(
        one.standing(PEER)
            .is_some_and(|standing| standing.start == Some(life(6)))
    );

    // Node 2 dies, node 1 begins a new life, and somebody plays everything back, twice.
    let config = MembershipConfig {
        timing: Profile::Lan.timing().membership,
        peers: [PEER, NodeId(3)].into(),
    };
    let me = Me {
        node: ME,
        start: life(9),
    };
    let mut again = MembershipCore::new(config, me, 3);
    let mut refused = 0;
    for round in 0..2u64 {
        for content in recorded.clone() {
            let input = Input::Datagram {
                from: PEER,
                content,
            };
            for output in again.handle(Moment(10_000 + round * 10_000), input) {
                assert!(!matches!(output, Output::Event(_)), "{output:?}");
                refused += u32::from(output == Output::Refused(Refusal::Replayed));
            }
        }
    }
    assert!(refused > 0, "and it is counted");
    assert!(
        again
            .standing(PEER)
            .is_none_or(|standing| standing.start.is_none())
    );
}

fn sends(outputs: Vec<Output>, whom: NodeId) -> Vec<Bytes> {
    let contents = outputs.into_iter().filter_map(|output| match output {
        Output::Send { to, content } if to == whom => Some(content),
        Output::Send { .. } | Output::Event(_) | Output::Refused(_) => None,
    });
    contents.collect()
}
