//! Records what the brain sees: a bounded journal on this node's disk (`state/journal/*.hwcj`).
//!
//! The conductor hands over each event and never waits: when the disk can't keep up, the segment
//! ends with what was written, and the next one begins with a new checkpoint.

use crate::journals::WholeSegment;
use anyhow::Context;
use hwc_api::ids::{BootId, ClusterId};
use hwc_api::time::WallTime;
use hwc_journal::{Entry, Head, SegmentWriter, is_readable, whole_bytes};
use hwc_runtime::lifecycle::Tasks;
use hwc_state_machine::{Event, Millis, StateMachine};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// All segments of a node together are not longer than this, bytes.
const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A segment is closed once it is longer than this, bytes.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Events that wait to be written.
const QUEUE: usize = 10_000;
/// Between two writings.
const INTERVAL: Duration = Duration::from_secs(1);
/// How the files of segments end.
const EXTENSION: &str = "hwcj";

/// Where the conductor hands over events.
#[derive(Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Record>,
    wants_checkpoint: Arc<AtomicBool>,
    cluster: ClusterId,
    boot: BootId,
}

#[derive(Debug)]
enum Record {
    Begin(Box<(Head, StateMachine)>),
    Event(Box<Entry>),
}

impl Recorder {
    /// Begins to record into a folder, which is made if need be.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn begin(
        folder: &Path,
        cluster: ClusterId,
        boot: BootId,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("make the folder {}", folder.display()))?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let wants_checkpoint = Arc::new(AtomicBool::new(true));
        let writer = Writer {
            folder: folder.to_owned(),
            wants_checkpoint: Arc::clone(&wants_checkpoint),
            open: None,
        };
        tasks.spawn("journal of the brain", writer.run(waiting, tasks.token()));
        Ok(Self {
            queue,
            wants_checkpoint,
            cluster,
            boot,
        })
    }

    /// Records an event that `brain` is about to be given.
    pub fn record(&self, brain: &StateMachine, at: Millis, wall: WallTime, event: &Event) {
        if self.wants_checkpoint.load(Ordering::Relaxed) {
            let head = Head {
                cluster: self.cluster.clone(),
                node: brain.me().node,
                boot: self.boot,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                at,
                wall,
            };
            let begin = Record::Begin(Box::new((head, brain.clone())));
            if self.queue.try_send(begin).is_err() {
                return;
            }
            self.wants_checkpoint.store(false, Ordering::Relaxed);
        }
        let entry = Entry {
            at,
            wall,
            event: event.clone(),
        };
        if self.queue.try_send(Record::Event(Box::new(entry))).is_err() {
            tracing::warn!("the disk is too slow for the journal; it goes on with a new segment");
            self.wants_checkpoint.store(true, Ordering::Relaxed);
        }
    }
}

/// Writes segments.
struct Writer {
    folder: PathBuf,
    wants_checkpoint: Arc<AtomicBool>,
    open: Option<(SegmentWriter, File)>,
}

impl Writer {
    async fn run(
        mut self,
        mut waiting: mpsc::Receiver<Record>,
        stop: tokio_util::sync::CancellationToken,
    ) {
        let mut batch = Vec::new();
        while !stop.is_cancelled() {
            let _stopped = stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
            while let Ok(record) = waiting.try_recv() {
                batch.push(record);
            }
            if let Err(error) = self.write(batch.drain(..)).await {
                tracing::warn!(error = format!("{error:#}"), "the journal is not written");
                self.open = None;
                self.wants_checkpoint.store(true, Ordering::Relaxed);
            }
        }
    }

    async fn write(&mut self, records: impl Iterator<Item = Record>) -> anyhow::Result<()> {
        for record in records {
            match record {
                Record::Begin(begin) => {
                    self.flush().await?;
                    let (head, brain) = *begin;
                    let segment = SegmentWriter::begin(&head, &brain)?;
                    self.open = Some((segment, self.create(head.boot).await?));
                }
                Record::Event(entry) => {
                    if let Some((segment, _)) = &mut self.open {
                        segment.add(&entry)?;
                    }
                }
            }
        }
        self.flush().await
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        let Some((segment, file)) = &mut self.open else {
            return Ok(());
        };
        let bytes = segment.take();
        if bytes.is_empty() {
            return Ok(());
        }
        file.write_all(&bytes).await.context("write the journal")?;
        file.flush().await.context("write the journal")?;
        if segment.written() > SEGMENT_BYTES {
            self.wants_checkpoint.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A new file after all others; the oldest go where there are too many.
    async fn create(&self, boot: BootId) -> anyhow::Result<File> {
        let segments = segments(&self.folder)?;
        let last = segments.last().map_or(0, |segment| segment.number);
        let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
        for old in &segments {
            if total + SEGMENT_BYTES <= JOURNAL_BYTES_MAX {
                break;
            }
            std::fs::remove_file(&old.path)
                .with_context(|| format!("remove {}", old.path.display()))?;
            total -= old.bytes;
        }
        let name = format!("{:010}-{boot}.{EXTENSION}", last + 1);
        let path = self.folder.join(name);
        OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .await
            .with_context(|| format!("make {}", path.display()))
    }
}

/// A segment on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Counts up over all starts.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its length, bytes.
    pub bytes: u64,
}

/// The segments in a folder, the oldest first.
///
/// # Errors
/// When the folder can't be read.
pub fn segments(folder: &Path) -> anyhow::Result<Vec<SegmentFile>> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.context("read the journal's folder")?;
        let path = entry.path();
        let is_segment = path.extension().is_some_and(|end| end == EXTENSION);
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.split('-').next()?.parse().ok());
        let Some(number) = number.filter(|_| is_segment) else {
            continue;
        };
        let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
        found.push(SegmentFile {
            number,
            path,
            bytes,
        });
    }
    found.sort_by_key(|segment| segment.number);
    Ok(found)
}

