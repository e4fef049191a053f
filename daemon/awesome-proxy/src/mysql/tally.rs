//! Counts the statements in what a client sends through here to a server; pure.
//!
//! The session itself is at another node's door, which follows the protocol. Here is the work that
//! it makes, and that is all that the live node wants to know.

use super::command::Command;
use super::packet::{HEAD, LONGEST, read_head};

/// Follows the packets of a client.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// A packet's head and first byte, as far as they came.
    pieces: [u8; HEAD + 1],
    pieces_length: usize,
    /// Bytes of the packet under way that are still to come.
    left: usize,
    /// The next packet goes on with this one's payload.
    goes_on: bool,
}

impl Tally {
    /// Looks at the next bytes; gives how many statements begin in them.
    pub fn feed(&mut self, bytes: &[u8]) -> u64 {
        let mut statements = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = if self.left > 0 {
                let taken = self.left.min(rest.len());
                self.left -= taken;
                taken
            } else {
                // The first byte of a packet may not exist.
                let wanted = HEAD
                    .checked_sub(self.pieces_length)
                    .filter(|left| *left > 0);
                let taken = wanted.unwrap_or(1).min(rest.len());
                self.put(rest.get(..taken).unwrap_or_default());
                statements += u64::from(self.begins_statement());
                taken
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        statements
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.pieces_length + bytes.len();
        if let Some(place) = self.pieces.get_mut(self.pieces_length..end) {
            place.copy_from_slice(bytes);
            self.pieces_length = end;
        }
    }

    /// Whether the head that may be whole now is a statement's.
    fn begins_statement(&mut self) -> bool {
        let Some((length, sequence)) = read_head(&self.pieces) else {
            return false;
        };
        // An empty packet has no first byte.
        let is_whole = self.pieces_length == HEAD + usize::from(length > 0);
        if !is_whole {
            return false;
        }
        let code = self.pieces[HEAD];
        let continues = std::mem::replace(&mut self.goes_on, length == LONGEST);
        self.left = length.saturating_sub(1);
        self.pieces_length = 0;
        let command = Command::from_code(code).filter(|_| length > 0);
        sequence == 0 && !continues && command.is_some_and(Command::is_statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let head = super::super::packet::write_head(payload.len(), sequence);
        [&head[..], payload].concat()
    }

    #[test]
    fn statements_are_counted_however_they_come() {
        let bytes = [
            packet(1, b"\x03 a login, by its number"),
            packet(0, b"\x03select 1"),
            packet(0, b"\x0e"),
            packet(0, b"\x17execute"),
            packet(2, b"\x03rows of a file"),
            packet(3, b""),
            packet(0, &[3; LONGEST]),
            packet(0, b"\x03 goes on under any number"),
            packet(0, b"\x01"),
        ]
        .concat();
        for step in [1_usize, 3, 5, 4096, bytes.len()] {
            let mut tally = Tally::default();
            let counted: u64 = bytes.chunks(step).map(|piece| tally.feed(piece)).sum();
            assert_eq!(counted, 3, "by {step}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_count_more_than_there_are(
            pieces in proptest::collection::vec(
                proptest::collection::vec(0_u8..24, 0..40), 0..12)
        ) {
            let mut tally = Tally::default();
            let length: usize = pieces.iter().map(Vec::len).sum();
            let counted: u64 = pieces.iter().map(|piece| tally.feed(piece)).sum();
            prop_assert!(counted <= u64::try_from(length / 5).expect("small"));
        }
    }
}
