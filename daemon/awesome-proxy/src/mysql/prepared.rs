//! The statements that a client has prepared, and what it takes to prepare them again elsewhere.
//!
//! A client knows a statement by the number that its first server gave; every server gives its own.
//! Here is which is which, each statement's text, and the types of its parameters, which clients
//! send only once.

use super::answer::PreparedHead;
use super::packet::{HEAD, write_head};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Bytes of texts that are kept for one session. Beyond it statements can't be prepared again.
const TEXTS_MAX: usize = 1024 * 1024;
/// Numbers that we give ourselves begin here: beyond what a server reaches in a session.
const OWN_NUMBERS: u32 = 1 << 30;
/// Stands for the statement that was prepared last.
const LAST: u32 = u32::MAX;
/// No server gives this number: "unknown statement".
const UNKNOWN: u32 = 0;
/// The bit of COM_STMT_BULK_EXECUTE that says that types follow.
const BULK_TYPES: u8 = 1 << 7;

/// One statement of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its number on the server that we are at; none where it is not prepared there.
    server: Option<u32>,
    /// What to prepare it from; none where that was too long to keep.
    text: Option<Bytes>,
    parameters: u16,
    /// The types of its parameters, two bytes each, once they were sent.
    types: Option<Bytes>,
    /// The server we are at has them too.
    has_types: bool,
    /// What the client knows of its parameters and columns, where it remembers that.
    definitions: Option<[u8; 20]>,
    has_cursor: bool,
    has_long_data: bool,
}

/// Where a statement stands that a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has this number on the server.
    Ready(u32),
    /// It must be prepared there first, from this text.
    Absent(Bytes),
    /// There is none.
    Unknown,
}

/// All statements of one session.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// By the numbers that the client knows.
    statements: BTreeMap<u32, Statement>,
    last: u32,
    given: u32,
    text_bytes: usize,
}

impl Statements {
    /// Notes that a statement was prepared, of which the client knows this number (see
    /// [`Statements::number_for`]). `text` is none where it did not come in one piece.
    pub fn note_prepared(
        &mut self,
        number: u32,
        head: PreparedHead,
        text: Option<&[u8]>,
        definitions: Option<[u8; 20]>,
    ) {
        let text = text.filter(|text| self.text_bytes + text.len() <= TEXTS_MAX);
        self.text_bytes += text.map_or(0, <[u8]>::len);
        let statement = Statement {
            server: Some(head.id),
            text: text.map(Bytes::copy_from_slice),
            parameters: head.parameters,
            types: None,
            has_types: false,
            definitions,
            has_cursor: false,
            has_long_data: false,
        };
        self.statements.insert(number, statement);
        self.last = number;
    }

    /// A number for the client: the server's where the client can't confuse it, else one of our own.
    pub fn number_for(&mut self, server: u32) -> u32 {
        if !self.statements.contains_key(&server) && server < OWN_NUMBERS && self.given == 0 {
            return server;
        }
        loop {
            let number = OWN_NUMBERS | self.given;
            self.given = self.given % (OWN_NUMBERS - 1) + 1;
            if !self.statements.contains_key(&number) {
                return number;
            }
        }
    }

    /// Notes that an absent statement was prepared again; false where the client would be misled by
    /// what it remembers of it.
    pub fn note_prepared_again(
        &mut self,
        number: u32,
        head: PreparedHead,
        definitions: Option<[u8; 20]>,
    ) -> bool {
        let Some(statement) = self.find(number) else {
            return false;
        };
        let is_same =
            statement.parameters == head.parameters && statement.definitions == definitions;
        if is_same {
            statement.server = Some(head.id);
        }
        is_same
    }

    /// Where the statement stands that a command names.
    pub fn standing(&mut self, number: u32) -> Standing {
        match self.find(number) {
            None => Standing::Unknown,
            Some(statement) => match (statement.server, &statement.text) {
                (Some(server), _) => Standing::Ready(server),
                (None, Some(text)) => Standing::Absent(text.clone()),
                // `is_carriable` keeps a session from leaving with one of these.
                (None, None) => Standing::Unknown,
            },
        }
    }

    /// The text of a statement.
    pub fn text(&mut self, number: u32) -> Option<Bytes> {
        self.find(number)?.text.clone()
    }

    /// Notes what an execution does to a statement, and makes the server know the types of its
    /// parameters: gives the command's front anew where they have to be put in. `payload` is the
    /// command from its first byte on, as much of it as there is.
    pub fn execute(&mut self, number: u32, payload: &[u8]) -> Execution {
        let Some(statement) = self.find(number) else {
            return Execution::AsItIs;
        };
        statement.has_long_data = false;
        statement.has_cursor = false;
        let types = usize::from(statement.parameters) * 2;
        let place = match payload.first() {
            _ if types == 0 => return Execution::AsItIs,
            Some(0xfa) => Place {
                flag: 5,
                bit: BULK_TYPES,
                types: 7,
            },
            Some(_) | None => {
                let flag = 10 + usize::from(statement.parameters).div_ceil(8);
                Place {
                    flag,
                    bit: 1,
                    types: flag + 1,
                }
            }
        };
        let Some(flag) = payload.get(place.flag) else {
            return statement.without_types();
        };
        if flag & place.bit == 0 {
            return statement.put_types(payload, place);
        }
        let sent = payload.get(place.types..place.types + types);
        statement.types = sent.map(Bytes::copy_from_slice);
        statement.has_types = true;
        Execution::AsItIs
    }

