//! Makes segments: bytes to be appended to a file.

use crate::format::{Entry, Head, MAGIC, VERSION, put_block};
use hwc_state_machine::StateMachine;

/// A block is closed once its entries have this many bytes.
const BLOCK_BYTES: usize = 64 * 1024;

/// Makes one segment. What [`SegmentWriter::take`] gives is to be appended in order.
#[derive(Debug)]
pub struct SegmentWriter {
    ready: Vec<u8>,
    entries: Vec<u8>,
    written: u64,
}

impl SegmentWriter {
    /// Begins a segment with the brain as it is.
    ///
    /// # Errors
    /// Never for our own types; the encoding's signature allows it.
    pub fn begin(head: &Head, brain: &StateMachine) -> Result<Self, postcard::Error> {
        let mut ready = MAGIC.to_vec();
        ready.extend(VERSION.to_le_bytes());
        put_block(&mut ready, &postcard::to_stdvec(head)?);
        put_block(&mut ready, &postcard::to_stdvec(brain)?);
        Ok(Self {
            ready,
            entries: Vec::new(),
            written: 0,
        })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// Never for our own types; the encoding's signature allows it.
    pub fn add(&mut self, entry: &Entry) -> Result<(), postcard::Error> {
        self.entries.extend(postcard::to_stdvec(entry)?);
        if self.entries.len() >= BLOCK_BYTES {
            self.close_block();
        }
        Ok(())
    }

    /// The bytes since the last time, all entries included.
    pub fn take(&mut self) -> Vec<u8> {
        self.close_block();
        self.written += self.ready.len() as u64;
        std::mem::take(&mut self.ready)
    }

    /// Bytes that were taken.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    fn close_block(&mut self) {
        if !self.entries.is_empty() {
            put_block(&mut self.ready, &self.entries);
            self.entries.clear();
        }
    }
}
