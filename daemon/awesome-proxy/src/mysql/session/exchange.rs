//! One command and its answer.
//!
//! Everything that must be known when this is cut short is in [`Exchange`]: what of the answer the
//! client has, and under which number it would take an error.

use super::change_user::change_user;
use super::passing::{pass_answer, send};
use super::ready::{Ready, make_ready, named_by};
use super::{ROOM, Session, WHOLE};
use crate::mysql::answer::{Answer, status};
use crate::mysql::carry::look_back_again;
use crate::mysql::command::Command;
use crate::mysql::error::SqlError;
use crate::mysql::native_password::PROOF;
use crate::mysql::own::Unanswered;
use crate::mysql::packet::{HEAD, Packets, read_head};
use crate::mysql::peer::until_vouched;
use crate::mysql::prepared::named;
use crate::mysql::statement::{self, Traits};
use bytes::{Bytes, BytesMut};
use std::io;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// It was answered.
    Done,
    /// The session is over: the client left or makes no sense.
    Over,
    /// The server left in the middle, or makes no sense.
    ServerGone,
    /// The session must end in the middle.
    Cut,
}

/// How far a command and its answer are.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The client is done with its part, and its last packet had this number.
    pub asked: Option<u8>,
    pub answer: Option<Answer>,
    /// Bytes at the front of the server's buffer that the client has yet to get.
    pub unwritten: usize,
    /// The number that the client is given for the statement that is being prepared.
    pub number: u32,
}

impl Exchange {
    /// The number under which the client would take an error now; none where it would not.
    pub fn next_sequence(&self) -> Option<u8> {
        let asked = self.asked?;
        let last = match &self.answer {
            None => asked,
            Some(answer) if answer.is_at_boundary() && self.unwritten == 0 => answer.sequence(),
            Some(_) => return None,
        };
        Some(last.wrapping_add(1))
    }
}

/// Why a command did not run through.
pub(super) enum Broken {
    Client,
    Server,
}

/// What is known of a command before it is sent.
struct Asked {
    command: Command,
    /// The statement that it names.
    number: Option<u32>,
    traits: Traits,
    /// A statement's text, to be prepared again elsewhere; none where it is not whole.
    text: Option<Bytes>,
    /// COM_SET_OPTION's parameter.
    option: u8,
}

/// Runs the command that the client's buffer begins with. Not cancel-safe, but for what
/// [`Exchange`] tells.
pub(super) async fn run(
    session: &mut Session,
    server: &mut Packets,
    nonce: &[u8; PROOF],
    is_here: bool,
) -> Ran {
    session.exchange = Exchange::default();
    match try_run(session, server, nonce, is_here).await {
        Ok(ran) => ran,
        Err(Broken::Client) => Ran::Over,
        Err(Broken::Server) => Ran::ServerGone,
    }
}

async fn try_run(
    session: &mut Session,
    server: &mut Packets,
    nonce: &[u8; PROOF],
    is_here: bool,
) -> Result<Ran, Broken> {
    let command = arrival(&mut session.client).await.map_err(of_client)?;
    let Some(command) = command else {
        return refused(session, &SqlError::unknown_command()).await;
    };
    if command == Command::Quit {
        // The stream ends with the session; the server needs no answer either.
        let _gone = server.write(0, &[1]).await;
        return Ok(Ran::Over);
    }
    if session.hears_of_loss(command) {
        return refused(session, &SqlError::rolled_back()).await;
    }
    if is_here {
        until_vouched(&session.shared).await;
        if command.is_statement() {
            session.door.counters.count_statements(1);
        }
    }
    if command == Command::ChangeUser {
        return change_user(session, server, nonce).await;
    }
    if let Some(error) = look_back(session, server, command).await? {
        return refused(session, &error).await;
    }
    let number = named_by(session, command);
    if let Some(number) = number {
        match make_ready(session, server, command, number).await? {
            Ready::Go => {}
            Ready::Nothing => return refused_or_dropped(session, command, None).await,
            Ready::Refused(error) => {
                return refused_or_dropped(session, command, Some(error)).await;
            }
        }
    }
    let asked = asked(session, command, number);
    let sequence = send(session, server).await?;
    session.exchange.asked = Some(sequence);
    if let Some(form) = command.form() {
        let answer = Answer::new(form, session.login.dialect(), sequence);
        session.exchange.answer = Some(answer);
        pass_answer(session, server).await?;
    }
    settle(session, &asked);
    trim(&mut session.client.buffer);
    trim(&mut server.buffer);
    Ok(Ran::Done)
}

