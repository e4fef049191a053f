//! The keys that one node holds. Pure: moments come in as arguments.
//!
//! Keys are ordered by their generation, and by their bytes where two halves of a split cluster drew
//! one each: all nodes agree on which is the newest. A key names how many nodes had been removed when
//! it was drawn: one that was drawn before a removal is to be replaced.

use crate::identity::{SealingKey, SecretBytes};
use hwc_runtime::clock::Moment;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// More keys than two halves of a cluster draw within an overlap; the oldest go first.
const KEYS_MAX: usize = 8;

/// What one node tells another of its keys. Only ever inside TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyShare {
    /// The keys, the newest first.
    pub keys: Vec<SealingKey>,
    /// Whether it seals under the newest already.
    pub is_in_use: bool,
}

/// The keys of one node.
#[derive(Debug, Clone)]
pub struct KeyRing {
    overlap: Duration,
    /// The newest first.
    held: Vec<Held>,
    /// Which of them seals, counted from the newest.
    sealing: usize,
}

#[derive(Debug, Clone)]
struct Held {
    key: SealingKey,
    learned: Moment,
    /// Since when a newer one seals.
    replaced: Option<Moment>,
}

impl KeyRing {
    /// Holds these keys; the newest seals. For `overlap` two keys open after a newer one seals.
    #[must_use]
    pub fn new(keys: &[SealingKey], overlap: Duration, now: Moment) -> Self {
        let mut ring = Self {
            overlap,
            held: Vec::new(),
            sealing: 0,
        };
        ring.take(keys, now);
        ring.use_newest(now);
        ring
    }

    /// The keys as the sealer and the opener want them: the first seals, all of them open.
    #[must_use]
    pub fn keys(&self) -> Vec<SealingKey> {
        let sealing = self.held.get(self.sealing).into_iter();
        let others = self.held.iter().enumerate();
        let others = others.filter(|(index, _held)| *index != self.sealing);
        sealing
            .chain(others.map(|(_index, held)| held))
            .map(|held| held.key.clone())
            .collect()
    }

    /// The newest key.
    #[must_use]
    pub fn newest(&self) -> Option<&SealingKey> {
        self.held.first().map(|held| &held.key)
    }

