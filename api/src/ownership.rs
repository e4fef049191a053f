//! Who is live for a dataset, and which history each copy has: epochs, lineages, records.
//!
//! A branch of a dataset's history is described by its **lineage**: a short list of (epoch, last
//! sequence number written under it). As an epoch has exactly one writer, "is ancestor of" and
//! "newest common point" follow from two lineages alone, whatever snapshots were thinned since.
//! The protocol over these types is `state-machine`'s; `docs/protocol.md` is its specification.

use crate::ids::{BootId, NodeId};
use crate::time::WallTime;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// One term of being live for one dataset. Ordered by counter, then node, then boot; a node draws
/// its boot at random at each start, so that no epoch is ever used by two writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch {
    /// Raised at every change of live node.
    pub counter: u32,
    /// The writer of this epoch.
    pub node: NodeId,
    /// The writer's start.
    pub boot: BootId,
}

impl Epoch {
    /// Before the first: nobody was ever live.
    pub const NONE: Self = Self {
        counter: 0,
        node: NodeId(0),
        boot: BootId(0),
    };
}

impl Default for Epoch {
    fn default() -> Self {
        Self::NONE
    }
}

/// `counter-node-boot`, as in `3-2-00c0ffee`: safe as part of a file name.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.counter, self.node, self.boot)
    }
}

/// The text is not an epoch or a snapshot name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a snapshot name: {0:?}")]
pub struct NotASnapshotName(pub String);

impl FromStr for Epoch {
    type Err = NotASnapshotName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('-');
            let counter = parts.next()?.parse().ok()?;
            let node = parts.next()?.parse().ok()?;
            let boot = u32::from_str_radix(parts.next()?, 16).ok()?;
            parts.next().is_none().then_some(Self {
                counter,
                node,
                boot: BootId(boot),
            })
        };
        parse().ok_or_else(|| NotASnapshotName(text.to_owned()))
    }
}

/// The name of a snapshot: the same on every node that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SnapshotId {
    /// The epoch under which it was taken.
    pub epoch: Epoch,
    /// Counts from 1 within the epoch.
    pub sequence: u32,
}

/// `epoch.sequence`, as in `3-2-00c0ffee.17`: safe as a file name.
impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.sequence)
    }
}

impl FromStr for SnapshotId {
    type Err = NotASnapshotName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (epoch, sequence) = text.split_once('.')?;
            Some(Self {
                epoch: epoch.parse().ok()?,
                sequence: sequence.parse().ok()?,
            })
        };
        parse().ok_or_else(|| NotASnapshotName(text.to_owned()))
    }
}

/// What one epoch contributed to a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineageEntry {
    /// The epoch; its one writer wrote sequence 1 to `last_sequence` of it into this branch.
    pub epoch: Epoch,
    /// The last sequence number that this branch contains.
    pub last_sequence: u32,
    /// Changed bytes up to and including this entry, cumulative from the branch's beginning,
    /// without caches, logs, sessions and temporary files.
    pub weight_bytes: u64,
}

/// A branch of a dataset's history, oldest entry first. Empty: genesis, everyone's ancestor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(Vec<LineageEntry>);

impl Lineage {
    /// The history of a dataset without any snapshot.
    #[must_use]
    pub const fn genesis() -> Self {
        Self(Vec::new())
    }

    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[LineageEntry] {
        &self.0
    }

    /// Whether nothing was ever written.
    #[must_use]
    pub fn is_genesis(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest snapshot of this branch; none at genesis.
    #[must_use]
    pub fn head(&self) -> Option<SnapshotId> {
        self.0.last().map(|last| SnapshotId {
            epoch: last.epoch,
            sequence: last.last_sequence,
        })
    }

    /// Changed bytes of the whole branch.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        self.0.last().map_or(0, |last| last.weight_bytes)
    }

    /// Number of snapshots ever taken on this branch.
    #[must_use]
    pub fn total_sequence(&self) -> u64 {
        self.0
            .iter()
            .map(|entry| u64::from(entry.last_sequence))
            .sum()
    }

