//! One command and its answer.
//!
//! Everything that must be known when this is cut short is in [`Exchange`]: what of the answer the
//! client has, and under which number it would take an error.

use super::change_user::change_user;
use super::{ROOM, Session, WHOLE};
use crate::mysql::answer::{Answer, Form, Next, status};
use crate::mysql::carry::look_back_again;
use crate::mysql::command::Command;
use crate::mysql::error::SqlError;
use crate::mysql::native_password::PROOF;
use crate::mysql::own::Unanswered;
use crate::mysql::packet::{HEAD, LONGEST, Packets, read_head, write_head};
use crate::mysql::peer::until_vouched;
use crate::mysql::prepared::{Execution, Standing, named, prepare_packet, put_number};
use crate::mysql::statement::{self, Traits};
use bytes::{Buf, Bytes, BytesMut};
use hwc_runtime::dial::PeerStream;
use std::io;
use tokio::io::AsyncWriteExt;

/// Room for what follows the first bytes of an answer or command.
const ROOM_MAX: usize = 64 * 1024;

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
    asked: Option<u8>,
    answer: Option<Answer>,
    /// Bytes at the front of the server's buffer that the client has yet to get.
    unwritten: usize,
    /// The number that the client is given for the statement that is being prepared.
    number: u32,
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

fn named_by(session: &Session, command: Command) -> Option<u32> {
    let is_named = command.names_statement();
    is_named.then(|| named(payload(&session.client.buffer)))?
}

/// Whether a statement can be used on the server.
enum Ready {
    Go,
    /// There is nothing to be done, and nothing to be answered.
    Nothing,
    Refused(SqlError),
}

