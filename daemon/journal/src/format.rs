//! How a segment is written.
//!
//! `HWCJOURN`, the version of the format (`u16`, little-endian), then blocks. A block is: the
//! length of its compressed content (`u32`), the length of its content (`u32`), the first eight
//! bytes of the BLAKE3 hash of both lengths and the compressed content, the content compressed by
//! LZ4. The first block of
//! a segment holds its [`Head`], the second the checkpoint of the brain, each further one some
//! entries, one after the other, all in postcard's encoding.
//!
//! The brain's types are part of the format: a journal is read by the version that wrote it.

use hwc_api::ids::{BootId, ClusterId, NodeId};
use hwc_api::time::WallTime;
use hwc_state_machine::{Event, Millis};
use serde::{Deserialize, Serialize};

/// How every segment begins.
pub const MAGIC: &[u8; 8] = b"HWCJOURN";
/// The version of the format; raised when the format, or a type that it holds, changes.
pub const VERSION: u16 = 2;
/// Longest content of a block, bytes: what a damaged length can make a reader allocate.
pub const BLOCK_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes before a block's content.
pub(crate) const BLOCK_HEAD: usize = 16;

/// Whose brain a segment is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node.
    pub node: NodeId,
    /// The daemon's start.
    pub boot: BootId,
    /// The daemon's version.
    pub version: String,
    /// The moment of the checkpoint, by the brain's own count.
    pub at: Millis,
    /// The same moment by the node's clock. For people.
    pub wall: WallTime,
}

/// One event, as the brain was given it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, by the brain's own count.
    pub at: Millis,
    /// When, by the node's clock. For people.
    pub wall: WallTime,
    /// What.
    pub event: Event,
}

/// Adds a block to `out`.
pub(crate) fn put_block(out: &mut Vec<u8>, content: &[u8]) {
    let compressed = lz4_flex::compress(content);
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let lengths = [length(&compressed), length(content)].concat();
    out.extend(&lengths);
    out.extend(checksum(&lengths, &compressed));
    out.extend(compressed);
}

pub(crate) fn checksum(lengths: &[u8], content: &[u8]) -> [u8; 8] {
    let hash = blake3::Hasher::new()
        .update(lengths)
        .update(content)
        .finalize();
    let mut short = [0; 8];
    short.copy_from_slice(&hash.as_bytes()[..8]);
    short
}
