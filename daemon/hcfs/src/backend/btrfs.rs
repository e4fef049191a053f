//! Datasets on btrfs: a subvolume each, snapshots by ioctl, streams by `btrfs send` and `receive`.
//!
//! The pool's top level must be mounted (`subvolid=5`), because one fanotify mark sees all
//! subvolumes only there, and because `receive` must reach the parents.
//!
//! Identity: a subvolume's received uuid, or its own where it has none; send streams name it, so
//! it travels. btrfs-progs before 6.11 look for the source of shared data by received uuid only,
//! which breaks the way back to the node where a snapshot was born; with such a version snapshots
//! are stamped with their own uuid as received uuid, at the price of two more commits.

mod ioctl;
mod stream;
mod tree;

use super::{Backend, BackendError, Doing, Expected, Incoming, Outgoing, Result, Space, blocking};
use crate::layout::{FOLDERS, Layout, Ticket, Volume};
use crate::record::Guid;
use crate::watch::DirtyMarks;
use crate::watch::fanotify::Watcher;
use futures::FutureExt;
use futures::future::BoxFuture;
use hwc_api::ids::DatasetId;
use hwc_api::ownership::SnapshotId;
use hwc_runtime::command::run;
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

const BTRFS_MAGIC: u64 = 0x9123_683e;
const TOP_LEVEL: u64 = 5;
/// The inode number of the root folder of every subvolume.
const SUBVOLUME_ROOT_INODE: u64 = 256;
/// The first btrfs-progs whose `receive` finds the source of shared data by its own uuid too.
const FIRST_WITHOUT_STAMPS: (u32, u32) = (6, 11);
/// Subvolumes inside a subvolume inside …: a customer's doing, so bounded.
const NESTED_MAX: usize = 10_000;

/// A btrfs pool.
#[derive(Debug, Clone)]
pub struct Btrfs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    layout: Layout,
    program: PathBuf,
    stamps: AtomicBool,
    live: Mutex<BTreeMap<u64, LiveVolume>>,
}

/// What is known of a live subvolume, by its id.
#[derive(Debug, Clone, Copy)]
struct LiveVolume {
    dataset: DatasetId,
    /// The transaction of its newest snapshot, or of its making: a higher one changed it.
    base: u64,
}

impl Btrfs {
    /// The pool mounted at the layout's root.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self::with_program(layout, "btrfs")
    }

    /// The same, with another `btrfs` program than the one in the path.
    #[must_use]
    pub fn with_program(layout: Layout, program: impl Into<PathBuf>) -> Self {
        let shared = Shared {
            layout,
            program: program.into(),
            stamps: AtomicBool::new(true),
            live: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn blocking<T, F>(&self, doing: &'static str, work: F) -> BoxFuture<'_, Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Shared) -> Result<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        blocking(doing, move || work(&shared)).boxed()
    }
}

