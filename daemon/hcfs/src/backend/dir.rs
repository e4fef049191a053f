//! Datasets as plain folders, snapshots as copies: for unit tests of everything above a backend,
//! on any filesystem and without privileges.
//!
//! It keeps the contract (identity, changes, atomic publishing) and none of the economy: a
//! snapshot copies everything, a stream holds the whole content in memory, changes are found by
//! looking again and again. Folders, files, symbolic links and permission bits only.

use super::{Backend, BackendError, Doing, Expected, Incoming, Outgoing, Result, Space, blocking};
use crate::layout::{FOLDERS, Layout, Ticket, Volume};
use crate::record::Guid;
use crate::watch::DirtyMarks;
use futures::FutureExt;
use futures::future::BoxFuture;
use hwc_api::ids::DatasetId;
use hwc_api::ownership::SnapshotId;
use hwc_runtime::lifecycle::Tasks;
use hwc_runtime::random::secret_bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How often live folders are looked at. Tests wait for it.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// The largest content that is sent: it is held in memory.
const CONTENT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A pool of plain folders.
#[derive(Debug, Clone)]
pub struct Dir {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    layout: Layout,
    /// What live folders held when last made or snapshotted.
    live: Mutex<BTreeMap<DatasetId, blake3::Hash>>,
}

/// One thing in a folder, by its path from the top.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    path: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Folder { mode: u32 },
    File { mode: u32, content: Vec<u8> },
    Link { target: Vec<u8> },
}

/// What a stream holds.
#[derive(Serialize, Deserialize)]
struct Stream {
    name: String,
    guid: Guid,
    parent: Option<Guid>,
    entries: Vec<Entry>,
}

impl Dir {
    /// The pool in the layout's root folder, which must exist.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        let shared = Shared {
            layout,
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

impl Backend for Dir {
    fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        self.blocking("prepare the pool", |shared| {
            for name in FOLDERS {
                make_folders(&shared.layout.root().join(name))?;
            }
            Ok(())
        })
    }

