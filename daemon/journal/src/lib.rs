//! The journal: everything that a brain saw, so that what it decided can be replayed step by step.
//!
//! A brain is a pure function of its events: a checkpoint of it and the events since are all that
//! its decisions rest on. A **segment** is a head, a checkpoint, and the events that came after it;
//! a **journal** is one segment after the other. No IO here: the daemon writes segments to files,
//! `hwc replay` and the panel read them.
//!
//! - [`mod@format`]: how a segment is written: blocks of entries, compressed, each with its checksum.
//! - [`mod@write`]: makes segments.
//! - [`read`]: reads a journal; damaged, cut short or foreign ones are told apart.
//! - [`replay`]: steps through a journal with a real brain, and shows what it decided and why.

pub mod format;
pub mod read;
pub mod replay;
pub mod write;

pub use format::{Entry, Head};
pub use read::{Journal, JournalError, Segment, is_readable, whole_bytes};
pub use replay::{Replay, Step};
pub use write::SegmentWriter;