    /// This branch plus one more snapshot, `changed_bytes` heavier than the head.
    ///
    /// A snapshot of the head's own epoch extends the last entry; one of a higher epoch opens a
    /// new entry, and so does one of another start of the last writer (what a crash left in no
    /// snapshot is labelled by the next start, whose boot may be the lower number). Anything else
    /// is no successor and gives `None`.
    #[must_use]
    pub fn with(&self, snapshot: SnapshotId, changed_bytes: u64) -> Option<Self> {
        let weight_bytes = self.weight_bytes().saturating_add(changed_bytes);
        let entry = LineageEntry {
            epoch: snapshot.epoch,
            last_sequence: snapshot.sequence,
            weight_bytes,
        };
        let mut entries = self.0.clone();
        match entries.last_mut() {
            Some(last) if last.epoch == snapshot.epoch => {
                if snapshot.sequence <= last.last_sequence {
                    return None;
                }
                *last = entry;
            }
            Some(last)
                if (last.epoch.counter, last.epoch.node)
                    > (snapshot.epoch.counter, snapshot.epoch.node) =>
            {
                return None;
            }
            Some(_) if self.0.iter().any(|entry| entry.epoch == snapshot.epoch) => return None,
            Some(_) | None => entries.push(entry),
        }
        Some(Self(entries))
    }

    /// This branch plus the first snapshot under a label that was made at a restart: the counter
    /// of the epoch that was left, a new boot. Such a label is unique, and may sort below the one
    /// before. `None` if it is not a first snapshot, or its epoch is in the branch already.
    #[must_use]
    pub fn with_fresh_label(&self, snapshot: SnapshotId, changed_bytes: u64) -> Option<Self> {
        let is_known = self.0.iter().any(|entry| entry.epoch == snapshot.epoch);
        if is_known || snapshot.sequence != 1 {
            return None;
        }
        let mut entries = self.0.clone();
        entries.push(LineageEntry {
            epoch: snapshot.epoch,
            last_sequence: snapshot.sequence,
            weight_bytes: self.weight_bytes().saturating_add(changed_bytes),
        });
        Some(Self(entries))
    }

    /// Whether this branch is an ancestor of `other`, or the same.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        let Some((last, before)) = self.0.split_last() else {
            return true;
        };
        let Some(counterpart) = other.0.get(before.len()) else {
            return false;
        };
        same_entries(before, other.0.get(..before.len()).unwrap_or_default())
            && last.epoch == counterpart.epoch
            && last.last_sequence <= counterpart.last_sequence
    }

    /// Whether this branch contains `snapshot`.
    #[must_use]
    pub fn contains(&self, snapshot: SnapshotId) -> bool {
        self.0
            .iter()
            .any(|entry| entry.epoch == snapshot.epoch && snapshot.sequence <= entry.last_sequence)
    }

    /// The newest snapshot that both branches contain; `None` is genesis.
    #[must_use]
    pub fn newest_common(&self, other: &Self) -> Option<SnapshotId> {
        let mut newest = None;
        for (mine, theirs) in self.0.iter().zip(&other.0) {
            if mine.epoch != theirs.epoch {
                break;
            }
            let sequence = mine.last_sequence.min(theirs.last_sequence);
            newest = Some(SnapshotId {
                epoch: mine.epoch,
                sequence,
            });
            if mine.last_sequence != theirs.last_sequence {
                break;
            }
        }
        newest
    }

    /// This branch cut off after `snapshot`; `None` (genesis) cuts everything. The weight of a cut
    /// entry is unknown and taken from the entry before it.
    #[must_use]
    pub fn up_to(&self, snapshot: Option<SnapshotId>) -> Self {
        let Some(snapshot) = snapshot else {
            return Self::genesis();
        };
        let mut entries = Vec::new();
        for entry in &self.0 {
            if entry.epoch == snapshot.epoch && snapshot.sequence < entry.last_sequence {
                let weight_bytes = entries
                    .last()
                    .map_or(0, |last: &LineageEntry| last.weight_bytes);
                entries.push(LineageEntry {
                    last_sequence: snapshot.sequence,
                    weight_bytes,
                    ..*entry
                });
            } else {
                entries.push(*entry);
            }
            if entry.epoch == snapshot.epoch {
                break;
            }
        }
        Self(entries)
    }

    /// Which of two branches has most changed: by weight, then by number of snapshots, then by the
    /// lineage itself. Total and pure, so that every node judges alike; an extension always beats
    /// its own prefix.
    #[must_use]
    pub fn compare_change(&self, other: &Self) -> Ordering {
        if self.same_branch(other) {
            return Ordering::Equal;
        }
        if self.within(other) {
            return Ordering::Less;
        }
        if other.within(self) {
            return Ordering::Greater;
        }
        self.weight_bytes()
            .cmp(&other.weight_bytes())
            .then_with(|| self.total_sequence().cmp(&other.total_sequence()))
            .then_with(|| self.labels().cmp(other.labels()))
    }

    /// Whether both name the same point of the same history (weights may have been counted
    /// differently and do not matter).
    #[must_use]
    pub fn same_branch(&self, other: &Self) -> bool {
        same_entries(&self.0, &other.0)
    }

    /// A stable id of this branch's tip, for listing divergent copies.
    #[must_use]
    pub fn branch_name(&self) -> String {
        self.head()
            .map_or_else(|| "genesis".to_owned(), |head| head.to_string())
    }

    fn labels(&self) -> impl Iterator<Item = (Epoch, u32)> {
        self.0
            .iter()
            .map(|entry| (entry.epoch, entry.last_sequence))
    }
}