    fn clear_incoming(&self) -> BoxFuture<'_, Result<()>> {
        self.blocking("clear incoming", |shared| {
            remove_all(&shared.layout.incoming())?;
            make_folders(&shared.layout.incoming())
        })
    }

    fn create_live(
        &self,
        dataset: DatasetId,
        from: Option<SnapshotId>,
    ) -> BoxFuture<'_, Result<()>> {
        self.blocking("create live data", move |shared| {
            let path = shared.layout.path(Volume::Live(dataset));
            fs::create_dir(&path).doing("create", Volume::Live(dataset))?;
            if let Some(from) = from {
                let source = shared.layout.path(Volume::Snapshot(dataset, from));
                write_entries(&path, &read_entries(&source)?)?;
            }
            shared.remember(dataset)
        })
    }

    fn snapshot_live(
        &self,
        dataset: DatasetId,
        snapshot: SnapshotId,
    ) -> BoxFuture<'_, Result<Guid>> {
        self.blocking("snapshot", move |shared| {
            let guid = Guid(secret_bytes());
            let source = shared.layout.path(Volume::Live(dataset));
            shared.fill(Volume::Snapshot(dataset, snapshot), &source, guid)?;
            shared.remember(dataset)?;
            Ok(guid)
        })
    }

    fn is_changed(
        &self,
        dataset: DatasetId,
        since: Option<SnapshotId>,
    ) -> BoxFuture<'_, Result<bool>> {
        self.blocking("look for changes", move |shared| {
            let live = read_entries(&shared.layout.path(Volume::Live(dataset)))?;
            Ok(match since {
                Some(since) => {
                    let volume = Volume::Snapshot(dataset, since);
                    live != read_entries(&shared.layout.path(volume))?
                }
                None => !live.is_empty(),
            })
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
            let read = |id| read_entries(&shared.layout.path(Volume::Snapshot(dataset, id)));
            let before = since.map(read).transpose()?.unwrap_or_default();
            let changed = read(snapshot)?
                .iter()
                .filter(|entry| !before.contains(entry))
                .map(Entry::bytes)
                .sum();
            Ok(changed)
        })
    }

    fn copy(&self, from: Volume, to: Volume) -> BoxFuture<'_, Result<()>> {
        self.blocking("copy", move |shared| {
            let guid = shared.guid(from)?;
            if shared.guid(to).is_ok_and(|there| there == guid) {
                return Ok(());
            }
            shared.fill(to, &shared.layout.path(from), guid)
        })
    }

    fn delete(&self, volume: Volume) -> BoxFuture<'_, Result<()>> {
        self.blocking("delete", move |shared| {
            remove_all(&shared.layout.path(volume))?;
            remove_all(&guid_path(&shared.layout, volume))?;
            if let Volume::Live(dataset) = volume {
                shared.lock_live().remove(&dataset);
            }
            Ok(())
        })
    }

    fn send(
        &self,
        volume: Volume,
        parent: Option<Volume>,
    ) -> BoxFuture<'_, Result<Box<dyn Outgoing>>> {
        self.blocking("send", move |shared| {
            let name = shared.layout.path(volume);
            let name = name.file_name().unwrap_or_default();
            let stream = Stream {
                name: name.to_string_lossy().into_owned(),
                guid: shared.guid(volume)?,
                parent: parent.map(|parent| shared.guid(parent)).transpose()?,
                entries: read_entries(&shared.layout.path(volume))?,
            };
            let bytes = postcard::to_stdvec(&stream).map_err(io::Error::other);
            let bytes = bytes.doing("send", volume)?;
            Ok(Box::new(Sending { bytes, at: 0 }) as Box<dyn Outgoing>)
        })
    }

    fn receive(
        &self,
        ticket: Ticket,
        expected: Expected,
    ) -> BoxFuture<'_, Result<Box<dyn Incoming>>> {
        self.blocking("receive", move |shared| {
            let folder = shared.layout.ticket(ticket);
            fs::create_dir(&folder).doing("make", folder.display())?;
            Ok(Box::new(Receiving {
                folder,
                expected,
                bytes: Vec::new(),
            }) as Box<dyn Incoming>)
        })
    }

    fn publish(
        &self,
        ticket: Ticket,
        snapshot: SnapshotId,
        to: Volume,
    ) -> BoxFuture<'_, Result<()>> {
        self.blocking("publish", move |shared| {
            let hidden = shared.layout.ticket(ticket);
            let guid = hidden.join("guid");
            let bytes = fs::read(&guid).doing("read", guid.display())?;
            let place = shared.layout.path(to);
            remove_all(&place)?;
            if let Some(folder) = place.parent() {
                make_folders(folder)?;
            }
            fs::write(guid_path(&shared.layout, to), bytes).doing("publish", to)?;
            fs::rename(hidden.join(snapshot.to_string()), &place).doing("publish", to)?;
            remove_all(&hidden)
        })
    }

    fn abandon(&self, ticket: Ticket) -> BoxFuture<'_, Result<()>> {
        self.blocking("abandon", move |shared| {
            remove_all(&shared.layout.ticket(ticket))
        })
    }

    fn sync(&self) -> BoxFuture<'_, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn watch(&self, marks: DirtyMarks, tasks: &Tasks) -> Result<()> {
        let backend = self.clone();
        tasks.spawn_until_stopped("watch the pool", async move {
            loop {
                tokio::time::sleep(LOOK_INTERVAL).await;
                for dataset in backend.changed_live().await.unwrap_or_default() {
                    marks.mark(dataset);
                }
            }
        });
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
            let entries = read_entries(&shared.layout.path(volume))?;
            Ok(entries.iter().map(Entry::bytes).sum())
        })
    }
}

impl Shared {
    /// Makes a volume as a copy of a folder; the identity goes last, so that a volume without one
    /// is unfinished.
    fn fill(&self, volume: Volume, source: &Path, guid: Guid) -> Result<()> {
        let path = self.layout.path(volume);
        remove_all(&path)?;
        make_folders(&path)?;
        write_entries(&path, &read_entries(source)?)?;
        fs::write(guid_path(&self.layout, volume), guid.0).doing("make", volume)
    }

    fn guid(&self, volume: Volume) -> Result<Guid> {
        let bytes = fs::read(guid_path(&self.layout, volume)).doing("identify", volume)?;
        let guid = bytes
            .try_into()
            .map_err(|_bytes| io::Error::from(io::ErrorKind::InvalidData));
        guid.map(Guid).doing("identify", volume)
    }

    fn remember(&self, dataset: DatasetId) -> Result<()> {
        let digest = digest(&self.layout.path(Volume::Live(dataset)))?;
        self.lock_live().insert(dataset, digest);
        Ok(())
    }

