//! The prepared statement that a command names, made known to the server before the command goes
//! there.

use super::Session;
use super::exchange::{Broken, payload};
use super::passing::{fill, first_packet};
use crate::mysql::answer::{Answer, Form, Next};
use crate::mysql::command::Command;
use crate::mysql::error::SqlError;
use crate::mysql::packet::{HEAD, LONGEST, Packets, read_head, write_head};
use crate::mysql::prepared::{Execution, Standing, named, prepare_packet, put_number};
use bytes::{Buf, BytesMut};
use tokio::io::AsyncWriteExt;

/// Room for what a server says of a statement.
const ROOM: usize = 8 * 1024;

/// The statement that the command at the front of the client's buffer names.
pub(super) fn named_by(session: &Session, command: Command) -> Option<u32> {
    let is_named = command.names_statement();
    is_named.then(|| named(payload(&session.client.buffer)))?
}

/// Whether a statement can be used on the server.
pub(super) enum Ready {
    Go,
    /// There is nothing to be done, and nothing to be answered.
    Nothing,
    Refused(SqlError),
}

/// Makes the server know the statement that a command names, and the command name it as the server
/// does.
pub(super) async fn make_ready(
    session: &mut Session,
    server: &mut Packets,
    command: Command,
    number: u32,
) -> Result<Ready, Broken> {
    if command == Command::CloseStatement {
        let there = session.statements.close(number);
        rename(session, there);
        return Ok(if there.is_some() {
            Ready::Go
        } else {
            Ready::Nothing
        });
    }
    let there = match session.statements.standing(number) {
        Standing::Ready(there) => Some(there),
        Standing::Unknown => None,
        Standing::Absent(text) => match prepare_again(session, server, number, &text).await? {
            Ok(there) => Some(there),
            Err(error) => return Ok(Ready::Refused(error)),
        },
    };
    rename(session, there);
    if matches!(command, Command::Execute | Command::BulkExecute) {
        let buffer = &session.client.buffer;
        match session.statements.execute(number, payload(buffer)) {
            Execution::AsItIs => {}
            Execution::Replace(front, with) => {
                if !replace_front(&mut session.client.buffer, front, &with) {
                    return Ok(Ready::Refused(no_statement()));
                }
            }
            Execution::Impossible => return Ok(Ready::Refused(no_statement())),
        }
    }
    if command == Command::SendLongData {
        session.statements.note_long_data(number);
    }
    Ok(Ready::Go)
}

fn rename(session: &mut Session, there: Option<u32>) {
    if let Some(command) = session.client.buffer.get_mut(HEAD..) {
        put_number(command, there);
    }
}

fn no_statement() -> SqlError {
    SqlError::shutdown("a prepared statement could not be taken along")
}

/// Puts other bytes in place of a command's first ones; false where it would get too long.
fn replace_front(buffer: &mut BytesMut, front: usize, with: &[u8]) -> bool {
    let Some((length, sequence)) = read_head(buffer) else {
        return false;
    };
    let new_length = length - front + with.len();
    if new_length >= LONGEST {
        return false;
    }
    let rest = buffer.get(HEAD + front..).unwrap_or_default();
    let mut changed = BytesMut::with_capacity(HEAD + with.len() + rest.len());
    changed.extend_from_slice(&write_head(new_length, sequence));
    changed.extend_from_slice(with);
    changed.extend_from_slice(rest);
    *buffer = changed;
    true
}

/// Prepares a statement on a server that does not know it.
async fn prepare_again(
    session: &mut Session,
    server: &mut Packets,
    number: u32,
    text: &[u8],
) -> Result<Result<u32, SqlError>, Broken> {
    let written = server.stream.write_all(&prepare_packet(text)).await;
    written.map_err(|_gone| Broken::Server)?;
    let mut answer = Answer::new(Form::Prepared, session.login.dialect(), 0);
    let mut error = None;
    loop {
        let is_first = answer.prepared().is_none() && error.is_none();
        if is_first {
            error = first_packet(server).await?;
        } else if server.buffer.is_empty() {
            fill(server, ROOM).await?;
        }
        let fed = answer.feed(&server.buffer);
        let (used, next) = fed.map_err(|_malformed| Broken::Server)?;
        server.buffer.advance(used);
        if next == Next::Command {
            break;
        }
    }
    if let Some(error) = error {
        return Ok(Err(error));
    }
    let head = answer.prepared().ok_or(Broken::Server)?;
    let definitions = answer.definitions();
    let is_same = session
        .statements
        .note_prepared_again(number, head, definitions);
    Ok(if is_same {
        Ok(head.id)
    } else {
        Err(no_statement())
    })
}