impl Backend for Btrfs {
    fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        async {
            let version = run(&self.shared.program, ["--version"]).success().await?;
            let needs_stamps =
                parse_version(&version.text()).is_none_or(|v| v < FIRST_WITHOUT_STAMPS);
            self.shared.stamps.store(needs_stamps, Ordering::Relaxed);
            self.blocking("prepare the pool", Shared::prepare).await
        }
        .boxed()
    }

    fn clear_incoming(&self) -> BoxFuture<'_, Result<()>> {
        self.blocking("clear incoming", |shared| {
            let folder = shared.layout.incoming();
            for entry in fs::read_dir(&folder).doing("read", folder.display())? {
                let entry = entry.doing("read", folder.display())?;
                shared.remove_hidden(&entry.path())?;
            }
            Ok(())
        })
    }

    fn create_live(
        &self,
        dataset: DatasetId,
        from: Option<SnapshotId>,
    ) -> BoxFuture<'_, Result<()>> {
        self.blocking("create live data", move |shared| {
            shared.create_live(dataset, from)
        })
    }

    fn snapshot_live(
        &self,
        dataset: DatasetId,
        snapshot: SnapshotId,
    ) -> BoxFuture<'_, Result<Guid>> {
        self.blocking("snapshot", move |shared| {
            shared.snapshot_live(dataset, snapshot)
        })
    }

    fn is_changed(
        &self,
        dataset: DatasetId,
        since: Option<SnapshotId>,
    ) -> BoxFuture<'_, Result<bool>> {
        self.blocking("look for changes", move |shared| {
            shared.sync()?;
            let live = shared.info(Volume::Live(dataset))?;
            let base = match since {
                Some(since) => shared.base(&live, Volume::Snapshot(dataset, since))?,
                None => Some(live.made_in),
            };
            Ok(base.is_none_or(|base| live.generation > base))
        })
    }

    fn changed_live(&self) -> BoxFuture<'_, Result<Vec<DatasetId>>> {
        self.blocking("scan for changes", Shared::changed_live)
    }

    fn changed_bytes(
        &self,
        dataset: DatasetId,
        since: Option<SnapshotId>,
        snapshot: SnapshotId,
    ) -> BoxFuture<'_, Result<u64>> {
        self.blocking("count changes", move |shared| {
            let live = shared.info(Volume::Live(dataset))?;
            let base = match since {
                Some(since) => shared.base(&live, Volume::Snapshot(dataset, since))?,
                None => None,
            };
            let volume = Volume::Snapshot(dataset, snapshot);
            let folder = shared.open(volume)?;
            tree::changed_bytes(folder.as_fd(), base.unwrap_or(live.made_in))
                .doing("count changes of", volume)
        })
    }

    fn copy(&self, from: Volume, to: Volume) -> BoxFuture<'_, Result<()>> {
        self.blocking("copy", move |shared| shared.copy(from, to))
    }

    fn delete(&self, volume: Volume) -> BoxFuture<'_, Result<()>> {
        self.blocking("delete", move |shared| {
            shared.delete_at(&shared.layout.path(volume))?;
            if let Volume::Live(dataset) = volume {
                shared.forget_live(dataset);
            }
            Ok(())
        })
    }

    fn send(
        &self,
        volume: Volume,
        parent: Option<Volume>,
    ) -> BoxFuture<'_, Result<Box<dyn Outgoing>>> {
        let paths = (
            self.shared.layout.path(volume),
            parent.map(|parent| self.shared.layout.path(parent)),
        );
        let sent = stream::send(&self.shared.program, &paths.0, paths.1.as_deref());
        async { sent }.boxed()
    }

    fn receive(
        &self,
        ticket: Ticket,
        expected: Expected,
    ) -> BoxFuture<'_, Result<Box<dyn Incoming>>> {
        async move {
            let folder = self.shared.layout.ticket(ticket);
            fs::create_dir(&folder).doing("make", folder.display())?;
            stream::receive(&self.shared.program, &folder, expected)
        }
        .boxed()
    }

    fn publish(
        &self,
        ticket: Ticket,
        snapshot: SnapshotId,
        to: Volume,
    ) -> BoxFuture<'_, Result<()>> {
        self.blocking("publish", move |shared| {
            shared.publish(ticket, snapshot, to)
        })
    }

    fn abandon(&self, ticket: Ticket) -> BoxFuture<'_, Result<()>> {
        self.blocking("abandon", move |shared| {
            shared.remove_hidden(&shared.layout.ticket(ticket))
        })
    }

    fn sync(&self) -> BoxFuture<'_, Result<()>> {
        self.blocking("sync", Shared::sync)
    }

    fn watch(&self, marks: DirtyMarks, tasks: &Tasks) -> Result<()> {
        let root = self.shared.layout.root();
        let watcher = Watcher::new(root).doing("watch", root.display())?;
        let shared = Arc::clone(&self.shared);
        tasks.spawn_until_stopped("watch the pool", watch(watcher, shared, marks));
        Ok(())
    }

    fn space(&self) -> BoxFuture<'_, Result<Space>> {
        self.blocking("measure the pool", |shared| {
            let root = shared.layout.root();
            let stat = rustix::fs::statvfs(root).doing("measure", root.display())?;
            Ok(Space {
                total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
                free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            })
        })
    }

    fn used_bytes(&self, volume: Volume) -> BoxFuture<'_, Result<u64>> {
        self.blocking("measure a volume", move |shared| {
            let folder = shared.open(volume)?;
            tree::used_bytes(folder.as_fd()).doing("measure", volume)
        })
    }
}

