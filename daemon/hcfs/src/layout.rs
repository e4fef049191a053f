//! Where things are in the pool. Every path is made of typed ids, so that no name that came over
//! the wire or from a customer can ever point elsewhere.
//!
//! ```text
//! live/<dataset>                          read-write; exists while live here (or after a crash)
//! live/<dataset>.json                     under which epoch it was opened
//! snapshots/<dataset>/<snapshot>          read-only
//! snapshots/<dataset>/<snapshot>.json     its record; a snapshot without a record is not there
//! incoming/<ticket>/<snapshot>            being received; emptied at every start
//! divergent/<dataset>/<head>/<head>       what the losing side of a netsplit wrote
//! trash/<dataset>/<snapshot>              the last snapshot of a deleted dataset
//! ```

use hwc_api::ids::DatasetId;
use hwc_api::ownership::SnapshotId;
use std::fmt;
use std::path::{Path, PathBuf};

/// The folders of a pool.
pub(crate) const FOLDERS: [&str; 5] = ["live", "snapshots", "incoming", "divergent", "trash"];

/// One filesystem of the pool, by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Volume {
    /// What a site or database reads and writes.
    Live(DatasetId),
    /// A snapshot of the dataset's main history.
    Snapshot(DatasetId, SnapshotId),
    /// The head of a divergent copy.
    Divergent(DatasetId, SnapshotId),
    /// The head of a deleted dataset.
    Trash(DatasetId, SnapshotId),
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live(dataset) => write!(f, "live data of dataset {dataset}"),
            Self::Snapshot(dataset, id) => write!(f, "snapshot {id} of dataset {dataset}"),
            Self::Divergent(dataset, id) => write!(f, "divergent copy {id} of dataset {dataset}"),
            Self::Trash(dataset, id) => write!(f, "deleted snapshot {id} of dataset {dataset}"),
        }
    }
}

/// The name of one hidden place for receiving: a random number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The paths of one pool.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// A pool that is mounted at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the pool is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where one of the pool's filesystems is.
    #[must_use]
    pub fn path(&self, volume: Volume) -> PathBuf {
        match volume {
            Volume::Live(dataset) => self.root.join("live").join(dataset.to_string()),
            Volume::Snapshot(dataset, id) => self.snapshots(dataset).join(id.to_string()),
            Volume::Divergent(dataset, id) => {
                let branch = self.divergent(dataset).join(id.to_string());
                branch.join(id.to_string())
            }
            Volume::Trash(dataset, id) => self.trash(dataset).join(id.to_string()),
        }
    }

    /// Where the record of one of the pool's filesystems is: beside it.
    #[must_use]
    pub fn record(&self, volume: Volume) -> PathBuf {
        let mut path = self.path(volume).into_os_string();
        path.push(".json");
        PathBuf::from(path)
    }

    /// The folder of a dataset's snapshots.
    #[must_use]
    pub fn snapshots(&self, dataset: DatasetId) -> PathBuf {
        self.root.join("snapshots").join(dataset.to_string())
    }

    /// The folder of a dataset's divergent copies.
    #[must_use]
    pub fn divergent(&self, dataset: DatasetId) -> PathBuf {
        self.root.join("divergent").join(dataset.to_string())
    }

    /// The folder of a deleted dataset.
    #[must_use]
    pub fn trash(&self, dataset: DatasetId) -> PathBuf {
        self.root.join("trash").join(dataset.to_string())
    }

    /// The folder for everything that is being received.
    #[must_use]
    pub fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// One hidden place for receiving.
    #[must_use]
    pub fn ticket(&self, ticket: Ticket) -> PathBuf {
        self.incoming().join(ticket.to_string())
    }

    /// Everything on disk that looks like one of the pool's filesystems by its place and name,
    /// complete or not, in order. Names that are none of ours are left alone.
    ///
    /// # Errors
    /// When a folder can't be read.
    pub(crate) fn found(&self) -> std::io::Result<Vec<Volume>> {
        let mut found = Vec::new();
        for dataset in numbered(&self.root.join("live"))? {
            found.push(Volume::Live(dataset));
        }
        for dataset in numbered(&self.root.join("snapshots"))? {
            let ids = named(&self.snapshots(dataset))?;
            found.extend(ids.into_iter().map(|id| Volume::Snapshot(dataset, id)));
        }
        for dataset in numbered(&self.root.join("divergent"))? {
            for id in named(&self.divergent(dataset))? {
                found.push(Volume::Divergent(dataset, id));
            }
        }
        for dataset in numbered(&self.root.join("trash"))? {
            let ids = named(&self.trash(dataset))?;
            found.extend(ids.into_iter().map(|id| Volume::Trash(dataset, id)));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Every record of a snapshot on disk, whether or not its filesystem is there.
    ///
    /// # Errors
    /// When a folder can't be read.
    pub(crate) fn found_records(&self) -> std::io::Result<Vec<Volume>> {
        let mut found = Vec::new();
        for dataset in numbered(&self.root.join("snapshots"))? {
            let ids = records(&self.snapshots(dataset))?;
            found.extend(ids.into_iter().map(|id| Volume::Snapshot(dataset, id)));
        }
        for dataset in numbered(&self.root.join("trash"))? {
            let ids = records(&self.trash(dataset))?;
            found.extend(ids.into_iter().map(|id| Volume::Trash(dataset, id)));
        }
        Ok(found)
    }
}

fn entries<T>(folder: &Path, parse: impl Fn(&str) -> Option<T>) -> std::io::Result<Vec<T>> {
    let mut found = Vec::new();
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in listing {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(&parse));
    }
    Ok(found)
}