/// Waits until the client's next command is there, as far as it is looked at; none where it is one
/// that nobody knows.
///
/// # Errors
/// When the client leaves.
pub(super) async fn arrival(client: &mut Packets) -> io::Result<Option<Command>> {
    loop {
        if has_arrived(&client.buffer) {
            let code = payload(&client.buffer).first();
            return Ok(code.and_then(|code| Command::from_code(*code)));
        }
        if client.fill(ROOM).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Whether as much of a command is there as is looked at.
pub(super) fn has_arrived(buffer: &[u8]) -> bool {
    read_head(buffer).is_some_and(|(length, _)| buffer.len() >= HEAD + length.min(WHOLE))
}

/// The command at the front of a buffer, from its first byte on, as far as it is there.
pub(super) fn payload(buffer: &[u8]) -> &[u8] {
    let length = read_head(buffer).map_or(0, |(length, _)| length);
    let rest = buffer.get(HEAD..).unwrap_or_default();
    rest.get(..length).unwrap_or(rest)
}

/// Makes good what asking for the session's state has disturbed, as far as this command looks back;
/// an error where that can't be done.
async fn look_back(
    session: &mut Session,
    server: &mut Packets,
    command: Command,
) -> Result<Option<SqlError>, Broken> {
    if session.look_back.is_none() || !command.is_statement() {
        return Ok(None);
    }
    let Some(left) = session.look_back.take() else {
        return Ok(None);
    };
    let payload = payload(&session.client.buffer);
    let text = if command == Command::Execute {
        let number = named(payload);
        let text = number.and_then(|number| session.statements.text(number));
        text.unwrap_or_default()
    } else {
        Bytes::copy_from_slice(payload)
    };
    let asked = statement::looks_back(&text);
    let deprecates_eof = session.login.dialect().deprecates_eof;
    match look_back_again(server, deprecates_eof, &left, asked).await {
        Ok(true) => Ok(None),
        Ok(false) | Err(Unanswered::Refused(_)) => Ok(Some(SqlError::shutdown(
            "what the last statement left behind could not be taken along",
        ))),
        Err(Unanswered::Broken(_)) => Err(Broken::Server),
    }
}

/// What has to be known of a command once it is answered.
fn asked(session: &Session, command: Command, number: Option<u32>) -> Asked {
    let buffer = &session.client.buffer;
    let payload = payload(buffer);
    let is_whole = read_head(buffer).is_some_and(|(length, _)| payload.len() == length);
    let text = payload.get(1..).unwrap_or_default();
    let is_text = matches!(command, Command::Query | Command::Prepare);
    Asked {
        command,
        number,
        traits: if is_text {
            statement::traits(text)
        } else {
            Traits::default()
        },
        text: (command == Command::Prepare && is_whole).then(|| Bytes::copy_from_slice(text)),
        option: text.first().copied().unwrap_or_default(),
    }
}

/// Notes what a command that is answered has changed.
fn settle(session: &mut Session, asked: &Asked) {
    session.stay.note_command(asked.command, asked.traits);
    let Some(answer) = session.exchange.answer.take() else {
        return;
    };
    session.stay.note_status(answer.status(), answer.is_error());
    let status = answer.status().unwrap_or_default();
    let has_cursor = status & status::CURSOR_EXISTS != 0;
    match (asked.command, asked.number) {
        (Command::Prepare, _) => {
            if let Some(head) = answer.prepared() {
                let number = session.exchange.number;
                let definitions = answer.definitions();
                let text = asked.text.as_deref();
                session
                    .statements
                    .note_prepared(number, head, text, definitions);
            }
        }
        (Command::Execute, Some(number)) => {
            session.statements.note_cursor(number, has_cursor);
            if answer.has_columns() {
                session.statements.note_other_definitions(number);
            }
        }
        (Command::Fetch, Some(number)) => {
            let is_over = status & status::LAST_ROW_SENT != 0 || !has_cursor;
            session.statements.note_cursor(number, !is_over);
        }
        (Command::ResetStatement, Some(number)) => session.statements.note_reset(number),
        (Command::ResetSession, _) if !answer.is_error() => session.begin_anew(),
        (Command::SetOption, _) if !answer.is_error() => {
            session.login.set_multi_statements(asked.option == 0);
        }
        _ => {}
    }
}

/// Answers a command with an error; nothing of it goes to the server.
async fn refused(session: &mut Session, error: &SqlError) -> Result<Ran, Broken> {
    let refused = session.refuse(error).await;
    refused.map_err(of_client)?;
    Ok(Ran::Done)
}

/// The same for commands that may have no answer.
async fn refused_or_dropped(
    session: &mut Session,
    command: Command,
    error: Option<SqlError>,
) -> Result<Ran, Broken> {
    match (command.form(), error) {
        (Some(_), Some(error)) => refused(session, &error).await,
        (Some(_) | None, _) => {
            session.drop_command().await.map_err(of_client)?;
            Ok(Ran::Done)
        }
    }
}

/// Gives back the room of a long command or answer.
fn trim(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > 2 * ROOM {
        *buffer = BytesMut::new();
    }
}

pub(super) fn of_client(_error: io::Error) -> Broken {
    Broken::Client
}

pub(super) fn of_server(_error: io::Error) -> Broken {
    Broken::Server
}
