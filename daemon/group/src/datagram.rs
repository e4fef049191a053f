//! Sealed datagrams: nobody outside the cluster can read, forge, alter or repeat one.
//!
//! ChaCha20-Poly1305 under the cluster's gossip key. On the wire:
//! `version (1) | key id (1) | cluster (4) | sender (2) | start (6) | counter (4) | ciphertext | tag (16)`.
//! The twelve bytes `sender ‖ start ‖ counter` are the nonce: no sender uses one twice, because the
//! number of its start grows on disk ([`crate::identity::Start`]). The header and the cluster's id
//! are authenticated with the content. A receiver keeps a window per sender, and drops what it saw,
//! what is too old to tell, and what an earlier start of the sender sealed.
//!
//! All nodes share the key: a node can imitate another one. That is so anyway (see
//! [`crate::identity`]); a node that was removed is kept out for good by replacing the key, for
//! which a datagram names its key.
//!
//! Pure: no socket, no clock. Nothing is allocated for a datagram that does not open.

mod window;

use crate::identity::{SealingKey, Start};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hwc_api::ids::{ClusterId, NodeId};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use window::Window;

/// The version of the format.
const VERSION: u8 = 2;
const HEADER_LENGTH: usize = 18;
const NONCE_OFFSET: usize = 6;
const TAG_LENGTH: usize = 16;
/// What sealing adds to the content.
pub const OVERHEAD: usize = HEADER_LENGTH + TAG_LENGTH;
/// The longest datagram that is looked at: what fits an Ethernet frame.
pub const DATAGRAM_LENGTH_MAX: usize = 1_472;
/// Longest content.
pub const CONTENT_LENGTH_MAX: usize = DATAGRAM_LENGTH_MAX - OVERHEAD;
/// Start numbers have six bytes.
const START_MAX: u64 = (1 << 48) - 1;

/// Why a datagram was refused: nothing was changed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Shorter than any datagram of ours.
    #[error("truncated")]
    Truncated,
    /// Longer than any datagram of ours.
    #[error("oversized")]
    Oversized,
    /// Of a version that this daemon does not know.
    #[error("of another version")]
    OtherVersion,
    /// Of another cluster.
    #[error("of another cluster")]
    OtherCluster,
    /// Sealed under a key that is not valid, or no longer.
    #[error("sealed under an unknown key")]
    UnknownKey,
    /// From a node that is not in the cluster.
    #[error("from a node that is not in the cluster")]
    UnknownSender,
    /// Forged or altered: not sealed by a node of ours.
    #[error("forged or altered")]
    Unauthenticated,
    /// Seen before, too old to tell, or of an earlier life of its sender or of ours.
    #[error("repeated or too old")]
    Replayed,
    /// Sealed by a node of ours, and no message.
    #[error("not a message")]
    Malformed,
}

/// Why a content can't be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Longer than [`CONTENT_LENGTH_MAX`].
    #[error("content is longer than a datagram holds")]
    TooLong,
    /// There is no key, or its numbers are used up.
    #[error("no key to seal with")]
    NoKey,
}

/// Seals what this node sends.
pub struct Sealer {
    key_id: u8,
    cipher: ChaCha20Poly1305,
    cluster: [u8; 4],
    cluster_id: Vec<u8>,
    sender: NodeId,
    start: u64,
    counter: u32,
}

impl Sealer {
    /// Seals as `sender` under the first of `keys`.
    ///
    /// # Errors
    /// When there is no key.
    pub fn new(
        cluster: &ClusterId,
        keys: &[SealingKey],
        sender: NodeId,
        start: Start,
    ) -> Result<Self, SealError> {
        let key = keys.first().ok_or(SealError::NoKey)?;
        Ok(Self {
            key_id: key.id,
            cipher: cipher(key),
            cluster: cluster_tag(cluster),
            cluster_id: cluster.0.clone().into_bytes(),
            sender,
            start: start.number,
            counter: 0,
        })
    }

    /// Seals under the first of other keys from now on. The counter goes on: a nonce is never used
    /// twice, whatever the key.
    ///
    /// # Errors
    /// When there is no key; the old one stays.
    pub fn set_key(&mut self, keys: &[SealingKey]) -> Result<(), SealError> {
        let key = keys.first().ok_or(SealError::NoKey)?;
        self.key_id = key.id;
        self.cipher = cipher(key);
        Ok(())
    }

