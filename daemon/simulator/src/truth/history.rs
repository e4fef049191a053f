//! The true history of one dataset: a tree of all snapshots that were ever taken of it.
//!
//! Each disk that holds a copy (or a divergent one) holds a tip of the tree, and with it everything
//! from the root to there. How many tips are at or beyond each snapshot is counted as tips move, so
//! that "nothing is lost" is known after every step without looking at any disk.

use hwc_api::ownership::{Epoch, Lineage, SnapshotId};
use std::collections::BTreeMap;

/// A snapshot of a history; [`Point::ROOT`] is the empty beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Point(u32);

impl Point {
    /// Before the first snapshot.
    pub const ROOT: Self = Self(0);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is in a filesystem: a sum over its writes, the same whatever order they came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Content(u64);

impl Content {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// As a number.
    #[must_use]
    pub const fn fingerprint(self) -> u64 {
        self.0
    }

    /// With one write more.
    #[must_use]
    pub fn with(self, write: u64) -> Self {
        Self(self.0.wrapping_add(mix(write)))
    }

    /// With all the writes of `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Without the writes of `other`: what an increment from there to here carries.
    #[must_use]
    pub const fn since(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

/// What was written between two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// How many writes.
    pub writes: u32,
    /// What they add to the content.
    pub content: Content,
    /// How many bytes they changed.
    pub bytes: u64,
}

impl Change {
    /// Nothing.
    pub const NONE: Self = Self {
        writes: 0,
        content: Content::EMPTY,
        bytes: 0,
    };

    /// One write more.
    pub fn add(&mut self, write: u64, bytes: u64) {
        self.writes += 1;
        self.content = self.content.with(write);
        self.bytes += bytes;
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writes == 0
    }
}

#[derive(Debug, Clone)]
struct Taken {
    parent: Point,
    depth: u32,
    epoch: Epoch,
    /// The lineage before this epoch, as a hash.
    before: u64,
    /// The whole lineage, as a hash.
    lineage: u64,
    content: Content,
    writes: u32,
    bytes: u64,
    /// Tips at or beyond this snapshot, on all disks.
    keepers: u32,
    /// The last disk that held it was lost: nobody can be asked for it.
    is_lost: bool,
}

/// All snapshots ever taken of one dataset.
#[derive(Debug, Clone)]
pub struct History {
    points: Vec<Taken>,
    names: BTreeMap<SnapshotId, Point>,
    newest: BTreeMap<Epoch, Point>,
}

impl Default for History {
    fn default() -> Self {
        let root = Taken {
            parent: Point::ROOT,
            depth: 0,
            epoch: Epoch::NONE,
            before: 0,
            lineage: hash_of(&Lineage::genesis()),
            content: Content::default(),
            writes: 0,
            bytes: 0,
            keepers: 0,
            is_lost: false,
        };
        Self {
            points: vec![root],
            names: BTreeMap::new(),
            newest: BTreeMap::new(),
        }
    }
}

/// Snapshots that no disk holds any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "something was lost"]
pub struct Gone(Vec<Point>);

impl Gone {
    /// How many of the snapshots carried writes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl History {
    /// A snapshot is taken upon `parent`, and held where the parent was held.
    ///
    /// # Errors
    /// If its name was used before, or its epoch has another newest snapshot than the parent.
    pub fn take(
        &mut self,
        parent: Point,
        name: SnapshotId,
        change: Change,
    ) -> Result<Point, String> {
        if self.names.contains_key(&name) {
            return Err(format!("the name {name} is used twice"));
        }
        let is_first = !self.newest.contains_key(&name.epoch);
        if !is_first && self.newest.get(&name.epoch) != Some(&parent) {
            return Err(format!("epoch {} forks", name.epoch));
        }
        let upon = self.at(parent);
        let before = if upon.epoch == name.epoch && !is_first {
            upon.before
        } else {
            upon.lineage
        };
        let taken = Taken {
            parent,
            depth: upon.depth + 1,
            epoch: name.epoch,
            before,
            lineage: hash_entry(before, name.epoch, name.sequence),
            content: upon.content.and(change.content),
            writes: change.writes,
            bytes: upon.bytes.saturating_add(change.bytes),
            keepers: 1,
            is_lost: false,
        };
        let point = Point(u32::try_from(self.points.len()).unwrap_or(u32::MAX));
        self.points.push(taken);
        self.names.insert(name, point);
        self.newest.insert(name.epoch, point);
        Ok(point)
    }

    /// The snapshot of this name.
    #[must_use]
    pub fn find(&self, name: SnapshotId) -> Option<Point> {
        self.names.get(&name).copied()
    }

    /// The snapshot at which a lineage ends, if the history really went that way.
    #[must_use]
    pub fn tip_of(&self, lineage: &Lineage) -> Option<Point> {
        let point = match lineage.head() {
            Some(head) => self.find(head)?,
            None => Point::ROOT,
        };
        (self.at(point).lineage == hash_of(lineage)).then_some(point)
    }

    /// What is in a snapshot.
    #[must_use]
    pub fn content(&self, point: Point) -> Content {
        self.at(point).content
    }

    /// Bytes written up to a snapshot.
    #[must_use]
    pub fn bytes(&self, point: Point) -> u64 {
        self.at(point).bytes
    }

    /// Whether everything in `older` is in `newer`.
    #[must_use]
    pub fn is_within(&self, older: Point, newer: Point) -> bool {
        self.ancestor_at(newer, self.at(older).depth) == Some(older)
    }

    /// The newest snapshot that both contain.
    #[must_use]
    pub fn common(&self, one: Point, other: Point) -> Point {
        let (mut one, mut other) = (one, other);
        while one != other {
            if self.at(one).depth >= self.at(other).depth {
                one = self.at(one).parent;
            } else {
                other = self.at(other).parent;
            }
        }
        one
    }