/// The folders in `folder` that are named by a dataset, exactly as we write it.
fn numbered(folder: &Path) -> std::io::Result<Vec<DatasetId>> {
    entries(folder, |name| {
        let dataset: DatasetId = name.parse().ok()?;
        (dataset.to_string() == name).then_some(dataset)
    })
}

/// The folders in `folder` that are named by a snapshot, exactly as we write it.
fn named(folder: &Path) -> std::io::Result<Vec<SnapshotId>> {
    entries(folder, snapshot_name)
}

fn records(folder: &Path) -> std::io::Result<Vec<SnapshotId>> {
    entries(folder, |name| snapshot_name(name.strip_suffix(".json")?))
}

fn snapshot_name(name: &str) -> Option<SnapshotId> {
    let id: SnapshotId = name.parse().ok()?;
    (id.to_string() == name).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, NodeId};
    use hwc_api::ownership::Epoch;

    fn id() -> SnapshotId {
        SnapshotId {
            epoch: Epoch {
                counter: 3,
                node: NodeId(2),
                boot: BootId(0xc0ffee),
            },
            sequence: 17,
        }
    }

    #[test]
    fn paths_stay_inside_the_pool() {
        let layout = Layout::new("/srv/hwc");
        let shown = |volume| layout.path(volume).display().to_string();
        assert_eq!(shown(Volume::Live(DatasetId(7))), "/srv/hwc/live/7");
        assert_eq!(
            shown(Volume::Snapshot(DatasetId(7), id())),
            "/srv/hwc/snapshots/7/3-2-00c0ffee.17"
        );
        assert_eq!(
            layout.record(Volume::Divergent(DatasetId(7), id())),
            Path::new("/srv/hwc/divergent/7/3-2-00c0ffee.17/3-2-00c0ffee.17.json")
        );
    }

    #[test]
    fn only_our_own_names_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(folder.path());
        for name in [
            "live/7",
            "live/007",
            "live/x",
            "snapshots/7/3-2-00c0ffee.17",
            "snapshots/7/3-2-c0ffee.17",
            "snapshots/..hidden",
        ] {
            std::fs::create_dir_all(folder.path().join(name)).expect("made");
        }
        assert_eq!(
            layout.found().expect("readable"),
            [
                Volume::Live(DatasetId(7)),
                Volume::Snapshot(DatasetId(7), id())
            ]
        );
    }
}