    fn changed_live(&self) -> Result<Vec<DatasetId>> {
        let known = self.lock_live().clone();
        let mut changed = Vec::new();
        for (dataset, before) in known {
            // A folder that changes while it is read has changed.
            let now = digest(&self.layout.path(Volume::Live(dataset)));
            if now.is_ok_and(|now| now != before) {
                changed.push(dataset);
            }
        }
        Ok(changed)
    }

    fn lock_live(&self) -> std::sync::MutexGuard<'_, BTreeMap<DatasetId, blake3::Hash>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn bytes(&self) -> u64 {
        match &self.kind {
            Kind::File { content, .. } => content.len() as u64 + 160,
            Kind::Folder { .. } | Kind::Link { .. } => 160,
        }
    }
}

fn guid_path(layout: &Layout, volume: Volume) -> PathBuf {
    let mut path = layout.path(volume).into_os_string();
    path.push(".guid");
    PathBuf::from(path)
}

fn digest(folder: &Path) -> Result<blake3::Hash> {
    let entries = read_entries(folder)?;
    let bytes = postcard::to_stdvec(&entries).map_err(io::Error::other);
    Ok(blake3::hash(&bytes.doing("read", folder.display())?))
}

/// Everything in a folder, in order, folders before what is in them.
fn read_entries(top: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let listing = fs::read_dir(top.join(&folder)).doing("read", top.display())?;
        for item in listing {
            let name = item.doing("read", top.display())?.file_name();
            let path = folder.join(name);
            let kind = read_kind(&top.join(&path)).doing("read", path.display())?;
            if matches!(kind, Kind::Folder { .. }) {
                folders.push(path.clone());
            }
            entries.push(Entry {
                path: path.into_os_string().into_vec(),
                kind,
            });
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn read_kind(path: &Path) -> io::Result<Kind> {
    let metadata = fs::symlink_metadata(path)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if metadata.is_dir() {
        return Ok(Kind::Folder { mode });
    }
    if metadata.is_symlink() {
        let target = fs::read_link(path)?.into_os_string().into_vec();
        return Ok(Kind::Link { target });
    }
    let content = fs::read(path)?;
    Ok(Kind::File { mode, content })
}

fn write_entries(top: &Path, entries: &[Entry]) -> Result<()> {
    for entry in entries {
        let path = Path::new(std::ffi::OsStr::from_bytes(&entry.path));
        let is_inside = path
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if !is_inside {
            return Err(io::Error::from(io::ErrorKind::InvalidData)).doing("write", path.display());
        }
        write_kind(&top.join(path), &entry.kind).doing("write", path.display())?;
    }
    Ok(())
}

fn write_kind(path: &Path, kind: &Kind) -> io::Result<()> {
    let mode = match kind {
        Kind::Folder { mode } => {
            fs::create_dir(path)?;
            *mode
        }
        Kind::File { mode, content } => {
            fs::write(path, content)?;
            *mode
        }
        Kind::Link { target } => {
            return std::os::unix::fs::symlink(OsString::from_vec(target.clone()), path);
        }
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn make_folders(path: &Path) -> Result<()> {
    fs::create_dir_all(path).doing("make", path.display())
}

fn remove_all(path: &Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let removed = if is_folder {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
    .doing("remove", path.display())
}

struct Sending {
    bytes: Vec<u8>,
    at: usize,
}

impl AsyncRead for Sending {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..length).unwrap_or_default());
        self.at += length;
        Poll::Ready(Ok(()))
    }
}

impl Outgoing for Sending {
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async { Ok(()) }.boxed()
    }
}

struct Receiving {
    folder: PathBuf,
    expected: Expected,
    bytes: Vec<u8>,
}

impl AsyncWrite for Receiving {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.bytes.len().saturating_add(data.len()) > CONTENT_BYTES_MAX {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        self.bytes.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Incoming for Receiving {
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        blocking("receive", move || {
            let Self {
                folder,
                expected,
                bytes,
            } = *self;
            let stream: Stream = postcard::from_bytes(&bytes)
                .map_err(io::Error::other)
                .doing("understand", "a stream")?;
            let name = expected.snapshot.to_string();
            if stream.name != name || stream.guid != expected.guid {
                return Err(BackendError::Unexpected {
                    expected: format!("{name} ({})", expected.guid),
                    found: format!("{} ({})", stream.name, stream.guid),
                });
            }
            let path = folder.join(name);
            make_folders(&path)?;
            write_entries(&path, &stream.entries)?;
            fs::write(folder.join("guid"), expected.guid.0).doing("receive", "a stream")
        })
        .boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}