    /// Notes that a part of a parameter was sent ahead.
    pub fn note_long_data(&mut self, number: u32) {
        if let Some(statement) = self.find(number) {
            statement.has_long_data = true;
        }
    }

    /// Notes whether rows of the statement wait on the server.
    pub fn note_cursor(&mut self, number: u32, has_cursor: bool) {
        if let Some(statement) = self.find(number) {
            statement.has_cursor = has_cursor;
        }
    }

    /// Notes that the client got columns anew, so that we no longer know what it remembers.
    pub fn note_other_definitions(&mut self, number: u32) {
        if let Some(statement) = self.find(number)
            && statement.definitions.is_some()
            && let Some(text) = statement.text.take()
        {
            self.text_bytes -= text.len();
        }
    }

    /// Notes that a statement's parameters and cursor were forgotten.
    pub fn note_reset(&mut self, number: u32) {
        if let Some(statement) = self.find(number) {
            statement.has_long_data = false;
            statement.has_cursor = false;
        }
    }

    /// Forgets a statement; gives its number on the server, if it is there.
    pub fn close(&mut self, number: u32) -> Option<u32> {
        let statement = self.statements.remove(&self.number(number))?;
        self.text_bytes -= statement.text.map_or(0, |text| text.len());
        statement.server
    }

    /// Forgets all of them: the server did.
    pub fn clear(&mut self) {
        *self = Self {
            given: self.given,
            ..Self::default()
        };
    }

    /// Whether the session can leave its server as far as its statements go.
    pub fn is_carriable(&self) -> bool {
        self.statements.values().all(|statement| {
            let has_types = !statement.has_types || statement.types.is_some();
            statement.text.is_some()
                && has_types
                && !statement.has_cursor
                && !statement.has_long_data
        })
    }

    /// The session has left its server.
    pub fn leave(&mut self) {
        // From now on servers' numbers can be those that the client knows already.
        self.given = self.given.max(1);
        for statement in self.statements.values_mut() {
            statement.server = None;
            statement.has_types = false;
        }
    }

    fn number(&self, number: u32) -> u32 {
        if number == LAST { self.last } else { number }
    }

    fn find(&mut self, number: u32) -> Option<&mut Statement> {
        let number = self.number(number);
        self.statements.get_mut(&number)
    }
}

/// What to do with an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Execution {
    /// It can go as it came.
    AsItIs,
    /// The first so many bytes of the payload are to be replaced by these.
    Replace(usize, Vec<u8>),
    /// The server lacks the types, and there is no telling whether they come.
    Impossible,
}

/// Where types stand in a command.
#[derive(Clone, Copy)]
struct Place {
    flag: usize,
    bit: u8,
    types: usize,
}

impl Statement {
    /// For a command of which so little is there that its types can't be told.
    const fn without_types(&self) -> Execution {
        if self.types.is_some() && !self.has_types {
            Execution::Impossible
        } else {
            Execution::AsItIs
        }
    }

    /// Puts the types in, if the server lacks them. The client believes that they are known.
    fn put_types(&mut self, payload: &[u8], place: Place) -> Execution {
        if self.has_types {
            return Execution::AsItIs;
        }
        let (Some(types), Some(front)) = (&self.types, payload.get(..place.types)) else {
            // Never sent: let the server say what it thinks of that.
            return Execution::AsItIs;
        };
        let mut front = front.to_vec();
        if let Some(flag) = front.get_mut(place.flag) {
            *flag |= place.bit;
        }
        front.extend_from_slice(types);
        self.has_types = true;
        Execution::Replace(place.types, front)
    }
}

/// The number of a statement for the server, in place of the one in a command's payload.
pub(super) fn put_number(payload: &mut [u8], server: Option<u32>) {
    if let Some(place) = payload.get_mut(1..5) {
        place.copy_from_slice(&server.unwrap_or(UNKNOWN).to_le_bytes());
    }
}

/// The number of the statement that a command names.
pub(super) fn named(payload: &[u8]) -> Option<u32> {
    let number = payload.get(1..5)?.try_into().ok()?;
    Some(u32::from_le_bytes(number))
}

/// The packet that prepares a statement.
pub(super) fn prepare_packet(text: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEAD + 1 + text.len());
    packet.extend_from_slice(&write_head(text.len() + 1, 0));
    packet.push(0x16);
    packet.extend_from_slice(text);
    packet
}

#[cfg(test)]
mod tests;
