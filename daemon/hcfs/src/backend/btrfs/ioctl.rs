//! The few btrfs calls that have no safe wrapper: make, snapshot, stamp, delete, describe, search.
//!
//! Layouts are those of `<linux/btrfs.h>` and `<linux/btrfs_tree.h>`; all are checked for size at
//! compile time. Each function takes open descriptors and plain values, owns its buffers for the
//! length of the call, and turns a negative result into the error. `BTRFS_IOC_GET_SUBVOL_INFO`
//! returns 1 on success for fresh snapshots, so only negative results are failures.

#![expect(
    unsafe_code,
    reason = "ioctl(2) has no safe form; every call passes a live, correctly sized structure"
)]

use crate::record::Guid;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const NAME_BYTES_MAX: usize = 255;
const SUBVOL_RDONLY: u64 = 1 << 1;
const SUBVOL_SPEC_BY_ID: u64 = 1 << 4;

const fn request(direction: u64, number: u64, size: usize) -> libc::Ioctl {
    // _IOC of asm-generic: direction 30, size 16, type 8, number 0; btrfs is type 0x94.
    (direction << 30 | (size as u64) << 16 | 0x94 << 8 | number) as libc::Ioctl
}
const WRITE: u64 = 1;
const READ: u64 = 2;

#[repr(C)]
struct VolumeArguments {
    fd: i64,
    name: [u8; 4088],
}

#[repr(C)]
struct VolumeArgumentsV2 {
    fd: i64,
    transid: u64,
    flags: u64,
    unused: [u64; 4],
    /// The name; with SUBVOL_SPEC_BY_ID its first eight bytes are the id.
    name: [u8; 4040],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Timespec {
    sec: u64,
    nsec: u32,
}

#[repr(C)]
struct ReceivedArguments {
    uuid: [u8; 16],
    stransid: u64,
    rtransid: u64,
    stime: Timespec,
    rtime: Timespec,
    flags: u64,
    reserved: [u64; 16],
}

#[repr(C)]
struct InfoArguments {
    treeid: u64,
    name: [u8; NAME_BYTES_MAX + 1],
    parent_id: u64,
    dirid: u64,
    generation: u64,
    flags: u64,
    uuid: [u8; 16],
    parent_uuid: [u8; 16],
    received_uuid: [u8; 16],
    ctransid: u64,
    otransid: u64,
    stransid: u64,
    rtransid: u64,
    ctime: Timespec,
    otime: Timespec,
    stime: Timespec,
    rtime: Timespec,
    reserved: [u64; 8],
}

const SEARCH_BUFFER_BYTES: usize = 256 * 1024;

#[repr(C)]
struct SearchArguments {
    tree_id: u64,
    min_objectid: u64,
    max_objectid: u64,
    min_offset: u64,
    max_offset: u64,
    min_transid: u64,
    max_transid: u64,
    min_type: u32,
    max_type: u32,
    nr_items: u32,
    unused: u32,
    unused_longs: [u64; 4],
    buf_size: u64,
    buf: [u8; SEARCH_BUFFER_BYTES],
}

const SEARCH_HEAD_BYTES: usize = size_of::<SearchArguments>() - SEARCH_BUFFER_BYTES;
const _: () = {
    assert!(size_of::<VolumeArguments>() == 4096);
    assert!(size_of::<VolumeArgumentsV2>() == 4096);
    assert!(size_of::<ReceivedArguments>() == 200);
    assert!(size_of::<InfoArguments>() == 504);
    assert!(SEARCH_HEAD_BYTES == 112);
};

/// What the filesystem says about a subvolume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Info {
    /// Its id.
    pub id: u64,
    /// The transaction that last changed it, as far as committed.
    pub generation: u64,
    /// The transaction that made it.
    pub made_in: u64,
    /// Its own identity.
    pub uuid: [u8; 16],
    /// The identity of what it was snapshotted from; zero for none.
    pub parent_uuid: [u8; 16],
    /// The identity that it was received with; zero for none.
    pub received_uuid: [u8; 16],
    /// Whether it is read-only.
    pub is_read_only: bool,
}

impl Info {
    /// The identity of its content: the same on the node where it was born and wherever it was
    /// received.
    pub(super) fn guid(&self) -> Guid {
        if self.received_uuid == [0; 16] {
            Guid(self.uuid)
        } else {
            Guid(self.received_uuid)
        }
    }
}

