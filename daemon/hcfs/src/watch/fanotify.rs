//! One fanotify mark on a whole btrfs pool: which subvolume was changed, as it happens.
//!
//! The mark sits on the filesystem, so one is enough for every dataset, also through other mounts
//! of it. Events carry a file handle; btrfs' handles contain the id of the subvolume. Writes through
//! a memory mapping give no event before the file is closed: the periodic scan is the net for that,
//! and for an overflowing queue (bounded by the kernel, 16,384 events by default).

#![expect(
    unsafe_code,
    reason = "fanotify_init(2) and fanotify_mark(2) have no wrapper here; they take plain values"
)]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Everything that may change what a snapshot would contain. Not reads.
const MASK: u64 = libc::FAN_CREATE
    | libc::FAN_MODIFY
    | libc::FAN_DELETE
    | libc::FAN_MOVED_FROM
    | libc::FAN_MOVED_TO
    | libc::FAN_ATTRIB
    | libc::FAN_CLOSE_WRITE
    | libc::FAN_ONDIR;
/// One read takes some thousand events; more only delays the first.
const BUFFER_BYTES: usize = 64 * 1024;

/// What a read of the queue brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    /// The subvolumes that were changed.
    pub subvolumes: BTreeSet<u64>,
    /// Events were lost, or not understood.
    pub is_lossy: bool,
}

/// The watcher of one pool.
#[derive(Debug)]
pub(crate) struct Watcher {
    queue: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl Watcher {
    /// Starts to watch the filesystem that is mounted at `pool`, which must be its top level.
    pub(crate) fn new(pool: &Path) -> io::Result<Self> {
        let path = CString::new(pool.as_os_str().as_bytes())?;
        let flags =
            libc::FAN_CLASS_NOTIF | libc::FAN_REPORT_FID | libc::FAN_NONBLOCK | libc::FAN_CLOEXEC;
        // SAFETY: two plain values.
        let fd = unsafe { libc::fanotify_init(flags, libc::O_RDONLY as u32) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above has just opened it for us.
        let queue = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: `path` is a NUL-terminated string that outlives the call.
        let result = unsafe {
            libc::fanotify_mark(
                queue.as_raw_fd(),
                libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM,
                MASK,
                libc::AT_FDCWD,
                path.as_ptr(),
            )
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is owned by what is registered, and never replaced or closed in it.
        let queue = unsafe { AsyncFd::register_with_interest(queue, Interest::READABLE) }?;
        Ok(Self {
            queue,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Waits for changes. Cancel-safe: what was not returned is still in the queue.
    pub(crate) async fn next(&mut self) -> io::Result<Changes> {
        let buffer = &mut self.buffer;
        loop {
            let mut ready = self.queue.readable().await?;
            let read = ready.try_io(|queue| {
                rustix::io::read(queue.get_ref(), &mut buffer[..]).map_err(io::Error::from)
            });
            match read {
                Ok(Ok(length)) => return Ok(parse(buffer.get(..length).unwrap_or_default())),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}

/// Reads the events of one read. `struct fanotify_event_metadata` is 24 bytes: length u32,
/// version u8, reserved u8, metadata length u16, mask u64, fd i32, pid i32; behind it information
/// records: type u8, pad u8, length u16, fsid 8 bytes, then a `struct file_handle`: bytes u32,
/// type i32, and btrfs' handle: object u64, subvolume u64, generation u32.
fn parse(mut events: &[u8]) -> Changes {
    const METADATA_BYTES: usize = 24;
    let mut changes = Changes::default();
    while !events.is_empty() {
        let Some(length) = read_u32(events, 0)
            .map(|length| length as usize)
            .filter(|length| *length >= METADATA_BYTES && *length <= events.len())
        else {
            changes.is_lossy = true;
            break;
        };
        let (event, rest) = events.split_at(length);
        events = rest;
        let is_overflow = read_u64(event, 8).is_none_or(|mask| mask & libc::FAN_Q_OVERFLOW != 0);
        match subvolume(event).filter(|_| !is_overflow) {
            Some(subvolume) => {
                changes.subvolumes.insert(subvolume);
            }
            None => changes.is_lossy = true,
        }
    }
    changes
}

fn subvolume(event: &[u8]) -> Option<u64> {
    const HANDLE_BYTES_MIN: u32 = 20;
    let metadata_bytes = usize::from(read_u16(event, 6)?);
    let record = event.get(metadata_bytes..)?;
    let handle = record.get(12..)?;
    if read_u32(handle, 0)? < HANDLE_BYTES_MIN {
        return None;
    }
    read_u64(handle, 16)
}

fn read_u16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*data.get(at..)?.first_chunk()?))
}

fn read_u32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*data.get(at..)?.first_chunk()?))
}

fn read_u64(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*data.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(mask: u64, subvolume: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(64_u32.to_ne_bytes());
        bytes.extend([3, 0]);
        bytes.extend(24_u16.to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend([1, 0, 40, 0]);
        bytes.extend([7; 8]);
        bytes.extend(20_u32.to_ne_bytes());
        bytes.extend(0x4d_i32.to_ne_bytes());
        bytes.extend(256_u64.to_ne_bytes());
        bytes.extend(subvolume.to_ne_bytes());
        bytes.extend(9_u32.to_ne_bytes());
        bytes
    }

    #[test]
    fn events_name_their_subvolumes() {
        let bytes = [event(libc::FAN_MODIFY, 300), event(libc::FAN_CREATE, 301)].concat();
        let changes = parse(&bytes);
        assert_eq!(changes.subvolumes, BTreeSet::from([300, 301]));
        assert!(!changes.is_lossy);
    }

    #[test]
    fn an_overflow_and_a_torn_event_are_noticed() {
        assert!(parse(&event(libc::FAN_Q_OVERFLOW, 0)).is_lossy);
        let whole = event(libc::FAN_MODIFY, 300);
        for length in 1..whole.len() {
            let changes = parse(whole.get(..length).expect("shorter"));
            assert!(
                changes.is_lossy && changes.subvolumes.is_empty(),
                "{length}"
            );
        }
    }
}