    /// Seals one content.
    ///
    /// # Errors
    /// When it is too long, or no nonce is left.
    pub fn seal(&mut self, content: &[u8]) -> Result<Vec<u8>, SealError> {
        if content.len() > CONTENT_LENGTH_MAX {
            return Err(SealError::TooLong);
        }
        let header = self.next_header()?;
        let [_version, _key, _c0, _c1, _c2, _c3, nonce @ ..] = header;
        let payload = Payload {
            msg: content,
            aad: &associated(&header, &self.cluster_id),
        };
        let sealed = self
            .cipher
            .encrypt(Nonce::from_slice(&nonce), payload)
            .map_err(|_| SealError::TooLong)?;
        let mut datagram = Vec::with_capacity(HEADER_LENGTH + sealed.len());
        datagram.extend(header);
        datagram.extend(sealed);
        Ok(datagram)
    }

    /// After 2^32 datagrams (years) the next start number is used: the clock has passed it long
    /// since, so that no later start of the daemon can get the same.
    fn next_header(&mut self) -> Result<[u8; HEADER_LENGTH], SealError> {
        match self.counter.checked_add(1) {
            Some(next) => self.counter = next,
            None => {
                self.start = self.start.saturating_add(1);
                self.counter = 0;
            }
        }
        if self.start > START_MAX {
            return Err(SealError::NoKey);
        }
        let [g0, g1, g2, g3] = self.cluster;
        let [s0, s1] = self.sender.0.to_be_bytes();
        let [_, _, t0, t1, t2, t3, t4, t5] = self.start.to_be_bytes();
        let [c0, c1, c2, c3] = self.counter.to_be_bytes();
        Ok([
            VERSION,
            self.key_id,
            g0,
            g1,
            g2,
            g3,
            s0,
            s1,
            t0,
            t1,
            t2,
            t3,
            t4,
            t5,
            c0,
            c1,
            c2,
            c3,
        ])
    }
}

/// Opens what other nodes sent.
pub struct Opener {
    me: NodeId,
    /// With the number by which datagrams name them; two halves of a cluster may have drawn two keys
    /// of one number.
    ciphers: Vec<(u8, ChaCha20Poly1305)>,
    cluster: [u8; 4],
    cluster_id: Vec<u8>,
    senders: BTreeMap<NodeId, Window>,
}

impl Opener {
    /// Opens for `me` datagrams of `cluster` under any of `keys`.
    #[must_use]
    pub fn new(cluster: &ClusterId, me: NodeId, keys: &[SealingKey]) -> Self {
        Self {
            me,
            ciphers: ciphers(keys),
            cluster: cluster_tag(cluster),
            cluster_id: cluster.0.clone().into_bytes(),
            senders: BTreeMap::new(),
        }
    }

    /// Opens one datagram; says who sealed it. `admits` names the nodes of the cluster: memory is
    /// kept for those alone.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn open(
        &mut self,
        datagram: &[u8],
        admits: impl Fn(NodeId) -> bool,
    ) -> Result<(NodeId, Vec<u8>), Refusal> {
        if datagram.len() > DATAGRAM_LENGTH_MAX {
            return Err(Refusal::Oversized);
        }
        let (header, sealed) = datagram
            .split_first_chunk::<HEADER_LENGTH>()
            .filter(|(_header, sealed)| sealed.len() >= TAG_LENGTH)
            .ok_or(Refusal::Truncated)?;
        let [version, key_id, c0, c1, c2, c3, nonce @ ..] = *header;
        if version != VERSION {
            return Err(Refusal::OtherVersion);
        }
        if [c0, c1, c2, c3] != self.cluster {
            return Err(Refusal::OtherCluster);
        }
        let mut ciphers = self
            .ciphers
            .iter()
            .filter(|(id, _)| *id == key_id)
            .peekable();
        if ciphers.peek().is_none() {
            return Err(Refusal::UnknownKey);
        }
        let (sender, start, counter) = read_nonce(nonce);
        if sender == self.me {
            // Our own, thrown back at us.
            return Err(Refusal::Replayed);
        }
        if !admits(sender) {
            return Err(Refusal::UnknownSender);
        }
        // Before the costly check: what would be refused anyway is refused cheaply.
        let window = self.senders.get(&sender).copied().unwrap_or_default();
        let window = window.with(start, counter).ok_or(Refusal::Replayed)?;
        let aad = &associated(header, &self.cluster_id);
        let content = ciphers
            .find_map(|(_id, cipher)| {
                let payload = Payload { msg: sealed, aad };
                cipher.decrypt(Nonce::from_slice(&nonce), payload).ok()
            })
            .ok_or(Refusal::Unauthenticated)?;
        self.senders.insert(sender, window);
        Ok((sender, content))
    }

    /// Opens under these keys from now on, and under no others.
    pub fn set_keys(&mut self, keys: &[SealingKey]) {
        self.ciphers = ciphers(keys);
    }

    /// Forgets senders that left the cluster.
    pub fn retain(&mut self, stays: impl Fn(NodeId) -> bool) {
        self.senders.retain(|sender, _window| stays(*sender));
    }
}