fn same_entries(one: &[LineageEntry], other: &[LineageEntry]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(a, b)| a.epoch == b.epoch && a.last_sequence == b.last_sequence)
}

/// A node at one of its starts: a promise made by an earlier start binds no later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Speaker {
    /// The node.
    pub node: NodeId,
    /// Its start.
    pub boot: BootId,
}

/// What a node is doing for a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HolderState {
    /// Serves nothing: holds a copy, or is empty, fenced or just started.
    #[default]
    Replica,
    /// Asks the other holders in a round.
    Claiming,
    /// Serves and writes.
    Live,
    /// Live with its gate closed: a planned move is under way.
    Draining,
}

/// What one node shows to the other holders about one dataset. State, not a message: the newest
/// version replaces older ones; loss, repetition and reordering are harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderRecord {
    /// Of which start this record speaks.
    pub boot: BootId,
    /// What the node does for the dataset.
    pub state: HolderState,
    /// Its own branch was served and is undecided.
    pub is_contending: bool,
    /// Whether it holds a copy at all.
    pub has_copy: bool,
    /// Whether it knows the dataset to be deleted.
    pub is_deleted: bool,
    /// The epoch it claims or serves under; [`Epoch::NONE`] as a replica.
    pub epoch: Epoch,
    /// The highest epoch it has seen, on disk before it was shown here.
    pub seen: Epoch,
    /// The history of its copy.
    pub lineage: Lineage,
    /// Who was heard in the round that made it live.
    pub heard: Vec<Speaker>,
    /// The epoch that it contests; [`Epoch::NONE`] for none.
    pub against: Epoch,
    /// The divergent copies that it keeps.
    pub divergent: Vec<Lineage>,
    /// Where it moves the dataset, while draining.
    pub moving_to: Option<NodeId>,
    /// When its head was taken. For people; decides nothing.
    pub head_taken_at: WallTime,
}

