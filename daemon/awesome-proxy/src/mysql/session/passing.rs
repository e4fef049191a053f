//! Passing a command to the server and its answer to the client, as the bytes come.

use super::exchange::{Broken, of_client, of_server, payload};
use super::{ROOM, Session, WHOLE};
use crate::mysql::answer::{Form, Next};
use crate::mysql::error::SqlError;
use crate::mysql::packet::{HEAD, LONGEST, Packets, read_head};
use crate::mysql::prepared::put_number;
use bytes::Buf;
use hwc_runtime::dial::PeerStream;
use std::io;
use tokio::io::AsyncWriteExt;

/// Room for what follows the first bytes of an answer or command.
const ROOM_MAX: usize = 64 * 1024;

/// Sends the command; gives the number of its last packet. Once this has begun, nobody can tell
/// whether the server has it.
pub(super) async fn send(session: &mut Session, server: &mut Packets) -> Result<u8, Broken> {
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
pub(super) async fn pass_answer(session: &mut Session, server: &mut Packets) -> Result<(), Broken> {
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

/// Waits for an answer's first packet, which is short; gives the error in it.
pub(super) async fn first_packet(server: &mut Packets) -> Result<Option<SqlError>, Broken> {
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

/// Waits for more from the server.
pub(super) async fn fill(server: &mut Packets, room: usize) -> Result<(), Broken> {
    match server.fill(room).await {
        Ok(0) | Err(_) => Err(Broken::Server),
        Ok(_) => Ok(()),
    }
}

/// Writes some bytes, and says how many. Cancel-safe.
///
/// # Errors
/// When the stream fails.
async fn write_some(stream: &mut PeerStream, bytes: &[u8]) -> io::Result<usize> {
    match stream.write(bytes).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

async fn flush(stream: &mut PeerStream) -> io::Result<()> {
    stream.flush().await
}