    /// By which two nodes see whether they hold the same newest key. Says nothing about it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"hwc gossip key");
        if let Some(newest) = self.newest() {
            hash.update(newest.generation.to_be_bytes());
            hash.update(newest.key.expose());
        }
        let mut fingerprint = hex::encode(hash.finalize());
        fingerprint.truncate(16);
        fingerprint
    }

    /// Whether a key must be drawn: nodes were removed since the newest one was.
    #[must_use]
    pub fn is_outdated(&self, removed: u32) -> bool {
        self.newest().is_none_or(|newest| newest.removed < removed)
    }

    /// Draws a key that is newer than all others.
    pub fn rotate(&mut self, removed: u32, key: SecretBytes<32>, now: Moment) {
        let newest = self.newest();
        let generation = newest
            .map_or(0, |newest| newest.generation)
            .saturating_add(1);
        let removed = newest.map_or(0, |newest| newest.removed).max(removed);
        let key = SealingKey {
            id: (generation % 256) as u8,
            generation,
            removed,
            key,
        };
        self.take(&[key], now);
        if self.held.len() == 1 {
            self.use_newest(now);
        }
    }

    /// What another node may be told, of which `removed` removals this node knows: a key that was
    /// drawn after a removal that we have not heard of may be meant to keep this very node out.
    #[must_use]
    pub fn share(&self, removed: u32) -> KeyShare {
        let keys: Vec<_> = self
            .held
            .iter()
            .map(|held| &held.key)
            .filter(|key| key.removed <= removed)
            .cloned()
            .collect();
        let is_newest = keys.first() == self.newest();
        KeyShare {
            keys,
            is_in_use: is_newest && self.sealing == 0,
        }
    }

    /// Learns another node's keys; says whether anything changed.
    pub fn learn(&mut self, share: &KeyShare, now: Moment) -> bool {
        let before = self.keys();
        self.take(&share.keys, now);
        if share.is_in_use && self.newest().is_some() && self.newest() == share.keys.first() {
            self.use_newest(now);
        }
        before != self.keys()
    }

    /// Begins to use what is due, forgets what is over; says whether anything changed.
    pub fn tick(&mut self, now: Moment) -> bool {
        let before = self.keys();
        let newest = self.held.first().map(|held| held.learned);
        if newest.is_some_and(|learned| now.since(learned) >= self.use_after()) {
            self.use_newest(now);
        }
        let overlap = self.overlap;
        self.held
            .retain(|held| held.replaced.is_none_or(|at| now.since(at) < overlap));
        before != self.keys()
    }

    /// When [`KeyRing::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let uses = self.held.first().filter(|_| self.sealing > 0);
        let uses = uses.map(|held| held.learned.plus(self.use_after()));
        let ends = self.held.iter().filter_map(|held| held.replaced);
        let ends = ends.map(|at| at.plus(self.overlap));
        uses.into_iter().chain(ends).min()
    }

    /// The others have learned a new key by then; long before the old one ends.
    fn use_after(&self) -> Duration {
        self.overlap / 4
    }

    fn take(&mut self, keys: &[SealingKey], now: Moment) {
        let sealing = self.held.get(self.sealing).map(|held| held.key.clone());
        for key in keys {
            let is_known = self.held.iter().any(|held| held.key == *key);
            // One that ended here does not come back from a node that still has it.
            let is_over = sealing
                .as_ref()
                .is_some_and(|sealing| rank(key) < rank(sealing));
            if !is_known && !is_over {
                self.held.push(Held {
                    key: key.clone(),
                    learned: now,
                    replaced: None,
                });
            }
        }
        self.held.sort_by(|a, b| rank(&b.key).cmp(&rank(&a.key)));
        let position = |held: &Held| Some(&held.key) == sealing.as_ref();
        self.sealing = self.held.iter().position(position).unwrap_or(0);
        // The one that seals is kept, whatever comes.
        while self.held.len() > KEYS_MAX {
            let last = self.held.len() - 1;
            let victim = if self.sealing == last { last - 1 } else { last };
            self.held.remove(victim);
            self.sealing = self.held.iter().position(position).unwrap_or(0);
        }
    }

    fn use_newest(&mut self, now: Moment) {
        self.sealing = 0;
        for held in self.held.iter_mut().skip(1) {
            held.replaced.get_or_insert(now);
        }
    }
}