/// One item that a search found.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Its key's object id.
    pub objectid: u64,
    /// Its key's type.
    pub kind: u32,
    /// Its key's offset.
    pub offset: u64,
    /// Its content, little-endian.
    pub data: &'a [u8],
}

/// Where a search begins and ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Which tree: 1 for the tree of roots, 0 for the subvolume of the descriptor.
    pub tree: u64,
    /// First and last object id.
    pub objects: (u64, u64),
    /// First and last type; it bounds keys, it doesn't filter between the first and last object.
    pub kinds: (u32, u32),
    /// Only blocks written in this transaction or later.
    pub since: u64,
}

fn call<T>(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: &mut T) -> io::Result<()> {
    // SAFETY: `argument` is a live, exclusive, repr(C) structure of the size that `request` names
    // (checked above), and the kernel writes inside it only.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request, std::ptr::from_mut(argument)) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn put_name<const N: usize>(into: &mut [u8; N], name: &str) -> io::Result<()> {
    let is_fit = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(['/', '\0']);
    match into.get_mut(..name.len()) {
        Some(place) if is_fit => {
            place.copy_from_slice(name.as_bytes());
            Ok(())
        }
        Some(_) | None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a subvolume name",
        )),
    }
}

/// Makes an empty subvolume in a folder.
pub(super) fn create(folder: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let mut arguments = VolumeArguments {
        fd: 0,
        name: [0; 4088],
    };
    put_name(&mut arguments.name, name)?;
    let number = request(WRITE, 14, size_of::<VolumeArguments>());
    call(folder, number, &mut arguments)
}

/// Makes a snapshot of `source` in a folder; it is committed when this returns.
pub(super) fn snapshot(
    folder: BorrowedFd<'_>,
    name: &str,
    source: BorrowedFd<'_>,
    is_read_only: bool,
) -> io::Result<()> {
    let mut arguments = VolumeArgumentsV2 {
        fd: i64::from(source.as_raw_fd()),
        transid: 0,
        flags: if is_read_only { SUBVOL_RDONLY } else { 0 },
        unused: [0; 4],
        name: [0; 4040],
    };
    put_name(&mut arguments.name, name)?;
    let number = request(WRITE, 23, size_of::<VolumeArgumentsV2>());
    call(folder, number, &mut arguments)
}

/// Deletes a subvolume by its id; its space is freed in the background.
pub(super) fn destroy(pool: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let mut arguments = VolumeArgumentsV2 {
        fd: 0,
        transid: 0,
        flags: SUBVOL_SPEC_BY_ID,
        unused: [0; 4],
        name: [0; 4040],
    };
    if let Some(place) = arguments.name.first_chunk_mut() {
        *place = id.to_ne_bytes();
    }
    let number = request(WRITE, 63, size_of::<VolumeArgumentsV2>());
    call(pool, number, &mut arguments)
}

/// Says what the subvolume is that a descriptor is in.
pub(super) fn info(volume: BorrowedFd<'_>) -> io::Result<Info> {
    const ZERO: Timespec = Timespec { sec: 0, nsec: 0 };
    let mut found = InfoArguments {
        treeid: 0,
        name: [0; NAME_BYTES_MAX + 1],
        parent_id: 0,
        dirid: 0,
        generation: 0,
        flags: 0,
        uuid: [0; 16],
        parent_uuid: [0; 16],
        received_uuid: [0; 16],
        ctransid: 0,
        otransid: 0,
        stransid: 0,
        rtransid: 0,
        ctime: ZERO,
        otime: ZERO,
        stime: ZERO,
        rtime: ZERO,
        reserved: [0; 8],
    };
    let number = request(READ, 60, size_of::<InfoArguments>());
    call(volume, number, &mut found)?;
    Ok(Info {
        id: found.treeid,
        generation: found.generation,
        made_in: found.otransid,
        uuid: found.uuid,
        parent_uuid: found.parent_uuid,
        received_uuid: found.received_uuid,
        // Here the flags are those of the root item, where read-only is the first bit.
        is_read_only: found.flags & 1 != 0,
    })
}

/// Gives a subvolume the identity that copies of it will have (the uuid under which `btrfs
/// receive` looks for the source of shared data).
pub(super) fn stamp(volume: BorrowedFd<'_>, uuid: [u8; 16], transaction: u64) -> io::Result<()> {
    const ZERO: Timespec = Timespec { sec: 0, nsec: 0 };
    let mut arguments = ReceivedArguments {
        uuid,
        stransid: transaction,
        rtransid: 0,
        stime: ZERO,
        rtime: ZERO,
        flags: 0,
        reserved: [0; 16],
    };
    let number = request(READ | WRITE, 37, size_of::<ReceivedArguments>());
    call(volume, number, &mut arguments)
}

