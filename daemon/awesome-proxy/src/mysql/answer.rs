//! Where a server is in its answer to a command; pure.
//!
//! Bytes pass by, and only the heads of packets are looked at: enough to know when the answer is
//! over, whether a transaction is open then, and what a new statement's number is. Layouts as in
//! MariaDB's protocol documentation ("Result Set Packets", "OK_Packet", "COM_STMT_PREPARE").

use super::packet::{HEAD, LONGEST, read_head};
use super::wire::Fields;
use sha1::{Digest, Sha1};

/// Bytes of a payload that are looked at: as many as it takes to read the status in the longest
/// OK packet (1 + 9 + 9 + 2 + 2).
const PEEK: usize = 24;

/// Bits of a server's status.
pub(super) mod status {
    /// A transaction is open.
    pub const IN_TRANSACTION: u16 = 1;
    /// Another result follows.
    pub const MORE_RESULTS: u16 = 1 << 3;
    /// The statement's rows wait on the server to be fetched.
    pub const CURSOR_EXISTS: u16 = 1 << 6;
    /// All of them were fetched.
    pub const LAST_ROW_SENT: u16 = 1 << 7;
}

/// What the two sides agreed on at login, as far as it shows in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// Rows end with an OK packet, and nothing stands between columns and rows.
    pub deprecates_eof: bool,
    /// Columns that the client knows already are left out.
    pub caches_metadata: bool,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One packet, whatever is in it.
    One,
    /// Results: each an OK, or columns and rows.
    Results,
    /// Rows up to their end.
    Rows,
    /// A statement's number, then its parameters and columns.
    Prepared,
}

/// Where in an answer we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    /// So many column definitions are to come.
    Columns(u64),
    /// What stands between columns and rows.
    ColumnsEnd,
    Rows,
    /// So many packets without interest are to come.
    Definitions(u32),
    /// The client is to send a file.
    File,
    Over,
}

/// What the server tells of a statement that it prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PreparedHead {
    /// Its number on this server.
    pub id: u32,
    /// Its parameters.
    pub parameters: u16,
}

/// The server said what it can't say here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer makes no sense")]
pub(super) struct Malformed;

/// What follows after the bytes that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// More of the answer.
    More,
    /// A file from the client; the answer goes on after it.
    File,
    /// The next command.
    Command,
}

/// One answer on its way.
#[derive(Debug)]
pub(super) struct Answer {
    form: Form,
    dialect: Dialect,
    place: Place,
    /// A packet's head and first bytes, where they came in pieces.
    pieces: [u8; HEAD + PEEK],
    pieces_length: usize,
    /// Bytes of the packet under way that are still to come.
    left: usize,
    /// The next packet goes on with this one's payload.
    goes_on: bool,
    sequence: u8,
    status: Option<u16>,
    is_error: bool,
    prepared: Option<PreparedHead>,
    has_columns: bool,
    /// Of what a prepared statement's parameters and columns are.
    definitions: Option<Sha1>,
    /// The packet under way is one of them.
    is_defining: bool,
}

impl Answer {
    /// An answer of which nothing has come. `sequence` is that of the command's last packet.
    pub fn new(form: Form, dialect: Dialect, sequence: u8) -> Self {
        Self {
            form,
            dialect,
            place: match form {
                Form::Rows => Place::Rows,
                Form::One | Form::Results | Form::Prepared => Place::First,
            },
            pieces: [0; HEAD + PEEK],
            pieces_length: 0,
            left: 0,
            goes_on: false,
            sequence,
            status: None,
            is_error: false,
            prepared: None,
            has_columns: false,
            definitions: (form == Form::Prepared && dialect.caches_metadata).then(Sha1::new),
            is_defining: false,
        }
    }

