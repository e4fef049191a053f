//! Reads a journal. What is whole is read; why the rest is not, is said.

use crate::format::{BLOCK_BYTES_MAX, BLOCK_HEAD, Entry, Head, MAGIC, VERSION, checksum};
use hwc_state_machine::StateMachine;
use serde::de::DeserializeOwned;

/// Why a journal, or the rest of it, can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// It is something else.
    #[error("this is no journal")]
    NoJournal,
    /// Another version wrote it.
    #[error(
        "the journal has format {found}; this program reads format {VERSION}: use the version of hwc that recorded it"
    )]
    OtherVersion {
        /// The format's version.
        found: u16,
    },
    /// It ends in the middle.
    #[error("the journal is cut short after {at} bytes")]
    CutShort {
        /// How much of it is whole.
        at: usize,
    },
    /// It was changed, or the disk damaged it.
    #[error("the journal is damaged after {at} bytes: {reason}")]
    Damaged {
        /// Where the damaged block begins.
        at: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A checkpoint and the events that came after it.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Whose.
    pub head: Head,
    /// The brain before the first event.
    pub checkpoint: StateMachine,
    /// The events, in order.
    pub entries: Vec<Entry>,
}

/// What was recorded.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// Its segments, in order.
    pub segments: Vec<Segment>,
}

impl Journal {
    /// Reads a journal. With the error comes everything that is whole before it.
    ///
    /// # Errors
    /// When it is no journal, another version's, damaged or cut short.
    pub fn read(bytes: &[u8]) -> Result<Self, (Self, JournalError)> {
        let mut journal = Self::default();
        let mut reader = Reader { bytes, at: 0 };
        while reader.at < bytes.len() {
            if let Err(error) = reader.segment(&mut journal) {
                return Err((journal, error));
            }
        }
        if journal.segments.is_empty() {
            return Err((journal, JournalError::NoJournal));
        }
        Ok(journal)
    }
}

/// Whether a segment's file is of the format that this program reads.
#[must_use]
pub fn is_readable(bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(MAGIC.as_slice());
    rest.is_some_and(|rest| rest.starts_with(&VERSION.to_le_bytes()))
}

/// How many bytes of a segment's file are whole: what a crash cut short comes after them. Looks at
/// lengths only; damage is left for [`Journal::read`] to name.
#[must_use]
pub fn whole_bytes(bytes: &[u8]) -> usize {
    let begin = MAGIC.len() + 2;
    if bytes.len() < begin {
        return 0;
    }
    let mut whole = begin;
    while let Some(compressed) = bytes.get(whole..).and_then(|rest| length(rest, 0)) {
        if compressed > BLOCK_BYTES_MAX {
            return bytes.len();
        }
        let end = whole + BLOCK_HEAD + compressed;
        if end > bytes.len() {
            break;
        }
        whole = end;
    }
    whole
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn segment(&mut self, journal: &mut Journal) -> Result<(), JournalError> {
        self.beginning()?;
        let head = self.value()?;
        let checkpoint = self.value()?;
        journal.segments.push(Segment {
            head,
            checkpoint,
            entries: Vec::new(),
        });
        while self.at < self.bytes.len() && !self.rest().starts_with(MAGIC) {
            let begin = self.at;
            let content = self.block()?;
            let mut rest = content.as_slice();
            while !rest.is_empty() {
                let (entry, after) = postcard::take_from_bytes(rest)
                    .map_err(|_| damaged(begin, "an event can't be understood"))?;
                if let Some(segment) = journal.segments.last_mut() {
                    segment.entries.push(entry);
                }
                rest = after;
            }
        }
        Ok(())
    }

    fn beginning(&mut self) -> Result<(), JournalError> {
        let rest = self.rest();
        let common = rest.len().min(MAGIC.len());
        if rest.get(..common) != MAGIC.get(..common) {
            return Err(if self.at == 0 {
                JournalError::NoJournal
            } else {
                damaged(self.at, "a segment begins otherwise")
            });
        }
        let version = rest
            .get(MAGIC.len()..MAGIC.len() + 2)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| self.cut_short())?;
        match u16::from_le_bytes(version) {
            VERSION => {
                self.at += MAGIC.len() + 2;
                Ok(())
            }
            found => Err(JournalError::OtherVersion { found }),
        }
    }

    fn value<T: DeserializeOwned>(&mut self) -> Result<T, JournalError> {
        let begin = self.at;
        let content = self.block()?;
        postcard::from_bytes(&content).map_err(|_| damaged(begin, "it can't be understood"))
    }

    fn block(&mut self) -> Result<Vec<u8>, JournalError> {
        let begin = self.at;
        let rest = self.rest();
        let (Some(compressed), Some(length)) = (length(rest, 0), length(rest, 4)) else {
            return Err(self.cut_short());
        };
        if compressed > BLOCK_BYTES_MAX || length > BLOCK_BYTES_MAX {
            return Err(damaged(begin, "a block is longer than any"));
        }
        let (Some(lengths), Some(sum), Some(content)) = (
            rest.get(..8),
            rest.get(8..BLOCK_HEAD),
            rest.get(BLOCK_HEAD..BLOCK_HEAD + compressed),
        ) else {
            return Err(self.cut_short());
        };
        if checksum(lengths, content) != sum {
            return Err(damaged(begin, "a block does not have its checksum"));
        }
        let content = lz4_flex::decompress(content, length)
            .map_err(|_| damaged(begin, "a block can't be unpacked"))?;
        self.at += BLOCK_HEAD + compressed;
        Ok(content)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    const fn cut_short(&self) -> JournalError {
        JournalError::CutShort { at: self.at }
    }
}

fn length(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

const fn damaged(at: usize, reason: &'static str) -> JournalError {
    JournalError::Damaged { at, reason }
}