fn ciphers(keys: &[SealingKey]) -> Vec<(u8, ChaCha20Poly1305)> {
    keys.iter().map(|key| (key.id, cipher(key))).collect()
}

fn cipher(key: &SealingKey) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(Key::from_slice(key.key.expose()))
}

/// By which a datagram of another cluster is told from a forged one.
fn cluster_tag(cluster: &ClusterId) -> [u8; 4] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(cluster.0.as_bytes()));
    [a, b, c, d]
}

fn associated(header: &[u8; HEADER_LENGTH], cluster: &[u8]) -> Vec<u8> {
    let mut associated = Vec::with_capacity(HEADER_LENGTH + cluster.len());
    associated.extend(header.iter().take(NONCE_OFFSET));
    associated.extend(cluster);
    associated
}

fn read_nonce(nonce: [u8; 12]) -> (NodeId, u64, u32) {
    let [s0, s1, t0, t1, t2, t3, t4, t5, c0, c1, c2, c3] = nonce;
    (
        NodeId(u16::from_be_bytes([s0, s1])),
        u64::from_be_bytes([0, 0, t0, t1, t2, t3, t4, t5]),
        u32::from_be_bytes([c0, c1, c2, c3]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SecretBytes;
    use hwc_api::ids::BootId;
    use proptest::prelude::*;

    fn cluster(letter: &str) -> ClusterId {
        ClusterId(letter.repeat(32))
    }

    fn key(id: u8) -> SealingKey {
        SealingKey {
            id,
            generation: id.into(),
            removed: 0,
            key: SecretBytes::new([id; 32]),
        }
    }

    fn sealer(start: u64) -> Sealer {
        let start = Start {
            number: start,
            boot: BootId(1),
        };
        Sealer::new(&cluster("a"), &[key(1)], NodeId(2), start).expect("a key")
    }

    fn opener() -> Opener {
        Opener::new(&cluster("a"), NodeId(1), &[key(1)])
    }

    fn everyone(_node: NodeId) -> bool {
        true
    }

    #[test]
    fn a_datagram_opens_once() {
        let (mut sealer, mut opener) = (sealer(5), opener());
        let datagram = sealer.seal(b"hello").expect("sealed");
        assert_eq!(datagram.len(), 5 + OVERHEAD);
        let opened = opener.open(&datagram, everyone);
        assert_eq!(opened, Ok((NodeId(2), b"hello".to_vec())));
        assert_eq!(opener.open(&datagram, everyone), Err(Refusal::Replayed));
    }

    #[test]
    fn datagrams_may_overtake_each_other() {
        let (mut sealer, mut opener) = (sealer(5), opener());
        let all: Vec<_> = (0..50u8)
            .map(|n| sealer.seal(&[n]).expect("sealed"))
            .collect();
        for datagram in all.iter().rev() {
            assert!(opener.open(datagram, everyone).is_ok());
        }
        for datagram in &all {
            assert_eq!(opener.open(datagram, everyone), Err(Refusal::Replayed));
        }
    }

    #[test]
    fn a_new_start_ends_the_old_one() {
        let mut opener = opener();
        let old = sealer(5).seal(b"old").expect("sealed");
        let mut later = sealer(6);
        assert!(
            opener
                .open(&later.seal(b"new").expect("sealed"), everyone)
                .is_ok()
        );
        assert_eq!(opener.open(&old, everyone), Err(Refusal::Replayed));
        assert!(
            opener
                .open(&later.seal(b"more").expect("sealed"), everyone)
                .is_ok()
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let datagram = sealer(5).seal(b"hello").expect("sealed");
        for bit in 0..datagram.len() * 8 {
            let mut altered = datagram.clone();
            if let Some(byte) = altered.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            assert!(opener().open(&altered, everyone).is_err(), "bit {bit}");
        }
        for length in 0..datagram.len() {
            let cut = datagram.get(..length).expect("shorter");
            assert!(opener().open(cut, everyone).is_err(), "length {length}");
        }
    }

    #[test]
    fn strangers_are_dropped_for_what_they_are() {
        let datagram = sealer(5).seal(b"hello").expect("sealed");
        let check = |mut opener: Opener, why| {
            assert_eq!(opener.open(&datagram, everyone), Err(why));
        };
        check(
            Opener::new(&cluster("b"), NodeId(1), &[key(1)]),
            Refusal::OtherCluster,
        );
        check(
            Opener::new(&cluster("a"), NodeId(1), &[key(2)]),
            Refusal::UnknownKey,
        );
        let other = SealingKey { id: 1, ..key(9) };
        check(
            Opener::new(&cluster("a"), NodeId(1), &[other]),
            Refusal::Unauthenticated,
        );
        let nobody = |_node| false;
        assert_eq!(
            opener().open(&datagram, nobody),
            Err(Refusal::UnknownSender)
        );
    }

    #[test]
    fn forged_datagrams_do_not_move_the_window() {
        let (mut sealer, mut opener) = (sealer(5), opener());
        let good = sealer.seal(b"good").expect("sealed");
        let mut far = good.clone();
        for place in 8..18 {
            if let Some(byte) = far.get_mut(place) {
                *byte = 0xff;
            }
        }
        assert_eq!(opener.open(&far, everyone), Err(Refusal::Unauthenticated));
        assert!(opener.open(&good, everyone).is_ok());
    }

    #[test]
    fn both_keys_open_while_one_replaces_the_other() {
        let mut opener = Opener::new(&cluster("a"), NodeId(1), &[key(2), key(1)]);
        let mut sealer = sealer(5);
        let old = sealer.seal(b"old key").expect("sealed");
        let late = sealer.seal(b"too late").expect("sealed");
        sealer.set_key(&[key(2), key(1)]).expect("a key");
        let new = sealer.seal(b"new key").expect("sealed");
        assert!(opener.open(&old, everyone).is_ok());
        assert!(opener.open(&new, everyone).is_ok());
        opener.set_keys(&[key(2)]);
        assert_eq!(opener.open(&late, everyone), Err(Refusal::UnknownKey));
        assert_eq!(opener.open(&new, everyone), Err(Refusal::Replayed));
    }

    #[test]
    fn two_keys_of_one_number_both_open() {
        let other = SealingKey { id: 1, ..key(9) };
        let mut opener = Opener::new(&cluster("a"), NodeId(1), &[other, key(1)]);
        let datagram = sealer(5).seal(b"x").expect("sealed");
        assert!(opener.open(&datagram, everyone).is_ok());
    }

    #[test]
    fn what_is_thrown_back_at_its_sender_is_refused() {
        let datagram = sealer(5).seal(b"x").expect("sealed");
        let mut opener = Opener::new(&cluster("a"), NodeId(2), &[key(1)]);
        assert_eq!(opener.open(&datagram, everyone), Err(Refusal::Replayed));
    }

    #[test]
    fn every_refusal_has_its_name() {
        let datagram = sealer(5).seal(b"hello").expect("sealed");
        let check = |change: &dyn Fn(&mut Vec<u8>), why| {
            let mut changed = datagram.clone();
            change(&mut changed);
            assert_eq!(opener().open(&changed, everyone), Err(why));
        };
        check(&|d| d.truncate(OVERHEAD - 1), Refusal::Truncated);
        check(&|d| d.clear(), Refusal::Truncated);
        check(
            &|d| d.resize(DATAGRAM_LENGTH_MAX + 1, 0),
            Refusal::Oversized,
        );
        check(&|d| d[0] ^= 1, Refusal::OtherVersion);
        check(&|d| d[1] ^= 1, Refusal::UnknownKey);
        check(&|d| d[2] ^= 1, Refusal::OtherCluster);
        check(&|d| d[7] ^= 1, Refusal::Unauthenticated);
        check(&|d| d[OVERHEAD] ^= 1, Refusal::Unauthenticated);
        check(&|d| d.truncate(OVERHEAD + 1), Refusal::Unauthenticated);
    }

    #[test]
    fn too_much_is_not_sealed() {
        let content = vec![0; CONTENT_LENGTH_MAX + 1];
        assert_eq!(sealer(5).seal(&content), Err(SealError::TooLong));
        assert!(sealer(5).seal(content.get(1..).expect("shorter")).is_ok());
    }

    #[test]
    fn used_up_counters_take_the_next_start() {
        let mut sealer = sealer(5);
        sealer.counter = u32::MAX - 1;
        let mut opener = opener();
        for _ in 0..3 {
            let datagram = sealer.seal(b"x").expect("sealed");
            assert!(opener.open(&datagram, everyone).is_ok());
        }
        assert_eq!((sealer.start, sealer.counter), (6, 1));
    }

    proptest! {
        #[test]
        fn garbage_never_opens(garbage in proptest::collection::vec(any::<u8>(), 0..1600)) {
            prop_assert!(opener().open(&garbage, everyone).is_err());
            let mut ours = vec![VERSION, 1];
            ours.extend(garbage);
            prop_assert!(opener().open(&ours, everyone).is_err());
        }
    }
}