/// Marks the datasets of changed subvolumes, for ever.
async fn watch(mut watcher: Watcher, shared: Arc<Shared>, marks: DirtyMarks) {
    loop {
        match watcher.next().await {
            Ok(changes) => {
                for id in changes.subvolumes {
                    if let Some(live) = shared.live(id) {
                        marks.mark(live.dataset);
                    }
                }
                if changes.is_lossy {
                    tracing::debug!("change events were lost, scanning");
                    marks.ask_for_scan();
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the change watcher ended; changes are found by scanning only"
                );
                return;
            }
        }
    }
}

impl Shared {
    fn prepare(&self) -> Result<()> {
        let root = self.layout.root();
        let refuse = |advice: &str| {
            Err(BackendError::NotAPool {
                path: root.to_owned(),
                advice: advice.to_owned(),
            })
        };
        let stat = rustix::fs::statfs(root).doing("open", root.display())?;
        if u64::try_from(stat.f_type).ok() != Some(BTRFS_MAGIC) {
            return refuse(
                "it is not on btrfs; mount a btrfs filesystem there with `-o subvolid=5,noatime`",
            );
        }
        let folder = File::open(root).doing("open", root.display())?;
        let info = ioctl::info(folder.as_fd()).doing("describe", root.display())?;
        let inode = folder.metadata().doing("describe", root.display())?.ino();
        if info.id != TOP_LEVEL || inode != SUBVOLUME_ROOT_INODE {
            return refuse(
                "it is not the top of its btrfs filesystem; mount that there with `-o subvolid=5,noatime`",
            );
        }
        let flags = rustix::fs::statvfs(root).doing("describe", root.display())?;
        if !flags
            .f_flag
            .contains(rustix::fs::StatVfsMountFlags::NOATIME)
        {
            tracing::warn!(
                pool = %root.display(),
                "the pool is mounted without noatime: reading files makes needless snapshots"
            );
        }
        for name in FOLDERS {
            // Services walk through `live` to their own dataset and can't list it; old states are
            // nobody's but ours.
            let mode = if name == "live" { 0o711 } else { 0o700 };
            make_folder(&root.join(name), mode)?;
        }
        Ok(())
    }

    fn open(&self, volume: Volume) -> Result<File> {
        open_folder(&self.layout.path(volume)).doing("open", volume)
    }

    fn info(&self, volume: Volume) -> Result<ioctl::Info> {
        let folder = self.open(volume)?;
        ioctl::info(folder.as_fd()).doing("describe", volume)
    }

    fn pool(&self) -> Result<File> {
        open_folder(self.layout.root()).doing("open", self.layout.root().display())
    }

    fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(self.pool()?).doing("sync", self.layout.root().display())
    }

    fn create_live(&self, dataset: DatasetId, from: Option<SnapshotId>) -> Result<()> {
        let volume = Volume::Live(dataset);
        let (folder, name) = self.parent(volume)?;
        match from {
            Some(from) => {
                let source = self.open(Volume::Snapshot(dataset, from))?;
                ioctl::snapshot(folder.as_fd(), &name, source.as_fd(), false)
            }
            None => ioctl::create(folder.as_fd(), &name),
        }
        .doing("create", volume)?;
        let info = self.info(volume)?;
        let live = LiveVolume {
            dataset,
            base: info.made_in,
        };
        self.lock_live().insert(info.id, live);
        Ok(())
    }

    fn snapshot_live(&self, dataset: DatasetId, snapshot: SnapshotId) -> Result<Guid> {
        let volume = Volume::Snapshot(dataset, snapshot);
        let source = self.open(Volume::Live(dataset))?;
        self.make_place(volume)?;
        let (folder, name) = self.parent(volume)?;
        let stamps = self.stamps.load(Ordering::Relaxed);
        ioctl::snapshot(folder.as_fd(), &name, source.as_fd(), !stamps)
            .doing("snapshot", volume)?;
        let taken = self.open(volume)?;
        let mut info = ioctl::info(taken.as_fd()).doing("describe", volume)?;
        if stamps {
            ioctl::stamp(taken.as_fd(), info.uuid, info.made_in).doing("stamp", volume)?;
            ioctl::set_read_only(taken.as_fd()).doing("freeze", volume)?;
            info.received_uuid = info.uuid;
        }
        let live = ioctl::info(source.as_fd()).doing("describe", Volume::Live(dataset))?;
        let entry = LiveVolume {
            dataset,
            base: info.made_in,
        };
        self.lock_live().insert(live.id, entry);
        Ok(info.guid())
    }

    /// The transaction up to which live data is what `snapshot` is; none if they aren't related.
    fn base(&self, live: &ioctl::Info, snapshot: Volume) -> Result<Option<u64>> {
        let snapshot = self.info(snapshot)?;
        Ok(if snapshot.parent_uuid == live.uuid {
            Some(snapshot.made_in)
        } else if live.parent_uuid == snapshot.uuid {
            Some(live.made_in)
        } else {
            None
        })
    }

    fn changed_live(&self) -> Result<Vec<DatasetId>> {
        self.sync()?;
        let pool = self.pool()?;
        let generations = tree::generations(pool.as_fd()).doing("scan", "the pool")?;
        let live = self.lock_live();
        let is_changed = |(id, volume): (&u64, &LiveVolume)| {
            let generation = *generations.get(id)?;
            (generation > volume.base).then_some(volume.dataset)
        };
        Ok(live.iter().filter_map(is_changed).collect())
    }

    /// A read-only subvolume can't be renamed into another folder. A read-only snapshot of it takes
    /// its place: it inherits the identity, writes out what is not on disk yet, and is committed
    /// when the call returns.
    fn publish(&self, ticket: Ticket, snapshot: SnapshotId, to: Volume) -> Result<()> {
        let hidden = self.layout.ticket(ticket);
        let received = hidden.join(snapshot.to_string());
        let source = open_folder(&received).doing("open", received.display())?;
        self.make_place(to)?;
        let (folder, name) = self.parent(to)?;
        ioctl::snapshot(folder.as_fd(), &name, source.as_fd(), true).doing("publish", to)?;
        drop(source);
        if let Err(error) = self.remove_hidden(&hidden) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a hidden place is left until the next start");
        }
        Ok(())
    }

    fn copy(&self, from: Volume, to: Volume) -> Result<()> {
        let source = self.open(from)?;
        let original = ioctl::info(source.as_fd()).doing("describe", from)?;
        if let Ok(there) = self.info(to)
            && there.is_read_only
            && there.guid() == original.guid()
        {
            return self.sync();
        }
        self.make_place(to)?;
        let (folder, name) = self.parent(to)?;
        // A received uuid is inherited by a read-only snapshot; one that is only the original's own
        // must be given to the copy.
        let inherits = original.received_uuid != [0; 16];
        ioctl::snapshot(folder.as_fd(), &name, source.as_fd(), inherits).doing("copy", from)?;
        if !inherits {
            let copy = self.open(to)?;
            ioctl::stamp(copy.as_fd(), original.uuid, original.made_in).doing("stamp", to)?;
            ioctl::set_read_only(copy.as_fd()).doing("freeze", to)?;
        }
        self.sync()
    }

    /// Makes the folder that a volume will be in, and removes an unfinished volume of that name.
    fn make_place(&self, volume: Volume) -> Result<PathBuf> {
        let path = self.layout.path(volume);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .doing("make", folder.display())?;
        }
        self.delete_at(&path)?;
        Ok(path)
    }

    fn parent(&self, volume: Volume) -> Result<(File, String)> {
        let path = self.layout.path(volume);
        let name = path.file_name().and_then(|name| name.to_str());
        match (path.parent(), name) {
            (Some(folder), Some(name)) => {
                let opened = open_folder(folder).doing("open", folder.display())?;
                Ok((opened, name.to_owned()))
            }
            (Some(_) | None, _) => Err(io::Error::from(io::ErrorKind::InvalidInput))
                .doing("open the folder of", volume),
        }
    }

    /// Deletes the subvolume at a path with everything nested in it.
    fn delete_at(&self, path: &Path) -> Result<()> {
        let folder = match open_folder(path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).doing("open", path.display()),
        };
        let inode = folder.metadata().doing("describe", path.display())?.ino();
        let info = ioctl::info(folder.as_fd()).doing("describe", path.display())?;
        if inode != SUBVOLUME_ROOT_INODE || info.id == TOP_LEVEL {
            return Err(io::Error::other("is no subvolume")).doing("delete", path.display());
        }
        drop(folder);
        self.destroy_with_children(info.id)
            .doing("delete", path.display())
    }

    /// A subvolume can only be deleted when none is inside it; a customer's program may have made
    /// some. They are in no snapshot, and lost.
    fn destroy_with_children(&self, id: u64) -> io::Result<()> {
        let pool = open_folder(self.layout.root())?;
        let mut all = vec![id];
        let mut next = 0;
        while let Some(parent) = all.get(next).copied() {
            all.extend(tree::children(pool.as_fd(), parent)?);
            next += 1;
            if all.len() > NESTED_MAX {
                return Err(io::Error::other("has too many subvolumes nested in it"));
            }
        }
        if all.len() > 1 {
            let count = all.len() - 1;
            tracing::warn!(subvolume = id, count, "nested subvolumes are deleted too");
        }
        for id in all.into_iter().rev() {
            ioctl::destroy(pool.as_fd(), id)?;
        }
        Ok(())
    }

    /// Removes a hidden place: whatever `receive` left in it, then itself.
    fn remove_hidden(&self, folder: &Path) -> Result<()> {
        let listing = match fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).doing("read", folder.display()),
        };
        for entry in listing {
            let path = entry.doing("read", folder.display())?.path();
            self.delete_at(&path)?;
        }
        fs::remove_dir(folder).doing("remove", folder.display())
    }

    fn live(&self, id: u64) -> Option<LiveVolume> {
        self.lock_live().get(&id).copied()
    }

    fn forget_live(&self, dataset: DatasetId) {
        self.lock_live().retain(|_id, live| live.dataset != dataset);
    }

    fn lock_live(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, LiveVolume>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_folder(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn make_folder(path: &Path, mode: u32) -> Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
    }
    .doing("make", path.display())
}

/// `btrfs-progs v6.14` in the first line of `btrfs --version`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (_name, version) = text.lines().next()?.split_once(" v")?;
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    let major = numbers.next()?.ok()?;
    let minor = numbers.next().and_then(std::result::Result::ok);
    Some((major, minor.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_understood() {
        assert_eq!(parse_version("btrfs-progs v6.2\n"), Some((6, 2)));
        assert_eq!(
            parse_version("btrfs-progs v6.14\n-EXPERIMENTAL"),
            Some((6, 14))
        );
        assert_eq!(parse_version("btrfs-progs v6.11.1"), Some((6, 11)));
        assert_eq!(parse_version("btrfs-progs v7"), Some((7, 0)));
        assert_eq!(parse_version("something"), None);
    }
}
