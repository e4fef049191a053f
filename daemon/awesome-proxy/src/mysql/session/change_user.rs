//! COM_CHANGE_USER: the client logs in anew, as the same user.
//!
//! Another user's database may be on another node, so only the session's own user is taken. Where
//! we know the secret we judge the client's answer ourselves and log in at the server; where not,
//! client and server settle it between them.

use super::Session;
use super::exchange::{Broken, Ran};
use crate::mysql::error::SqlError;
use crate::mysql::handshake::{auth_switch, nonce_of_switch};
use crate::mysql::login::pass_login;
use crate::mysql::native_password::{PROOF, Secret};
use crate::mysql::packet::{LOGIN_PACKET_MAX, Packet, Packets, take_packet};
use crate::mysql::reach::in_time;
use crate::mysql::wire::{Fields, put_with_length, put_with_nul};
use hwc_runtime::random;
use std::io;

/// The command's first byte.
const CHANGE_USER: u8 = 0x11;
/// Packets that the server may take for it.
const PACKETS_MAX: usize = 8;

/// Runs the COM_CHANGE_USER at the front of the client's buffer.
pub(super) async fn change_user(
    session: &mut Session,
    server: &mut Packets,
    nonce: &[u8; PROOF],
) -> Result<Ran, Broken> {
    let taken = take_packet(&mut session.client.buffer, LOGIN_PACKET_MAX);
    let Ok(Some(packet)) = taken else {
        return Err(Broken::Client);
    };
    let Some(asked) = Asked::parse(&packet.payload) else {
        let error = SqlError::bad_handshake("Bad handshake");
        return tell(session, &packet, &error).await;
    };
    if asked.user != session.login.user {
        let error = SqlError::access_denied(asked.user, !asked.answer.is_empty());
        return tell(session, &packet, &error).await;
    }
    let Some(secret) = session.secret.take() else {
        return relay(session, server, &packet).await;
    };
    let ran = log_in_anew(session, server, nonce, (&packet, &asked, &secret)).await;
    session.secret = Some(secret);
    ran
}

async fn log_in_anew(
    session: &mut Session,
    server: &mut Packets,
    nonce: &[u8; PROOF],
    (packet, asked, secret): (&Packet, &Asked<'_>, &Secret),
) -> Result<Ran, Broken> {
    let sequence = match prove(session, packet, asked.answer).await? {
        Ok(sequence) => sequence,
        Err(packet) => {
            let error = SqlError::access_denied(asked.user, true);
            return tell(session, &packet, &error).await;
        }
    };
    let limit = session.shared.config.limits.head;
    let last = in_time(limit, log_in_at(server, secret, nonce, asked)).await;
    let last = last.map_err(|_gone| Broken::Server)?;
    let written = session.client.write(sequence, &last).await;
    written.map_err(|_gone| Broken::Client)?;
    if last.first() == Some(&0) {
        session.begin_anew();
    }
    Ok(Ran::Done)
}

/// What the client asks for.
struct Asked<'a> {
    user: &'a [u8],
    answer: &'a [u8],
    /// Schema, character set, plugin, attributes.
    rest: &'a [u8],
}

impl<'a> Asked<'a> {
    fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(payload);
        fields.u8()?;
        let user = fields.until_nul()?;
        let length = fields.u8()?;
        let answer = fields.bytes(usize::from(length))?;
        Some(Self {
            user,
            answer,
            rest: fields.rest(),
        })
    }
}

/// Judges the client's answer, and asks it once more where it may have answered another nonce; gives
/// the number of the packet that comes next, or the packet that proves nothing.
async fn prove(
    session: &mut Session,
    packet: &Packet,
    answer: &[u8],
) -> Result<Result<u8, Packet>, Broken> {
    if is_proven(session, answer, &session.nonce) {
        return Ok(Ok(packet.sequence.wrapping_add(1)));
    }
    let nonce = random::secret_bytes().map(|byte: u8| b'!' + byte % 93);
    let limit = session.shared.config.limits.head;
    let asked = async {
        let switch = auth_switch(&nonce);
        let sequence = packet.sequence.wrapping_add(1);
        session.client.write(sequence, &switch).await?;
        session.client.read().await
    };
    let answered: io::Result<Packet> = in_time(limit, asked).await;
    let answered = answered.map_err(|_gone| Broken::Client)?;
    if !is_proven(session, &answered.payload, &nonce) {
        return Ok(Err(answered));
    }
    session.nonce = nonce;
    Ok(Ok(answered.sequence.wrapping_add(1)))
}

fn is_proven(session: &Session, answer: &[u8], nonce: &[u8; PROOF]) -> bool {
    let table = session.shared.table.load();
    table
        .password_hash(session.entry.database)
        .is_some_and(|hash| Secret::from_answer(answer, nonce, hash).is_some())
}

/// Logs in at the server in the client's name; gives the server's last word.
async fn log_in_at(
    server: &mut Packets,
    secret: &Secret,
    nonce: &[u8; PROOF],
    asked: &Asked<'_>,
) -> io::Result<Vec<u8>> {
    let mut command = vec![CHANGE_USER];
    put_with_nul(&mut command, asked.user);
    put_with_length(&mut command, &secret.answer(nonce));
    command.extend_from_slice(asked.rest);
    server.write(0, &command).await?;
    for _ in 0..PACKETS_MAX {
        let packet = server.read().await?;
        let Some(nonce) = nonce_of_switch(&packet.payload) else {
            return Ok(packet.payload.to_vec());
        };
        let sequence = packet.sequence.wrapping_add(1);
        server.write(sequence, &secret.answer(&nonce)).await?;
    }
    Err(io::Error::other("a login without end"))
}

/// Lets client and server settle it.
async fn relay(
    session: &mut Session,
    server: &mut Packets,
    packet: &Packet,
) -> Result<Ran, Broken> {
    let sent = server.write(packet.sequence, &packet.payload).await;
    sent.map_err(|_gone| Broken::Server)?;
    let limit = session.shared.config.limits.head;
    let last = pass_login(limit, &mut session.client, server, 0).await;
    if last.map_err(|_gone| Broken::Server)? == 0 {
        session.begin_anew();
    }
    Ok(Ran::Done)
}

async fn tell(session: &mut Session, packet: &Packet, error: &SqlError) -> Result<Ran, Broken> {
    let sequence = packet.sequence.wrapping_add(1);
    let written = session.client.write(sequence, &error.encode()).await;
    written.map_err(|_gone| Broken::Client)?;
    Ok(Ran::Done)
}