    /// Looks at the next bytes; tells how many belong to this answer up to where somebody else has
    /// to speak, and who.
    ///
    /// # Errors
    /// When they are no answer.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Next), Malformed> {
        let mut rest = bytes;
        loop {
            let used = bytes.len() - rest.len();
            match (self.is_at_boundary(), self.place) {
                (true, Place::Over) => return Ok((used, Next::Command)),
                (true, Place::File) => return Ok((used, Next::File)),
                _ if rest.is_empty() => return Ok((used, Next::More)),
                _ => {}
            }
            let (taken, is_defining) = if self.left > 0 {
                let taken = self.left.min(rest.len());
                self.left -= taken;
                (taken, self.is_defining)
            } else {
                let is_defining = matches!(self.place, Place::Definitions(_));
                (self.begin_packet(rest)?, is_defining)
            };
            let (passed, after) = rest.split_at(taken);
            if is_defining && let Some(definitions) = &mut self.definitions {
                definitions.update(passed);
            }
            rest = after;
        }
    }

    /// The client's file is on its way to the server; its last packet had this number.
    pub fn go_on_after_file(&mut self, sequence: u8) {
        self.place = Place::First;
        self.sequence = sequence;
    }

    /// The form it has.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Whether everything that was passed on ends with a whole packet, so that another can follow.
    pub const fn is_at_boundary(&self) -> bool {
        self.left == 0 && self.pieces_length == 0 && !self.goes_on
    }

    /// Number of the last packet, either way.
    pub const fn sequence(&self) -> u8 {
        self.sequence
    }

    /// The server's status after the answer; none after an error.
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether it ended with an error.
    pub const fn is_error(&self) -> bool {
        self.is_error
    }

    /// What the server told of the statement that it prepared.
    pub const fn prepared(&self) -> Option<PreparedHead> {
        self.prepared
    }

    /// Whether a result told its columns, though the client may know them.
    pub const fn has_columns(&self) -> bool {
        self.has_columns
    }

    /// What a prepared statement's definitions were, where that matters to the client.
    pub fn definitions(&self) -> Option<[u8; 20]> {
        self.definitions
            .clone()
            .map(|digest| digest.finalize().into())
    }

    /// Reads a packet's head and first bytes, from here or in pieces; gives how many bytes it took.
    fn begin_packet(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        if self.pieces_length == 0
            && let Some((length, sequence, head)) = whole_head(bytes)
        {
            self.judge(length, sequence, head)?;
            return Ok(HEAD + head.len());
        }
        // In pieces: one more, then see.
        let (Some(place), Some(byte)) = (self.pieces.get_mut(self.pieces_length), bytes.first())
        else {
            return Err(Malformed);
        };
        *place = *byte;
        self.pieces_length += 1;
        let pieces = self.pieces;
        let so_far = pieces.get(..self.pieces_length).ok_or(Malformed)?;
        if let Some((length, sequence, head)) = whole_head(so_far) {
            self.pieces_length = 0;
            self.judge(length, sequence, head)?;
        }
        Ok(1)
    }

    fn judge(&mut self, length: usize, sequence: u8, head: &[u8]) -> Result<(), Malformed> {
        let continues = std::mem::replace(&mut self.goes_on, length == LONGEST);
        self.left = length - head.len();
        self.sequence = sequence;
        self.is_defining = matches!(self.place, Place::Definitions(_));
        if continues {
            return Ok(());
        }
        if head.first() == Some(&0xff) {
            // A report of progress has this code, and the answer goes on after it.
            if head.get(1..3) != Some(&[0xff, 0xff]) {
                self.is_error = true;
                self.status = None;
                self.place = Place::Over;
            }
            return Ok(());
        }
        self.place = match self.place {
            Place::First => self.first(head)?,
            Place::Columns(left) => self.after_columns(left - 1),
            Place::ColumnsEnd => {
                let status = status_of_eof(head)?;
                self.status = Some(status);
                if status & status::CURSOR_EXISTS == 0 {
                    Place::Rows
                } else {
                    Place::Over
                }
            }
            Place::Rows if self.is_end_of_rows(length, head) => self.end_of_rows(head)?,
            Place::Rows => Place::Rows,
            Place::Definitions(1) => Place::Over,
            Place::Definitions(left) => Place::Definitions(left - 1),
            Place::File | Place::Over => return Err(Malformed),
        };
        Ok(())
    }

    /// The first packet of a result, or of the answer.
    fn first(&mut self, head: &[u8]) -> Result<Place, Malformed> {
        match self.form {
            Form::One => {
                self.status = match head.first() {
                    Some(0) => status_of_ok(head).ok(),
                    Some(0xfe) => status_of_eof(head).ok(),
                    Some(_) | None => None,
                };
                Ok(Place::Over)
            }
            Form::Results => match head.first().ok_or(Malformed)? {
                0 => {
                    let status = status_of_ok(head)?;
                    Ok(self.after_result(status))
                }
                0xfb => Ok(Place::File),
                _ => self.columns(head),
            },
            Form::Prepared => self.prepared_head(head),
            Form::Rows => Err(Malformed),
        }
    }

    fn columns(&mut self, head: &[u8]) -> Result<Place, Malformed> {
        let mut fields = Fields(head);
        let count = fields.number().filter(|count| *count > 0);
        let count = count.ok_or(Malformed)?;
        if self.dialect.caches_metadata && fields.u8().ok_or(Malformed)? == 0 {
            return Ok(self.after_columns(0));
        }
        self.has_columns = true;
        Ok(self.after_columns(count))
    }

    const fn after_columns(&self, left: u64) -> Place {
        match left {
            0 if self.dialect.deprecates_eof => Place::Rows,
            0 => Place::ColumnsEnd,
            left => Place::Columns(left),
        }
    }

    fn prepared_head(&mut self, head: &[u8]) -> Result<Place, Malformed> {
        let mut fields = Fields(head);
        let is_ok = fields.u8() == Some(0);
        let (Some(id), Some(columns), Some(parameters), true) =
            (fields.u32(), fields.u16(), fields.u16(), is_ok)
        else {
            return Err(Malformed);
        };
        self.prepared = Some(PreparedHead { id, parameters });
        let block = |count: u16| match count {
            0 => 0,
            count => u32::from(count) + u32::from(!self.dialect.deprecates_eof),
        };
        Ok(match block(parameters) + block(columns) {
            0 => Place::Over,
            packets => Place::Definitions(packets),
        })
    }

    const fn is_end_of_rows(&self, length: usize, head: &[u8]) -> bool {
        // A row that begins with this byte has a value of 16 MiB or more.
        let longest = if self.dialect.deprecates_eof {
            LONGEST
        } else {
            9
        };
        matches!(head.first(), Some(0xfe)) && length < longest
    }

    fn end_of_rows(&mut self, head: &[u8]) -> Result<Place, Malformed> {
        let status = if self.dialect.deprecates_eof {
            status_of_ok(head)?
        } else {
            status_of_eof(head)?
        };
        Ok(self.after_result(status))
    }

    const fn after_result(&mut self, status: u16) -> Place {
        self.status = Some(status);
        if status & status::MORE_RESULTS == 0 {
            Place::Over
        } else {
            Place::First
        }
    }
}

/// A packet's head and its first bytes, once they are there.
fn whole_head(bytes: &[u8]) -> Option<(usize, u8, &[u8])> {
    let (length, sequence) = read_head(bytes)?;
    let head = bytes.get(HEAD..HEAD + length.min(PEEK))?;
    Some((length, sequence, head))
}

fn status_of_ok(head: &[u8]) -> Result<u16, Malformed> {
    let mut fields = Fields(head);
    let read = (|| {
        fields.u8()?;
        fields.number()?;
        fields.number()?;
        fields.u16()
    })();
    read.ok_or(Malformed)
}

fn status_of_eof(head: &[u8]) -> Result<u16, Malformed> {
    let mut fields = Fields(head);
    let read = (|| {
        let first = fields.u8()?;
        fields.u16()?;
        (first == 0xfe).then_some(())?;
        fields.u16()
    })();
    read.ok_or(Malformed)
}

#[cfg(test)]
mod tests;