/// Everything that was recorded and can be read, in order; the newest events may still be on their
/// way to the disk.
///
/// # Errors
/// When it can't be read.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut all = Vec::new();
    for segment in segments(folder)? {
        let mut bytes = std::fs::read(&segment.path)
            .with_context(|| format!("read {}", segment.path.display()))?;
        bytes.truncate(readable_bytes(&bytes));
        all.extend(bytes);
    }
    Ok(all)
}

/// The segments in a folder, the oldest first, each up to its last whole block: what a crash cut
/// short ends its segment; the next one begins with a checkpoint anyway.
///
/// # Errors
/// When they can't be read.
pub fn whole_segments(folder: &Path) -> anyhow::Result<Vec<WholeSegment>> {
    let whole = |segment: SegmentFile| {
        let bytes = std::fs::read(&segment.path)
            .with_context(|| format!("read {}", segment.path.display()))?;
        Ok(WholeSegment {
            number: segment.number,
            bytes: u64::try_from(readable_bytes(&bytes)).unwrap_or(u64::MAX),
        })
    };
    segments(folder)?.into_iter().map(whole).collect()
}

/// How much of a segment can be read: nothing, where a version of hwcd with another format wrote it.
/// What is recorded begins after the upgrade then; the old segments go when their room is needed.
fn readable_bytes(segment: &[u8]) -> usize {
    if is_readable(segment) {
        whole_bytes(segment)
    } else {
        0
    }
}

/// Some bytes of a segment.
///
/// # Errors
/// When there is no such segment any more, or it is shorter.
pub fn read_piece(folder: &Path, number: u64, at: u64, bytes: u64) -> anyhow::Result<Vec<u8>> {
    let all = segments(folder)?;
    let found = all.into_iter().find(|segment| segment.number == number);
    let path = found
        .context("find the segment: it made room for newer ones")?
        .path;
    let read = || {
        let mut file = std::fs::File::open(&path)?;
        file.seek(SeekFrom::Start(at))?;
        let mut piece = Vec::new();
        file.take(bytes).read_to_end(&mut piece)?;
        Ok::<_, std::io::Error>(piece)
    };
    let piece = read().with_context(|| format!("read {}", path.display()))?;
    let is_whole = u64::try_from(piece.len()).is_ok_and(|length| length == bytes);
    anyhow::ensure!(is_whole, "{} is shorter than it was", path.display());
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::NodeId;
    use hwc_journal::Journal;
    use hwc_state_machine::Timers;

    fn brain() -> StateMachine {
        let mut brain = StateMachine::new(NodeId(1), Timers::lan());
        let booted = Event::Booted {
            boot: BootId(7),
            inventory: Vec::new(),
        };
        brain.step(Millis(0), booted);
        brain
    }

    async fn eventually(folder: &Path, is_so: impl Fn(&Journal) -> bool) -> Journal {
        for _ in 0..200 {
            let journal = Journal::read(&read_all(folder).expect("a folder"));
            let journal = journal.unwrap_or_else(|(journal, _)| journal);
            if is_so(&journal) {
                return journal;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the journal never became so");
    }

    #[test]
    fn what_another_version_recorded_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = Head {
            cluster: ClusterId("c".to_owned()),
            node: NodeId(1),
            boot: BootId(7),
            version: "test".to_owned(),
            at: Millis(0),
            wall: WallTime(0),
        };
        let segment = SegmentWriter::begin(&head, &brain())
            .expect("a segment")
            .take();
        let mut of_another = segment.clone();
        of_another[8] = 1;
        for (name, bytes) in [("1-a", &of_another), ("2-b", &segment)] {
            let path = folder.path().join(name).with_extension(EXTENSION);
            std::fs::write(path, bytes).expect("written");
        }
        let journal = Journal::read(&read_all(folder.path()).expect("a folder"));
        assert_eq!(journal.expect("one that can be read").segments.len(), 1);
        let whole = whole_segments(folder.path()).expect("a folder");
        assert_eq!(whole[0].bytes, 0);
        assert_eq!(whole[1].bytes, segment.len() as u64);
    }

    #[tokio::test]
    async fn what_is_recorded_can_be_read_and_another_start_goes_on_behind_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for boot in [1, 2] {
            let tasks = Tasks::new();
            let cluster = ClusterId("c".to_owned());
            let recorder =
                Recorder::begin(folder.path(), cluster, BootId(boot), &tasks).expect("a recorder");
            for at in 0..3 {
                recorder.record(&brain(), Millis(at), WallTime(0), &Event::Tick);
            }
            eventually(folder.path(), |journal| {
                journal.segments.len() == boot as usize
                    && journal.segments.iter().all(|s| s.entries.len() == 3)
            })
            .await;
            tasks.stop(Duration::from_secs(5)).await;
        }
        let names = segments(folder.path()).expect("segments");
        assert_eq!(names.iter().map(|s| s.number).collect::<Vec<_>>(), [1, 2]);
    }
}
