//! What can be read from btrfs' trees in one pass: which subvolumes changed, how much a snapshot
//! changed, how much a volume holds, what is nested in what. Blocking; milliseconds.

use super::ioctl::{Item, Range, read_u64, search};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

const ROOT_TREE: u64 = 1;
const THIS_SUBVOLUME: u64 = 0;
const INODE_ITEM: u32 = 1;
const EXTENT_DATA: u32 = 108;
const ROOT_ITEM: u32 = 132;
const ROOT_REF: u32 = 156;
/// Ids of subvolumes and of ordinary files begin here, and end here.
const FIRST: u64 = 256;
const LAST: u64 = u64::MAX - 256;

/// What a change of a file's or folder's own attributes counts, besides its data: about what it
/// costs on disk. So a snapshot with any change at all weighs more than nothing.
const INODE_CHANGE_BYTES: u64 = 160;

/// Offsets in `struct btrfs_root_item`, `btrfs_inode_item` and `btrfs_file_extent_item`.
const ROOT_GENERATION: usize = 160;
const INODE_TRANSACTION: usize = 8;
const INODE_OCCUPIED: usize = 24;
const EXTENT_GENERATION: usize = 0;
const EXTENT_RAM_BYTES: usize = 8;
const EXTENT_KIND: usize = 20;
const EXTENT_DISK_PLACE: usize = 21;
const EXTENT_BYTES: usize = 45;
const EXTENT_INLINE: u8 = 0;

/// The generation of every subvolume: the transaction that last changed it. Sees what is
/// committed; call `syncfs` before.
pub(super) fn generations(pool: BorrowedFd<'_>) -> io::Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    let range = Range {
        tree: ROOT_TREE,
        objects: (FIRST, LAST),
        kinds: (ROOT_ITEM, ROOT_ITEM),
        since: 0,
    };
    search(pool, range, |item| {
        if item.kind == ROOT_ITEM
            && let Some(generation) = read_u64(item.data, ROOT_GENERATION)
        {
            found.insert(item.objectid, generation);
        }
        true
    })?;
    Ok(found)
}

/// The ids of the subvolumes directly inside a subvolume.
pub(super) fn children(pool: BorrowedFd<'_>, id: u64) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let range = Range {
        tree: ROOT_TREE,
        objects: (id, id),
        kinds: (ROOT_REF, ROOT_REF),
        since: 0,
    };
    search(pool, range, |item| {
        if item.kind == ROOT_REF && item.objectid == id {
            found.push(item.offset);
        }
        true
    })?;
    Ok(found)
}

/// Bytes that a snapshot changed after transaction `since`: newly written extents in full, plus a
/// little for every file or folder whose attributes changed. Deletions show in their folders only.
/// Caches and logs are counted too: the filesystem doesn't know them. Reads only the blocks that
/// changed.
pub(super) fn changed_bytes(snapshot: BorrowedFd<'_>, since: u64) -> io::Result<u64> {
    let mut bytes: u64 = 0;
    let range = Range {
        tree: THIS_SUBVOLUME,
        objects: (FIRST, LAST),
        kinds: (0, u32::from(u8::MAX)),
        since: since.saturating_add(1),
    };
    search(snapshot, range, |item| {
        bytes = bytes.saturating_add(change_of(&item, since).unwrap_or(0));
        true
    })?;
    Ok(bytes)
}

fn change_of(item: &Item<'_>, since: u64) -> Option<u64> {
    match item.kind {
        INODE_ITEM => {
            let is_changed = read_u64(item.data, INODE_TRANSACTION)? > since;
            is_changed.then_some(INODE_CHANGE_BYTES)
        }
        EXTENT_DATA => {
            if read_u64(item.data, EXTENT_GENERATION)? <= since {
                return None;
            }
            if *item.data.get(EXTENT_KIND)? == EXTENT_INLINE {
                return read_u64(item.data, EXTENT_RAM_BYTES);
            }
            let is_hole = read_u64(item.data, EXTENT_DISK_PLACE)? == 0;
            (!is_hole).then(|| read_u64(item.data, EXTENT_BYTES))?
        }
        _ => None,
    }
}

/// Bytes that the files of a subvolume occupy (`st_blocks`), shared ones in full.
pub(super) fn used_bytes(volume: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: u64 = 0;
    let range = Range {
        tree: THIS_SUBVOLUME,
        objects: (FIRST, LAST),
        kinds: (0, u32::from(u8::MAX)),
        since: 0,
    };
    search(volume, range, |item| {
        if item.kind == INODE_ITEM {
            let occupied = read_u64(item.data, INODE_OCCUPIED).unwrap_or(0);
            bytes = bytes.saturating_add(occupied);
        }
        true
    })?;
    Ok(bytes)
}