fn rank(key: &SealingKey) -> (u64, &[u8; 32]) {
    (key.generation, key.key.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OVERLAP: Duration = Duration::from_secs(10);

    fn key(generation: u64, letter: u8, removed: u32) -> SealingKey {
        SealingKey {
            id: generation as u8,
            generation,
            removed,
            key: SecretBytes::new([letter; 32]),
        }
    }

    fn ring() -> KeyRing {
        KeyRing::new(&[key(1, 7, 0)], OVERLAP, Moment(0))
    }

    fn letters(ring: &KeyRing) -> Vec<u8> {
        ring.keys().iter().map(|key| key.key.expose()[0]).collect()
    }

    #[test]
    fn a_new_key_opens_at_once_seals_soon_and_ends_the_old_one_later() {
        let mut ring = ring();
        ring.rotate(0, SecretBytes::new([9; 32]), Moment(1_000));
        assert_eq!(letters(&ring), [7, 9]);
        assert_eq!(ring.next_deadline(), Some(Moment(3_500)));
        assert!(!ring.tick(Moment(3_499)));
        assert!(ring.tick(Moment(3_500)));
        assert_eq!(letters(&ring), [9, 7]);
        assert_eq!(ring.next_deadline(), Some(Moment(13_500)));
        assert!(!ring.tick(Moment(13_499)));
        assert!(ring.tick(Moment(13_500)));
        assert_eq!(letters(&ring), [9]);
        assert_eq!(ring.next_deadline(), None);
    }

    #[test]
    fn who_meets_a_node_that_seals_under_the_new_key_does_so_at_once() {
        let (mut one, mut other) = (ring(), ring());
        one.rotate(0, SecretBytes::new([9; 32]), Moment(0));
        assert!(other.learn(&one.share(0), Moment(10)));
        assert_eq!(letters(&other), [7, 9]);
        one.tick(Moment(5_000));
        assert!(other.learn(&one.share(0), Moment(5_010)));
        assert_eq!(letters(&other), [9, 7]);
        assert!(!other.learn(&one.share(0), Moment(5_020)));
    }

    #[test]
    fn a_key_that_is_over_does_not_come_back() {
        let (mut one, stale) = (ring(), ring());
        one.rotate(0, SecretBytes::new([9; 32]), Moment(0));
        one.tick(Moment(3_000));
        one.tick(Moment(13_000));
        assert_eq!(letters(&one), [9]);
        assert!(!one.learn(&stale.share(0), Moment(14_000)));
        assert_eq!(letters(&one), [9]);
    }

    #[test]
    fn a_removal_makes_a_key_outdated_and_the_new_one_is_not_told_too_early() {
        let mut ring = ring();
        assert!(ring.is_outdated(1) && !ring.is_outdated(0));
        ring.rotate(1, SecretBytes::new([9; 32]), Moment(0));
        assert!(!ring.is_outdated(1));
        let told: Vec<_> = ring
            .share(0)
            .keys
            .iter()
            .map(|key| key.generation)
            .collect();
        assert_eq!(
            told,
            [1],
            "who has not heard of the removal might tell the removed node"
        );
        assert_eq!(ring.share(1).keys.len(), 2);
    }

    #[test]
    fn two_halves_that_drew_one_each_agree() {
        let (mut one, mut other) = (ring(), ring());
        one.rotate(0, SecretBytes::new([9; 32]), Moment(0));
        other.rotate(0, SecretBytes::new([8; 32]), Moment(0));
        for ring in [&mut one, &mut other] {
            ring.tick(Moment(60_000));
            ring.tick(Moment(90_000));
        }
        let (a, b) = (one.share(0), other.share(0));
        one.learn(&b, Moment(100_000));
        other.learn(&a, Moment(100_000));
        assert_eq!(one.newest(), other.newest());
        for ring in [&mut one, &mut other] {
            ring.tick(Moment(110_000));
            ring.tick(Moment(130_000));
            assert_eq!(letters(ring), [9]);
        }
    }

    proptest! {
        /// Whatever is learned in whatever order: there is always a key that seals, never too many,
        /// and two nodes that told each other everything agree on the newest.
        #[test]
        fn rings_agree(steps in proptest::collection::vec((0usize..2, 0u8..4, any::<u8>()), 0..80)) {
            let mut rings = [ring(), ring()];
            let mut now = Moment(0);
            for (who, what, letter) in steps {
                now = now.plus(Duration::from_millis(u64::from(letter) * 50));
                let share = rings[1 - who].share(9);
                match what {
                    0 => rings[who].rotate(0, SecretBytes::new([letter; 32]), now),
                    1 => { rings[who].learn(&share, now); }
                    _ => { rings[who].tick(now); }
                }
                prop_assert!((1..=KEYS_MAX).contains(&rings[who].keys().len()));
            }
            let share = rings[0].share(9);
            rings[1].learn(&share, now);
            let share = rings[1].share(9);
            rings[0].learn(&share, now);
            prop_assert_eq!(rings[0].newest(), rings[1].newest());
            prop_assert_eq!(rings[0].fingerprint(), rings[1].fingerprint());
        }
    }
}