/// What every node of the cluster needs to know to route a request: who serves, under which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRecord {
    /// What the speaking node does for the dataset.
    pub state: HolderState,
    /// The epoch it serves under.
    pub epoch: Epoch,
    /// Whether requests are let through. False while draining and before the services are ready.
    pub is_open: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(counter: u32, node: u16) -> Epoch {
        Epoch {
            counter,
            node: NodeId(node),
            boot: BootId(7),
        }
    }

    fn snapshot(counter: u32, node: u16, sequence: u32) -> SnapshotId {
        SnapshotId {
            epoch: epoch(counter, node),
            sequence,
        }
    }

    fn lineage(snapshots: &[SnapshotId]) -> Lineage {
        snapshots.iter().fold(Lineage::genesis(), |line, snapshot| {
            line.with(*snapshot, 10).expect("a successor")
        })
    }

    #[test]
    fn snapshot_names_survive_text() {
        let id = snapshot(3, 2, 17);
        assert_eq!(id.to_string(), "3-2-00000007.17");
        assert_eq!("3-2-00000007.17".parse(), Ok(id));
        for bad in [
            "",
            "3-2-7",
            "3-2-zz.1",
            "3-2-7.x",
            "../3-2-7.1",
            "3-2-7-1.1",
            "3-2-7.1.1",
        ] {
            assert!(bad.parse::<SnapshotId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_prefix_is_within_its_extension_and_loses_to_it() {
        let short = lineage(&[snapshot(1, 1, 3)]);
        let long = lineage(&[snapshot(1, 1, 3), snapshot(2, 2, 1)]);
        assert!(short.within(&long) && !long.within(&short));
        assert!(Lineage::genesis().within(&short));
        assert_eq!(short.compare_change(&long), Ordering::Less);
        assert_eq!(long.compare_change(&short), Ordering::Greater);
        assert_eq!(short.newest_common(&long), Some(snapshot(1, 1, 3)));
    }

    #[test]
    fn forks_have_a_newest_common_snapshot() {
        let left = lineage(&[snapshot(1, 1, 5)]);
        let right = lineage(&[snapshot(1, 1, 3), snapshot(2, 2, 4)]);
        assert!(!left.within(&right) && !right.within(&left));
        assert_eq!(left.newest_common(&right), Some(snapshot(1, 1, 3)));
        assert_eq!(
            left.up_to(Some(snapshot(1, 1, 3))).head(),
            Some(snapshot(1, 1, 3))
        );
        assert_eq!(left.newest_common(&lineage(&[snapshot(9, 9, 1)])), None);
    }

    #[test]
    fn an_older_or_repeated_snapshot_is_no_successor() {
        let line = lineage(&[snapshot(2, 1, 5)]);
        assert_eq!(line.with(snapshot(2, 1, 5), 0), None);
        assert_eq!(line.with(snapshot(1, 9, 6), 0), None);
        assert!(line.with(snapshot(2, 1, 6), 0).is_some());
        assert!(line.contains(snapshot(2, 1, 4)) && !line.contains(snapshot(2, 1, 6)));
    }

    #[test]
    fn what_a_crash_left_is_a_successor_whatever_the_next_boot_is() {
        let line = lineage(&[snapshot(2, 1, 5)]);
        let label = SnapshotId {
            epoch: Epoch {
                boot: BootId(3),
                ..epoch(2, 1)
            },
            sequence: 1,
        };
        assert!(label.epoch < epoch(2, 1), "the case that matters");
        let longer = line.with(label, 1).expect("a successor");
        assert!(line.within(&longer));
        assert_eq!(longer.with(snapshot(2, 1, 6), 1), None, "no way back");
    }

    #[test]
    fn a_fresh_label_may_sort_below_the_head_and_is_used_once() {
        let line = lineage(&[snapshot(3, 2, 5)]);
        let label = snapshot(3, 1, 1);
        assert_eq!(line.with(label, 0), None);
        let relabelled = line.with_fresh_label(label, 7).expect("a new label");
        assert!(line.within(&relabelled));
        assert_eq!(relabelled.head(), Some(label));
        assert_eq!(relabelled.weight_bytes(), 17);
        assert_eq!(relabelled.with_fresh_label(label, 7), None);
        assert_eq!(line.with_fresh_label(snapshot(3, 1, 2), 7), None);
    }
}