/// Makes the server know the statement that a command names, and the command name it as the server
/// does.
async fn make_ready(
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
    written.map_err(of_server)?;
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

/// Waits for an answer's first packet, which is short; gives the error in it.
async fn first_packet(server: &mut Packets) -> Result<Option<SqlError>, Broken> {
    loop {
        if let Some((length, _)) = read_head(&server.buffer)
            && server.buffer.len() >= HEAD + length
        {
            return Ok(SqlError::parse(payload(&server.buffer)));
        }
        if server.buffer.len() > WHOLE {
            return Err(Broken::Server);
        }
        fill(server, ROOM).await?;
    }
}

async fn fill(server: &mut Packets, room: usize) -> Result<(), Broken> {
    match server.fill(room).await {
        Ok(0) | Err(_) => Err(Broken::Server),
        Ok(_) => Ok(()),
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

/// Sends the command; gives the number of its last packet. Once this has begun, nobody can tell
/// whether the server has it.
async fn send(session: &mut Session, server: &mut Packets) -> Result<u8, Broken> {
    loop {
        let (length, sequence) = head(&mut session.client).await?;
        pass_from_client(session, server, HEAD + length).await?;
        if length < LONGEST {
            flush(&mut server.stream).await.map_err(of_server)?;
            return Ok(sequence);
        }
    }
}

/// Passes on a file from the client, up to the empty packet at its end; gives that one's number.
async fn send_file(session: &mut Session, server: &mut Packets) -> Result<u8, Broken> {
    loop {
        let (length, sequence) = head(&mut session.client).await?;
        pass_from_client(session, server, HEAD + length).await?;
        if length == 0 {
            flush(&mut server.stream).await.map_err(of_server)?;
            return Ok(sequence);
        }
    }
}

/// Waits for the head of the client's next packet.
async fn head(client: &mut Packets) -> Result<(usize, u8), Broken> {
    loop {
        if let Some(head) = read_head(&client.buffer) {
            return Ok(head);
        }
        fill_from_client(client, ROOM).await?;
    }
}

async fn fill_from_client(client: &mut Packets, room: usize) -> Result<(), Broken> {
    match client.fill(room).await {
        Ok(0) | Err(_) => Err(Broken::Client),
        Ok(_) => Ok(()),
    }
}

async fn pass_from_client(
    session: &mut Session,
    server: &mut Packets,
    count: usize,
) -> Result<(), Broken> {
    let mut left = count;
    while left > 0 {
        if session.client.buffer.is_empty() {
            fill_from_client(&mut session.client, ROOM_MAX).await?;
        }
        let here = session.client.buffer.len().min(left);
        let bytes = session.client.buffer.get(..here).unwrap_or_default();
        let written = write_some(&mut server.stream, bytes).await;
        let written = written.map_err(of_server)?;
        session.client.buffer.advance(written);
        left -= written;
    }
    Ok(())
}

/// Passes on the answer to its end.
async fn pass_answer(session: &mut Session, server: &mut Packets) -> Result<(), Broken> {
    let mut room = ROOM;
    loop {
        if server.buffer.is_empty() {
            hear(session, server, room).await?;
            room = ROOM_MAX;
        }
        let next = look_at_answer(session, server).await?;
        while session.exchange.unwritten > 0 {
            let bytes = server.buffer.get(..session.exchange.unwritten);
            let bytes = bytes.unwrap_or_default();
            let written = write_some(&mut session.client.stream, bytes).await;
            let written = written.map_err(of_client)?;
            server.buffer.advance(written);
            session.exchange.unwritten -= written;
        }
        match next {
            Next::More => {}
            Next::Command => {
                let flushed = flush(&mut session.client.stream).await;
                return flushed.map_err(of_client);
            }
            Next::File => {
                let flushed = flush(&mut session.client.stream).await;
                flushed.map_err(of_client)?;
                let sequence = send_file(session, server).await?;
                if let Some(answer) = &mut session.exchange.answer {
                    answer.go_on_after_file(sequence);
                }
            }
        }
    }
}

/// Waits for more from the server; notices when the client leaves meanwhile.
async fn hear(session: &mut Session, server: &mut Packets, room: usize) -> Result<(), Broken> {
    loop {
        let client = &mut session.client;
        tokio::select! {
            biased;
            read = server.fill(room) => return match read {
                Ok(0) | Err(_) => Err(Broken::Server),
                Ok(_) => Ok(()),
            },
            // It may send its next command already.
            read = client.fill(ROOM), if client.buffer.len() < WHOLE => match read {
                Ok(0) | Err(_) => return Err(Broken::Client),
                Ok(_) => {}
            },
        }
    }
}

/// Looks at what came of the answer; all that belongs to it is to be written then.
async fn look_at_answer(session: &mut Session, server: &mut Packets) -> Result<Next, Broken> {
    let is_prepared = |session: &Session| {
        let answer = session.exchange.answer.as_ref()?;
        answer.prepared()
    };
    let was_prepared = is_prepared(session).is_some();
    let prepares = session
        .exchange
        .answer
        .as_ref()
        .is_some_and(|answer| answer.form() == Form::Prepared);
    if prepares && !was_prepared {
        // The statement's number may have to be another for the client.
        first_packet(server).await?;
    }
    let Some(answer) = &mut session.exchange.answer else {
        return Err(Broken::Server);
    };
    let (used, next) = answer
        .feed(&server.buffer)
        .map_err(|_malformed| Broken::Server)?;
    session.exchange.unwritten = used;
    if let Some(head) = answer.prepared().filter(|_| !was_prepared) {
        let number = session.statements.number_for(head.id);
        session.exchange.number = number;
        if let Some(place) = server.buffer.get_mut(HEAD..) {
            put_number(place, Some(number));
        }
    }
    Ok(next)
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

/// Writes some bytes, and says how many. Cancel-safe.
///
/// # Errors
/// When the stream fails.
pub(super) async fn write_some(stream: &mut PeerStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

async fn flush(stream: &mut PeerStream) -> io::Result<()> {
    stream.flush().await
}

/// Gives back the room of a long command or answer.
fn trim(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > 2 * ROOM {
        *buffer = BytesMut::new();
    }
}

fn of_client(_error: io::Error) -> Broken {
    Broken::Client
}

fn of_server(_error: io::Error) -> Broken {
    Broken::Server
}