/// Makes a subvolume read-only.
pub(super) fn set_read_only(volume: BorrowedFd<'_>) -> io::Result<()> {
    let mut flags = SUBVOL_RDONLY;
    call(volume, request(WRITE, 26, size_of::<u64>()), &mut flags)
}

/// Visits all items of a range, in order. `visit` says whether to go on.
pub(super) fn search(
    volume: BorrowedFd<'_>,
    range: Range,
    mut visit: impl FnMut(Item<'_>) -> bool,
) -> io::Result<()> {
    let mut arguments = Box::new(SearchArguments {
        tree_id: range.tree,
        min_objectid: range.objects.0,
        max_objectid: range.objects.1,
        min_offset: 0,
        max_offset: u64::MAX,
        min_transid: range.since,
        max_transid: u64::MAX,
        min_type: range.kinds.0,
        max_type: range.kinds.1,
        nr_items: u32::MAX,
        unused: 0,
        unused_longs: [0; 4],
        buf_size: SEARCH_BUFFER_BYTES as u64,
        buf: [0; SEARCH_BUFFER_BYTES],
    });
    let number = request(READ | WRITE, 17, SEARCH_HEAD_BYTES);
    loop {
        arguments.nr_items = u32::MAX;
        arguments.buf_size = SEARCH_BUFFER_BYTES as u64;
        call(volume, number, &mut *arguments)?;
        let Some(last) = visit_items(&arguments.buf, arguments.nr_items, &mut visit) else {
            return Ok(());
        };
        let Some(next) = after(last) else {
            return Ok(());
        };
        (
            arguments.min_objectid,
            arguments.min_type,
            arguments.min_offset,
        ) = next;
    }
}

type Key = (u64, u32, u64);

/// The smallest key above this one.
fn after((objectid, kind, offset): Key) -> Option<Key> {
    if let Some(offset) = offset.checked_add(1) {
        return Some((objectid, kind, offset));
    }
    if kind < u32::from(u8::MAX) {
        return Some((objectid, kind + 1, 0));
    }
    objectid.checked_add(1).map(|objectid| (objectid, 0, 0))
}

/// Visits the items of one answer; gives the last key, or none when the search is over.
fn visit_items(buffer: &[u8], count: u32, visit: &mut impl FnMut(Item<'_>) -> bool) -> Option<Key> {
    const HEADER_BYTES: usize = 32;
    let mut rest = buffer;
    let mut last = None;
    for _ in 0..count {
        let (header, after_header) = rest.split_at_checked(HEADER_BYTES)?;
        let length = read_u32(header, 28)? as usize;
        let (data, after_data) = after_header.split_at_checked(length)?;
        let item = Item {
            objectid: read_u64(header, 8)?,
            offset: read_u64(header, 16)?,
            kind: read_u32(header, 24)?,
            data,
        };
        last = Some((item.objectid, item.kind, item.offset));
        if !visit(item) {
            return None;
        }
        rest = after_data;
    }
    last
}

/// A little-endian number in an item.
pub(super) fn read_u64(data: &[u8], at: usize) -> Option<u64> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

fn read_u32(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_path_are_refused() {
        let mut place = [0; 300];
        for bad in ["", "a/b", "..\0", &"x".repeat(256)] {
            assert!(put_name(&mut place, bad).is_err(), "{bad:?} was taken");
        }
        assert!(put_name(&mut place, "3-2-00c0ffee.17").is_ok());
    }

    #[test]
    fn the_next_key_follows_the_order_of_the_tree() {
        assert_eq!(after((256, 1, 7)), Some((256, 1, 8)));
        assert_eq!(after((256, 1, u64::MAX)), Some((256, 2, 0)));
        assert_eq!(after((256, 255, u64::MAX)), Some((257, 0, 0)));
        assert_eq!(after((u64::MAX, 255, u64::MAX)), None);
    }

    #[test]
    fn a_truncated_answer_ends_the_search() {
        let mut seen = 0;
        let end = visit_items(&[0; 20], 3, &mut |_item| {
            seen += 1;
            true
        });
        assert_eq!((end, seen), (None, 0));
    }
}