    /// One more disk holds everything up to `tip`.
    pub fn hold(&mut self, tip: Point) {
        let _nothing = self.count(tip, None, |keepers| keepers + 1);
    }

    /// One disk less holds everything up to `tip`.
    pub fn release(&mut self, tip: Point) -> Gone {
        self.count(tip, None, |keepers| keepers.saturating_sub(1))
    }

    /// A disk that held everything up to `from` holds everything up to `to` instead.
    pub fn shift(&mut self, from: Point, to: Point) -> Gone {
        let common = self.common(from, to);
        let _nothing = self.count(to, Some(common), |keepers| keepers + 1);
        self.count(from, Some(common), |keepers| keepers.saturating_sub(1))
    }

    /// The last disk with these was lost: they can't be asked for.
    pub fn give_up(&mut self, gone: &Gone) {
        for point in &gone.0 {
            if let Some(taken) = self.points.get_mut(point.index()) {
                taken.is_lost = true;
            }
        }
    }

    /// The snapshots with writes that must still be somewhere and are not within any of `tips`.
    #[must_use]
    pub fn outside(&self, tips: impl IntoIterator<Item = Point>) -> Vec<Point> {
        let mut is_within = vec![false; self.points.len()];
        for tip in tips {
            let mut at = tip;
            while let Some(mark) = is_within.get_mut(at.index()).filter(|mark| !**mark) {
                *mark = true;
                at = self.at(at).parent;
            }
        }
        let taken = self.points.iter().zip(is_within).zip(0..);
        taken
            .filter(|((taken, is_within), _)| taken.writes > 0 && !taken.is_lost && !is_within)
            .map(|(_, index)| Point(index))
            .collect()
    }

    fn count(&mut self, from: Point, until: Option<Point>, change: impl Fn(u32) -> u32) -> Gone {
        let mut gone = Gone::default();
        let mut at = from;
        while Some(at) != until {
            let Some(taken) = self.points.get_mut(at.index()) else {
                break;
            };
            taken.keepers = change(taken.keepers);
            if taken.keepers == 0 && taken.writes > 0 && !taken.is_lost {
                gone.0.push(at);
            }
            if at == Point::ROOT {
                break;
            }
            at = taken.parent;
        }
        gone
    }

    fn ancestor_at(&self, point: Point, depth: u32) -> Option<Point> {
        let mut at = point;
        while self.at(at).depth > depth {
            at = self.at(at).parent;
        }
        (self.at(at).depth == depth).then_some(at)
    }

    fn at(&self, point: Point) -> &Taken {
        // A point is only ever made by this history, for as long as it lives; the root is there.
        self.points.get(point.index()).unwrap_or(&self.points[0])
    }
}

fn hash_of(lineage: &Lineage) -> u64 {
    let entries = lineage.entries().iter();
    entries.fold(1, |before, entry| {
        hash_entry(before, entry.epoch, entry.last_sequence)
    })
}

fn hash_entry(before: u64, epoch: Epoch, sequence: u32) -> u64 {
    let label = u64::from(epoch.counter) << 32 | u64::from(epoch.node.0);
    mix(mix(mix(before) ^ label) ^ (u64::from(epoch.boot.0) << 32 | u64::from(sequence)))
}

/// Spreads a number over 64 bits: the finaliser of splitmix64.
const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};

    fn name(counter: u32, sequence: u32) -> SnapshotId {
        let epoch = Epoch {
            counter,
            node: NodeId(1),
            boot: BootId(9),
        };
        SnapshotId { epoch, sequence }
    }

    fn change(write: u64) -> Change {
        let mut change = Change::default();
        change.add(write, 10);
        change
    }

    #[test]
    fn what_the_last_disk_gives_away_is_gone() {
        let mut history = History::default();
        history.hold(Point::ROOT);
        let first = history
            .take(Point::ROOT, name(1, 1), change(1))
            .expect("first");
        let second = history.take(first, name(1, 2), change(2)).expect("second");
        history.hold(first);
        assert_eq!(history.shift(second, first).count(), 1, "the second one");
        assert_eq!(history.release(first).count(), 0, "another disk has it");
        assert_eq!(history.release(first).count(), 1, "nobody has it");
    }

    #[test]
    fn names_are_unique_and_epochs_do_not_fork() {
        let mut history = History::default();
        let first = history
            .take(Point::ROOT, name(1, 1), change(1))
            .expect("first");
        history.take(first, name(1, 2), change(2)).expect("second");
        assert!(history.take(first, name(1, 2), change(3)).is_err());
        assert!(history.take(first, name(1, 3), change(3)).is_err());
        assert!(history.take(first, name(2, 1), change(3)).is_ok());
    }

    #[test]
    fn a_lineage_leads_to_its_tip_only_if_it_was_written_that_way() {
        let mut history = History::default();
        let first = history
            .take(Point::ROOT, name(1, 1), change(1))
            .expect("first");
        let second = history.take(first, name(2, 1), change(2)).expect("second");
        let written = Lineage::genesis().with(name(1, 1), 10).expect("one");
        assert_eq!(history.tip_of(&written), Some(first));
        let longer = written.with(name(2, 1), 10).expect("two");
        assert_eq!(history.tip_of(&longer), Some(second));
        let never = Lineage::genesis().with(name(2, 1), 10).expect("other");
        assert_eq!(history.tip_of(&never), None);
        assert!(history.is_within(first, second) && !history.is_within(second, first));
        assert_eq!(history.outside([first]), [second]);
        assert_eq!(history.outside([first, second]), []);
    }
}
